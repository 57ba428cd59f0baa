//! The formats, each with an answer of many pieces as its provider would stream it.

use agentscope::{BoxFuture, ModelDelta, ModelRequest, Result};
use agentscope_model::{
    AnthropicChatModel, DashScopeChatModel, GeminiChatModel, OllamaChatModel, OpenAIChatModel,
    OpenAIResponseModel,
};
use serde_json::{Value, json};

/// Pieces of the answer.
pub(crate) const PIECES: usize = 1000;

/// What each of them says.
pub(crate) const PIECE: &str = "word ";

/// A model of a format, and a stream of its provider.
pub(crate) struct Answer {
    pub(crate) name: &'static str,
    pub(crate) write: Box<dyn Fn(&ModelRequest) -> BoxFuture<'_, Result<Vec<u8>>>>,
    pub(crate) read: Box<dyn Fn(&[u8]) -> Result<Vec<ModelDelta>>>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The JSON of each piece.
    pub(crate) fn frames(&self) -> Vec<&[u8]> {
        let lines = self.body.split(|byte| *byte == b'\n');
        let data =
            lines.filter_map(|line| line.strip_prefix(b"data: ").or(line.starts_with(b"{").then_some(line)));
        data.filter(|data| *data != b"[DONE]").collect()
    }
}

macro_rules! answer {
    ($name:literal, $model:expr, $body:expr) => {{
        let (writer, reader) = ($model, $model);
        Answer {
            name: $name,
            write: Box::new(move |req| {
                let writer = writer.clone();
                Box::pin(async move { writer.request_body(req).await })
            }),
            read: Box::new(move |body| reader.read_answer(body)),
            body: $body.into_bytes(),
        }
    }};
}

/// Server-sent events: the first, so many pieces, the last ones.
fn events(first: &[Value], piece: &Value, last: &[Value]) -> String {
    let event = |value: &Value| match value.get("type").and_then(Value::as_str) {
        Some(name) => format!("event: {name}\ndata: {value}\n\n"),
        None => format!("data: {value}\n\n"),
    };
    let pieces = std::iter::repeat_n(piece, PIECES);
    first.iter().chain(pieces).chain(last).map(event).collect()
}

pub(crate) fn all() -> Vec<Answer> {
    let chunk = |delta: Value, reason: Value| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4o",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    };
    let openai =
        events(&[], &chunk(json!({"content": PIECE}), Value::Null), &[chunk(json!({}), json!("stop"))]);
    let anthropic = events(
        &[
            json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
                "content": [], "usage": {"input_tokens": 10, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ],
        &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": PIECE}}),
        &[
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1000}}),
            json!({"type": "message_stop"}),
        ],
    );
    let candidate = |text: &str, reason: Option<&str>| {
        let mut candidate = json!({"content": {"role": "model", "parts": [{"text": text}]}, "index": 0});
        if let (Some(reason), Some(fields)) = (reason, candidate.as_object_mut()) {
            fields.insert("finishReason".into(), reason.into());
        }
        json!({"candidates": [candidate], "modelVersion": "gemini",
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}})
    };
    let gemini = events(&[], &candidate(PIECE, None), &[candidate("", Some("STOP"))]);
    let line = |text: &str, done: bool| {
        let mut line = json!({"model": "qwen3", "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": text}, "done": done});
        if let (true, Some(fields)) = (done, line.as_object_mut()) {
            fields.extend([("done_reason".into(), json!("stop")), ("eval_count".into(), json!(1000))]);
        }
        format!("{line}\n")
    };
    let ollama = line(PIECE, false).repeat(PIECES) + &line("", true);
    let output = |text: &str, reason: &str| {
        json!({"output": {"choices": [{"message": {"content": text, "role": "assistant"}, "finish_reason": reason}]},
            "usage": {"input_tokens": 10, "output_tokens": 5}, "request_id": "r"})
    };
    let dashscope = events(&[], &output(PIECE, "null"), &[output("", "stop")]);
    let response = json!({"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5", "output": [],
        "usage": {"input_tokens": 10, "output_tokens": 1000}});
    let responses = events(
        &[
            json!({"type": "response.output_item.added", "output_index": 0,
                "item": {"id": "msg_1", "type": "message", "role": "assistant", "content": []}}),
            json!({"type": "response.content_part.added", "item_id": "msg_1", "output_index": 0, "content_index": 0,
                "part": {"type": "output_text", "text": ""}}),
        ],
        &json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": PIECE}),
        &[json!({"type": "response.completed", "response": response})],
    );
    vec![
        answer!("openai", OpenAIChatModel::new("gpt-4o").api_key("sk-test"), openai),
        answer!("responses", OpenAIResponseModel::new("gpt-5").api_key("sk-test"), responses),
        answer!("anthropic", AnthropicChatModel::new("claude").api_key("sk-test"), anthropic),
        answer!("gemini", GeminiChatModel::new("gemini").api_key("sk-test"), gemini),
        answer!("ollama", OllamaChatModel::new("qwen3"), ollama),
        answer!("dashscope", DashScopeChatModel::new("qwen-plus").api_key("sk-test"), dashscope),
    ]
}
