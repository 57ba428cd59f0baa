//! Agents as data: from files, and created elsewhere.

use crate::support::echo;
use agentscope_agent::{
    AgentConfigs, DialogAgent, DictDialogAgent, MarkdownJsonDictParser, ReActAgent, TextToImageAgent,
    UserAgent, agent_types, parser_fn, user_fn,
};
use agentscope_core::{
    AgentExt, AgentState, ChatModel, Context, ErrorKind, Host, ImageModel, ImageRequest, Images, Limits,
    Media, MemoryStore, Middleware, ModelCard, ModelOptions, Place, Result, ScriptedModel, Tool, Toolset,
    View,
    testing::{call, say},
};
use serde_json::{Value, json};
use std::{io::Write, sync::Arc, time::Duration};

struct Named(&'static str);

impl Middleware for Named {
    fn name(&self) -> &str {
        self.0
    }
}

#[async_trait::async_trait]
impl Toolset for Named {
    fn name(&self) -> &str {
        self.0
    }
    async fn tools(&self, _: &View) -> Result<Vec<Arc<dyn Tool>>> {
        Ok(Vec::new())
    }
}

struct Dot(ModelCard);

#[async_trait::async_trait]
impl ImageModel for Dot {
    fn card(&self) -> &ModelCard {
        &self.0
    }
    async fn generate(&self, req: ImageRequest, _: Context) -> Result<Images> {
        Ok(Images::new((0..req.count).map(|_| Media::base64("image/png", "iVBORw0KGgo="))))
    }
}

fn scripted(lines: impl IntoIterator<Item = &'static str>) -> ScriptedModel {
    ScriptedModel::new(lines.into_iter().map(say))
}

/// Its configuration, through JSON, makes an agent with the same configuration.
async fn moved<A: Place>(here: &A, state: AgentState, host: &Host) -> A {
    let data = serde_json::to_string(&here.config().unwrap()).unwrap();
    let there = A::create(serde_json::from_str(&data).unwrap(), state, host.clone()).await.unwrap();
    assert_eq!(serde_json::to_string(&there.config().unwrap()).unwrap(), data);
    assert_eq!(there.card(), here.card());
    there
}

#[tokio::test]
async fn every_type_of_agent_goes_on_elsewhere_with_all_its_options() {
    let limits = Limits { waiting: 3, ..Limits::default() };
    let mut options = ModelOptions::default();
    options.temperature = Some(0.5);
    let react = ReActAgent::new("Friday", scripted(["one"]))
        .prompt("Be brief.")
        .describe("A friend.")
        .id("a1")
        .limits(limits)
        .tool(echo())
        .toolset(Named("empty"))
        .layer(Named("quiet"))
        .allow("echo")
        .options(options.clone())
        .max_iters(7)
        .grace(Duration::from_millis(5))
        .tool_timeout(Duration::from_secs(3))
        .model_timeout(Duration::from_secs(4));
    react.reply("hello").await.unwrap();
    let lines = [call("c1", "echo", json!({"n": 1})), say("two")];
    let host = Host::new()
        .model(ScriptedModel::new(lines))
        .tool(echo())
        .toolset(Named("empty"))
        .middleware(Named("quiet"));
    let there = moved(&react, react.snapshot().await.unwrap(), &host).await;
    assert_eq!(there.reply("and?").await.unwrap().text(), "two");
    assert_eq!(there.snapshot().await.unwrap().context.len(), 4, "it goes on from the state");

    let dialog = DialogAgent::new("Bob", scripted([]))
        .prompt("p")
        .use_memory(false)
        .options(options.clone())
        .layer(Named("quiet"));
    let host = Host::new().model(scripted(["hi"])).middleware(Named("quiet"));
    let there = moved(&dialog, AgentState::default(), &host).await;
    assert_eq!(there.reply("hello").await.unwrap().text(), "hi");

    let parser = MarkdownJsonDictParser::new().keys_to_content("speak").required_keys(["speak"]);
    let dict = DictDialogAgent::new("Eve", scripted([]))
        .parser(parser)
        .max_retries(0)
        .limits(limits)
        .options(options);
    let there =
        moved(&dict, AgentState::default(), &Host::new().model(scripted([r#"{"speak": "hi"}"#, "no"]))).await;
    assert_eq!(there.reply("hello").await.unwrap().text(), "hi");
    assert_eq!(there.reply("hello").await.unwrap_err().kind(), ErrorKind::Refused, "no further tries");

    let painter = TextToImageAgent::new("Ada", Dot(ModelCard::new("dot")))
        .prompt("oil")
        .size(8, 9)
        .count(2)
        .extra("q", 1);
    let there =
        moved(&painter, AgentState::default(), &Host::new().image_model(Dot(ModelCard::new("dot")))).await;
    assert_eq!(there.reply("a dot").await.unwrap().content.len(), 2);

    #[cfg(feature = "console")]
    moved(&UserAgent::terminal("Ann").tries(3).local_files(), AgentState::default(), &Host::new()).await;
}

#[tokio::test]
async fn a_host_with_a_store_keeps_what_is_new_and_what_it_knows_and_goes_on_with_the_rest_in_memory() {
    let store = MemoryStore::new();
    let host = |lines: &[&'static str]| Host::new().model(scripted(lines.to_vec())).store(store.clone());
    let config = DialogAgent::new("Bob", scripted([])).config().unwrap();
    let mut key = AgentState::default().key;
    key.session = "chat".into();
    let new = AgentState::new(key.clone());
    let first = DialogAgent::create(config.clone(), new.clone(), host(&["one"])).await.unwrap();
    first.reply("hello").await.unwrap();
    let again =
        DialogAgent::create(config.clone(), first.snapshot().await.unwrap(), host(&["two"])).await.unwrap();
    again.reply("hello").await.unwrap();
    let third = DialogAgent::create(config.clone(), new, host(&[])).await.unwrap();
    assert_eq!(third.snapshot().await.unwrap().context.len(), 4, "both were kept");

    let elsewhere = DialogAgent::new("Bob", scripted(["three"]));
    elsewhere.reply("hello").await.unwrap();
    let foreign = DialogAgent::create(config, elsewhere.snapshot().await.unwrap(), host(&[])).await.unwrap();
    assert_eq!(foreign.snapshot().await.unwrap().context.len(), 2);
}

#[tokio::test]
async fn what_has_no_name_is_an_error_that_names_it() {
    let told = |error: agentscope_core::Error| (error.kind(), error.message().to_owned());
    let bob = DictDialogAgent::new("Bob", scripted([]));
    let (kind, message) = told(bob.clone().parser(parser_fn("", |_| Ok(Value::Null))).config().unwrap_err());
    assert!(
        kind == ErrorKind::InvalidInput && message.starts_with("the parser of `Bob` is a function"),
        "{message}"
    );
    let (_, message) = told(bob.fault_handler(|_, _| Ok(Value::Null)).config().unwrap_err());
    assert!(message.starts_with("the fault handler of `Bob` is a function"), "{message}");
    #[cfg(feature = "console")]
    {
        let user = UserAgent::new("Ann", user_fn(|_| async { Ok("") }));
        let (_, message) = told(Place::config(&user).unwrap_err());
        assert!(message.starts_with("the input of `Ann` is no terminal"), "{message}");
    }
}

#[tokio::test]
async fn what_a_host_lacks_and_what_no_type_is_are_told_with_what_was_meant() {
    let react = json!({"name": "Friday", "model": "scripted", "tools": ["eco"]});
    let create = |name: &str, config: Value, host: Host| {
        agent_types().create(name, config, AgentState::default(), host)
    };
    let host = Host::new().model(scripted([])).tool(echo());
    let error = create("ReActAgent", react, host).await.err().unwrap();
    assert_eq!(
        error.message(),
        "there is no tool `eco` on this host (do you mean `echo`?), which has echo: register it with `.tool(..)`"
    );
    let error = create("DialogAgnt", json!({}), Host::new()).await.err().unwrap();
    assert!(
        error
            .message()
            .starts_with("no type of agent is called `DialogAgnt` (do you mean `DialogAgent`?): there is ")
    );
    let error =
        create("DialogAgent", json!({"name": "a", "model": "b", "x": 1}), Host::new()).await.err().unwrap();
    assert!(
        error.kind() == ErrorKind::InvalidInput && error.message().contains("unknown field `x`"),
        "{error}"
    );
}

#[tokio::test]
async fn models_are_found_by_name_by_spec_and_through_the_resolver() {
    let mut card = ModelCard::new("gpt-4o");
    card.spec = "openai:gpt-4o".into();
    let host = Host::new()
        .model(scripted([]).with_card(card))
        .model_specs(|spec| Ok(Arc::new(scripted([]).with_card(ModelCard::new(spec)))));
    for (name, found) in [("gpt-4o", "gpt-4o"), ("openai:gpt-4o", "gpt-4o"), ("ollama:qwen3", "ollama:qwen3")]
    {
        assert_eq!(host.find_model(name).unwrap().card().name, found);
    }
    let dialog = DialogAgent::new("Bob", host.find_model("gpt-4o").unwrap());
    assert_eq!(dialog.config().unwrap().model, "openai:gpt-4o", "by the spec where there is one");
    let host = Host::new().image_model_specs(|spec| Ok(Arc::new(Dot(ModelCard::new(spec)))));
    assert_eq!(host.find_image_model("openai:x").unwrap().card().name, "openai:x");
    assert_eq!(Host::new().find_image_model("x").err().unwrap().kind(), ErrorKind::NotFound);
}

fn faults(json: Value) -> String {
    AgentConfigs::from_value(json, agent_types()).err().unwrap().message().to_owned()
}

#[tokio::test]
async fn a_file_of_0_x_gives_its_agents_in_order_and_by_name() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(
        br#"[
            # The talk.
            {"class": "DialogAgent", "args": {"name": "Friday", "sys_prompt": "Be brief.", "model_config_name": "scripted", "use_memory": true}},
            {"class": "DictDialogAgent", "args": {"name": "Bob", "sys_prompt": "", "model_config_name": "scripted", "max_retries": null}},
        ]"#,
    )
    .unwrap();
    let configs = AgentConfigs::load(file.path()).unwrap();
    assert_eq!(configs.names().collect::<Vec<_>>(), ["Friday", "Bob"]);
    let model = scripted(["Hello.", r#"{"a": 1}"#]);
    let agents = configs.agents(&Host::new().model(model.clone())).await.unwrap();
    assert_eq!(agents.len(), 2);
    assert_eq!(agents.find("Friday").unwrap().reply("hi").await.unwrap().text(), "Hello.");
    assert_eq!(agents[1].reply("hi").await.unwrap().output, Some(json!({"a": 1})));
    assert_eq!(model.requests()[0].messages[0].text(), "Be brief.");
    let one = json!({"class": "DialogAgent", "args": {"name": "A", "model": "scripted"}});
    assert_eq!(AgentConfigs::from_value(one, agent_types()).unwrap().names().len(), 1);
    let error = configs.agents(&Host::new()).await.err().unwrap();
    let place = format!("`{}`, entry 1 (`Friday`): there is no model `scripted`", file.path().display());
    assert!(error.message().starts_with(&place), "{error}");
    assert!(AgentConfigs::load("nowhere.json").err().unwrap().message().contains("there is no such file"));
}

#[test]
fn one_error_tells_all_that_is_wrong_with_entry_and_field() {
    let dialog = |args: Value| json!({"class": "DialogAgent", "args": args});
    let good = || json!({"name": "A", "model_config_name": "m"});
    assert_eq!(
        faults(dialog(json!({"name": "A", "sys_promt": "", "model_config_name": "m"}))),
        "the agent configurations, entry `A`: `sys_promt` of `args` is no known field: do you mean `sys_prompt`?"
    );
    assert_eq!(
        faults(dialog(json!({"name": "A", "model_config_nam": "m"}))),
        "the agent configurations, entry `A`: `model_config_nam` of `args` is no known field: do you mean `model_config_name`?",
        "and it is not told as missing too"
    );
    assert_eq!(
        faults(dialog(json!({"name": "A"}))),
        "the agent configurations, entry `A`: `model` (or `model_config_name`) of `args` is missing: add it"
    );
    assert_eq!(
        faults(dialog(json!({"name": "A", "model": "m", "model_config_name": "m"}))),
        "the agent configurations, entry `A`: `model_config_name` of `args` is another name of `model`: leave one of them out"
    );
    assert_eq!(
        faults(dialog(json!({"name": "A", "model_config_name": 3, "use_memory": "yes"}))),
        "the agent configurations: 2 faults\n  entry `A`: `model_config_name` of `args` must be a text, and is a number\n  entry `A`: \
         `use_memory` of `args` must be true or false, and is a text"
    );
    let told = faults(
        json!([dialog(good()), dialog(good()), {"class": "DialogAgnt", "args": good()}, {"clas": "x", "args": 1}, 5]),
    );
    for part in [
        "the agent configurations: 6 faults\n",
        "\n  entry 2 (`A`): its `name` is that of entry 1 (`A`) already: rename one of them",
        "\n  entry 3 (`A`): `class`: no type of agent is called `DialogAgnt` (do you mean `DialogAgent`?): there is ",
        "\n  entry 4: `clas` is no known field: do you mean `class`?",
        "\n  entry 4: `class` is missing: add the type of agent, such as \"DialogAgent\"",
        "\n  entry 4: `args` must be an object",
        "\n  entry 5 must be an object with `class` and `args`",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let many: Vec<Value> = (0..40).map(Value::from).collect();
    assert!(faults(many.into()).ends_with("\n  and 20 more"));
    assert_eq!(
        faults(json!("x")),
        "the agent configurations: configurations are an object or a list of objects, and this is neither"
    );
    assert!(faults(json!({"class": "DialogAgent"})).contains("`args` is missing"));
    let parser =
        json!({"class": "DictDialogAgent", "args": {"name": "A", "model": "m", "parser": {"type": "yaml"}}});
    assert!(faults(parser).contains("`parser` of `args` is not as it has to be"));
}
