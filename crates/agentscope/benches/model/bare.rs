//! What a good engineer writes by hand for these workloads: reqwest, structs for the wire, a vector of messages.

use crate::server_of;
use agentscope_net::reqwest::{Client, Response, header};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use tokio::task::JoinSet;

#[derive(Clone)]
pub(crate) struct Bare {
    client: Client,
    url: String,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[Function<'a>; 1]>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Function<'a> {
    r#type: &'a str,
    function: Declaration<'a>,
}

#[derive(Serialize)]
struct Declaration<'a> {
    name: &'a str,
    description: &'a str,
    parameters: Parameters<'a>,
}

#[derive(Serialize)]
struct Parameters<'a> {
    r#type: &'a str,
    properties: Properties<'a>,
    required: [&'a str; 1],
}

#[derive(Serialize)]
struct Properties<'a> {
    city: Property<'a>,
}

#[derive(Serialize)]
struct Property<'a> {
    r#type: &'a str,
    description: &'a str,
}

const WEATHER: Function<'static> = Function {
    r#type: "function",
    function: Declaration {
        name: "weather",
        description: "Tells the current weather of a city.",
        parameters: Parameters {
            r#type: "object",
            properties: Properties { city: Property { r#type: "string", description: "The city's name." } },
            required: ["city"],
        },
    },
};

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

impl Message {
    fn new(role: &'static str, content: impl Into<String>) -> Self {
        Self { role, content: Some(content.into()), tool_calls: Vec::new(), tool_call_id: None }
    }
}

#[derive(Serialize, Deserialize)]
struct Call {
    id: String,
    r#type: String,
    function: Called,
}

#[derive(Serialize, Deserialize)]
struct Called {
    name: String,
    arguments: String,
}

#[derive(Deserialize)]
struct City<'a> {
    #[serde(borrow)]
    city: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Answer,
}

#[derive(Deserialize)]
struct Answer {
    content: Option<String>,
    #[serde(default)]
    tool_calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

/// Borrowed where nothing is escaped, which serde does for a `Cow` but not for an `Option` of one.
#[derive(Default, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Vec<Delta<'a>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    delta: Piece<'a>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Vec<CallPiece<'a>>,
}

#[derive(Deserialize)]
struct CallPiece<'a> {
    index: usize,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: CalledPiece<'a>,
}

#[derive(Deserialize)]
struct CalledPiece<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<Text<'a>>,
}

impl Bare {
    /// Of the workload that has this path.
    pub(crate) fn new(origin: &str, workload: &str) -> Self {
        let url = format!("{}/chat/completions", server_of(origin, workload));
        let client = agentscope_net::client(&url.parse().unwrap()).unwrap();
        Self { client, url }
    }

    async fn send(&self, messages: &[Message], tool: bool, stream: bool) -> Response {
        let tools = tool.then_some([WEATHER]);
        let stream_options = stream.then_some(StreamOptions { include_usage: true });
        let body = Body { model: "gpt-4o", messages, tools, stream, stream_options };
        let request = self.client.post(&self.url).bearer_auth("sk-test");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let response = request.body(serde_json::to_vec(&body).unwrap()).send().await.unwrap();
        response.error_for_status().unwrap()
    }

    async fn whole(&self, messages: &[Message], tool: bool) -> (Answer, u64) {
        let bytes = self.send(messages, tool, false).await.bytes().await.unwrap();
        let mut completion: Completion = serde_json::from_slice(&bytes).unwrap();
        (completion.choices.swap_remove(0).message, tokens(completion.usage))
    }

    /// Reads a stream to its end; `seen` gets each piece of text.
    async fn streamed(&self, messages: &[Message], tool: bool, mut seen: impl FnMut(&str)) -> (Answer, u64) {
        let mut response = self.send(messages, tool, true).await;
        let (mut text, mut calls, mut usage) = (String::new(), Vec::<Call>::new(), None);
        let mut finish = None;
        let mut rest = Vec::new();
        'read: while let Some(bytes) = response.chunk().await.unwrap() {
            rest.extend_from_slice(&bytes);
            let mut from = 0;
            while let Some(length) = memchr::memchr(b'\n', &rest[from..]) {
                let line = &rest[from..from + length];
                from += length + 1;
                let Some(data) = line.strip_prefix(b"data: ") else { continue };
                if data == b"[DONE]" {
                    break 'read;
                }
                let chunk: Chunk<'_> = serde_json::from_slice(data).unwrap();
                usage = chunk.usage.or(usage);
                for Delta { delta, finish_reason } in chunk.choices {
                    if let Some(piece) = delta.content {
                        text.push_str(&piece.0);
                        seen(&piece.0);
                    }
                    for piece in delta.tool_calls {
                        if calls.len() <= piece.index {
                            calls.push(Call {
                                id: piece.id.unwrap_or_default().0.into_owned(),
                                r#type: "function".to_owned(),
                                function: Called {
                                    name: piece.function.name.unwrap_or_default().0.into_owned(),
                                    arguments: String::new(),
                                },
                            });
                        }
                        let arguments = piece.function.arguments.unwrap_or_default().0;
                        calls[piece.index].function.arguments.push_str(&arguments);
                    }
                    finish = finish_reason.map(|reason| reason.0.into_owned()).or(finish);
                }
            }
            rest.drain(..from);
        }
        assert!(finish.is_some(), "the stream broke off");
        (Answer { content: Some(text), tool_calls: calls }, tokens(usage))
    }

    /// A turn of requests and calls of the tool, until the model has said something.
    pub(crate) async fn turn(&self, streams: bool) -> (String, u64) {
        let mut messages = vec![
            Message::new("system", "Say how the weather is."),
            Message::new("user", "How is it in Oslo?"),
        ];
        let mut spent = 0;
        loop {
            let (answer, tokens) = if streams {
                self.streamed(&messages, true, |_| {}).await
            } else {
                self.whole(&messages, true).await
            };
            spent += tokens;
            if answer.tool_calls.is_empty() {
                return (answer.content.unwrap_or_default(), spent);
            }
            let results: Vec<_> = answer.tool_calls.iter().map(run).collect();
            messages.push(Message {
                role: "assistant",
                content: answer.content,
                tool_calls: answer.tool_calls,
                tool_call_id: None,
            });
            messages.extend(results);
        }
    }

    /// An answer of many pieces: how many there were, and bytes of text.
    pub(crate) async fn stream(&self) -> (usize, usize) {
        let messages = [Message::new("user", "Talk.")];
        let mut pieces = 0;
        let (answer, _) = self.streamed(&messages, false, |_| pieces += 1).await;
        (pieces, answer.content.unwrap_or_default().len())
    }

    /// So many turns at once.
    pub(crate) async fn crowd(&self, many: usize) {
        let mut turns = JoinSet::new();
        for _ in 0..many {
            let bare = self.clone();
            turns.spawn(async move { bare.turn(false).await });
        }
        for (text, tokens) in turns.join_all().await {
            assert!(text.contains("sunny") && tokens > 0);
        }
    }

    /// A conversation that has not begun.
    pub(crate) fn talk(&self) -> Talk {
        Talk { bare: self.clone(), messages: vec![Message::new("system", "Talk.")] }
    }
}

fn tokens(usage: Option<Usage>) -> u64 {
    usage.map_or(0, |usage| usage.prompt_tokens + usage.completion_tokens)
}

fn run(call: &Call) -> Message {
    let City { city } = serde_json::from_str(&call.function.arguments).unwrap();
    let text = format!("{city}: sunny, 21 degrees");
    Message { tool_call_id: Some(call.id.clone()), ..Message::new("tool", text) }
}

pub(crate) struct Talk {
    bare: Bare,
    messages: Vec<Message>,
}

impl Talk {
    pub(crate) async fn say(&mut self, text: String) {
        self.messages.push(Message::new("user", text));
        let (answer, _) = self.bare.whole(&self.messages, false).await;
        self.messages.push(Message::new("assistant", answer.content.unwrap_or_default()));
    }
}
