//! What the test server refuses in each format, and why, in the provider's words.

use crate::{
    server::{Answer, Server, scenario},
    server_formats::{ALL, Spoken},
    server_tests::{post, read, send},
};
use serde_json::{Value, json};

fn format(name: &str) -> &'static Spoken {
    ALL.iter().find(|format| format.name == name).unwrap()
}

/// Each change of a right request is refused with these words.
fn refuses(name: &str, cases: Vec<(&str, Value, &str)>) {
    let (format, server) = (format(name), Server::start(Answer::text("well")));
    for (place, value, words) in cases {
        let mut body = format.hello("hi");
        match place.rsplit_once('/') {
            Some((parent, field)) => body.pointer_mut(parent).unwrap()[field] = value,
            None => unreachable!("a place begins with a slash"),
        }
        let (status, answer) = format.ask(&server, &body, false);
        assert_eq!(status, 400, "{name} {place}: {answer}");
        let answer = answer.replace("\\\"", "\"");
        assert!(answer.contains(words), "{name} {place}: {words:?} is not in {answer}");
    }
    let (status, answer) = format.ask(&server, &format.hello("hi"), false);
    assert_eq!(status, 200, "{name}: {answer}");
}

#[test]
fn a_request_without_a_key_is_refused_where_there_must_be_one() {
    for format in &ALL {
        let server = Server::start(Answer::text("well"));
        let right = format.http(&format.hello("hi"), false);
        let without: String = right
            .split_inclusive("\r\n")
            .filter(|line| !line.ends_with(" k\r\n") && !line.ends_with("Bearer k\r\n"))
            .collect();
        let (text, _) = read(send(&server, &without));
        let wanted = match format.name {
            "ollama" => "HTTP/1.1 200",
            "gemini" => "HTTP/1.1 403",
            _ => "HTTP/1.1 401",
        };
        assert!(text.starts_with(wanted), "{}: {text}", format.name);
    }
}

#[test]
fn anthropic_is_asked_by_its_rules() {
    let user = |content: Value| json!({"role": "user", "content": content});
    let call =
        json!({"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": {}}]});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "sunny"});
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "forged"});
    refuses(
        "anthropic",
        vec![
            ("/max_tokens", Value::Null, "max_tokens: Field required"),
            ("/temperature", json!(1.5), "temperature"),
            ("/frequency_penalty", json!(1), "Extra inputs are not permitted"),
            (
                "/messages",
                json!([{"role": "system", "content": "x"}]),
                "Input should be 'user' or 'assistant'",
            ),
            (
                "/messages",
                json!([{"role": "assistant", "content": "x"}]),
                "first message must use the \"user\" role",
            ),
            ("/messages", json!([user(json!(""))]), "text content blocks must be non-empty"),
            (
                "/messages",
                json!([user(json!("hi")), call, user(json!("hi"))]),
                "`tool_use` ids were found without",
            ),
            (
                "/messages",
                json!([user(json!("hi")), call, user(json!([result("z")]))]),
                "`tool_use` ids were found without",
            ),
            ("/messages", json!([user(json!([result("a")]))]), "unexpected `tool_use_id`"),
            (
                "/messages",
                json!([user(json!("hi")), call, user(json!([{"type": "text", "text": "x"}, result("a")]))]),
                "must come first",
            ),
            (
                "/messages",
                json!([user(json!("hi")), {"role": "assistant", "content": [thought]}]),
                "Invalid `signature`",
            ),
            (
                "/messages",
                json!([user(json!([{"type": "image", "source": {"type": "base64", "data": "x"}}]))]),
                "source",
            ),
            ("/tools", json!([{"name": "a b", "input_schema": {"type": "object"}}]), "should match pattern"),
            ("/tool_choice", json!({"type": "auto"}), "while providing tools"),
            ("/thinking", json!({"type": "enabled", "budget_tokens": 10}), "greater than or equal to 1024"),
            ("/thinking", json!({"type": "enabled", "budget_tokens": 2000}), "`max_tokens` must be greater"),
            (
                "/output_config",
                json!({"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {}}}}}),
                "additionalProperties",
            ),
        ],
    );
}

#[test]
fn the_newer_version_of_anthropics_api_takes_no_temperature() {
    let server = Server::start(Answer::text("well"));
    let mut body = format("anthropic").hello("hi");
    body["temperature"] = 1.into();
    for (version, wanted) in [("2023-06-01", 200), ("2026-10-21", 400), ("2030-01-01", 400)] {
        let headers = format!("x-api-key: k\r\nanthropic-version: {version}");
        let (text, _) = read(send(&server, &post("/v1/messages", &headers, &body)));
        assert!(text.starts_with(&format!("HTTP/1.1 {wanted}")), "{version}: {text}");
    }
}

#[test]
fn gemini_is_asked_by_its_rules() {
    let user = json!({"role": "user", "parts": [{"text": "hi"}]});
    let part = |part: Value| json!([{"role": "user", "parts": [part]}]);
    let call = json!({"role": "model", "parts": [{"functionCall": {"name": "a", "args": {}}}]});
    let closed =
        json!({"type": "object", "properties": {"n": {"type": "string"}}, "additionalProperties": false});
    let tool =
        |field: &str, schema: &Value| json!([{"functionDeclarations": [{"name": "a", field: schema}]}]);
    refuses(
        "gemini",
        vec![
            ("/messages", json!([]), "Unknown name \"messages\""),
            ("/contents", json!([]), "contents is not specified"),
            (
                "/contents",
                json!([{"role": "assistant", "parts": [{"text": "x"}]}]),
                "valid role: user, model",
            ),
            ("/contents", json!([{"role": "user", "parts": []}]), "parts must not be empty"),
            ("/contents", part(json!({})), "must have one initialized field"),
            (
                "/contents",
                part(json!({"inlineData": {"mimeType": "image/png", "data": "?"}})),
                "Invalid value",
            ),
            ("/contents", json!([user, call, user]), "number of function response parts"),
            ("/contents", json!([user, call]), "followed by a function response turn"),
            (
                "/contents",
                part(json!({"functionResponse": {"name": "a", "response": {"output": "x"}}})),
                "immediately after a function call turn",
            ),
            ("/tools", tool("parameters", &closed), "Unknown name \"additionalProperties\""),
            (
                "/tools",
                tool("parameters", &json!({"type": ["string", "null"]})),
                "Proto field is not repeating",
            ),
            (
                "/toolConfig",
                json!({"functionCallingConfig": {"mode": "ANY"}}),
                "without function_declarations",
            ),
            ("/generationConfig", json!({"temperature": 3}), "temperature"),
            ("/generationConfig", json!({"responseJsonSchema": closed}), "response_mime_type"),
        ],
    );
    let (format, server) = (format("gemini"), Server::start(Answer::text("well")));
    let mut body = format.hello("hi");
    body["tools"] = tool("parametersJsonSchema", &closed);
    assert_eq!(format.ask(&server, &body, false).0, 200);
}

#[test]
fn responses_are_asked_by_their_rules() {
    let user = json!({"role": "user", "content": "hi"});
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let thought = json!({"type": "reasoning", "id": "rs_1", "summary": []});
    refuses(
        "responses",
        vec![
            ("/messages", json!([]), "Unknown parameter: 'messages'"),
            ("/max_output_tokens", json!(1), "max_output_tokens"),
            (
                "/input",
                json!([{"role": "user", "content": [{"type": "text", "text": "x"}]}]),
                "Invalid value: 'text'",
            ),
            (
                "/input",
                json!([{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]),
                "output_text",
            ),
            ("/input", json!([user, call]), "No tool output found for function call c"),
            (
                "/input",
                json!([{"type": "function_call_output", "call_id": "c", "output": "x"}]),
                "No tool call found",
            ),
            ("/input", json!([thought, user]), "without its required following item"),
            (
                "/input",
                json!([{"type": "message", "id": "x", "role": "user", "content": "x"}]),
                "begins with 'msg'",
            ),
            (
                "/tools",
                json!([{"type": "function", "function": {"name": "f"}}]),
                "Unknown parameter: 'tools[0].function'",
            ),
            ("/text", json!({"format": {"type": "json_schema", "json_schema": {}}}), "text.format.name"),
        ],
    );
}

#[test]
fn a_thought_that_was_not_stored_comes_back_encrypted_or_not_at_all() {
    let (format, server) = (format("responses"), Server::start(Answer::text("well")));
    let thought = json!({"type": "reasoning", "id": "rs_1", "summary": []});
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "c", "output": "x"});
    let mut body = format.hello("hi");
    body["input"] = json!([thought, call, output]);
    assert_eq!(format.ask(&server, &body, false).0, 200);
    body["store"] = false.into();
    let (status, answer) = format.ask(&server, &body, false);
    assert_eq!(status, 400);
    assert!(answer.contains("Items are not persisted"), "{answer}");
}

#[test]
fn the_third_gemini_wants_its_signature_back() {
    let server = Server::start(scenario);
    let ask = |contents: Value| {
        let body = json!({"contents": contents});
        read(send(&server, &post("/v1beta/models/gemini-3-pro:generateContent", "x-goog-api-key: k", &body)))
            .0
    };
    let user = json!({"role": "user", "parts": [{"text": "compare"}]});
    let answer = ask(json!([user]));
    let answer: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let mut said = answer["candidates"][0]["content"].clone();
    let result = json!({"functionResponse": {"name": "get_weather", "response": {"output": "sunny"}}});
    let results = json!({"role": "user", "parts": [result, result]});
    assert!(ask(json!([user, said, results])).starts_with("HTTP/1.1 200"));
    let signed = said["parts"][0].as_object_mut().unwrap();
    signed.insert("thoughtSignature".to_owned(), "skip_thought_signature_validator".into());
    assert!(ask(json!([user, said, results])).starts_with("HTTP/1.1 200"));
    said["parts"][0].as_object_mut().unwrap().remove("thoughtSignature");
    assert!(ask(json!([user, said, results])).contains("missing a thought_signature"));
}

#[test]
fn ollama_is_asked_by_its_rules() {
    let message = |message: Value| json!([message]);
    let call = |arguments: Value| json!({"function": {"name": "f", "arguments": arguments}});
    refuses(
        "ollama",
        vec![
            ("/temperature", json!(1), "temperature"),
            ("/options", json!({"max_tokens": 1}), "max_tokens"),
            ("/format", json!("yaml"), "invalid format"),
            ("/messages", message(json!({"role": "user", "content": [{"type": "text"}]})), "of type string"),
            (
                "/messages",
                message(json!({"role": "user", "content": "x", "images": ["data:image/png;base64,x"]})),
                "illegal base64",
            ),
            (
                "/messages",
                message(json!({"role": "assistant", "tool_calls": [call(json!("{}"))]})),
                "cannot unmarshal string",
            ),
            ("/messages", message(json!({"role": "tool", "content": "x"})), "tool_name"),
        ],
    );
}

#[test]
fn dashscope_is_asked_by_its_rules() {
    let tool = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    refuses(
        "dashscope",
        vec![
            ("/messages", json!([]), "unknown field"),
            ("/parameters/incremental_output", json!(true), "X-DashScope-SSE"),
            ("/parameters/enable_thinking", json!(true), "non-streaming"),
            ("/parameters/stream", json!(true), "unknown parameter"),
            ("/parameters", json!({"tools": tool}), "result_format"),
            (
                "/parameters",
                json!({"result_format": "message", "tools": tool, "tool_choice": "required"}),
                "tool_choice",
            ),
            (
                "/input/messages",
                json!([{"role": "user", "content": [{"image": "https://a.org/b.png"}]}]),
                "a part has one of",
            ),
            (
                "/input/messages",
                json!([{"role": "tool", "tool_call_id": "c", "content": "x"}]),
                "response to a preceding message",
            ),
        ],
    );
}
