//! Chat by the API of OpenAI, which most servers speak.

mod azure;
mod decode;
mod encode;
mod messages;
mod models;
mod part;
mod provider;
mod tools;
mod wire;

pub use provider::Provider;
pub(crate) use {
    decode::Decoder,
    encode::Body,
    messages::Messages,
    models::{takes_sampling, thinks},
    part::WireCall,
    tools::Tools,
    wire::{Choice, Delta, InputDetails},
};

use crate::{
    conversation::Manners,
    http::{Ask, Decode, Format, Peer, Service, Settings, http_chat_model, with_path},
};
use agentscope_core::Result;
use agentscope_net::Url;
use std::sync::Arc;
use tools::LastTools;

http_chat_model! {
    /// A chat model behind an API that is compatible with OpenAI's: OpenAI itself, DashScope, DeepSeek, Moonshot, Ollama, vLLM,
    /// llama.cpp and many others.
    ///
    /// It sends a request again, twice by default, where the server says that it takes no more for now (429, with its `Retry-After`
    /// up to a minute) or fails (5xx), or the connection does not come about, as long as nothing of the answer was given away. The
    /// waits between are random, up to 0.5 s, 1 s, ..
    ///
    /// Cloning it is cheap and gives the same model. Errors: [`ErrorKind::Unauthorized`] for a missing or wrong key,
    /// [`ErrorKind::RateLimited`], [`ErrorKind::Exhausted`] for a quota or credit that is used up, [`ErrorKind::ContextOverflow`],
    /// [`ErrorKind::NotFound`] for an unknown model or address, [`ErrorKind::InvalidInput`] for a request that the server does not
    /// accept, [`ErrorKind::Refused`] by a content filter, [`ErrorKind::Timeout`], [`ErrorKind::Unavailable`] where the server
    /// fails or its answer breaks off, [`ErrorKind::Protocol`] for an answer that is none.
    ///
    /// ```
    /// use agentscope_core::ChatModel;
    /// use agentscope_model::{OpenAIChatModel, Provider};
    ///
    /// let model = OpenAIChatModel::new("gpt-4o").api_key("sk-..").temperature(0.2);
    /// assert_eq!(model.card().name, "gpt-4o");
    ///
    /// let local = OpenAIChatModel::of(Provider::Vllm, "Qwen/Qwen3-8B").base_url("http://gpu-1:8000/v1").context_size(32_768);
    /// assert_eq!(local.card().context_size, 32_768);
    /// ```
    ///
    /// [`ErrorKind::Unauthorized`]: agentscope_core::ErrorKind::Unauthorized
    /// [`ErrorKind::RateLimited`]: agentscope_core::ErrorKind::RateLimited
    /// [`ErrorKind::Exhausted`]: agentscope_core::ErrorKind::Exhausted
    /// [`ErrorKind::ContextOverflow`]: agentscope_core::ErrorKind::ContextOverflow
    /// [`ErrorKind::NotFound`]: agentscope_core::ErrorKind::NotFound
    /// [`ErrorKind::InvalidInput`]: agentscope_core::ErrorKind::InvalidInput
    /// [`ErrorKind::Refused`]: agentscope_core::ErrorKind::Refused
    /// [`ErrorKind::Timeout`]: agentscope_core::ErrorKind::Timeout
    /// [`ErrorKind::Unavailable`]: agentscope_core::ErrorKind::Unavailable
    /// [`ErrorKind::Protocol`]: agentscope_core::ErrorKind::Protocol
    OpenAIChatModel
}

impl OpenAIChatModel {
    /// A model of OpenAI, such as `gpt-4o`. The key is that of OPENAI_API_KEY, the address that of OPENAI_BASE_URL or
    /// `https://api.openai.com/v1`.
    pub fn new(model: impl Into<String>) -> Self {
        Self::of(Provider::OpenAi, model)
    }

    /// A model of a provider. Key and address are found in the provider's variables, see [`Provider`].
    pub fn of(provider: Provider, model: impl Into<String>) -> Self {
        let model = model.into();
        let sees = provider == Provider::OpenAi && sees(&model);
        Self(Arc::new(Settings::new(Arc::new(Chat::of(provider)), model, |card| {
            card.output_schema = provider.ways().output_schema;
            if sees {
                card.input_types = vec!["image/*".to_owned()];
            }
        })))
    }
}

/// Whether a model of OpenAI of which nothing is known is shown images, by its name.
pub(crate) fn sees(model: &str) -> bool {
    let is_one = |names: &[&str]| names.iter().any(|it| model.starts_with(it));
    is_one(&["gpt-4o", "gpt-4.1", "gpt-5", "o1", "o3", "o4"])
        && !is_one(&["o1-mini", "o1-preview", "o3-mini", "gpt-4o-audio", "gpt-4o-mini-audio"])
}

/// The wire format, as a provider speaks it.
#[derive(Debug)]
struct Chat {
    provider: Provider,
    tools: LastTools,
}

impl Chat {
    fn of(provider: Provider) -> Self {
        Self { provider, tools: LastTools::default() }
    }

    fn body<'a>(&self, ask: &Ask<'a>) -> Body<'a> {
        Body { ask: *ask, ways: self.provider.ways(), is_other: self.provider == Provider::Other }
    }
}

impl Format for Chat {
    fn service(&self) -> &'static Service {
        &self.provider.ways().service
    }

    fn manners(&self) -> &'static Manners {
        &self.provider.ways().manners
    }

    fn address(&self, base: Url, model: &str, _: bool) -> Url {
        if self.provider == Provider::Azure {
            return azure::address(base, model, azure::version().as_deref());
        }
        with_path(base, "/chat/completions")
    }

    fn encode(&self, ask: &Ask<'_>) -> Result<Vec<u8>> {
        self.body(ask).write(&self.tools)
    }

    fn decoder(&self, peer: Peer, ask: &Ask<'_>) -> Box<dyn Decode> {
        let format = ask.extra("audio").and_then(|audio| audio.get("format")?.as_str());
        let sound_type = format.map_or("audio/wav".into(), |format| format!("audio/{format}").into());
        Box::new(Decoder::new(peer, sound_type))
    }
}

#[cfg(test)]
mod tests;
