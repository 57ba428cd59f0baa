//! Calls of tools, their results, and which may be called.

use super::{
    cells::Choice,
    stage::{Case, each},
};
use crate::server::{Answer, Bit, polite, scenario};
use agentscope_core::{ModelRequest, Msg, ToolCall, ToolChoice, ToolResult, ToolSpec};
use serde_json::json;
use std::sync::Arc;

const NAMES: [&str; 2] = ["get_weather", "now"];

fn with_tools(msgs: impl IntoIterator<Item = Msg>, choice: ToolChoice) -> ModelRequest {
    let place =
        json!({"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]});
    let nothing = json!({"type": "object", "properties": {}});
    let mut req = ModelRequest::new(msgs);
    req.tools = [
        Arc::new(ToolSpec::new(NAMES[0], "The weather of a place.", place).read_only()),
        Arc::new(ToolSpec::new(NAMES[1], "What time it is.", nothing).read_only()),
    ]
    .into();
    req.tool_choice = choice;
    req
}

fn ask(words: &str) -> ModelRequest {
    with_tools([Msg::user(words)], ToolChoice::Auto)
}

/// The names of the tools that the provider was told of.
fn offered(case: &Case) -> Vec<String> {
    case.last().heard().tools.into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn calls_come_with_their_arguments_and_beside_words() {
    each(scenario, async |case| {
        if !case.row.tools.yes() {
            let said = case.ask(ask("hello")).await.unwrap();
            assert!(
                said.text.starts_with("Grüße") && offered(case).is_empty(),
                "{case}: {:?}",
                case.row.tools
            );
            return;
        }
        let (paris, oslo) = (json!({"location": "Paris"}), json!({"location": "Oslo"}));
        let one = case.ask(ask("weather")).await.unwrap();
        assert_eq!(one.text, "One moment.", "{case}");
        assert_eq!(one.arguments(), [("get_weather", paris.clone())], "{case}");
        for words in ["compare", "interleave"] {
            let two = case.ask(ask(words)).await.unwrap();
            assert_eq!(
                two.arguments(),
                [("get_weather", paris.clone()), ("get_weather", oslo.clone())],
                "{case}"
            );
            assert!(
                two.calls[0].id != two.calls[1].id || two.calls[0].id.is_empty(),
                "{case}: {:?}",
                two.calls
            );
        }
        assert_eq!(offered(case), NAMES, "{case}");
    })
    .await;
}

#[tokio::test]
async fn results_go_back_in_the_order_of_their_calls() {
    each(
        |_| Answer::text("well"),
        async |case| {
            let call =
                |id: &str, place: &str| ToolCall::new(id, NAMES[0], json!({"location": place}).to_string());
            let result = |id: &str, text: &str| ToolResult::success(id, NAMES[0], text);
            let talk = Msg::assistant("Friday", "I look it up.")
                .with(call("c1", "Paris"))
                .with(call("c2", "Oslo"))
                .with(result("c2", "rain"))
                .with(result("c1", "sun"));
            let mut req = with_tools([Msg::user("compare"), talk, Msg::user("and?")], ToolChoice::Auto);
            req.speaker = "Friday".into();
            case.ask(req).await.unwrap_or_else(|error| panic!("{case}: {error}"));
            let request = case.last();
            let results = request.heard().turns.into_iter().flat_map(|turn| turn.parts);
            let results: Vec<_> = results
                .filter_map(|bit| if let Bit::Result { id, text } = bit { Some((id, text)) } else { None })
                .collect();
            let texts: Vec<_> = results.iter().map(|(_, text)| text.as_str()).collect();
            if case.row.ids.yes() {
                let mut by_id: Vec<_> =
                    results.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
                by_id.sort_unstable();
                assert_eq!(by_id, [("c1", "sun"), ("c2", "rain")], "{case}");
            } else {
                assert_eq!(texts, ["sun", "rain"], "{case}: {:?}", case.row.ids);
            }
        },
    )
    .await;
}

#[tokio::test]
async fn which_tool_may_be_called_is_told_or_left_to_the_model_as_the_table_says() {
    each(
        |_| Answer::text("well"),
        async |case| {
            let choices = [ToolChoice::None, ToolChoice::Required, ToolChoice::Tool(NAMES[1].into())];
            let told = [("none", None), ("any", None), ("any", Some(NAMES[1]))];
            let offers: [&[&str]; 3] = [&[], &NAMES, &[NAMES[1]]];
            let all: &[&str] = if case.row.tools.yes() { &NAMES } else { &[] };
            case.ask(ask("hi")).await.unwrap();
            assert!(matches!(case.last().heard().choice.as_str(), "" | "auto"), "{case}");
            for (at, choice) in choices.into_iter().enumerate() {
                case.ask(with_tools([Msg::user("hi")], choice.clone())).await.unwrap();
                let heard = case.last().heard();
                let row = case.row.choices[at];
                let seen = (heard.choice.as_str(), heard.forced.as_deref());
                let (wanted, offer) = match row {
                    Choice::Told => (told[at], all),
                    Choice::Offered => (("", None), offers[at]),
                    Choice::Left(_) => (("", None), all),
                };
                assert_eq!(
                    (seen, &offered(case)[..]),
                    (wanted, &offer.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..]),
                    "{case}: {choice:?}, {row:?}"
                );
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_tool_that_is_forced_alone_is_called() {
    each(polite, async |case| {
        let said = case.ask(with_tools([Msg::user("hi")], ToolChoice::Tool(NAMES[0].into()))).await.unwrap();
        if case.row.tools.yes() {
            assert_eq!(said.arguments(), [(NAMES[0], json!({"location": "xxx"}))], "{case}");
        } else {
            assert_eq!(said.calls, [], "{case}: {:?}", case.row.tools);
        }
    })
    .await;
}
