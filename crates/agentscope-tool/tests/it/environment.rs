use super::{fails, ok};
use agentscope_core::{
    AgentState, Context, EnvironmentExt, ErrorKind, Tool, Toolset, World,
    environment::{Happened, item, variable},
    testing::conformance,
};
use agentscope_tool::EnvironmentTools;
use serde_json::json;
use std::sync::{Arc, Mutex};

async fn tools(tools: EnvironmentTools) -> Vec<Arc<dyn Tool>> {
    tools.tools(&AgentState::default().view()).await.unwrap()
}

fn names(tools: &[Arc<dyn Tool>]) -> Vec<String> {
    tools.iter().map(|tool| tool.spec().name.to_string()).collect()
}

#[tokio::test]
async fn an_agent_reads_and_acts_in_an_environment_and_in_those_in_it() {
    let house = World::new("house", ()).child(item("lamp")).child(variable("topic", "tea".to_owned()));
    let tools = tools(EnvironmentTools::new(house.clone()).by("Alice")).await;
    assert_eq!(
        names(&tools),
        [
            "house_lamp_holder",
            "house_lamp_acquire",
            "house_lamp_release",
            "house_topic_get",
            "house_topic_set"
        ]
    );
    assert!(tools[0].spec().read_only && !tools[1].spec().read_only);
    assert_eq!(ok(&*tools[1], json!({})).await, "Done.");
    assert_eq!(ok(&*tools[0], json!({})).await, "Alice");
    assert_eq!(ok(&*tools[3], json!({})).await, "tea");
    let wrong = fails(&*tools[4], json!({"value": 7})).await;
    assert!(wrong.message().contains("at `value`"), "{wrong}");
    house.remove_child("lamp");
    assert_eq!(names(&self::tools(EnvironmentTools::new(house)).await).len(), 2, "asked before each thought");
}

#[tokio::test]
async fn who_acts_is_told_by_the_program_and_never_by_the_model() {
    let lamp = item("lamp");
    let seen = Arc::new(Mutex::new(Vec::<Happened>::new()));
    let ear = Arc::clone(&seen);
    lamp.on("acquire", move |_, happened| {
        ear.lock().unwrap().push(happened);
        async { Ok(()) }
    })
    .keep();
    let cx = Context::new().enter(&"agent-7".into(), &"".into()).unwrap();
    let acquire = &tools(EnvironmentTools::new(lamp.clone())).await[1];
    let forged = json!({"by": "Bob"});
    super::run_in(&**acquire, forged, cx).await.1.unwrap();
    lamp.settled().await;
    assert_eq!(seen.lock().unwrap()[0].by.as_deref(), Some("agent-7"));
}

#[tokio::test]
async fn names_are_ones_that_providers_take_and_all_different() {
    let long = "a".repeat(80);
    let odd = World::new("Café & bar", ())
        .reading("a/b", "One.", |()| 1)
        .reading("a b", "Two.", |()| 2)
        .reading(long.as_str(), "Three.", |()| 3);
    let tools = tools(EnvironmentTools::new(odd)).await;
    assert_eq!(names(&tools)[..2], ["Caf____bar_a_b", "Caf____bar_a_b_2"]);
    for tool in tools {
        conformance::tool(tool, json!({})).await;
    }
}

#[tokio::test]
async fn what_contains_itself_and_what_has_too_many_actions_is_refused_with_words() {
    let view = AgentState::default().view();
    let world = World::new("world", ());
    world.add_child(world.clone());
    let refused = EnvironmentTools::new(world.clone()).tools(&view).await.err().unwrap();
    assert!(refused.message().contains("let none contain itself"), "{refused}");
    world.remove_child("world");
    let many = (0..129).fold(world, |world, at| world.reading(at.to_string(), "A number.", move |()| at));
    let refused = EnvironmentTools::new(many).tools(&view).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Exhausted);
}
