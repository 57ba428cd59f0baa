use agentscope_core::{Name, Slot, Tool, Toolset};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Tools that belong together and that an agent has only while it needs them.
///
/// ```
/// use agentscope_tool::{Group, Toolkit, execute_python_code};
///
/// let math = Group::new("math", "Calculate").notes("Print what you want to see.").tool(execute_python_code()).active();
/// assert!(Toolkit::new().group(math).check().is_ok());
/// ```
#[derive(Clone)]
pub struct Group {
    pub(super) name: Name,
    pub(super) description: String,
    pub(super) notes: Option<String>,
    pub(super) active: bool,
    pub(super) tools: Vec<Arc<dyn Tool>>,
    pub(super) toolsets: Vec<Arc<dyn Toolset>>,
}

impl Group {
    /// A group that is inactive until the agent takes it up. The description tells the model what it is for.
    pub fn new(name: impl Into<Name>, description: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            notes: None,
            active: false,
            tools: Vec::new(),
            toolsets: Vec::new(),
        }
    }

    /// What the model has to know while the group is active.
    #[must_use]
    pub fn notes(mut self, notes: impl Into<String>) -> Self {
        self.notes = Some(notes.into());
        self
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: impl Tool) -> Self {
        self.tools.push(Arc::new(tool));
        self
    }

    /// Adds tools that are known only at run time. They are asked for only while the group is active.
    #[must_use]
    pub fn toolset(mut self, toolset: impl Toolset) -> Self {
        self.toolsets.push(Arc::new(toolset));
        self
    }

    /// Active from the start of a conversation.
    #[must_use]
    pub fn active(mut self) -> Self {
        self.active = true;
        self
    }

    /// The notes as the model reads them.
    pub(super) fn noted(&self) -> Option<String> {
        noted(&self.name, self.notes.as_deref())
    }
}

pub(super) fn noted(name: &str, notes: Option<&str>) -> Option<String> {
    let notes = notes.filter(|notes| !notes.trim().is_empty())?;
    Some(format!("## About {name} Tools\n{notes}"))
}

/// The slot `tool_groups`: which groups are active in a conversation. A group that is not in it is as its toolkit says.
///
/// ```
/// use agentscope_core::{AgentState, Change, Slot};
/// use agentscope_tool::ToolGroups;
/// use serde_json::json;
///
/// let mut state = AgentState::default();
/// state.apply(&Change::Slot { key: ToolGroups::KEY.into(), value: json!({"browser": true}) });
/// assert_eq!(state.slot::<ToolGroups>()?.0["browser"], true);
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ToolGroups(pub BTreeMap<Name, bool>);

impl Slot for ToolGroups {
    const KEY: &'static str = "tool_groups";
}

impl ToolGroups {
    pub(super) fn is_active(&self, group: &Group) -> bool {
        self.0.get(&group.name).copied().unwrap_or(group.active)
    }
}
