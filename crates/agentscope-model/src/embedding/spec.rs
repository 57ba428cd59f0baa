use super::{
    DashScopeMultiModalEmbedding, DashScopeTextEmbedding, GeminiTextEmbedding, OllamaTextEmbedding,
    OpenAITextEmbedding,
};
use crate::json_call::{OPENAI, VLLM};
use agentscope_core::{Embedder, Error, ErrorKind, Result};
use agentscope_net::shown;
use std::sync::Arc;

/// What a spec looks like, for errors.
const FORMS: &str = "`openai:text-embedding-3-small`, `dashscope:text-embedding-v4`, `gemini:gemini-embedding-001`, \
                     `ollama:nomic-embed-text`, `vllm:NAME` or `http://host:8000/v1#NAME`";

/// The embedder that a line of configuration names: `PROVIDER:MODEL`, or the address of an API that is compatible with OpenAI's
/// with `#MODEL` behind it. Keys come from the environment.
///
/// ```
/// let embedder = agentscope_model::embedder_from_spec("ollama:nomic-embed-text")?;
/// assert_eq!(embedder.card().name, "nomic-embed-text");
/// # Ok::<_, agentscope_core::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it names no known provider or no model; [`ErrorKind::Unauthorized`] if the provider's key is
/// missing.
pub fn embedder_from_spec(spec: &str) -> Result<Arc<dyn Embedder>> {
    let spec = spec.trim();
    let wrong = |message: String| Err(Error::new(ErrorKind::InvalidInput, message));
    if spec.starts_with("http://") || spec.starts_with("https://") {
        let (url, model) = spec.split_once('#').unwrap_or((spec, ""));
        if model.is_empty() {
            return wrong(format!(
                "`{}` does not name a model: add `#NAME`, a name that its /models lists",
                shown(url)
            ));
        }
        let embedder = OpenAITextEmbedding::compatible(url, model);
        embedder.check()?;
        return Ok(Arc::new(embedder));
    }
    let (provider, model) = spec.split_once(':').unwrap_or((spec, ""));
    let (name, model) = (provider.to_lowercase(), model.trim());
    if model.is_empty() && ["openai", "dashscope", "gemini", "ollama", "vllm"].contains(&name.as_str()) {
        return wrong(format!("`{spec}` does not name a model: give `{name}:MODEL`"));
    }
    macro_rules! checked {
        ($embedder:expr) => {{
            let embedder = $embedder;
            embedder.check()?;
            Ok(Arc::new(embedder))
        }};
    }
    match name.as_str() {
        "openai" => checked!(OpenAITextEmbedding::of(&OPENAI, model.to_owned())),
        "vllm" => checked!(OpenAITextEmbedding::of(&VLLM, model.to_owned())),
        "dashscope" if DashScopeMultiModalEmbedding::is_one(model) => {
            checked!(DashScopeMultiModalEmbedding::new(model))
        }
        "dashscope" => checked!(DashScopeTextEmbedding::new(model)),
        "gemini" => checked!(GeminiTextEmbedding::new(model)),
        "ollama" => checked!(OllamaTextEmbedding::new(model)),
        _ => wrong(format!("`{provider}` is no known provider of embedders: a spec is {FORMS}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(
            refused("olama:a")
                .message()
                .starts_with("`olama` is no known provider of embedders: a spec is `openai:")
        );
        assert_eq!(refused("ollama:").message(), "`ollama:` does not name a model: give `ollama:MODEL`");
        assert_eq!(refused("").kind(), ErrorKind::InvalidInput);
        let error = refused("http://localhost:8000/v1?key=secret");
        assert_eq!(
            error.message(),
            "`http://localhost:8000/v1` does not name a model: add `#NAME`, a name that its /models lists"
        );
        assert!(refused("http://#a").message().starts_with("`http://` is no base URL of an API"));
    }
}
