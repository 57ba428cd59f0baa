//! Agents by the JSON configurations of AgentScope 0.x.

mod entry;

use crate::{DialogAgent, DictDialogAgent, ReActAgent, TextToImageAgent};
use agentscope_core::{
    Agent, AgentState, AgentTypes, Error, ErrorKind, Host, Result,
    config::{nearest, parse_json, read_json},
};
use entry::Entry;
use serde_json::Value;
use std::{fmt, ops::Deref, path::Path, sync::Arc};

/// Most problems that one error tells (20).
const PROBLEMS: usize = 20;

/// The types of agents of this crate that are made of data: [`ReActAgent`], [`DialogAgent`], [`DictDialogAgent`],
/// [`TextToImageAgent`], and `UserAgent` where there is a console. Your own join them by [`AgentTypes::register`].
///
/// ```
/// let types = agentscope_agent::agent_types();
/// assert!(types.names().any(|name| name == "DialogAgent"));
/// ```
pub fn agent_types() -> AgentTypes {
    let types = AgentTypes::new()
        .register::<ReActAgent>()
        .register::<DialogAgent>()
        .register::<DictDialogAgent>()
        .register::<TextToImageAgent>();
    #[cfg(feature = "console")]
    let types = types.register::<crate::UserAgent>();
    types
}

/// Agents by name, from the JSON that AgentScope 0.x takes as `agent_configs`: one object, or a list of them.
///
/// The `class` of an entry is a type of agent, its `args` are the configuration of that type. The names of 0.x are read as well:
/// `sys_prompt`, `model_config_name`. All is checked at once, and one error tells all that is wrong, with file, entry and field.
///
/// ```
/// use agentscope_agent::AgentConfigs;
/// use agentscope_core::{AgentExt, Host, ScriptedModel, testing::say};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let configs = AgentConfigs::from_json(
///     r#"[
///         {
///             "class": "DialogAgent",              # `#` and `//` begin a comment
///             "args": {"name": "Friday", "sys_prompt": "Be brief.", "model_config_name": "scripted", "use_memory": true},
///         }
///     ]"#,
/// )?;
/// let agents = configs.agents(&Host::new().model(ScriptedModel::new([say("Hello.")]))).await?;
/// assert_eq!(agents.find("Friday")?.reply("hi").await?.text(), "Hello.");
///
/// let error = agents.find("Fryday").err().unwrap();
/// assert_eq!(error.message(), "no agent is called `Fryday` (do you mean `Friday`?): there is `Friday`");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct AgentConfigs {
    types: AgentTypes,
    /// Where they were read, for sentences.
    place: Arc<str>,
    entries: Vec<Entry>,
}

impl AgentConfigs {
    /// The configurations of a file: a JSON object or a list of objects, in UTF-8, up to 16 MiB. Comments (`#`, `//`, `/* */`) and a
    /// comma before a closing bracket are allowed. It blocks while it reads.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such file, [`ErrorKind::Unauthorized`] if it may not be read, and
    /// [`ErrorKind::InvalidInput`] if it is no JSON (with line and column) or its configurations have faults (with entry and
    /// field).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_of(path, agent_types())
    }

    /// The same, of agents of these types.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn load_of(path: impl AsRef<Path>, types: AgentTypes) -> Result<Self> {
        let path = path.as_ref();
        Self::read(read_json(path)?, format!("`{}`", path.display()).into(), types)
    }

    /// The configurations of a text, as [`load`](Self::load) reads those of a file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] as those of [`load`](Self::load).
    pub fn from_json(text: &str) -> Result<Self> {
        let value = parse_json(text.as_bytes());
        Self::from_value(value.map_err(|error| error.context("the agent configurations"))?, agent_types())
    }

    /// The configurations of a JSON value, of agents of these types: an object, or a list of objects.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is neither or has faults, with entry and field.
    ///
    /// ```
    /// use agentscope_agent::{AgentConfigs, agent_types};
    /// use serde_json::json;
    ///
    /// let wrong = json!({"class": "DialogAgent", "args": {"name": "Friday", "sys_promt": "", "model_config_name": "a"}});
    /// assert_eq!(
    ///     AgentConfigs::from_value(wrong, agent_types()).err().unwrap().message(),
    ///     "the agent configurations, entry `Friday`: `sys_promt` of `args` is no known field: do you mean `sys_prompt`?"
    /// );
    /// ```
    pub fn from_value(value: Value, types: AgentTypes) -> Result<Self> {
        Self::read(value, "the agent configurations".into(), types)
    }

    /// The names, in the order in which they were read.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// Creates the agents, with what the host offers: models by name or spec, tools, middleware, a store.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a model, a tool or a middleware that the host does not have, with the entry; those of making a model.
    pub async fn agents(&self, host: &Host) -> Result<AgentList> {
        let mut agents = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let state = AgentState::default();
            let agent = self.types.create(&entry.class, entry.args.clone(), state, host.clone()).await;
            let place = || format!("{}, {}", self.place, entry.place());
            agents.push(agent.map_err(|error| error.context(place()))?);
        }
        Ok(AgentList(agents))
    }

    fn read(value: Value, place: Arc<str>, types: AgentTypes) -> Result<Self> {
        let invalid = |message| Err(Error::new(ErrorKind::InvalidInput, message));
        let values = match value {
            Value::Array(values) => {
                values.into_iter().enumerate().map(|(at, it)| (Some(at + 1), it)).collect()
            }
            value @ Value::Object(_) => vec![(None, value)],
            _ => {
                return invalid(format!(
                    "{place}: configurations are an object or a list of objects, and this is neither"
                ));
            }
        };
        let (mut entries, mut problems): (Vec<Entry>, _) = (Vec::new(), Vec::new());
        for (number, value) in values {
            let Some(entry) = Entry::read(number, value, &types, &mut problems) else { continue };
            match entries.iter().find(|other| other.name == entry.name) {
                Some(other) => problems.push(format!(
                    "{}: its `name` is that of {} already: rename one of them",
                    entry.place(),
                    other.place()
                )),
                None => entries.push(entry),
            }
        }
        match problems.as_slice() {
            [] => Ok(Self { types, place, entries }),
            [only] => invalid(format!("{place}, {only}")),
            all => {
                let shown: String =
                    all.iter().take(PROBLEMS).map(|problem| format!("\n  {problem}")).collect();
                let more = all.len().saturating_sub(PROBLEMS);
                let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
                invalid(format!("{place}: {} faults{shown}{more}", all.len()))
            }
        }
    }
}

/// Names alone.
impl fmt::Debug for AgentConfigs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Agents that were created together, in their order and by name. It is a slice, so a pipeline takes it as it is.
///
/// ```
/// use agentscope_agent::AgentConfigs;
/// use agentscope_core::Host;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let agents = AgentConfigs::from_json("[]")?.agents(&Host::new()).await?;
/// assert!(agents.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct AgentList(Vec<Arc<dyn Agent>>);

impl AgentList {
    /// The agent of this name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none, with what was meant and who there is.
    pub fn find(&self, name: &str) -> Result<&Arc<dyn Agent>> {
        self.iter().find(|agent| agent.card().name == name).ok_or_else(|| {
            let names: Vec<&str> = self.iter().map(|agent| agent.card().name.as_str()).collect();
            let told: Vec<String> = names.iter().take(PROBLEMS).map(|name| format!("`{name}`")).collect();
            let there = if told.is_empty() { "nobody".to_owned() } else { told.join(", ") };
            let hint = nearest(name, names).map(|it| format!(" (do you mean `{it}`?)")).unwrap_or_default();
            Error::new(ErrorKind::NotFound, format!("no agent is called `{name}`{hint}: there is {there}"))
        })
    }
}

impl Deref for AgentList {
    type Target = [Arc<dyn Agent>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl IntoIterator for AgentList {
    type Item = Arc<dyn Agent>;
    type IntoIter = std::vec::IntoIter<Arc<dyn Agent>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Debug for AgentList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|agent| agent.card().name.as_str())).finish()
    }
}
