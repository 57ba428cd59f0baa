//! The test server does what tests rely on, seen by a client that reads bytes.

use crate::server::{
    Answer, At, Chat, Count, Counts, FAULTS, Request, Script, Server, Style, Then, fault, instance,
};
use serde_json::{Value, json};
use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

/// The bytes of a chat request that is the last of its connection.
fn http(body: &Value) -> String {
    post("/v1/chat/completions", "authorization: Bearer k", body)
}

/// The bytes of a request that is the last of its connection.
pub(crate) fn post(path: &str, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\ncontent-type: application/json\r\nconnection: \
         close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn hi(stream: bool) -> Value {
    let mut body = json!({"model": "scripted", "messages": [{"role": "user", "content": "hi"}]});
    if stream {
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
    }
    body
}

pub(crate) fn send(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// All that comes, and how it ends.
pub(crate) fn read(mut stream: TcpStream) -> (String, io::Result<()>) {
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes).map(|_| ());
    (String::from_utf8_lossy(&bytes).into_owned(), ended)
}

/// The answer of a server with this script: status line, and body as it is on the wire.
fn answer(script: impl Script, body: &Value) -> (String, String) {
    let (text, _) = read(send(&Server::start(script), &http(body)));
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// What the events of a stream carry.
fn events(body: &str) -> Vec<Value> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[test]
fn an_answer_is_whole_or_a_stream_as_the_request_asks() {
    let chat = Chat::new()
        .reasoning("Let me think.")
        .text("Hello, world.")
        .call("call_1", "weather", r#"{"city":"Oslo"}"#)
        .call("call_2", "time", "{}")
        .usage(Count { input: 9, output: 4, cached: 3, reasoning: 2 });
    let (status, body) = answer(vec![Answer::from(chat.clone())], &hi(false));
    assert_eq!(status, "HTTP/1.1 200 OK");
    let whole: Value = serde_json::from_str(&body).unwrap();
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], "Hello, world.");
    assert_eq!(message["reasoning_content"], "Let me think.");
    assert_eq!(message["tool_calls"][1]["function"]["name"], "time");
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(whole["usage"]["prompt_tokens_details"]["cached_tokens"], 3);

    let (_, body) = answer(vec![Answer::from(chat)], &hi(true));
    let events = events(&body);
    let join = |field: &str| {
        let pieces = events.iter().filter_map(|event| event["choices"][0]["delta"][field].as_str());
        pieces.collect::<String>()
    };
    assert_eq!(
        (join("content").as_str(), join("reasoning_content").as_str()),
        ("Hello, world.", "Let me think.")
    );
    let calls: Vec<_> =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["tool_calls"].get(0)).collect();
    let first = |call: &&&Value| call["index"] == 0;
    let arguments = calls.iter().filter(first).filter_map(|call| call["function"]["arguments"].as_str());
    assert_eq!(arguments.collect::<String>(), r#"{"city":"Oslo"}"#);
    assert_eq!(calls.iter().filter(|call| call["id"].is_string()).count(), 2);
    assert_eq!(events.last().unwrap()["usage"], whole["usage"]);
    assert!(body.contains("data: [DONE]\n\n"));
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let server = Server::start(|request: &Request| Answer::text(request.transcript().concat()));
    let request = http(&hi(false)).replace("connection: close\r\n", "");
    let mut stream = send(&server, &request.repeat(2));
    let mut text = String::new();
    while text.matches("user: hi").count() < 2 {
        let mut bytes = [0; 1024];
        let length = stream.read(&mut bytes).unwrap();
        assert!(length > 0, "the connection was closed after {text}");
        text.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
    }
    assert_eq!(server.count(), 2);
    assert_eq!(server.requests()[1].header("authorization"), Some("Bearer k"));
}

#[test]
fn a_request_in_chunks_is_read() {
    let server = Server::start(Answer::text("well"));
    let body = hi(false).to_string();
    let (one, two) = body.split_at(7);
    let chunks = format!("7\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\n\r\n", two.len());
    let request = http(&hi(false)).split_once("\r\n\r\n").unwrap().0.to_owned();
    let request = request.replace(&format!("content-length: {}", body.len()), "transfer-encoding: chunked");
    let (text, _) = read(send(&server, &format!("{request}\r\n\r\n{chunks}")));
    assert!(text.contains("well"), "{text}");
    assert_eq!(server.requests()[0].json(), hi(false));
}

#[test]
fn other_paths_missing_keys_and_a_script_at_its_end_are_told() {
    let server = Server::start(vec![]);
    let status = |request: &str| read(send(&server, request)).0.lines().next().unwrap_or_default().to_owned();
    let request = http(&hi(false));
    assert_eq!(status(&request.replace("/v1/chat/completions", "/v1/chat")), "HTTP/1.1 404 Not Found");
    assert_eq!(status(&request.replace("authorization: Bearer k\r\n", "")), "HTTP/1.1 401 Unauthorized");
    assert_eq!(status(&request.replace("POST /v1/chat/completions", "GET /v1/models")), "HTTP/1.1 200 OK");
    assert_eq!(status(&request), "HTTP/1.1 400 Bad Request");
    assert!(read(send(&server, &request)).0.contains("the script has 0 answers and no more"));
}

#[test]
fn a_wrong_request_gets_the_reason() {
    let call = |id: &str, arguments: &str| {
        let function = json!({"name": "weather", "arguments": arguments});
        json!({"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": function}]})
    };
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "sunny"});
    let user = json!({"role": "user", "content": "hi"});
    let messages = [
        (json!([]), "Invalid 'messages'"),
        (json!([{"role": "robot", "content": "hi"}]), "Invalid value: 'robot'"),
        (json!([{"role": "user", "content": ""}]), "it is empty"),
        (json!([{"role": "user", "content": null}]), "Invalid content for role 'user': null"),
        (json!([{"role": "user", "content": [{"type": "text"}]}]), "Invalid content of type"),
        (
            json!([{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
            "for role 'system'",
        ),
        (json!([{"role": "user", "content": "hi", "name": "Dr. No"}]), "does not match pattern"),
        (json!([{"role": "user", "content": "hi", "id": "1"}]), "'id' was unexpected"),
        (json!([user, call("c1", "{}")]), "did not have response messages: c1"),
        (json!([user, call("c1", "{}"), user]), "did not have response messages: c1"),
        (json!([user, result("c1")]), "must be a response to a preceding message"),
        (json!([user, call("c1", "{}"), result("c2")]), "must be a response to a preceding message"),
        (
            json!([user, call("c1", "{}"), result("c1"), result("c1")]),
            "must be a response to a preceding message",
        ),
        (json!([user, call("c1", "{\"city\""), result("c1")]), "'arguments' must be"),
        (json!([user, call("", "{}"), result("")]), "expected an id of its own"),
    ];
    let right = json!([user, call("c1", "{}"), result("c1"), {"role": "assistant", "content": "sunny"}]);
    let mut cases: Vec<(Value, &str)> = messages
        .into_iter()
        .map(|(messages, message)| (json!({"model": "m", "messages": messages}), message))
        .collect();
    let tool = json!({"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}});
    let with = |field: &str, value: Value| {
        let mut body = json!({"model": "m", "messages": right, "tools": [tool]});
        body[field] = value;
        body
    };
    let open = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "a", "strict": true, "schema": open}});
    cases.extend([
        (with("model", json!("")), "you must provide a model"),
        (with("tools", json!([])), "Invalid 'tools'"),
        (with("tools", json!([tool, tool])), "must be unique"),
        (with("tools", json!([{"type": "function", "function": {"name": "a b"}}])), "Invalid tool"),
        (with("tool_choice", json!({"type": "function", "function": {"name": "time"}})), "names no function"),
        (with("stream_options", json!({})), "only allowed when 'stream' is enabled"),
        (with("temperature", json!(3)), "Invalid 'temperature'"),
        (with("stop", json!([])), "Invalid 'stop'"),
        (with("temprature", json!(1)), "Unrecognized request argument supplied: temprature"),
        (with("response_format", format), "'additionalProperties' is required"),
    ]);
    let server = Server::start(Answer::text("well"));
    for (body, message) in &cases {
        let (text, _) = read(send(&server, &http(body)));
        assert!(text.starts_with("HTTP/1.1 400"), "{body} was answered by {text}");
        assert!(text.contains(message), "{message:?} is not in {text}");
    }
    for body in [with("tool_choice", json!("required")), with("tools", json!([tool])), hi(true)] {
        let (text, _) = read(send(&server, &http(&body)));
        assert!(text.starts_with("HTTP/1.1 200"), "{body} was answered by {text}");
    }
}

#[test]
fn an_echo_obeys_the_schema() {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 5}, "kind": {"enum": ["a", "b"]}, "many": {"$ref": "#/$defs/many"},
            "maybe": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}, "n": {"type": ["integer", "null"], "minimum": 7}
        },
        "$defs": {"many": {"type": "array", "items": {"type": "number"}, "minItems": 2}}
    });
    let wanted = json!({"name": "xxxxx", "kind": "a", "many": [0.5, 0.5], "maybe": true, "n": 7});
    assert_eq!(instance(&schema), wanted);
    let mut body = hi(false);
    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "it", "schema": schema}});
    let (_, body) = answer(vec![Chat::new().echo().into()], &body);
    let whole: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], wanted.to_string());
}

#[test]
fn the_bytes_are_the_same_however_they_are_written() {
    let whole = answer(vec![Answer::text("Hello, world.")], &hi(true)).1;
    let ways: [fn(Answer) -> Answer; 4] =
        [|it| it.by(1), |it| it.by(1000), |it| it.split([3, 80, 81, 300]), |it| it.ready(true)];
    for way in ways {
        assert_eq!(answer(vec![way(Answer::text("Hello, world."))], &hi(true)).1, whole);
    }
}

#[test]
fn recorded_bytes_are_sent_as_they_are_and_cut_where_asked() {
    let recorded = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: r1\r\n\r\n{\"a\":1}";
    let sent = |answer: Answer| read(send(&Server::start(vec![answer]), &http(&hi(false)))).0;
    assert_eq!(sent(Answer::recorded(recorded)), recorded);
    assert_eq!(sent(Answer::recorded(recorded).split([17, 60])), recorded);
    assert_eq!(sent(Answer::recorded(recorded).cut(At::End(2), Then::Close)), recorded[..recorded.len() - 2]);
    let cut = Answer::recorded(recorded).cut(At::Body(3), Then::Close);
    assert!(sent(cut).ends_with("\r\n\r\n{\"a"));
}

#[test]
fn a_reset_is_a_reset() {
    let server = Server::start(vec![fault("reset-first").unwrap(), fault("reset-in-head").unwrap()]);
    for length in [0, 20] {
        let (text, ended) = read(send(&server, &http(&hi(true))));
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert!(
            text.len() == length || text.is_empty(),
            "a reset may overtake what was sent, but this is {text}"
        );
    }
}

#[tokio::test]
async fn a_client_that_leaves_a_silent_server_is_counted() {
    let server = Server::start(vec![fault("silence").unwrap(), fault("silence-in-body").unwrap()]);
    for nth in 1..=2 {
        let stream = send(&server, &http(&hi(true)));
        server.wait(|counts| counts.requests == nth).await;
        drop(stream);
        let counts = server.wait(|counts| counts.left == nth).await;
        assert_eq!(counts, Counts { requests: nth, connections: nth, left: nth });
    }
}

#[test]
fn every_fault_that_ends_is_sent_to_its_end() {
    for (name, fault) in FAULTS.iter().filter(|(name, _)| !name.contains("silence")) {
        let server = Server::start(vec![fault()]);
        let (text, _) = read(send(&server, &http(&hi(true))));
        assert!(
            name.contains("first") || name.contains("reset") || text.starts_with("HTTP/1.1 "),
            "{name}: {text}"
        );
        assert_eq!(server.count(), 1, "{name}");
    }
}

#[test]
fn a_stream_is_written_in_the_style_that_is_asked_for() {
    let style = |style| answer(vec![Chat::new().text("hi").style(style).into()], &hi(true)).1;
    let plain = Style::default();
    assert!(style(Style { space: false, ..plain }).contains("\ndata:{"));
    assert!(style(Style { line_end: "\r\n", ..plain }).contains("}\r\n\r\n"));
    assert!(style(Style { comments: true, ..plain }).contains(": keep-alive\n\ndata: {"));
    assert!(!style(Style { done: false, ..plain }).contains("[DONE]"));
    assert!(!style(Style { usage: false, ..plain }).contains("usage"));
    assert!(!style(Style { finish: false, ..plain }).contains("\"stop\""));
}
