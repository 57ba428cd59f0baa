//! Against aimock: every answer is whole or a typed error, whatever becomes of the connection.

use crate::{
    aimock::Aimock,
    said::{Said, ask, question, question_with_tool},
};
use agentscope_agent::ReActAgent;
use agentscope_core::{AgentExt, ErrorKind, FinishReason, Usage, tool};
use serde_json::json;
use std::time::Duration;

/// The weather of a place.
#[tool(read_only)]
async fn get_weather(
    /// A city.
    location: String,
    /// Celsius unless told.
    unit: Option<String>,
) -> String {
    format!("{location}: sunny, 20 {}", unit.unwrap_or_default())
}

/// The answer to these words, which is the same whole and as a stream.
async fn both(aimock: &Aimock, words: &str) -> Said {
    let whole = ask(&aimock.model().stream(false), question_with_tool(words)).await.unwrap();
    let streamed = ask(&aimock.model(), question_with_tool(words)).await.unwrap();
    assert_eq!(whole, streamed, "{words}");
    whole
}

#[tokio::test]
async fn an_answer_is_the_same_whole_and_streamed() {
    let Some(aimock) = Aimock::start("") else { return };
    let hello = both(&aimock, "hello").await;
    assert_eq!((hello.text.as_str(), hello.finish), ("Hello from the mock model.", FinishReason::Stop));
    assert_eq!(both(&aimock, "greetings in many scripts").await.text, "Grüße, 你好, Здравствуйте, नमस्ते.");
    let think = both(&aimock, "think").await;
    assert_eq!((think.thoughts.as_str(), think.text.as_str()), ("Two and two are four.", "Four."));
    assert_eq!(both(&aimock, "no end").await.finish, FinishReason::Length);
    assert_eq!(both(&aimock, "forbidden").await.finish, FinishReason::ContentFilter);
    assert_eq!(both(&aimock, "silent").await.text, "");
    assert_eq!(both(&aimock, "count the tokens").await.usage, Some(Usage::new(11, 7)));
}

#[tokio::test]
async fn tokens_are_counted_in_detail_where_the_server_does() {
    let Some(aimock) = Aimock::start("") else { return };
    // Under this path it answers as OpenRouter does, which tells more.
    let model = aimock.model().base_url(aimock.url.replace("/v1", "/api/v1"));
    let mut usage = Usage::new(11, 7);
    (usage.cached_tokens, usage.reasoning_tokens) = (4, 5);
    for stream in [true, false] {
        let said = ask(&model.clone().stream(stream), question("count the tokens")).await.unwrap();
        assert_eq!((said.text.as_str(), said.usage), ("Counted.", Some(usage)));
    }
}

#[tokio::test]
async fn calls_are_the_same_whole_and_streamed() {
    let Some(aimock) = Aimock::start("") else { return };
    let paris = || ("get_weather", json!({"location": "Paris"}));
    assert_eq!(both(&aimock, "weather").await.arguments(), [paris()]);
    let compared = both(&aimock, "compare").await;
    let oslo = ("get_weather", json!({"location": "Oslo", "unit": "celsius"}));
    assert_eq!(compared.arguments(), [paris(), oslo]);
    let ids: Vec<_> = compared.calls.iter().map(|call| &*call.id).collect();
    assert_eq!(ids, ["call_paris", "call_oslo"]);
    let explained = both(&aimock, "explain").await;
    assert_eq!((explained.text.as_str(), explained.arguments()), ("I look it up first.", vec![paris()]));
    assert_eq!(both(&aimock, "plan").await.thoughts, "The tool knows.");
    let interleaved = both(&aimock, "interleave").await;
    assert_eq!(interleaved.text, "And the other one:");
    assert_eq!(interleaved.arguments(), [paris(), ("get_weather", json!({"location": "Oslo"}))]);
}

#[tokio::test]
async fn an_agent_calls_tools_and_answers() {
    let Some(aimock) = Aimock::start("") else { return };
    for stream in [true, false] {
        let friday = ReActAgent::new("Friday", aimock.model().stream(stream)).tool(get_weather);
        let mut answers = Vec::new();
        for words in ["weather", "compare", "explain", "interleave", "broken arguments"] {
            answers.push(friday.reply(words).await.unwrap().text());
        }
        let wanted = [
            "It is sunny in Paris.",
            "Paris is warmer than Oslo.",
            "As expected: sunny.",
            "Both are sunny.",
            "I could not.",
        ];
        assert_eq!(answers, wanted, "stream: {stream}");
    }
}

#[tokio::test]
async fn errors_have_the_kind_that_says_what_to_do() {
    let Some(aimock) = Aimock::start("") else { return };
    let cases = [
        ("bad key", ErrorKind::Unauthorized),
        ("too long", ErrorKind::ContextOverflow),
        ("overloaded", ErrorKind::Unavailable),
        ("what nobody has an answer to", ErrorKind::NotFound),
    ];
    for (words, kind) in cases {
        for stream in [true, false] {
            let model = aimock.model().stream(stream).retries(0);
            let error = ask(&model, question(words)).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{words}, stream {stream}: {error:?}");
        }
    }
}

#[tokio::test]
async fn who_is_told_to_wait_waits_and_asks_again() {
    let Some(aimock) = Aimock::start("") else { return };
    let said = ask(&aimock.model(), question("busy once")).await.unwrap();
    assert_eq!(said.text, "Now I have time.");
    let error = ask(&aimock.model().retries(1), question("busy")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(error.message().starts_with("asked 2 times: "), "{error}");
    let error = ask(&aimock.model().retries(0), question("busy")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(Duration::from_secs(1))));
}

#[tokio::test]
async fn an_answer_that_is_cut_is_no_answer() {
    let Some(aimock) = Aimock::start("") else { return };
    for words in ["cut the text", "cut the call"] {
        let error = ask(&aimock.model(), question_with_tool(words)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{words}: {error:?}");
    }
}

#[tokio::test]
async fn halves_of_letters_are_put_together() {
    let Some(aimock) = Aimock::start("") else { return };
    assert_eq!(both(&aimock, "emoji").await.text, "ok 👍🏽 done 🎉");
}

#[tokio::test]
async fn a_client_that_leaves_takes_nothing_with_it() {
    use agentscope_core::{ChatModel, Context};
    use futures_util::StreamExt;
    let Some(aimock) = Aimock::start("") else { return };
    let model = aimock.model();
    for _ in 0..5 {
        let mut stream = model.call(question("slow"), Context::new());
        stream.next().await.unwrap().unwrap();
        drop(stream);
        assert_eq!(ask(&model, question("hello")).await.unwrap().text, "Hello from the mock model.");
    }
}

/// Each flag, and what becomes of a request that it strikes.
const CHAOS: [(&str, ErrorKind); 4] = [
    ("--chaos-drop", ErrorKind::Unavailable),
    ("--chaos-malformed", ErrorKind::Protocol),
    ("--chaos-disconnect", ErrorKind::Unavailable),
    ("--chaos-ratelimit", ErrorKind::RateLimited),
];

#[tokio::test]
async fn chaos_at_every_request_is_a_typed_error() {
    for (flag, kind) in CHAOS {
        let Some(aimock) = Aimock::start(&format!("{flag} 1")) else { return };
        for stream in [true, false] {
            let model = aimock.model().stream(stream).retries(0);
            let error = ask(&model, question("hello")).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{flag}, stream {stream}: {error:?}");
        }
    }
}

#[tokio::test]
async fn chaos_at_half_of_the_requests_is_a_whole_answer_or_a_typed_error() {
    /// One in 2^59 runs has no request of the one kind or the other.
    const REQUESTS: usize = 60;
    for (flag, kind) in CHAOS {
        let Some(aimock) = Aimock::start(&format!("{flag} 0.5")) else { return };
        let mut failed = 0;
        for nth in 0..REQUESTS {
            let model = aimock.model().stream(nth % 2 == 0).retries(0);
            match ask(&model, question_with_tool("compare")).await {
                Ok(said) => assert_eq!(said.arguments().len(), 2, "{flag}: {said:?}"),
                Err(error) => {
                    assert_eq!(error.kind(), kind, "{flag}: {error:?}");
                    failed += 1;
                }
            }
        }
        assert!((1..REQUESTS).contains(&failed), "{flag}: {failed} of {REQUESTS}");
    }
}

#[tokio::test]
async fn retries_bring_most_requests_through() {
    let Some(aimock) = Aimock::start("--chaos-drop 0.2 --chaos-disconnect 0.2") else { return };
    let model = aimock.model().retries(12);
    for _ in 0..10 {
        let said = ask(&model, question("hello")).await.unwrap();
        assert_eq!(said.text, "Hello from the mock model.");
    }
}

#[tokio::test]
async fn a_late_answer_is_whole_or_given_up() {
    let Some(aimock) = Aimock::start("--chaos-latency 500") else { return };
    let model = aimock.model().retries(0);
    assert_eq!(ask(&model, question("hello")).await.unwrap().text, "Hello from the mock model.");
    let hasty = model.first_byte_timeout(Duration::from_millis(50));
    assert_eq!(ask(&hasty, question("hello")).await.unwrap_err().kind(), ErrorKind::Timeout);
}
