use super::*;
use serde_json::json;

fn read(json: Value) -> Msg {
    serde_json::from_value(json).unwrap()
}

fn block(json: Value) -> ContentBlock {
    serde_json::from_value(json).unwrap()
}

fn error_of(json: Value) -> String {
    serde_json::from_value::<Msg>(json).unwrap_err().to_string()
}

/// Fails unless everything in `read` is in `written` with the same value; text may have become a list of one block.
fn assert_kept(read: &Value, written: &Value, place: &str) {
    match (read, written) {
        (Value::Object(read), Value::Object(written)) => {
            for (key, value) in read {
                let kept = written.get(key).unwrap_or_else(|| panic!("{place}.{key} was dropped"));
                assert_kept(value, kept, &format!("{place}.{key}"));
            }
        }
        (Value::Array(read), Value::Array(written)) => {
            assert_eq!(read.len(), written.len(), "{place}");
            for (at, (read, written)) in read.iter().zip(written).enumerate() {
                assert_kept(read, written, &format!("{place}[{at}]"));
            }
        }
        (Value::String(text), Value::Array(_)) => {
            assert_eq!(written, &json!([{"type": "text", "text": text}]), "{place}");
        }
        _ => assert_eq!(read, written, "{place}"),
    }
}

#[test]
fn messages_of_agentscope_1_are_written_back_with_every_field_that_was_read() {
    let recorded: Value =
        serde_json::from_str(include_str!("../../../tests/data/agentscope-1.0.21-messages.json")).unwrap();
    let msgs: Vec<Msg> = serde_json::from_value(recorded.clone()).unwrap();
    assert_kept(&recorded, &serde_json::to_value(&msgs).unwrap(), "messages");
    let thinking = msgs.iter().flat_map(|msg| &msg.content).find_map(ContentBlock::extra).unwrap();
    assert_eq!(thinking.get("type"), None, "the type is no further field");
}

#[test]
fn a_message_as_1_x_saves_it_keeps_its_id_its_time_and_what_is_not_known() {
    let saved = json!({
        "id": "kz3", "name": "Friday", "role": "assistant", "content": "hi", "metadata": {"b": 1, "a": {"x": null}},
        "timestamp": "2026-11-20 07:41:54.120", "invocation_id": "chatcmpl-1",
    });
    let msg = read(saved.clone());
    assert_kept(&saved, &serde_json::to_value(&msg).unwrap(), "msg");
    assert_eq!(msg.extra.get("invocation_id"), Some(&json!("chatcmpl-1")));
    let without = read(json!({"name": "a", "role": "user", "content": "", "metadata": null}));
    assert!(without.content.is_empty() && without.metadata.is_empty());
}

#[test]
fn messages_of_agentscope_2_are_read() {
    let msg = read(json!({
        "id": "m1", "name": "Friday", "role": "assistant", "created_at": "2026-07-20T07:41:54.120+08:00",
        "finished_reason": "completed", "structured_output": {"answer": 391},
        "usage": {"input_tokens": 10, "output_tokens": 2},
        "content": [
            {"type": "text", "text": "see", "id": "b1", "created_at": "2026-07-20T07:41:54Z", "finished_at": null},
            {"type": "data", "name": "cat", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"type": "data", "source": {"type": "url", "url": "https://x/y", "media_type": "video/mp4"}},
            {"type": "data", "source": {"type": "url", "url": "https://x/y", "media_type": "application/pdf"}},
            {"type": "hint", "hint": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "source": "team"},
            {"type": "tool_call", "id": "c1", "name": "f", "input": "{\"a\":1}", "state": "asking", "suggested_rules": []},
            {"type": "tool_result", "id": "c1", "name": "f", "output": "r", "state": "denied", "metadata": {}},
        ],
    }));
    assert_eq!((&msg.output, msg.usage), (&Some(json!({"answer": 391})), Some(Usage::new(10, 2))));
    assert_eq!(serde_json::to_value(&msg.timestamp).unwrap(), "2026-07-20T07:41:54.120+08:00");
    assert_eq!(msg.extra.get("finished_reason"), Some(&json!("completed")));
    let [text, image, video, file, hint, call, result] = msg.content.as_slice() else { panic!("{msg:?}") };
    assert_eq!(text.extra().unwrap().get("id"), Some(&json!("b1")));
    assert!(matches!(image, ContentBlock::Image(media) if media.name.as_deref() == Some("cat")));
    assert!(matches!((video, file), (ContentBlock::Video(_), ContentBlock::File(_))));
    assert!(matches!(hint, ContentBlock::Hint { text, .. } if text == "one\ntwo"));
    let ContentBlock::ToolCall(call) = call else { panic!("{call:?}") };
    assert_eq!((call.input.as_str(), &call.state), (r#"{"a":1}"#, &CallState::Asking));
    assert!(
        matches!(result, ContentBlock::ToolResult(it) if it.state == ToolState::Denied && it.text() == "r")
    );

    let written = serde_json::to_value(&msg).unwrap();
    assert_eq!(written["content"][5]["type"], "tool_use");
    assert_eq!(written["content"][5]["input"], json!({"a": 1}), "written as 1.x has it");
    assert_eq!(serde_json::from_value::<Msg>(written).unwrap(), msg);
}

#[test]
fn what_is_not_known_survives_unchanged_and_in_order() {
    for json in [
        json!({"type": "hologram", "z": 1, "a": [{"b": null}]}),
        json!({"type": "image", "source": {"type": "satellite", "orbit": 7}, "name": "x"}),
        json!({"type": "data", "source": {"type": "satellite"}}),
        json!({"type": "tool_use", "id": "c", "name": "f", "input": {}, "state": "paused", "zeta": 1, "alpha": 2}),
        json!({"type": "tool_result", "id": "c", "name": "f", "output": [{"type": "hologram"}], "state": "lost"}),
    ] {
        assert_eq!(serde_json::to_string(&block(json.clone())).unwrap(), json.to_string());
    }
    for finish in [json!("paused"), json!({"moved": {"to": "b"}}), json!("waiting")] {
        let read: Finish = serde_json::from_value(finish.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), finish);
    }
}

#[test]
fn a_known_block_with_a_wrong_field_is_an_error_that_names_block_and_field() {
    for (json, block, field) in [
        (json!({"type": "text", "text": 3}), "block `text`", "invalid type: integer"),
        (json!({"type": "tool_use", "id": "c"}), "block `tool_use`", "missing field `name`"),
        (
            json!({"type": "tool_result", "id": "c", "name": "f"}),
            "block `tool_result`",
            "missing field `output`",
        ),
        (json!({"type": "image"}), "block `image`", "missing field `source`"),
        (json!({"type": "image", "source": {"type": "base64", "data": ""}}), "block `image`", "`media_type`"),
        (json!({"type": "heard", "name": "a", "role": "user"}), "block `heard`", "missing field `content`"),
        (json!({"text": "x"}), "content block", "`type`"),
    ] {
        let error = error_of(json!({"name": "a", "role": "user", "content": [json]}));
        assert!(error.contains(block) && error.contains(field), "{error}");
    }
    let error = error_of(json!({"name": "a", "role": "user", "content": {"type": "text"}}));
    assert!(error.contains("neither a string nor a list"), "{error}");
    assert!(error_of(json!({"name": "a", "role": "robot", "content": ""})).contains("robot"));
    let error = error_of(json!({"name": "a", "role": "user", "content": "", "timestamp": "yesterday"}));
    assert!(error.contains("`yesterday`") && error.contains("RFC 3339"), "{error}");
}

#[test]
fn the_arguments_of_a_call_stay_as_the_model_wrote_them() {
    for (raw, input, keeps_raw) in [
        (r#"{"b":1,"a":2}"#, json!({"b": 1, "a": 2}), false),
        (r#"{ "b": 1 }"#, json!({"b": 1}), true),
        (r#"{"b": 1"#, json!({}), true),
        ("[1,2]", json!({}), true),
        ("", json!({}), true),
        (r#"{"n":12345678901234567890123}"#, json!({"n": 1.2345678901234568e22}), true),
    ] {
        let call = ToolCall::new("c", "f", raw);
        let written = serde_json::to_value(&call).unwrap();
        assert_eq!(written["input"], input, "{raw}");
        assert_eq!(written.get("raw_input").is_some(), keeps_raw, "{raw}");
        assert_eq!(serde_json::from_value::<ToolCall>(written).unwrap(), call, "{raw}");
    }
    let both = json!({"id": "c", "name": "f", "input": {"city": "Os"}, "raw_input": "{\"city\": \"Os"});
    let call: ToolCall = serde_json::from_value(both).unwrap();
    assert!(call.arguments().is_err(), "what 1.x guessed from a text that was cut is not run");
}

#[test]
fn a_message_that_heard_a_message_reads_back_the_same() {
    let inner = Msg::user("stop").named("Alice").url("cat.png");
    let msg = Msg::assistant("Friday", "hm").with(ContentBlock::Heard(inner.into()));
    assert_eq!(serde_json::from_value::<Msg>(serde_json::to_value(&msg).unwrap()).unwrap(), msg);
}

#[test]
fn any_moment_can_be_written_and_read() {
    for millis in [i64::MIN, -62_167_219_200_000, -1, 0, 1_790_000_000_123, 253_402_300_799_999, i64::MAX] {
        let moment = Timestamp::from_unix_millis(millis);
        let back: Timestamp = serde_json::from_value(serde_json::to_value(&moment).unwrap()).unwrap();
        assert_eq!(back, moment, "{millis}");
    }
    for text in ["2026-11-20 07:41:54", "2026-11-20T07:41:54.123456+00:00", "2026-11-20T07:41:54Z"] {
        let moment: Timestamp = serde_json::from_value(json!(text)).unwrap();
        assert_eq!(serde_json::to_value(moment).unwrap(), text);
    }
}
