//! Words: what the model is told, what it says, how it ends and what it costs.

use super::{
    cells::Refusal,
    stage::{Case, each},
};
use crate::server::{Answer, Chat, Count, Heard, Request, Style, polite, scenario};
use agentscope_core::{ErrorKind, FinishReason, ModelRequest, Msg, testing::conformance};
use futures_util::future::join_all;

/// 6,000 characters of one to four bytes each.
fn long() -> String {
    "Grüße, 你好, 👍🏽! ".chars().cycle().take(6_000).collect()
}

fn system(heard: &Heard) -> String {
    heard.turns.iter().filter(|turn| turn.role == "system").map(|turn| turn.text()).collect()
}

#[tokio::test]
async fn each_is_a_chat_model() {
    let script = |_: &Request| Answer::from(Chat::new().reasoning("Hm.").text("Hello there."));
    each(script, async |case| conformance::chat_model(|| case.model()).await).await;
}

#[tokio::test]
async fn a_text_is_said_and_the_prompt_is_heard() {
    each(scenario, async |case| {
        let req = ModelRequest::new([Msg::system("Be brief."), Msg::user("hello")]);
        let said = case.ask(req).await.unwrap();
        assert_eq!((said.text.as_str(), said.finish), ("Grüße, 你好, 👍🏽", FinishReason::Stop), "{case}");
        assert_eq!(case.last().transcript(), ["system: Be brief.", "user: hello"], "{case}");
    })
    .await;
}

#[tokio::test]
async fn several_speakers_are_one_text_with_their_names() {
    each(polite, async |case| {
        let msgs = [
            Msg::system("Be brief."),
            Msg::user("Who is there?").named("Alice"),
            Msg::assistant("Friday", "I am."),
            Msg::assistant("Bob", "And me."),
        ];
        let mut req = ModelRequest::new(msgs);
        req.speaker = "Friday".into();
        case.ask(req).await.unwrap();
        let heard = case.last().heard();
        assert_eq!(system(&heard), "Be brief.", "{case}");
        let [_, history] = &heard.turns[..] else { panic!("{case}: {heard:?}") };
        let lines = "<history>\nAlice: Who is there?\nFriday: I am.\nBob: And me.\n</history>";
        assert!(history.role == "user" && history.text().ends_with(lines), "{case}: {history:?}");
    })
    .await;
}

#[tokio::test]
async fn a_long_text_in_many_pieces_is_whole() {
    let styles = |request: &Request| {
        let end = if request.heard().turns[0].text() == "crlf" { "\r\n" } else { "\n" };
        let style = Style { line_end: end, comments: true, ..Style::default() };
        Answer::from(Chat::new().text(long()).piece(7).style(style)).by(1_000)
    };
    each(styles, async |case| {
        for words in ["lf", "crlf"] {
            assert!(case.say(words).await.text == long(), "{case}");
        }
    })
    .await;
}

#[tokio::test]
async fn thoughts_are_told_apart_from_words() {
    each(scenario, async |case| {
        let said = case.say("think").await;
        assert_eq!((said.thoughts.as_str(), said.text.as_str()), ("Let me think.", "Well."), "{case}");
    })
    .await;
}

#[tokio::test]
async fn the_reason_of_the_end_is_told() {
    each(scenario, async |case| {
        assert_eq!(case.say("silent").await.finish, FinishReason::Stop, "{case}");
        let cut = case.say("no end").await;
        assert_eq!((cut.text.as_str(), cut.finish), ("on and on", FinishReason::Length), "{case}");
        let wanted = if case.row.filter.yes() { FinishReason::ContentFilter } else { FinishReason::Stop };
        assert_eq!(case.say("forbidden").await.finish, wanted, "{case}: {:?}", case.row.filter);
    })
    .await;
}

#[tokio::test]
async fn words_in_place_of_an_answer_are_told_for_what_they_are() {
    each(scenario, async |case| {
        let answer = case.ask(ModelRequest::new([Msg::user("refuse")])).await;
        match (case.row.refusal, answer) {
            (Refusal::Said, Ok(said)) => assert_eq!(said.text, "I must not.", "{case}: {said:?}"),
            (Refusal::Filtered, Ok(said)) => assert_eq!(said.finish, FinishReason::ContentFilter, "{case}"),
            (Refusal::Error, Err(error)) => assert_eq!(error.kind(), ErrorKind::Refused, "{case}: {error}"),
            (Refusal::NotRead(_), Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::Protocol, "{case}: {error}")
            }
            (row, other) => panic!("{case}: {row:?}, but {other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn tokens_are_counted_as_far_as_the_provider_tells() {
    let script = |_: &Request| {
        let count = Count { input: 90, output: 50, cached: 30, reasoning: 20 };
        Answer::from(Chat::new().text("Counted.").usage(count).written(10))
    };
    each(script, async |case| {
        let usage = case.say("count").await.usage.unwrap_or_else(|| panic!("{case} counts nothing"));
        let row = case.row;
        assert_eq!((usage.input_tokens, usage.output_tokens), (90, 50), "{case}: {usage:?}");
        let told = [(usage.cached_tokens, row.cached, 30), (usage.reasoning_tokens, row.thinking, 20)];
        for (told, can, tokens) in told.into_iter().chain([(usage.cache_write_tokens, row.written, 10)]) {
            assert_eq!(told, if can.yes() { tokens } else { 0 }, "{case}, {can:?}: {usage:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn twenty_calls_at_the_same_time_do_not_mix() {
    let script = |request: &Request| {
        let words = request.heard().turns[0].text();
        Answer::from(Chat::new().reasoning(words.repeat(20)).text(words.repeat(200)).piece(9))
    };
    each(script, async |case: &Case| {
        let model = case.model();
        let calls = (0..20).map(|n| {
            let model = &model;
            async move {
                let words = format!("{n};");
                let said =
                    crate::said::ask(model, ModelRequest::new([Msg::user(words.as_str())])).await.unwrap();
                assert!(said.text == words.repeat(200) && said.thoughts == words.repeat(20), "{case}: {n}");
            }
        });
        join_all(calls).await;
    })
    .await;
}
