use super::{
    DashScopeMultiModalEmbedding, DashScopeTextEmbedding, GeminiTextEmbedding, OllamaTextEmbedding,
    OpenAITextEmbedding,
};
use crate::{
    Provider, configs,
    spec::{Spec, provider},
};
use agentscope_core::{Embedder, Result};
use std::sync::Arc;

/// Who has embedders. The names are those of chat models, see [`from_spec`](crate::from_spec).
const PROVIDERS: [&str; 7] = ["openai", "dashscope", "gemini", "ollama", "vllm", "zhipu", "fastchat"];

/// What a spec looks like, for errors.
const FORMS: &str = "`openai:text-embedding-3-small`, `dashscope:text-embedding-v4`, `gemini:gemini-embedding-001`, \
                     `ollama:nomic-embed-text`, `zhipu:embedding-3`, `vllm:NAME`, `fastchat:NAME`, `config:NAME` or \
                     `http://host:8000/v1#NAME`";

/// The embedder that a line of configuration names: `PROVIDER:MODEL`, or the address of an API that is compatible with OpenAI's
/// with `#MODEL` behind it. Keys come from the environment. `config:NAME` and `config:PATH#NAME` are those of
/// [`from_spec`](crate::from_spec).
///
/// ```
/// let embedder = agentscope_model::embedder_from_spec("ollama:nomic-embed-text")?;
/// assert_eq!(embedder.card().name, "nomic-embed-text");
/// # Ok::<_, agentscope_core::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidInput`](agentscope_core::ErrorKind) if it names no known provider or no model;
/// [`ErrorKind::Unauthorized`](agentscope_core::ErrorKind) if the provider's key is missing.
pub fn embedder_from_spec(spec: &str) -> Result<Arc<dyn Embedder>> {
    let (name, model) = match Spec::read(spec)? {
        Spec::Address { url, model, .. } => return OpenAITextEmbedding::compatible(url, model).checked(),
        Spec::Config(named) => return configs::embedder_named(named),
        Spec::Provider { name, model } => {
            (provider(name, model, "embedders", PROVIDERS.into_iter(), FORMS)?, model)
        }
    };
    match name {
        "dashscope" if DashScopeMultiModalEmbedding::is_one(model) => {
            DashScopeMultiModalEmbedding::new(model).checked()
        }
        "dashscope" => DashScopeTextEmbedding::new(model).checked(),
        "gemini" => GeminiTextEmbedding::new(model).checked(),
        "ollama" => OllamaTextEmbedding::new(model).checked(),
        "vllm" => OpenAITextEmbedding::of(Provider::Vllm, model).checked(),
        "zhipu" => OpenAITextEmbedding::of(Provider::Zhipu, model).checked(),
        "fastchat" => OpenAITextEmbedding::of(Provider::FastChat, model).checked(),
        _ => OpenAITextEmbedding::of(Provider::OpenAi, model).checked(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentscope_core::ErrorKind;

    #[test]
    fn a_spec_names_provider_and_model() {
        for (spec, name) in [
            ("ollama:nomic-embed-text:v1.5", "nomic-embed-text:v1.5"),
            (" OLLAMA:a ", "a"),
            ("vllm:BAAI/bge-m3", "BAAI/bge-m3"),
            ("http://localhost:8000/v1#a:b/c", "a:b/c"),
        ] {
            let embedder = embedder_from_spec(spec).unwrap();
            assert_eq!(embedder.card().name, name, "{spec}");
        }
        let card = embedder_from_spec("http://u:p@localhost:8000/v1?key=k#a").unwrap().card().clone();
        assert_eq!(card.spec, "http://localhost:8000/v1#a");
    }

    #[test]
    fn a_wrong_spec_says_what_is_right() {
        let refused = |spec: &str| embedder_from_spec(spec).err().unwrap();
        assert!(refused("olama:a").message().starts_with(
            "`olama` is no known provider of embedders (do you mean `ollama`?): a spec is `openai:"
        ));
        assert_eq!(refused("ollama:").message(), "`ollama:` does not name a model: give `ollama:MODEL`");
        assert_eq!(refused("").kind(), ErrorKind::InvalidInput);
        let error = refused("http://localhost:8000/v1?key=secret");
        assert_eq!(
            error.message(),
            "`http://localhost:8000/v1` does not name a model: add `#NAME`, a name that its /models lists"
        );
        assert!(refused("http://#a").message().starts_with("`http:` is no base URL of an API"));
    }
}
