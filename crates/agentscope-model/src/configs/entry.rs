//! One configuration, read and checked.

use super::{
    api::{Api, Kind, Purpose},
    fields::{Fields, named},
};
use agentscope_core::{Map, ModelOptions, Secret, Transcript};
use agentscope_net::shown;
use serde_json::Value;
use std::{fmt, time::Duration};

/// One configuration of [`Configs`](super::Configs), read and checked: all that its model is made of. What is `None` or empty is
/// left to the model.
///
/// ```
/// use agentscope_model::{Configs, Purpose};
///
/// let configs = Configs::from_json(
///     r#"{"config_name": "vectors", "model_type": "openai_embedding", "model_name": "text-embedding-3-small",
///         "generate_args": {"dimensions": 512}}"#,
/// )?;
/// let vectors = configs.config("vectors")?;
/// assert_eq!(vectors.purpose, Purpose::Embedding);
/// assert_eq!(vectors.options.extra["dimensions"], 512);
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelConfig {
    /// What the configuration is called.
    pub config_name: String,
    /// Its type by the name of today: `openai_chat` for `openai`.
    pub model_type: &'static str,
    /// Whose API the model speaks.
    pub api: Api,
    /// What the model is for.
    pub purpose: Purpose,
    /// What the provider calls the model; the `config_name` where the type lets it be left out.
    pub model_name: String,
    /// The key, as it was given here.
    pub api_key: Option<Secret>,
    /// OpenAI's organization, as it was given here.
    pub organization: Option<String>,
    /// The address, as it was given here: `base_url` of the entry or of `client_args`, `api_url` or `host`.
    pub base_url: Option<String>,
    /// Further headers of each request.
    pub headers: Vec<(String, Secret)>,
    /// Further parameters of the address.
    pub query: Vec<(String, Secret)>,
    /// Longest wait for an answer to begin.
    pub timeout: Option<Duration>,
    /// How often a request is sent again.
    pub max_retries: Option<u32>,
    /// Whether answers are asked for piece by piece.
    pub stream: Option<bool>,
    /// How many tokens fit into a request and its answer.
    pub max_length: Option<u64>,
    /// How much the model may cost, in the currency of its price.
    pub budget: Option<f64>,
    /// Whether images are kept as files.
    pub save_local: bool,
    /// How to answer; a request's own options come first.
    pub options: ModelOptions,
    /// What only some types have.
    pub details: Details,
}

/// What only some types of models have.
///
/// ```
/// use agentscope_model::{Configs, Details};
///
/// let configs = Configs::from_json(
///     r#"{"config_name": "mine", "model_type": "post_api", "api_url": "http://localhost:8000/llm/", "messages_key": "prompt"}"#,
/// )?;
/// let Details::PostApi { messages_key, .. } = &configs.config("mine")?.details else { unreachable!() };
/// assert_eq!(messages_key, "prompt");
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Details {
    /// Nothing.
    None,
    /// Of an address that takes JSON and gives JSON.
    PostApi {
        /// Further fields of each request's body.
        json_args: Map,
        /// Under which field the messages go; `messages`, if it is not said.
        messages_key: String,
        /// The wait before a request is sent again, times the number of that try (1 s).
        retry_interval: Duration,
        /// User and password.
        auth: Option<(String, Secret)>,
    },
    /// Of Ollama.
    Ollama {
        /// How long the model stays loaded: a text such as `5m`, or seconds.
        keep_alive: Option<Value>,
    },
    /// Of Azure.
    Azure {
        /// Which version of the API.
        api_version: Option<String>,
    },
}

impl ModelConfig {
    /// Reads an entry. What is wrong is put into `problems`; without a `config_name` or a known type there is no more to read.
    pub(super) fn read(entry: Map, problems: &mut Vec<String>) -> Option<Self> {
        let mut fields = Fields::new(entry, problems);
        let config_name = fields.required("config_name", "a name to find it by");
        let model_type = fields.required("model_type", "what it is, such as `openai_chat`")?;
        let Some(kind) = Kind::of(model_type.trim()) else {
            let advice = Kind::advice(model_type.trim());
            fields.problem(format!("`model_type` {} is none that there is: {advice}", named(&model_type)));
            return None;
        };
        let config_name = config_name.unwrap_or_default();
        fields.alias("model", "model_name");
        let model_name = match kind.may_be_unnamed {
            true => fields.text("model_name").unwrap_or_else(|| config_name.clone()),
            false => fields.required("model_name", "what the provider calls the model").unwrap_or_default(),
        };
        let mut config = Self {
            config_name,
            model_type: kind.name(),
            api: kind.api,
            purpose: kind.purpose,
            model_name,
            api_key: None,
            organization: None,
            base_url: None,
            headers: Vec::new(),
            query: Vec::new(),
            timeout: None,
            max_retries: None,
            stream: None,
            max_length: None,
            budget: fields.number("budget", 0.0..=f64::INFINITY),
            save_local: false,
            options: ModelOptions::default(),
            details: Details::None,
        };
        match config.purpose {
            Purpose::Chat => config.stream = fields.flag("stream"),
            Purpose::Image => config.save_local = fields.flag("save_local").unwrap_or_default(),
            Purpose::Embedding => {}
        }
        config.max_length = fields.whole("max_length", 1..=u64::MAX);
        config.shape(kind.shape, &mut fields);
        fields.end();
        Some(config)
    }
}

/// Only what is secret or long is left out.
impl fmt::Debug for ModelConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelConfig")
            .field("config_name", &self.config_name)
            .field("model_type", &self.model_type)
            .field("model_name", &self.model_name)
            .field("api", &self.api)
            .field("purpose", &self.purpose)
            .field("base_url", &self.base_url.as_deref().map(shown))
            .field("api_key", &self.api_key)
            .finish_non_exhaustive()
    }
}

/// Names alone: bodies and users may be secret.
impl fmt::Debug for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::PostApi { .. } => "PostApi { .. }",
            Self::Ollama { .. } => "Ollama { .. }",
            Self::Azure { .. } => "Azure { .. }",
        })
    }
}

/// `first`, with what it leaves open taken from `then`.
pub(super) fn first_of(mut first: ModelOptions, then: &ModelOptions) -> ModelOptions {
    first.temperature = first.temperature.or(then.temperature);
    first.top_p = first.top_p.or(then.top_p);
    first.max_tokens = first.max_tokens.or(then.max_tokens);
    first.seed = first.seed.or(then.seed);
    if first.transcript == Transcript::Auto {
        first.transcript = then.transcript;
    }
    if first.stop.is_empty() {
        first.stop.clone_from(&then.stop);
    }
    for (field, value) in &then.extra {
        if !first.extra.contains_key(field) {
            first.extra.insert(field.clone(), value.clone());
        }
    }
    first
}
