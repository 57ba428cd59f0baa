//! Models by a line of configuration.

use crate::{
    AnthropicChatModel, DashScopeChatModel, GeminiChatModel, OllamaChatModel, OpenAIChatModel,
    OpenAIResponseModel, Provider, cards, configs,
    http::{HttpChatModel, Settings},
    nearest::nearest,
};
use agentscope_core::{ChatModel, Error, ErrorKind, Result};
use agentscope_net::shown;
use std::sync::Arc;

/// The variable that [`from_env`] reads.
const VARIABLE: &str = "AGENTSCOPE_MODEL";

/// What a spec looks like, for errors.
fn forms() -> String {
    let names: Vec<_> = makers().map(|(name, _)| name).collect();
    format!(
        "`PROVIDER:MODEL` such as `openai:gpt-4o`, of {}; `config:NAME`; or `http://host:8000/v1#NAME`",
        names.join(", ")
    )
}

/// The model that a line of configuration names: `PROVIDER:MODEL`, or the address of an API that is compatible with OpenAI's with
/// `#MODEL` behind it. A provider is one of [`Provider`] (`openai`, `azure`, `deepseek`, ..), or a type with an API of its own:
/// `responses` ([`OpenAIResponseModel`]), `anthropic` ([`AnthropicChatModel`]), `gemini` ([`GeminiChatModel`]), `ollama`
/// ([`OllamaChatModel`]) and `dashscope-native` ([`DashScopeChatModel`]). Keys come from the environment, see there. The card of the
/// model has the line without what may be secret in an address: a user, a password and a query.
///
/// `config:NAME` is a configuration of the file that AGENTSCOPE_MODEL_CONFIGS names, and `config:PATH#NAME` one of another file, see
/// [`Configs`](crate::Configs).
///
/// ```
/// let model = agentscope_model::from_spec("http://localhost:8000/v1#qwen3")?;
/// assert_eq!(model.card().name, "qwen3");
/// # Ok::<_, agentscope_core::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it names no known provider or no model; [`ErrorKind::Unauthorized`] if the provider's key is
/// missing; those of [`cards`] for the file that AGENTSCOPE_MODEL_CARDS names.
pub fn from_spec(spec: &str) -> Result<Arc<dyn ChatModel>> {
    // A model would pass over a file of cards that cannot be read.
    cards()?;
    match Spec::read(spec)? {
        Spec::Address { url, model, shown } => {
            let mut model = OpenAIChatModel::of(Provider::Other, model).0;
            let settings = Arc::make_mut(&mut model);
            settings.set_address(url.to_owned());
            Arc::make_mut(&mut settings.card).spec = shown;
            checked(model)
        }
        Spec::Config(named) => configs::chat_named(named, spec.trim()),
        Spec::Provider { name, model } => {
            let names = makers().map(|(known, _)| known);
            let known = provider(name, model, "models", names, &forms())?;
            match makers().find(|(it, _)| *it == known) {
                Some((_, make)) => checked(make.of(model)),
                None => Err(Error::new(ErrorKind::Internal, format!("nobody makes models of `{known}`"))),
            }
        }
    }
}

/// What a line of configuration names, whatever it is that is made of it.
pub(crate) enum Spec<'a> {
    /// The address of an API that is compatible with OpenAI's. `shown` is the line without what may be secret in it.
    Address { url: &'a str, model: &'a str, shown: String },
    /// An entry of a file of configurations: `NAME` or `PATH#NAME`.
    Config(&'a str),
    /// Both as they were written.
    Provider { name: &'a str, model: &'a str },
}

impl<'a> Spec<'a> {
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an address that names no model.
    pub(crate) fn read(spec: &'a str) -> Result<Self> {
        let spec = spec.trim();
        if spec.starts_with("http://") || spec.starts_with("https://") {
            let (url, model) = spec.split_once('#').unwrap_or((spec, ""));
            if model.is_empty() {
                let message = format!(
                    "`{}` does not name a model: add `#NAME`, a name that its /models lists",
                    shown(url)
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            return Ok(Self::Address { url, model, shown: format!("{}#{model}", shown(url)) });
        }
        if let Some(named) = spec.strip_prefix("config:") {
            return Ok(Self::Config(named));
        }
        let (name, model) = spec.split_once(':').unwrap_or((spec, ""));
        Ok(Self::Provider { name, model: model.trim() })
    }
}

/// The provider that a spec names, of those that are known to have what is asked for: `models`.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if there is none of that name, with what was meant, or if no model is named.
pub(crate) fn provider<'a>(
    name: &str,
    model: &str,
    what: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    forms: &str,
) -> Result<&'a str> {
    let wrong = |message: String| Err(Error::new(ErrorKind::InvalidInput, message));
    let Some(found) = known.clone().find(|it| it.eq_ignore_ascii_case(name)) else {
        let hint = nearest(name, known).map(|it| format!(" (do you mean `{it}`?)")).unwrap_or_default();
        return wrong(format!("`{name}` is no known provider of {what}{hint}: a spec is {forms}"));
    };
    if model.is_empty() {
        return wrong(format!("`{name}:` does not name a model: give `{name}:MODEL`"));
    }
    Ok(found)
}

/// Who makes a model of a name.
#[derive(Clone, Copy)]
enum Maker {
    Chat(Provider),
    Format(fn(&str) -> Arc<Settings>),
}

impl Maker {
    fn of(self, model: &str) -> Arc<Settings> {
        match self {
            Self::Chat(provider) => OpenAIChatModel::of(provider, model).0,
            Self::Format(make) => make(model),
        }
    }
}

/// The formats beside the chat of OpenAI, by the names of their specs.
const FORMATS: &[(&str, fn(&str) -> Arc<Settings>)] = &[
    ("anthropic", |model| AnthropicChatModel::new(model).0),
    ("responses", |model| OpenAIResponseModel::new(model).0),
    ("gemini", |model| GeminiChatModel::new(model).0),
    ("ollama", |model| OllamaChatModel::new(model).0),
    ("dashscope-native", |model| DashScopeChatModel::new(model).0),
];

/// Who makes models, by the name that stands before the colon.
fn makers() -> impl Iterator<Item = (&'static str, Maker)> + Clone {
    let formats = FORMATS.iter().map(|(name, make)| (*name, Maker::Format(*make)));
    formats.chain(Provider::NAMED.into_iter().map(|it| (it.ways().service.name, Maker::Chat(it))))
}

/// A model that can be asked at all.
fn checked(model: Arc<Settings>) -> Result<Arc<dyn ChatModel>> {
    model.check()?;
    Ok(Arc::new(HttpChatModel(model)))
}

/// The model that the environment names: a spec as of [`from_spec`] in AGENTSCOPE_MODEL.
///
/// # Errors
/// [`ErrorKind::NotFound`] if the variable is not set; those of [`from_spec`].
pub fn from_env() -> Result<Arc<dyn ChatModel>> {
    match std::env::var(VARIABLE) {
        Ok(spec) if !spec.trim().is_empty() => from_spec(&spec).map_err(|error| error.context(VARIABLE)),
        _ => {
            let message = format!("no model is named: set {VARIABLE} to a spec, {}", forms());
            Err(Error::new(ErrorKind::NotFound, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(spec: &str) -> Error {
        from_spec(spec).err().unwrap()
    }

    #[test]
    fn a_spec_names_provider_and_model() {
        for (spec, name) in [
            ("ollama:qwen3:8b", "qwen3:8b"),
            ("vllm:Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
            (" OLLAMA:a ", "a"),
            ("http://localhost:8000/v1#a:b/c", "a:b/c"),
        ] {
            let model = from_spec(spec).unwrap();
            assert_eq!(
                (model.card().name.as_str(), spec.contains("//")),
                (name, spec.starts_with("http")),
                "{spec}"
            );
        }
        assert_eq!(from_spec("ollama:qwen3").unwrap().card().spec, "ollama:qwen3");
        assert_eq!(
            from_spec("http://localhost:8000/v1#a").unwrap().card().spec,
            "http://localhost:8000/v1#a"
        );
    }

    #[test]
    fn a_wrong_spec_says_what_is_right() {
        let error = refused("olama:qwen3");
        assert!(
            error.message().starts_with(
                "`olama` is no known provider of models (do you mean `ollama`?): a spec is `PROVIDER:MODEL` such as `openai:gpt-4o`, of"
            ),
            "{error}"
        );
        assert!(
            refused("gpt-4o").message().starts_with("`gpt-4o` is no known provider of models: a spec is")
        );
        assert_eq!(refused("ollama:").message(), "`ollama:` does not name a model: give `ollama:MODEL`");
        assert_eq!(refused("").kind(), ErrorKind::InvalidInput);
        let error = refused("http://localhost:8000/v1?key=secret");
        assert_eq!(
            error.message(),
            "`http://localhost:8000/v1` does not name a model: add `#NAME`, a name that its /models lists"
        );
        let error = refused("http://#a");
        assert!(error.message().starts_with("`http:` is no base URL of an API"), "{error}");
    }
}
