//! Claude by the Messages API of Anthropic.

mod claude;
mod decode;
mod encode;
mod messages;
mod part;
mod schema;
mod wire;

use crate::{
    conversation::{ImagesOfResults, Manners},
    http::{Ask, Auth, Counting, Decode, Format, Peer, Service, Settings, http_chat_model, written},
};
use agentscope_core::Result;
use agentscope_net::Url;
use claude::Claude;
use decode::Decoder;
use encode::{Body, Counted};
use serde_json::json;
use std::sync::Arc;

http_chat_model! {
    /// Claude by the Messages API of Anthropic, or another model behind an API that is compatible with it.
    ///
    /// Thoughts come as blocks of their own and are sent back with their signatures, as the API wants them while tools are
    /// called. Its instructions are the first message if that is a system message; a later one is told as words of a user.
    /// Consecutive words of users are one message, and so are all results of a round of calls, which may have images in them.
    ///
    /// The API wants a limit of tokens: without [`max_tokens`](Self::max_tokens) it is the most that the model is known to write.
    ///
    /// What a model does not take is left out, so that the same settings serve several models: a temperature while it thinks,
    /// or at all since Claude 4.7; thoughts while it has to call a tool.
    ///
    /// Requests are sent again as with [`OpenAIChatModel`](crate::OpenAIChatModel). Cloning it is cheap and gives the same model.
    /// Errors: [`ErrorKind::Unauthorized`] for a missing or wrong key, [`ErrorKind::RateLimited`], [`ErrorKind::Exhausted`] for a
    /// credit or limit of spending that is used up, [`ErrorKind::ContextOverflow`], [`ErrorKind::NotFound`] for an unknown model
    /// or address, [`ErrorKind::InvalidInput`] for a request that the server does not accept, [`ErrorKind::Refused`] where a
    /// classifier has held all of the answer back, [`ErrorKind::Timeout`], [`ErrorKind::Unavailable`] where the server is
    /// overloaded or fails or its answer breaks off, [`ErrorKind::Protocol`] for an answer that is none.
    ///
    /// ```
    /// use agentscope_core::ChatModel;
    /// use agentscope_model::AnthropicChatModel;
    ///
    /// let model = AnthropicChatModel::new("claude-sonnet-4-5").api_key("sk-ant-..").thinking(4_000).cache(true);
    /// assert_eq!(model.card().spec, "anthropic:claude-sonnet-4-5");
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
    AnthropicChatModel
}

impl AnthropicChatModel {
    /// A model of Anthropic, such as `claude-sonnet-4-5`. The key is that of ANTHROPIC_API_KEY, the address that of
    /// ANTHROPIC_BASE_URL or `https://api.anthropic.com`; it may end with `/v1`.
    pub fn new(model: impl Into<String>) -> Self {
        let model = model.into();
        let claude = Claude::of(&model);
        Self(Arc::new(Settings::new(Arc::new(Messages::default()), model, |card| {
            card.output_schema = claude.takes_schemas();
            if claude.is_known() {
                card.input_types = ["image/*", "application/pdf"].map(str::to_owned).into();
            }
        })))
    }

    /// Lets the model think before it answers, in at most `budget` tokens: at least 1,024. They count as tokens that it writes;
    /// where a limit of tokens leaves less room, it thinks less, or not at all.
    ///
    /// A model since Claude 4.6 decides by itself how much it thinks, and takes no budget; see [`effort`](Self::effort).
    #[must_use]
    pub fn thinking(self, budget: u64) -> Self {
        let thinking = if Claude::of(&self.0.card.name).thinks_as_it_likes() {
            json!({"type": "adaptive", "display": "summarized"})
        } else {
            json!({"type": "enabled", "budget_tokens": budget})
        };
        self.body("thinking", thinking)
    }

    /// How thorough it is: `low`, `medium`, `high` (what it is without), and for some models `xhigh` and `max`. For models since
    /// Claude Opus 4.5.
    #[must_use]
    pub fn effort(self, effort: impl Into<String>) -> Self {
        self.body("output_config", json!({"effort": effort.into()}))
    }

    /// Whether the provider is asked to keep what it has read, for five minutes since the last use: the tools and instructions,
    /// and the conversation so far (no). To write it costs a quarter more than to read it, to read it again a tenth.
    #[must_use]
    pub fn cache(self, cache: bool) -> Self {
        self.change(|settings| settings.format = Arc::new(Messages { cache }))
    }
}

/// The wire format.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// What was read is marked to be kept.
    cache: bool,
}

static SERVICE: Service = Service {
    name: "anthropic",
    keys: &["ANTHROPIC_API_KEY"],
    needs_key: true,
    auth: Auth::Header("x-api-key"),
    base_url: "https://api.anthropic.com",
    base_url_variable: "ANTHROPIC_BASE_URL",
    api: "Anthropic's Messages API",
    place: "such as https://api.anthropic.com",
    example: "https://api.anthropic.com",
};

static MANNERS: Manners = Manners {
    shown: [true, false, false, true],
    images: Manners::WEB_IMAGES,
    image_limit: 5 << 20,
    inlined: [false, false, false, true],
    media_in_order: true,
    images_of_results: ImagesOfResults::InPlace,
    ..Manners::COMMON
};

impl Format for Messages {
    fn service(&self) -> &'static Service {
        &SERVICE
    }

    fn manners(&self) -> &'static Manners {
        &MANNERS
    }

    fn address(&self, base: Url, _: &str, _: bool) -> Url {
        method(base, "/v1/messages")
    }

    fn headers(&self, _: bool) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn encode(&self, ask: &Ask<'_>) -> Result<Vec<u8>> {
        written(ask, &Body::of(ask, self.cache)?)
    }

    fn seals_thoughts(&self) -> bool {
        true
    }

    fn counting(&self, base: Url, _: &str) -> Option<Counting> {
        Some(Counting { url: method(base, "/v1/messages/count_tokens"), field: "input_tokens" })
    }

    fn encode_counted(&self, ask: &Ask<'_>) -> Result<Vec<u8>> {
        written(ask, &Counted(Body::of(ask, false)?))
    }

    fn decoder(&self, peer: Peer, _: &Ask<'_>) -> Box<dyn Decode> {
        Box::new(Decoder::new(peer))
    }
}

/// The address of a method under a base URL that may end with the version, or with the method that answers.
fn method(mut base: Url, method: &str) -> Url {
    let path = base.path().trim_end_matches('/');
    let path = path.strip_suffix("/messages").unwrap_or(path);
    let path = format!("{}{method}", path.strip_suffix("/v1").unwrap_or(path));
    base.set_path(&path);
    base
}

#[cfg(test)]
mod tests;
