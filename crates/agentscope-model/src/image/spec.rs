use super::{DashScopeImageModel, OpenAIImageModel};
use crate::{
    Provider, configs,
    spec::{Spec, provider},
};
use agentscope_core::{ImageModel, Result};
use std::sync::Arc;

/// Who has models that draw.
const PROVIDERS: [&str; 2] = ["openai", "dashscope"];

/// What a spec looks like, for errors.
const FORMS: &str =
    "`openai:gpt-image-2`, `dashscope:qwen-image-plus`, `config:NAME` or `http://host:8000/v1#NAME`";

/// The model that draws which a line of configuration names: `PROVIDER:MODEL`, or the address of an API that is compatible with
/// OpenAI's with `#MODEL` behind it. Keys come from the environment. `config:NAME` and `config:PATH#NAME` are those of
/// [`from_spec`](crate::from_spec).
///
/// ```
/// let painter = agentscope_model::image_model_from_spec("http://localhost:8000/v1#sdxl")?;
/// assert_eq!(painter.card().spec, "http://localhost:8000/v1#sdxl");
///
/// let error = agentscope_model::image_model_from_spec("opnai:gpt-image-2").err().unwrap();
/// assert!(error.message().starts_with("`opnai` is no known provider of models that draw (do you mean `openai`?)"));
/// # Ok::<_, agentscope_core::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidInput`](agentscope_core::ErrorKind) if it names no known provider or no model;
/// [`ErrorKind::Unauthorized`](agentscope_core::ErrorKind) if the provider's key is missing.
pub fn image_model_from_spec(spec: &str) -> Result<Arc<dyn ImageModel>> {
    match Spec::read(spec)? {
        Spec::Address { url, model, .. } => OpenAIImageModel::compatible(url, model).checked(),
        Spec::Config(named) => configs::image_named(named),
        Spec::Provider { name, model } => {
            match provider(name, model, "models that draw", PROVIDERS.into_iter(), FORMS)? {
                "dashscope" => DashScopeImageModel::new(model).checked(),
                _ => OpenAIImageModel::of(Provider::OpenAi, model).checked(),
            }
        }
    }
}
