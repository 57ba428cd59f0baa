//! Agents from the files of AgentScope 0.x, in one call.

use crate::{AgentConfigs, AgentList, Host, Result, model};
use std::path::Path;

/// The agents of a file of agent configurations, with the models of a file of model configurations: the
/// `agentscope.init(model_configs, agent_configs)` of AgentScope 0.x. A model may also be named by a spec such as `ollama:qwen3`.
///
/// Call it at the beginning: it blocks while it reads the two files. For agents of your own types, or with tools, see [`host`] and
/// [`AgentConfigs`].
///
/// ```
/// use agentscope::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let (models, agents) = (folder.path().join("models.json"), folder.path().join("agents.json"));
/// std::fs::write(&models, r#"[{"config_name": "local", "model_type": "ollama_chat", "model_name": "qwen3"}]"#)?;
/// std::fs::write(&agents, r#"[
///     {"class": "DialogAgent", "args": {"name": "Friday", "sys_prompt": "Be brief.", "model_config_name": "local"}},
///     {"class": "UserAgent", "args": {"name": "Bob"}}
/// ]"#)?;
/// let agents = agentscope::init(&models, &agents).await?;
/// assert_eq!(agents.find("Friday")?.card().name, "Friday");
/// # Ok(()) }
/// ```
///
/// # Errors
/// Those of [`model::Configs::load`], [`AgentConfigs::load`] and [`AgentConfigs::agents`]: what is wrong, with file, entry and field.
pub async fn init(model_configs: impl AsRef<Path>, agent_configs: impl AsRef<Path>) -> Result<AgentList> {
    let models = model::Configs::load(model_configs)?;
    AgentConfigs::load(agent_configs)?.agents(&host(models)).await
}

/// A host whose models are those of `models`, by name, and all that [`model::from_spec`] knows.
///
/// ```
/// use agentscope::{host, model::Configs};
///
/// let configs = Configs::from_json(r#"{"config_name": "local", "model_type": "ollama_chat", "model_name": "qwen3"}"#)?;
/// let host = host(configs);
/// assert_eq!(host.find_model("local")?.card().name, "qwen3");
/// assert_eq!(host.find_model("ollama:llama3.2")?.card().name, "llama3.2");
/// let error = host.find_model("locl").err().unwrap();
/// assert_eq!(error.message(), "no configuration is named `locl` (do you mean `local`?): there is `local`");
/// # use agentscope::ChatModel;
/// # Ok::<_, agentscope::Error>(())
/// ```
pub fn host(models: model::Configs) -> Host {
    let is_spec =
        |models: &model::Configs, name: &str| name.contains(':') && !models.names().any(|it| it == name);
    #[cfg(feature = "image")]
    let drawing = models.clone();
    let host = Host::new().model_specs(move |name| match is_spec(&models, name) {
        true => model::from_spec(name),
        false => models.chat(name),
    });
    #[cfg(feature = "image")]
    let host = host.image_model_specs(move |name| match is_spec(&drawing, name) {
        true => model::image_model_from_spec(name),
        false => drawing.image(name),
    });
    host
}
