//! Chat by the API of Ollama itself.

mod decode;
mod encode;
mod host;
mod messages;
mod schema;
mod wire;

use crate::{
    conversation::{ImagesOfResults, Manners},
    http::{
        Ask, Auth, Decode, Format, Framing, Peer, Service, Settings, http_chat_model, with_path, written,
    },
};
use agentscope_core::{Error, ErrorKind, Result};
use agentscope_net::Url;
use decode::Decoder;
use encode::Body;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

http_chat_model! {
    /// A chat model that Ollama serves, by Ollama's own API: it knows the window of the model, thoughts and how long the model stays
    /// loaded, of which the compatible one ([`Provider::Ollama`](crate::Provider::Ollama)) knows nothing.
    ///
    /// The address is that of OLLAMA_BASE_URL or, as Ollama's own programs read it, of OLLAMA_HOST (`host:port`), else
    /// `http://localhost:11434`; one that ends with `/v1` is understood. A key is that of OLLAMA_API_KEY, which
    /// `https://ollama.com` asks for. Its spec is `ollama:qwen3`.
    ///
    /// * [`context_size`](Self::context_size), or that of your own [`cards`](crate::cards), is the window that Ollama gives the model
    ///   (`num_ctx`). Without it Ollama chooses one,
    ///   mostly of 4,096 tokens or what OLLAMA_CONTEXT_LENGTH says where it runs.
    /// * A conversation that does not fit is [`ErrorKind::ContextOverflow`], and an answer that does not is cut as `Length`: Ollama is
    ///   told not to forget the beginning without a word. `.body("truncate", true)` and `.body("shift", true)` let it.
    /// * Ollama cannot be told to call a tool. Where one has to be called, only that one is offered; where any has to be, or the
    ///   model likes, all are; where none may be, none is.
    /// * Structured output is Ollama's own (`format`) where no tool is offered. Beside tools Ollama could call none of them, so that
    ///   the model is told the schema instead, and the agent has it correct what does not fit.
    /// * Images are put into the request, those of the web too. Sounds, films and files cannot be shown; the model is told of them.
    /// * [`body`](Self::body) and [`ModelOptions::extra`](agentscope_core::ModelOptions) put fields beside `messages`. Those within
    ///   `options` are merged with what is there, as in `.body("options", json!({"num_gpu": 1}))`.
    ///
    /// It asks again where that may help, as [`OpenAIChatModel`](crate::OpenAIChatModel) does, and has its errors. For a model that
    /// is not there, [`ErrorKind::NotFound`] says how to get it.
    ///
    /// ```
    /// use agentscope_core::ChatModel;
    /// use agentscope_model::OllamaChatModel;
    ///
    /// let model = OllamaChatModel::new("qwen3").context_size(32_768).think(true);
    /// assert_eq!(model.card().spec, "ollama:qwen3");
    /// ```
    ///
    /// [`ErrorKind::ContextOverflow`]: agentscope_core::ErrorKind::ContextOverflow
    /// [`ErrorKind::NotFound`]: agentscope_core::ErrorKind::NotFound
    OllamaChatModel
}

/// What the names of models that see have in them.
const SEEING: [&str; 8] = ["llava", "vision", "-vl", "vl:", "gemma3", "llama4", "moondream", "minicpm-v"];

impl OllamaChatModel {
    /// A model that Ollama serves, such as `qwen3` or `qwen3:8b`.
    pub fn new(model: impl Into<String>) -> Self {
        let model = model.into();
        let sees = SEEING.iter().any(|it| model.contains(it)) || model.ends_with("vl");
        let mut settings = Settings::new(Arc::new(Ollama), model, |card| {
            card.output_schema = true;
            if sees {
                card.input_types = vec!["image/*".to_owned()];
            }
        });
        if settings.access.is_at_home()
            && let Some(host) = found_host()
        {
            settings.set_address(host);
        }
        Self(Arc::new(settings))
    }

    /// Whether to think before it speaks, or how much: `"low"`, `"medium"`, `"high"` or `"max"`. Without it, a model that can
    /// think does. Ollama refuses it for one that cannot.
    #[must_use]
    pub fn think(self, think: impl Into<Value>) -> Self {
        self.body("think", think)
    }

    /// How long the model stays loaded after a request (5 min), in whole seconds; `Duration::MAX` is for ever.
    #[must_use]
    pub fn keep_alive(self, time: Duration) -> Self {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(-1);
        self.body("keep_alive", json!(seconds))
    }
}

/// Where OLLAMA_HOST says that Ollama is.
pub(crate) fn found_host() -> Option<String> {
    std::env::var("OLLAMA_HOST").ok().and_then(|host| host::url_of(&host))
}

/// The wire format.
#[derive(Debug)]
struct Ollama;

pub(crate) static SERVICE: Service = Service {
    name: "ollama",
    keys: &["OLLAMA_API_KEY"],
    needs_key: false,
    auth: Auth::Bearer,
    base_url: "http://localhost:11434",
    base_url_variable: "OLLAMA_BASE_URL",
    api: "Ollama's API",
    place: "such as http://localhost:11434",
    example: "http://localhost:11434",
};

static MANNERS: Manners = Manners {
    shown: [true, false, false, false],
    inlined: [true; 4],
    images_of_results: ImagesOfResults::Promoted,
    ..Manners::COMMON
};

impl Format for Ollama {
    fn service(&self) -> &'static Service {
        &SERVICE
    }

    fn manners(&self) -> &'static Manners {
        &MANNERS
    }

    fn address(&self, mut base: Url, _: &str, _: bool) -> Url {
        let path = base.path().to_owned();
        // The base URL of the compatible API is that of a server which speaks this one too.
        if let Some(path) = path.strip_suffix("/v1").or(path.strip_suffix("/api")) {
            base.set_path(path);
        }
        with_path(base, "/api/chat")
    }

    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn encode(&self, ask: &Ask<'_>) -> Result<Vec<u8>> {
        written(ask, &Body(*ask))
    }

    fn decoder(&self, peer: Peer, _: &Ask<'_>) -> Box<dyn Decode> {
        Box::new(Decoder::new(peer))
    }

    fn advised(&self, error: Error, model: &str) -> Error {
        let advice = match error.kind() {
            ErrorKind::NotFound => format!("; Ollama gets a model by `ollama pull {model}`"),
            ErrorKind::ContextOverflow => {
                "; `.context_size(..)` gives it a larger window in Ollama".to_owned()
            }
            _ => return error,
        };
        Error::new(error.kind(), error.message().to_owned() + &advice)
    }
}

#[cfg(test)]
mod tests;
