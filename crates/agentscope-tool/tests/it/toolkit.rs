use crate::{fails, ok, run_in, words};
use agentscope_core::{
    AgentState, Change, Context, Error, ErrorKind, Name, Result, SessionKey, Slot, Tool, ToolChunk,
    ToolRequest, ToolSpec, ToolStream, Toolset, View,
};
use agentscope_tool::{
    Group, LocalWorkspace, META_TOOL, Namesake, ToolExt, ToolGroups, Toolkit, coding_tools,
};
use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A tool that says its text.
struct Fixed(&'static str, String);

impl Tool for Fixed {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::new(ToolSpec::new(self.0, "Says its text.", json!({"type": "object", "properties": {}})))
    }
    fn call(&self, _: ToolRequest, _: Context) -> ToolStream {
        Box::pin(stream::iter([Ok(ToolChunk::text(self.1.clone()))]))
    }
}

fn tool(name: &'static str, text: &str) -> Fixed {
    Fixed(name, text.into())
}

/// A server that can be down.
struct Server {
    name: &'static str,
    tool: &'static str,
    up: Arc<AtomicBool>,
}

impl Server {
    fn new(name: &'static str, tool: &'static str) -> (Self, Arc<AtomicBool>) {
        let up = Arc::new(AtomicBool::new(true));
        (Self { name, tool, up: up.clone() }, up)
    }
}

#[async_trait]
impl Toolset for Server {
    fn name(&self) -> &str {
        self.name
    }
    async fn tools(&self, _: &View) -> Result<Vec<Arc<dyn Tool>>> {
        match self.up.load(Ordering::Relaxed) {
            true => Ok(vec![Arc::new(tool(self.tool, self.name))]),
            false => Err(Error::new(ErrorKind::Unavailable, "connection refused")),
        }
    }
    fn prompt(&self, _: &View) -> Option<String> {
        Some(format!("{} speaks.", self.name))
    }
}

async fn names(toolkit: &Toolkit, view: &View) -> Vec<String> {
    let tools = toolkit.tools(view).await.unwrap();
    tools.iter().map(|tool| tool.spec().name.to_string()).collect()
}

async fn named(toolkit: &Toolkit, view: &View, name: &str) -> Arc<dyn Tool> {
    toolkit.tools(view).await.unwrap().into_iter().find(|tool| tool.spec().name == name).unwrap()
}

/// A conversation with what the meta tool has set in it.
async fn equip(
    toolkit: &Toolkit,
    state: &mut AgentState,
    input: Value,
) -> std::result::Result<String, Error> {
    let meta = named(toolkit, &state.view(), META_TOOL).await;
    let mut req = ToolRequest::new("id", META_TOOL, input);
    for slot in &meta.spec().slots {
        req.slots.extend(state.slots.get(slot).map(|value| (slot.clone(), value.clone())));
    }
    let mut stream = meta.call(req, Context::new());
    let (mut said, mut changes) = (Vec::new(), Vec::new());
    while let Some(chunk) = stream.next().await {
        match chunk? {
            ToolChunk::Slot { key, value } => changes.push(Change::Slot { key, value }),
            other => said.push(other),
        }
    }
    changes.iter().for_each(|change| state.apply(change));
    Ok(words(&said))
}

fn grouped() -> Toolkit {
    Toolkit::new()
        .tool(tool("always", "1"))
        .group(Group::new("browser", "Browse the web").notes("Be polite.").tool(tool("browse", "2")))
        .group(Group::new("math", "Calculate").tool(tool("add", "3")).active())
        .meta_tool()
}

#[tokio::test]
async fn only_active_groups_are_offered_and_basic_always_is() {
    let toolkit = grouped();
    let mut state = AgentState::default();
    assert_eq!(names(&toolkit, &state.view()).await, [META_TOOL, "always", "add"]);
    equip(&toolkit, &mut state, json!({"browser": true})).await.unwrap();
    assert_eq!(names(&toolkit, &state.view()).await, [META_TOOL, "always", "browse"]);
    equip(&toolkit, &mut state, json!({})).await.unwrap();
    assert_eq!(names(&toolkit, &state.view()).await, [META_TOOL, "always"]);
}

#[tokio::test]
async fn the_meta_tool_has_one_boolean_per_group_and_needs_no_approval() {
    let spec = named(&grouped(), &View::default(), META_TOOL).await.spec();
    assert_eq!(
        *spec.input_schema,
        json!({"type": "object", "properties": {
            "browser": {"type": "boolean", "description": "Browse the web", "default": false},
            "math": {"type": "boolean", "description": "Calculate", "default": false},
        }})
    );
    assert_eq!(spec.slots, [Name::from(ToolGroups::KEY)]);
    assert!(spec.read_only && !spec.runs_beside_others());
}

#[tokio::test]
async fn the_meta_tool_tells_what_is_active_and_the_notes() {
    let toolkit = grouped();
    let mut state = AgentState::default();
    let said = equip(&toolkit, &mut state, json!({"browser": true, "math": true})).await.unwrap();
    assert_eq!(
        said,
        "Now tool groups 'browser', 'math' are activated. You MUST follow these notes to use their tools:\n\
         <notes>## About browser Tools\nBe polite.</notes>"
    );
    let said = equip(&toolkit, &mut state, json!({"browser": false})).await.unwrap();
    assert_eq!(said, "All tool groups are now deactivated.");
}

#[tokio::test]
async fn a_wrong_choice_of_groups_changes_nothing() {
    let toolkit = grouped();
    let mut state = AgentState::default();
    equip(&toolkit, &mut state, json!({"browser": true})).await.unwrap();
    let before = state.clone();
    for (wrong, why) in [
        (json!({"math": true, "nope": true}), "there is no tool group `nope`"),
        (json!({"nope": false}), "there is no tool group `nope`"),
        (json!({"math": true, "browser": "yes"}), "`browser` must be true or false"),
        (json!({"basic": false}), "there is no tool group `basic`"),
        (json!([1]), "the arguments must be an object"),
    ] {
        let error = equip(&toolkit, &mut state, wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.message().starts_with(why), "{error}");
        assert!(error.message().ends_with("the groups are `browser`, `math`"), "{error}");
        assert_eq!(state, before);
    }
}

#[tokio::test]
async fn a_shared_toolkit_shares_nothing_between_conversations() {
    let toolkit = grouped();
    let (mut alice, bob) = (AgentState::default(), AgentState::default());
    equip(&toolkit, &mut alice, json!({"browser": true})).await.unwrap();
    assert_eq!(names(&toolkit, &alice.view()).await, [META_TOOL, "always", "browse"]);
    assert_eq!(names(&toolkit, &bob.view()).await, [META_TOOL, "always", "add"]);
    assert!(toolkit.prompt(&alice.view()).unwrap().contains("Be polite."));
    assert_eq!(toolkit.prompt(&bob.view()), None);
}

#[tokio::test]
async fn the_groups_of_another_toolkit_are_left_alone() {
    let other =
        Toolkit::new().group(Group::new("files", "Files").tool(tool("read", "4")).active()).meta_tool();
    let toolkit = grouped();
    let mut state = AgentState::default();
    equip(&toolkit, &mut state, json!({"browser": true})).await.unwrap();
    assert_eq!(names(&other, &state.view()).await, [META_TOOL, "read"]);
    equip(&other, &mut state, json!({})).await.unwrap();
    assert_eq!(names(&other, &state.view()).await, [META_TOOL]);
    assert_eq!(names(&toolkit, &state.view()).await, [META_TOOL, "always", "browse"]);
}

#[tokio::test]
async fn reserved_double_and_empty_group_names_are_refused() {
    for (toolkit, why) in [
        (Toolkit::new().group(Group::new("basic", "")), "`basic` is there already"),
        (Toolkit::new().group(Group::new("", "")), "needs a name"),
        (
            Toolkit::new().group(Group::new("a", "")).group(Group::new("a", "")),
            "two tool groups are named `a`",
        ),
    ] {
        for error in [toolkit.check().unwrap_err(), toolkit.tools(&View::default()).await.err().unwrap()] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.message().contains(why), "{error}");
        }
    }
}

#[tokio::test]
async fn an_unreachable_toolset_withdraws_only_its_tools_and_is_told() {
    let (server, up) = Server::new("weather", "forecast");
    let toolkit = Toolkit::new().tool(tool("always", "1")).toolset(server);
    let view = |session: &str| AgentState::new(SessionKey::new(session)).view();
    let (alice, bob) = (view("alice"), view("bob"));
    assert_eq!(names(&toolkit, &alice).await, ["always", "forecast"]);
    assert_eq!(toolkit.prompt(&alice).unwrap(), "weather speaks.");

    up.store(false, Ordering::Relaxed);
    assert_eq!(names(&toolkit, &alice).await, ["always"]);
    let [(name, error)] = &toolkit.withdrawn(&alice)[..] else { panic!() };
    assert_eq!((name.as_str(), error.message()), ("weather", "connection refused"));
    assert!(toolkit.prompt(&alice).unwrap().ends_with("The tools of `weather` cannot be used at present."));
    assert!(toolkit.withdrawn(&bob).is_empty(), "one conversation's failure is not another's");

    up.store(true, Ordering::Relaxed);
    assert_eq!(names(&toolkit, &alice).await, ["always", "forecast"]);
    assert!(toolkit.withdrawn(&alice).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_toolset_that_never_answers_is_given_up() {
    struct Silent;
    #[async_trait]
    impl Toolset for Silent {
        fn name(&self) -> &str {
            "silent"
        }
        async fn tools(&self, _: &View) -> Result<Vec<Arc<dyn Tool>>> {
            std::future::pending().await
        }
    }
    let toolkit =
        Toolkit::new().tool(tool("always", "1")).toolset(Silent).toolset_timeout(Duration::from_secs(3));
    assert_eq!(names(&toolkit, &View::default()).await, ["always"]);
    assert_eq!(toolkit.withdrawn(&View::default())[0].1.kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn two_tools_of_one_name_are_an_error_that_names_both() {
    let own = Toolkit::new().tool(tool("a", "1")).group(Group::new("g", "").tool(tool("a", "2")));
    for error in [own.check().unwrap_err(), own.tools(&View::default()).await.err().unwrap()] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.message().starts_with("two tools are named `a`, one of group `basic`, one of group `g`"),
            "{error}"
        );
    }
    let foreign = Toolkit::new().tool(tool("a", "1")).toolset(Server::new("weather", "a").0);
    assert!(foreign.check().is_ok());
    let error = foreign.tools(&View::default()).await.err().unwrap();
    assert!(error.message().contains("one of toolset `weather`"), "{error}");
}

#[tokio::test]
async fn namesakes_are_skipped_renamed_or_put_in_place_as_told() {
    let toolkit = |namesake| {
        let (weather, news) = (Server::new("weather", "a").0, Server::new("news", "a").0);
        let group = Group::new("g", "").tool(tool("a", "2")).tool(tool("a_2", "3"));
        Toolkit::new().tool(tool("a", "1")).group(group).toolset(weather).toolset(news).namesake(namesake)
    };
    let said = async |namesake| {
        let mut said = Vec::new();
        let mut state = AgentState::default();
        state.apply(&Change::Slot { key: ToolGroups::KEY.into(), value: json!({"g": true}) });
        for tool in toolkit(namesake).tools(&state.view()).await.unwrap() {
            said.push(format!("{}={}", tool.spec().name, ok(&tool, json!({})).await));
        }
        said
    };
    assert_eq!(said(Namesake::Skip).await, ["a=1", "a_2=3"]);
    assert_eq!(said(Namesake::Override).await, ["a=news", "a_2=3"]);
    assert_eq!(said(Namesake::Rename).await, ["a=1", "a_3=2", "a_2=3", "a_4=weather", "a_5=news"]);
    // What an inactive group holds keeps its name, so that activating it renames nothing.
    assert_eq!(names(&toolkit(Namesake::Rename), &View::default()).await, ["a", "a_4", "a_5"]);
}

#[tokio::test]
async fn all_output_is_bounded_and_spilled_but_a_limit_of_its_own_stays() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(200_000);
    let inner = Toolkit::new().tool(tool("nested", &long));
    let toolkit = Toolkit::new()
        .tool(tool("long", &long))
        .tool(tool("wide", &long).limit_output(150_000))
        .toolset(inner)
        .workspace(LocalWorkspace::new(dir.path()));
    let view = View::default();
    let shown = ok(&named(&toolkit, &view, "long").await, json!({})).await;
    assert!((65_536..66_000).contains(&shown.len()), "{}", shown.len());
    let spilled = std::fs::read_to_string(dir.path().join("tool-output/call-1.txt")).unwrap();
    assert_eq!(spilled, long);
    let wide = ok(&named(&toolkit, &view, "wide").await, json!({})).await;
    assert!((150_000..151_000).contains(&wide.len()));
    let nested = ok(&named(&toolkit, &view, "nested").await, json!({})).await;
    assert_eq!(nested.matches("left out here").count(), 1);

    let small = Toolkit::new().tool(tool("long", &long)).output_limit(100);
    assert!(ok(&named(&small, &view, "long").await, json!({})).await.len() < 300);
}

#[tokio::test]
async fn a_slot_that_is_no_choice_of_groups_is_an_error() {
    let mut state = AgentState::default();
    state.apply(&Change::Slot { key: ToolGroups::KEY.into(), value: json!([1]) });
    let error = grouped().tools(&state.view()).await.err().unwrap();
    assert!(error.message().contains("tool_groups"), "{error}");
}

#[tokio::test]
async fn the_coding_tools_are_the_five() {
    let toolkit = coding_tools();
    assert_eq!(
        names(&toolkit, &View::default()).await,
        [
            "execute_python_code",
            "execute_shell_command",
            "view_text_file",
            "write_text_file",
            "insert_text_file"
        ]
    );
    for tool in toolkit.tools(&View::default()).await.unwrap() {
        let error = fails(&tool, json!("no object")).await;
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let spec = tool.spec();
        assert_eq!(spec.read_only, spec.name == "view_text_file");
        assert!(run_in(&tool, Value::Null, Context::new()).await.1.is_err());
    }
}
