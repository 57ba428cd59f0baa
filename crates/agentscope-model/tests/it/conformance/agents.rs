//! Whole conversations of an agent: the server refuses a history that the provider would refuse.

use super::{
    cells::{Schema, Thoughts},
    stage::{Case, each},
};
use crate::server::{Answer, At, Bit, Chat, Request, Then, instance, polite, scenario};
use agentscope_agent::ReActAgent;
use agentscope_core::{AgentExt, ContentBlock, EventKind, Finish, Interrupt, Media, Reason, tool};
use serde_json::Value;
use std::{collections::HashSet, time::Duration};

/// The weather of a place.
#[tool(read_only)]
async fn get_weather(
    /// A city.
    location: String,
) -> Vec<ContentBlock> {
    vec![format!("{location}: sunny").into(), ContentBlock::Image(Media::base64("image/png", "iVBORw0KGgo="))]
}

fn friday(case: &Case) -> ReActAgent {
    let friday = ReActAgent::new("Friday", case.model()).prompt("You are Friday.");
    if case.row.tools.yes() { friday.tool(get_weather) } else { friday }
}

#[tokio::test]
async fn a_conversation_of_many_turns_with_tools_is_taken_by_the_provider() {
    each(scenario, async |case| {
        let friday = friday(case);
        let talk: &[&str] = if case.row.tools.yes() {
            &[
                "hello",
                "weather",
                "compare",
                "plan",
                "think",
                "think in secret",
                "interleave",
                "no end",
                "weather",
                "hello",
            ]
        } else {
            &["hello", "think", "no end", "hello"]
        };
        for words in talk {
            let msg = friday.reply(*words).await.unwrap_or_else(|error| panic!("{case}, {words}: {error:?}"));
            assert!(!msg.text().is_empty() && msg.open_calls().next().is_none(), "{case}, {words}: {msg:?}");
        }
        let turns = case.last().heard().turns;
        assert!(turns.iter().filter(|turn| turn.role == "user").count() >= talk.len(), "{case}: {turns:?}");
        let ids = |pick: fn(&Bit) -> Option<&String>| -> Vec<_> {
            turns.iter().flat_map(|turn| &turn.parts).filter_map(pick).cloned().collect()
        };
        let calls = ids(|bit| if let Bit::Call { id, .. } = bit { Some(id) } else { None });
        let results = ids(|bit| if let Bit::Result { id, .. } = bit { Some(id) } else { None });
        assert_eq!(
            (calls.len(), results.len()),
            if case.row.tools.yes() { (7, 7) } else { (0, 0) },
            "{case}"
        );
        if case.row.ids.yes() {
            let (calls, results): (HashSet<_>, HashSet<_>) =
                (calls.iter().collect(), results.iter().collect());
            assert_eq!((calls.len(), &calls), (results.len(), &results), "{case}");
            assert_eq!(calls.len(), if case.row.tools.yes() { 7 } else { 0 }, "{case}: an id is used twice");
        }
    })
    .await;
}

#[tokio::test]
async fn what_it_thought_goes_back_with_the_results_as_the_provider_wants_it() {
    each(scenario, async |case| {
        if !case.row.tools.yes() {
            return; // the row says why: without tools there is no round in which thoughts go back
        }
        friday(case).reply("plan").await.unwrap_or_else(|error| panic!("{case}: {error}"));
        let bits = case.last().heard().turns.into_iter().flat_map(|turn| turn.parts);
        let thoughts: Vec<_> = bits
            .filter_map(|bit| if let Bit::Thought(text, by) = bit { Some((text, by)) } else { None })
            .collect();
        let body = String::from_utf8(case.last().body.to_vec()).unwrap();
        match case.row.thoughts {
            // Gemini's thoughts do not go back: the signature is at the call.
            Thoughts::Signed if case.row.name.starts_with("gemini") => {
                assert!(thoughts.is_empty() && body.contains("\"thoughtSignature\":\"sig"), "{case}: {body}");
            }
            Thoughts::Signed => {
                let [(text, by)] = &thoughts[..] else { panic!("{case}: {body}") };
                assert!(text == "The tool knows." && by.starts_with("sig"), "{case}: {body}");
            }
            Thoughts::Plain => {
                assert_eq!(thoughts, [("The tool knows.".to_owned(), String::new())], "{case}: {body}");
            }
            Thoughts::NotBack(_) => {
                assert!(thoughts.is_empty() && !body.contains("The tool knows."), "{case}: {body}");
            }
        }
    })
    .await;
}

/// What is wanted of the model.
#[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
struct Forecast {
    /// A city.
    place: String,
    degrees: i64,
    /// None where nobody knows.
    wind: Option<f64>,
    days: Vec<Day>,
}

#[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
struct Day {
    sunny: bool,
}

/// Obeys a schema however it is told of it.
fn obedient(request: &Request) -> Answer {
    let heard = request.heard();
    let last = heard.turns.last().cloned().unwrap_or_default();
    let asked = "that fits this JSON schema:\n";
    let words = request.transcript().concat();
    let told = words.rsplit_once(asked).and_then(|(_, rest)| rest.split_once("</system-hint>"));
    match told {
        Some((schema, _)) if heard.schema.is_none() && (heard.tools.is_empty() || last.role == "tool") => {
            let schema: Value = serde_json::from_str(schema).unwrap();
            Chat::new().text(instance(&schema).to_string()).into()
        }
        _ => polite(request),
    }
}

#[tokio::test]
async fn structured_output_comes_in_the_way_of_the_table() {
    each(obedient, async |case| {
        let friday = ReActAgent::new("Friday", case.model());
        let forecast: Forecast = friday
            .reply("How is it in Oslo?")
            .typed()
            .await
            .unwrap_or_else(|error| panic!("{case}: {error:?}"));
        assert_eq!((forecast.place.as_str(), forecast.degrees, forecast.days.len()), ("xxx", 1, 1), "{case}");
        let requests = case.requests();
        let first = requests[0].heard();
        let by_tool = first.tools.iter().any(|(name, _)| name == "generate_response");
        let in_words = requests[0].transcript().concat().contains("fits this JSON schema");
        let wanted = match case.row.schema {
            Schema::Native => (true, false, false),
            Schema::Tool(_) => (false, true, false),
            Schema::Words(_) => (false, false, true),
        };
        assert_eq!((first.schema.is_some(), by_tool, in_words), wanted, "{case}: {:?}", case.row.schema);
    })
    .await;
}

#[tokio::test]
async fn an_interrupt_in_the_middle_of_an_answer_closes_its_connection() {
    let endless = |_: &Request| {
        let text = Chat::new().text("x".repeat(1000));
        Answer::from(text).cut(At::Percent(60), Then::Silence)
    };
    each(endless, async |case| {
        let interrupt = Interrupt::new();
        let friday = ReActAgent::new("Friday", case.model());
        let mut reply = friday.reply("hi").interrupt(&interrupt).stream();
        if !case.stream {
            while case.requests().is_empty() {
                // The events of its start; nothing comes of the answer.
                drop(tokio::time::timeout(Duration::from_millis(10), reply.next()).await);
            }
            interrupt.trigger(Reason::User(None));
        }
        let mut end = None;
        while let Some(Ok(event)) = reply.next().await {
            match event.kind {
                EventKind::TextDelta { .. } => interrupt.trigger(Reason::User(None)),
                EventKind::ReplyEnd { finish, .. } => end = Some(finish),
                _ => {}
            }
        }
        assert_eq!(end, Some(Finish::Interrupted), "{case}");
        // All of them are asked at the same time: each has left when as many have left as have come.
        let all = case.stage.server.wait(|counts| counts.left == Case::all(&case.stage).len());
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap_or_else(|_| panic!("{case} stays"));
    })
    .await;
}

#[tokio::test]
async fn a_call_that_was_cut_is_not_run() {
    let script =
        |request: &Request| match request.heard().turns.last().map(|turn| turn.role.clone()).as_deref() {
            Some("user") => {
                Chat::new().call("c1", "get_weather", "{\"location\": \"Par").finish("length").into()
            }
            _ => polite(request),
        };
    each(script, async |case| {
        if !case.row.tools.yes() {
            return;
        }
        // Where calls are objects on the wire, one that is cut does not come at all.
        let msg = match friday(case).reply("weather").await {
            Ok(msg) => msg,
            Err(error) => {
                return assert!(error.message().contains("an empty answer twice"), "{case}: {error:?}");
            }
        };
        assert!(msg.results().all(|result| !result.text().contains("sunny")), "{case}: {msg:?}");
    })
    .await;
}

#[tokio::test]
async fn a_conversation_goes_on_after_an_interrupt() {
    // What a user said twice in a row is one turn for some.
    let asked = |request: &Request| request.heard().turns.last().map(|turn| turn.text()).unwrap_or_default();
    let script = move |request: &Request| match asked(request).ends_with("hello") {
        true => Answer::text("Here I am."),
        false => Answer::from(Chat::new().reasoning("Hm, well.").text("x".repeat(1000)))
            .cut(At::Percent(60), Then::Silence),
    };
    each(script, async |case| {
        let friday = ReActAgent::new("Friday", case.model());
        let deadline = Duration::from_millis(300);
        let stopped = friday.reply("go on").deadline(deadline).await;
        assert!(stopped.is_err(), "{case}: {stopped:?}");
        let msg = friday.reply("hello").await.unwrap_or_else(|error| panic!("{case}: {error:?}"));
        assert_eq!(msg.text(), "Here I am.", "{case}");
    })
    .await;
}
