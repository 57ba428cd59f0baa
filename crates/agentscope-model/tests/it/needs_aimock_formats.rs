//! Against aimock: each format that it speaks, streamed and whole, with its chaos.

use crate::{
    aimock::Aimock,
    said::{Said, ask, question, question_with_tool},
};
use agentscope_agent::ReActAgent;
use agentscope_core::{AgentExt, ChatModel, ErrorKind, FinishReason, tool};
use agentscope_model::{
    AnthropicChatModel, GeminiChatModel, OllamaChatModel, OpenAIChatModel, OpenAIResponseModel, Provider,
};
use futures_util::future::join_all;
use serde_json::json;
use std::sync::Arc;

/// How a model is asked, and how often again.
#[derive(Clone, Copy)]
struct Way {
    stream: bool,
    retries: u32,
}

/// A format of aimock's.
struct Format {
    name: &'static str,
    /// The model behind aimock at `http://127.0.0.1:PORT`.
    make: fn(&str, Way) -> Arc<dyn ChatModel>,
    /// What an answer says that was cut, and one that a filter held back.
    length: FinishReason,
    filtered: Result<FinishReason, ErrorKind>,
    /// It tells how many tokens there were.
    counts: bool,
    /// Calls come in pieces, so that one can be cut.
    pieces: bool,
    /// The words that make it give structured output.
    forecast: &'static str,
}

macro_rules! asked {
    ($model:expr, $way:expr) => {
        Arc::new($model.api_key("k").stream($way.stream).retries($way.retries))
    };
}

const FORMATS: &[Format] = &[
    Format {
        name: "chat",
        make: |at, way| {
            asked!(OpenAIChatModel::of(Provider::Other, "gpt-4o").base_url(format!("{at}/v1")), way)
        },
        length: FinishReason::Length,
        filtered: Ok(FinishReason::ContentFilter),
        counts: true,
        pieces: true,
        forecast: "forecast by a tool",
    },
    Format {
        name: "azure",
        make: |at, way| {
            let at = format!("{at}?api-version=2024-10-21");
            asked!(OpenAIChatModel::of(Provider::Azure, "gpt-4o").base_url(at), way)
        },
        length: FinishReason::Length,
        filtered: Ok(FinishReason::ContentFilter),
        counts: true,
        pieces: true,
        forecast: "forecast",
    },
    Format {
        name: "responses",
        make: |at, way| asked!(OpenAIResponseModel::new("gpt-5").base_url(format!("{at}/v1")), way),
        length: FinishReason::Length,
        filtered: Err(ErrorKind::Unavailable),
        counts: true,
        pieces: true,
        forecast: "forecast",
    },
    Format {
        name: "anthropic",
        make: |at, way| asked!(AnthropicChatModel::new("claude-sonnet-4-5").base_url(at), way),
        length: FinishReason::Length,
        filtered: Ok(FinishReason::ContentFilter),
        counts: true,
        pieces: true,
        forecast: "forecast",
    },
    Format {
        name: "gemini",
        make: |at, way| asked!(GeminiChatModel::new("gemini-3-pro").base_url(format!("{at}/v1beta")), way),
        length: FinishReason::Length,
        filtered: Ok(FinishReason::ContentFilter),
        counts: true,
        pieces: false,
        forecast: "forecast",
    },
    Format {
        name: "ollama",
        make: |at, way| asked!(OllamaChatModel::new("qwen3").base_url(at), way),
        // Aimock's Ollama always stops, and has no counts.
        length: FinishReason::Stop,
        filtered: Ok(FinishReason::Stop),
        counts: false,
        pieces: false,
        forecast: "forecast",
    },
];

/// Each format, streamed and whole.
fn all(retries: u32) -> impl Iterator<Item = (&'static Format, Way)> {
    FORMATS.iter().flat_map(move |format| [true, false].map(|stream| (format, Way { stream, retries })))
}

impl Format {
    fn model(&self, aimock: &Aimock, way: Way) -> Arc<dyn ChatModel> {
        (self.make)(aimock.url.trim_end_matches("/v1"), way)
    }

    async fn says(&self, aimock: &Aimock, way: Way, words: &str) -> agentscope_core::Result<Said> {
        ask(&self.model(aimock, way), question_with_tool(words)).await
    }
}

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

#[tokio::test]
async fn words_thoughts_and_calls_come_in_every_format() {
    let Some(aimock) = Aimock::start("") else { return };
    let paris = || ("get_weather", json!({"location": "Paris"}));
    for (format, way) in all(0) {
        let (name, stream) = (format.name, way.stream);
        let say = async |words: &str| {
            let said = format.says(&aimock, way, words).await;
            said.unwrap_or_else(|error| panic!("{name}, stream {stream}, {words}: {error}"))
        };
        let hello = say("hello").await;
        assert_eq!(
            (hello.text.as_str(), hello.finish),
            ("Hello from the mock model.", FinishReason::Stop),
            "{name}"
        );
        assert_eq!(say("greetings in many scripts").await.text, "Grüße, 你好, Здравствуйте, नमस्ते.", "{name}");
        assert_eq!(say("emoji").await.text, "ok 👍🏽 done 🎉", "{name}, stream {stream}");
        let think = say("think").await;
        assert_eq!(
            (think.thoughts.as_str(), think.text.as_str()),
            ("Two and two are four.", "Four."),
            "{name}, stream {stream}"
        );
        assert_eq!(say("no end").await.finish, format.length, "{name}, stream {stream}");
        let filtered = format.says(&aimock, way, "forbidden").await;
        let filtered = filtered.map(|said| said.finish).map_err(|error| error.kind());
        assert_eq!(filtered, format.filtered, "{name}, stream {stream}");
        let usage = say("count the tokens").await.usage.unwrap_or_default();
        let counted = if format.counts { (11, 7) } else { (0, 0) };
        assert_eq!((usage.input_tokens, usage.output_tokens), counted, "{name}, stream {stream}");
        assert_eq!(say("weather").await.arguments(), [paris()], "{name}, stream {stream}");
        let oslo = ("get_weather", json!({"location": "Oslo", "unit": "celsius"}));
        assert_eq!(say("compare").await.arguments(), [paris(), oslo], "{name}, stream {stream}");
        let explained = say("explain").await;
        assert_eq!(
            (explained.text.as_str(), explained.arguments()),
            ("I look it up first.", vec![paris()]),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_agent_calls_tools_and_gives_structured_output_in_every_format() {
    #[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
    struct Forecast {
        place: String,
        degrees: i64,
    }
    let Some(aimock) = Aimock::start("") else { return };
    for (format, way) in all(0) {
        let friday = ReActAgent::new("Friday", format.model(&aimock, way)).tool(get_weather);
        for (words, answer) in [
            ("weather", "It is sunny in Paris."),
            ("compare", "Paris is warmer than Oslo."),
            ("explain", "As expected: sunny."),
            ("hello", "Hello from the mock model."),
        ] {
            let msg = friday.reply(words).await;
            let msg = msg
                .unwrap_or_else(|error| panic!("{}, stream {}, {words}: {error}", format.name, way.stream));
            assert!(msg.text().ends_with(answer), "{}, stream {}: {msg:?}", format.name, way.stream);
        }
        let friday = ReActAgent::new("Friday", format.model(&aimock, way));
        let forecast: Forecast = friday.reply(format.forecast).typed().await.unwrap();
        assert_eq!(forecast, Forecast { place: "Oslo".to_owned(), degrees: 3 }, "{}", format.name);
    }
}

#[tokio::test]
async fn errors_have_their_kind_in_every_format() {
    let Some(aimock) = Aimock::start("") else { return };
    for (format, way) in all(0) {
        for (words, kind) in [
            ("bad key", ErrorKind::Unauthorized),
            ("too long", ErrorKind::ContextOverflow),
            ("overloaded", ErrorKind::Unavailable),
            ("busy", ErrorKind::RateLimited),
            ("what nobody has an answer to", ErrorKind::NotFound),
        ] {
            let error = ask(&format.model(&aimock, way), question(words)).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{}, stream {}, {words}: {error:?}", format.name, way.stream);
        }
        if way.stream {
            let cuts = ["cut the text", "cut the call"];
            for words in cuts.into_iter().take(if format.pieces { 2 } else { 1 }) {
                let cut = format.says(&aimock, way, words).await;
                let kind = cut.as_ref().map_err(|error| error.kind()).unwrap_err();
                assert_eq!(kind, ErrorKind::Unavailable, "{}, {words}: {cut:?}", format.name);
            }
        }
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
async fn chaos_at_every_request_is_a_typed_error_in_every_format() {
    for (flag, kind) in CHAOS {
        let Some(aimock) = Aimock::start(&format!("{flag} 1")) else { return };
        for (format, way) in all(0) {
            let error = format.says(&aimock, way, "hello").await.unwrap_err();
            assert_eq!(error.kind(), kind, "{flag}, {}, stream {}: {error:?}", format.name, way.stream);
        }
    }
}

#[tokio::test]
async fn chaos_at_half_of_the_requests_is_a_whole_answer_or_a_typed_error_in_every_format() {
    /// One in 2^39 runs has no request of the one kind or the other, in some format.
    const REQUESTS: usize = 40;
    for (flag, kind) in CHAOS {
        let Some(aimock) = Aimock::start(&format!("{flag} 0.5")) else { return };
        let (aimock, failed) = (&aimock, &std::sync::Mutex::new(vec![0; FORMATS.len()]));
        let asked = FORMATS.iter().enumerate().map(|(at, format)| async move {
            for nth in 0..REQUESTS {
                match format.says(aimock, Way { stream: nth % 2 == 0, retries: 0 }, "compare").await {
                    Ok(said) => assert_eq!(said.arguments().len(), 2, "{flag}, {}: {said:?}", format.name),
                    Err(error) => {
                        assert_eq!(error.kind(), kind, "{flag}, {}: {error:?}", format.name);
                        failed.lock().unwrap()[at] += 1;
                    }
                }
            }
        });
        join_all(asked).await;
        let failed = failed.lock().unwrap();
        assert!(
            failed.iter().all(|failed| (1..REQUESTS).contains(failed)),
            "{flag}: {failed:?} of {REQUESTS}"
        );
    }
}

#[tokio::test]
async fn retries_bring_most_requests_through_in_every_format() {
    let Some(aimock) = Aimock::start("--chaos-drop 0.2 --chaos-disconnect 0.2") else { return };
    let asked = all(12).map(|(format, way)| {
        let aimock = &aimock;
        async move {
            let said = format.says(aimock, way, "hello").await;
            let said = said.unwrap_or_else(|error| panic!("{}, stream {}: {error}", format.name, way.stream));
            assert_eq!(said.text, "Hello from the mock model.", "{}", format.name);
        }
    });
    join_all(asked).await;
}
