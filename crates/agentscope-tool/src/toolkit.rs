//! Toolkits: what an agent can do, in groups that it takes up and puts away.

mod equip;
mod group;
mod namesake;

pub use equip::META_TOOL;
pub use group::{Group, ToolGroups};
pub use namesake::Namesake;

use crate::{
    OutputLimit, adapt::limited, execute_python_code, execute_shell_command, insert_text_file,
    view_text_file, write_text_file,
};
use agentscope_core::{Error, ErrorKind, Name, Result, SessionKey, Tool, Toolset, View, Workspace};
use async_trait::async_trait;
use equip::Equip;
use futures_util::future::join_all;
use namesake::Offer;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The group of what is added without a group.
const BASIC: &str = "basic";

/// Longest time that a toolset may take to tell its tools (30 s). After it the agent goes on without them.
const TOOLSET_TIMEOUT: Duration = Duration::from_secs(30);

/// Most conversations of which it is known that a toolset failed them; the oldest is forgotten.
const MOST_WITHDRAWN: usize = 256;

/// What an agent can do: tools and toolsets, some of them in groups that the agent takes up when it needs them.
///
/// A toolkit is configuration and can be shared: which groups are active is kept in each conversation, see [`ToolGroups`].
/// What is added without a group is in the group `basic`, which is always active. The text that any of its tools puts into
/// the conversation is bounded, see [`OutputLimit`].
///
/// A toolset that fails, such as a server that cannot be reached, only withdraws its tools: the others stay, the prompt says
/// which toolset cannot be used, and [`Toolkit::withdrawn`] tells why.
///
/// ```
/// use agentscope_core::{Toolset, View};
/// use agentscope_tool::{Group, Toolkit, execute_shell_command, view_text_file};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let toolkit = Toolkit::new()
///     .tool(view_text_file())
///     .group(Group::new("shell", "Run commands").notes("Never delete files.").tool(execute_shell_command()))
///     .meta_tool();
/// toolkit.check()?;
///
/// let tools = toolkit.tools(&View::default()).await?;
/// let names: Vec<_> = tools.iter().map(|tool| tool.spec().name.to_string()).collect();
/// assert_eq!(names, ["reset_equipped_tools", "view_text_file"]);
/// # Ok(()) }
/// ```
pub struct Toolkit {
    name: Name,
    basic: Group,
    groups: Vec<Group>,
    meta_tool: bool,
    namesake: Namesake,
    output_limit: OutputLimit,
    toolset_timeout: Duration,
    withdrawn: Mutex<VecDeque<(SessionKey, Vec<(Name, Error)>)>>,
}

impl Toolkit {
    /// An empty toolkit.
    pub fn new() -> Self {
        Self {
            name: "toolkit".into(),
            basic: Group::new(BASIC, "").active(),
            groups: Vec::new(),
            meta_tool: false,
            namesake: Namesake::default(),
            output_limit: OutputLimit::default(),
            toolset_timeout: TOOLSET_TIMEOUT,
            withdrawn: Mutex::default(),
        }
    }

    /// What it is called, for errors and configurations (`toolkit`).
    #[must_use]
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds a tool that is always active.
    #[must_use]
    pub fn tool(mut self, tool: impl Tool) -> Self {
        self.basic = self.basic.tool(tool);
        self
    }

    /// Adds tools that are always active, known only at run time.
    #[must_use]
    pub fn toolset(mut self, toolset: impl Toolset) -> Self {
        self.basic = self.basic.toolset(toolset);
        self
    }

    /// Adds a group. Its name may not be `basic`, nor that of another group; [`Toolkit::check`] says so.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self
    }

    /// Adds the tool [`META_TOOL`], by which the model itself says which groups it needs. It does nothing else, so it asks for
    /// no approval. It is left out while there are no groups, and knows only those of this toolkit: an agent with several
    /// toolkits gives it to one of them.
    #[must_use]
    pub fn meta_tool(mut self) -> Self {
        self.meta_tool = true;
        self
    }

    /// What becomes of tools of one name ([`Namesake::Raise`]).
    #[must_use]
    pub fn namesake(mut self, namesake: Namesake) -> Self {
        self.namesake = namesake;
        self
    }

    /// Most bytes of text that a tool may put into the conversation at once (64 KiB). A tool with a limit of its own keeps it,
    /// see [`ToolExt::limit_output`](crate::ToolExt::limit_output).
    #[must_use]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit.set_kept(bytes);
        self
    }

    /// Where longer output goes, see [`OutputLimit::workspace`].
    #[must_use]
    pub fn workspace(mut self, workspace: impl Workspace) -> Self {
        self.output_limit = self.output_limit.workspace(workspace);
        self
    }

    /// Longest time that a toolset may take to tell its tools (30 s).
    #[must_use]
    pub fn toolset_timeout(mut self, limit: Duration) -> Self {
        self.toolset_timeout = limit;
        self
    }

    /// Finds at the start what would otherwise fail each reply. Toolsets are not asked: their tools are known only later.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for two groups of one name, a group without a name or with the name `basic`, and for two tools
    /// of one name, also of inactive groups, with [`Namesake::Raise`].
    pub fn check(&self) -> Result<()> {
        self.check_groups()?;
        self.namesake.settle(self.own_offers(&ToolGroups::default())).map(drop)
    }

    /// Which toolsets failed when the tools of this conversation were last asked for, and why.
    pub fn withdrawn(&self, view: &View) -> Vec<(Name, Error)> {
        let withdrawn = self.lock_withdrawn();
        withdrawn.iter().find(|(key, _)| key == view.key()).map(|(_, it)| it.clone()).unwrap_or_default()
    }

    fn check_groups(&self) -> Result<()> {
        for (index, group) in self.groups.iter().enumerate() {
            let name = &group.name;
            let problem = if name.is_empty() {
                "a tool group needs a name".to_owned()
            } else if *name == BASIC {
                format!("the tool group `{BASIC}` is there already: give the new one another name")
            } else if self.groups.iter().take(index).any(|other| other.name == *name) {
                format!("two tool groups are named `{name}`: rename one, or put its tools into the other")
            } else {
                continue;
            };
            return Err(Error::new(ErrorKind::InvalidInput, problem));
        }
        Ok(())
    }

    /// The groups with whether they are active in a conversation.
    fn all_groups(&self, chosen: &ToolGroups) -> impl Iterator<Item = (&Group, bool)> {
        let groups = self.groups.iter().map(|group| (group, chosen.is_active(group)));
        std::iter::once((&self.basic, true)).chain(groups)
    }

    /// The tools that are known without asking anyone, also those of inactive groups: activating a group must not give another
    /// tool's name away.
    fn own_offers(&self, chosen: &ToolGroups) -> Vec<Offer> {
        let mut offers = Vec::new();
        if self.meta_tool && !self.groups.is_empty() {
            offers.push(Offer::new(Arc::new(Equip::new(&self.groups)), "the meta tool".into(), true));
        }
        for (group, active) in self.all_groups(chosen) {
            let origin = format!("group `{}`", group.name);
            offers
                .extend(group.tools.iter().map(|tool| Offer::new(Arc::clone(tool), origin.clone(), active)));
        }
        offers
    }

    /// What the toolsets of active groups offer now.
    async fn foreign_offers(&self, chosen: &ToolGroups, view: &View) -> Vec<Offer> {
        let active = self.all_groups(chosen).filter(|(_, active)| *active);
        let asked = active.flat_map(|(group, _)| &group.toolsets).map(async |toolset| {
            let tools = tokio::time::timeout(self.toolset_timeout, toolset.tools(view)).await;
            let late = || format!("it did not tell its tools within {:?}", self.toolset_timeout);
            (toolset.name(), tools.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, late()))))
        });
        let mut offers = Vec::new();
        let mut withdrawn = Vec::new();
        for (name, tools) in join_all(asked).await {
            match tools {
                Ok(tools) => {
                    let origin = format!("toolset `{name}`");
                    offers.extend(tools.into_iter().map(|tool| Offer::new(tool, origin.clone(), true)));
                }
                Err(error) => withdrawn.push((Name::from(name), error)),
            }
        }
        self.note_withdrawn(view.key(), withdrawn);
        offers
    }

    fn note_withdrawn(&self, key: &SessionKey, failed: Vec<(Name, Error)>) {
        let mut withdrawn = self.lock_withdrawn();
        withdrawn.retain(|(of, _)| of != key);
        if !failed.is_empty() {
            withdrawn.push_back((key.clone(), failed));
        }
        if withdrawn.len() > MOST_WITHDRAWN {
            withdrawn.pop_front();
        }
    }

    fn lock_withdrawn(&self) -> MutexGuard<'_, VecDeque<(SessionKey, Vec<(Name, Error)>)>> {
        self.withdrawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Toolkit {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Toolset for Toolkit {
    fn name(&self) -> &str {
        &self.name
    }

    async fn tools(&self, view: &View) -> Result<Vec<Arc<dyn Tool>>> {
        self.check_groups()?;
        let chosen = view.slot::<ToolGroups>()?;
        let mut offers = self.own_offers(&chosen);
        offers.extend(self.foreign_offers(&chosen, view).await);
        let offers = self.namesake.settle(offers)?;
        let active = offers.into_iter().filter(|offer| offer.active);
        Ok(active.map(|offer| limited(offer.tool, self.output_limit.clone())).collect())
    }

    /// The notes of the active groups, the words of their toolsets, and which toolsets cannot be used at present.
    fn prompt(&self, view: &View) -> Option<String> {
        let chosen = view.slot::<ToolGroups>().unwrap_or_default();
        let mut parts = Vec::new();
        for (group, _) in self.all_groups(&chosen).filter(|(_, active)| *active) {
            parts.extend(group.noted());
            parts.extend(group.toolsets.iter().filter_map(|toolset| toolset.prompt(view)));
        }
        for (name, _) in self.withdrawn(view) {
            parts.push(format!("The tools of `{name}` cannot be used at present."));
        }
        (!parts.is_empty()).then(|| parts.join("\n\n"))
    }
}

/// The built-in tools: Python, the shell, and text files to view, write and insert into.
///
/// ```
/// assert!(agentscope_tool::coding_tools().check().is_ok());
/// ```
pub fn coding_tools() -> Toolkit {
    Toolkit::new()
        .named("coding")
        .tool(execute_python_code())
        .tool(execute_shell_command())
        .tool(view_text_file())
        .tool(write_text_file())
        .tool(insert_text_file())
}
