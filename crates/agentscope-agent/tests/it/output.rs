//! Structured output: checked, repaired, or refused.

use crate::support::results;
use agentscope_agent::ReActAgent;
use agentscope_core::{
    AgentExt, ErrorKind, ModelCard, ScriptedModel, ToolChoice,
    testing::{call, say},
};
use serde_json::json;

#[derive(serde::Deserialize, schemars::JsonSchema, Debug, PartialEq)]
struct Weather {
    city: String,
    degrees: i32,
}

#[tokio::test]
async fn structured_output_is_validated_and_repaired() {
    let model = ScriptedModel::new([
        say("It is mild."),
        call("c1", "generate_response", json!({"city": "Oslo", "degrees": "mild"})),
        call("c2", "generate_response", json!({"city": "Oslo", "degrees": 12})),
    ]);
    let agent = ReActAgent::new("Friday", model.clone());
    let weather: Weather = agent.reply("Oslo?").typed().await.unwrap();
    assert_eq!(weather, Weather { city: "Oslo".into(), degrees: 12 });
    let asked = model.requests();
    assert_eq!(asked[0].tool_choice, ToolChoice::Required);
    assert!(asked[0].tools.iter().any(|tool| tool.name == "generate_response"));
    let state = agent.snapshot().await.unwrap();
    let reply = &state.context[1].msg;
    assert!(results(reply)[0].2.contains("/degrees"), "{:?}", results(reply));
    assert_eq!(reply.output, Some(json!({"city": "Oslo", "degrees": 12})));
}

#[tokio::test]
async fn structured_output_may_be_no_object_and_a_model_may_do_it_by_itself() {
    let model = ScriptedModel::new([call("c1", "generate_response", json!({"value": ["a", "b"]}))]);
    let list: Vec<String> = ReActAgent::new("Friday", model).reply("go").typed().await.unwrap();
    assert_eq!(list, ["a", "b"]);
    let model = ScriptedModel::new([say("oh"), say(r#"{"city":"Oslo","degrees":3}"#)])
        .with_card(ModelCard::new("native").native_output_schema());
    let weather: Weather = ReActAgent::new("Friday", model.clone()).reply("go").typed().await.unwrap();
    assert_eq!(weather.degrees, 3);
    assert!(model.requests()[0].output_schema.is_some() && model.requests()[0].tools.is_empty());
}

#[tokio::test]
async fn a_provider_that_holds_a_model_to_a_schema_is_only_given_objects() {
    let native =
        |text| ScriptedModel::new([say(text)]).with_card(ModelCard::new("native").native_output_schema());
    let model = native(r#"{"value": ["a", "b"]}"#);
    let list: Vec<String> = ReActAgent::new("Friday", model.clone()).reply("go").typed().await.unwrap();
    assert_eq!(list, ["a", "b"]);
    let sent = model.requests()[0].output_schema.clone().unwrap();
    assert_eq!((&sent["type"], &sent["properties"]["value"]["type"]), (&json!("object"), &json!("array")));
    let agent = ReActAgent::new("Friday", native(r#"{"value": null}"#));
    assert_eq!(agent.reply("go").typed::<Option<Weather>>().await.unwrap(), None);
    let agent = ReActAgent::new("Friday", native(r#"["a"]"#));
    let bare: Vec<String> = agent.reply("go").typed().await.unwrap();
    assert_eq!(bare, ["a"], "not every server holds a model to it");
}

#[tokio::test]
async fn a_model_that_calls_no_tools_is_asked_for_json_and_told_what_is_wrong_with_it() {
    let mut card = ModelCard::new("plain");
    card.tools = false;
    let model = ScriptedModel::new([
        say("It is mild in Oslo."),
        say(r#"Here: {"city": "Oslo", "degrees": "mild"}"#),
        say("```json\n{\"city\": \"Oslo\", \"degrees\": 12,}\n```"),
    ])
    .with_card(card);
    let agent = ReActAgent::new("Friday", model.clone());
    let weather: Weather = agent.reply("Oslo?").typed().await.unwrap();
    assert_eq!(weather, Weather { city: "Oslo".into(), degrees: 12 });
    let asked = model.requests();
    assert!(asked.iter().all(|req| req.tools.is_empty() && req.output_schema.is_none()));
    let last = asked[0].messages.last().unwrap().text();
    assert!(last.contains("JSON alone") && last.contains("degrees"), "{last}");
    let seen = format!("{:?}", asked[2].messages);
    assert!(seen.contains("does not fit the schema") && seen.contains("/degrees"), "{seen}");
    let state = agent.snapshot().await.unwrap();
    assert!(!format!("{:?}", state.context).contains("JSON schema:"), "what is asked for does not stay");
}

#[tokio::test]
async fn output_that_never_fits_is_an_error_that_says_so() {
    let model = ScriptedModel::new([say("no"), say("no"), say("no")]);
    let error =
        ReActAgent::new("Friday", model).max_iters(2).reply("go").typed::<Weather>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}
