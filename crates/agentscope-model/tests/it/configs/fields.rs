//! Every field of every type: missing, mistyped, misspelt, out of range.

use super::{OLLAMAS, POST_APIS, SERVICES, all_types, least, refused, with};
use agentscope_model::{Configs, Purpose};
use serde_json::{Value, json};

/// A field, what it may be, and what it may not be although its JSON type is right.
struct Field {
    name: &'static str,
    good: Vec<Value>,
    out_of_range: Vec<Value>,
}

fn field(name: &'static str, good: Value, out_of_range: Value) -> Field {
    let list = |it: Value| it.as_array().cloned().unwrap();
    Field { name, good: list(good), out_of_range: list(out_of_range) }
}

/// The fields that an entry of a type may have, beside `config_name` and `model_type`.
fn fields_of(model_type: &str, purpose: Purpose) -> Vec<Field> {
    let mut fields = vec![
        field("budget", json!([0, 12.5, 1e9]), json!([-0.01, -1])),
        field("max_length", json!([1, 131_072]), json!([0, -1, 1.5, 1e30])),
        field(
            "headers",
            json!([{}, {"X-Team": "a"}]),
            json!([{"X Team": "a"}, {"X-Team": 1}, {"X-Team": "a\nb"}]),
        ),
    ];
    if model_type != "litellm_chat" {
        fields.push(field("model_name", json!(["a", "模型"]), json!(["", " "])));
    }
    match purpose {
        Purpose::Chat => fields.push(field("stream", json!([true, false]), json!([]))),
        Purpose::Image => fields.push(field("save_local", json!([true, false]), json!([]))),
        _ => {}
    }
    let seconds = || json!([1, 0.5, 300, [3, 30.5]]);
    let no_seconds = || json!([0, -1, 1e300, [], [1], [1, 0], [1, 2, 3], ["1", 2]]);
    let addresses = || {
        (
            json!(["https://a/v1", "http://127.0.0.1:8000/v1/"]),
            json!(["", "a", "ftp://a", "http://", "http://a:x/"]),
        )
    };
    if POST_APIS.iter().any(|it| it.0 == model_type) {
        let (good, bad) = addresses();
        fields.extend([
            field("api_url", good, bad),
            field("timeout", seconds(), no_seconds()),
            field("json_args", json!([{}, {"model": 1, "anything": [null]}]), json!([])),
            field(
                "post_args",
                json!([{}, {"params": {"a": "b"}, "auth": ["u", "p"], "timeout": 3}]),
                json!([{"auth": ["u"]}]),
            ),
            field("max_retries", json!([1, 3]), json!([0, 101, -1, 1.5])),
            field("messages_key", json!(["inputs"]), json!([""])),
            field("retry_interval", json!([0, 1, 0.5]), json!([-1, 1e9])),
        ]);
        return fields;
    }
    fields.push(field("api_key", json!(["sk-1", "", "{your_api_key}"]), json!(["a\nb"])));
    if OLLAMAS.iter().any(|it| it.0 == model_type) {
        fields.extend([
            field(
                "host",
                json!(["localhost", "127.0.0.1:11434", "http://a:1/", ":11434", "[::1]"]),
                json!(["", "http://", "a:x"]),
            ),
            field("timeout", seconds(), no_seconds()),
            field(
                "keep_alive",
                json!(["5m", "1h30m", "-1", "10", 300, -1, "1.5h"]),
                json!(["", "five", "5 minutes", "m", 1.5]),
            ),
            field("options", json!([{}, {"num_ctx": 4096, "temperature": 0}]), json!([])),
        ]);
        return fields;
    }
    let (good, bad) = addresses();
    fields.push(field("base_url", good, bad));
    fields.push(field("generate_args", json!([{}, {"whatever": [1]}]), json!([])));
    if model_type != "litellm_chat" {
        fields.push(field("client_args", json!([{}, {"max_retries": 3}]), json!([])));
    }
    if matches!(model_type, "openai" | "openai_chat" | "openai_dall_e" | "openai_embedding" | "responses") {
        fields.push(field("organization", json!(["org-1"]), json!([""])));
    }
    if purpose == Purpose::Chat {
        fields.extend(sampling(
            if matches!(model_type, "anthropic_chat" | "anthropic" | "zhipuai_chat" | "zhipuai") {
                1.0
            } else {
                2.0
            },
        ));
    }
    fields
}

fn sampling(hottest: f64) -> [Field; 5] {
    [
        field("temperature", json!([0, 0.7, hottest]), json!([-0.1, hottest + 0.1])),
        field("top_p", json!([0, 0.9, 1]), json!([-0.1, 1.1])),
        field("max_tokens", json!([1, 100_000]), json!([0, -1, 1.5, 1e300])),
        field("seed", json!([0, 42, -1, u64::MAX]), json!([1.5])),
        field("stop", json!(["a", ["a", "b"], []]), json!(["", [1], ["a", ""]])),
    ]
}

fn values() -> [Value; 7] {
    [json!(true), json!(7), json!(0.25), json!("text"), json!(["text"]), json!([{}]), json!({"a": 7})]
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// A letter less, and one too many.
fn misspelt(name: &str) -> [String; 2] {
    let middle = name.len() / 2;
    [
        format!("{}{}", &name[..middle], &name[middle + 1..]),
        format!("{}x{}", &name[..middle], &name[middle..]),
    ]
}

#[test]
fn every_field_of_every_type_takes_what_it_may_be_and_null() {
    for (model_type, purpose) in all_types() {
        let config = Configs::from_value(least(model_type)).unwrap();
        assert_eq!(config.config("my_config").unwrap().purpose, purpose, "{model_type}");
        for field in fields_of(model_type, purpose) {
            for value in field.good {
                let entry = with(least(model_type), field.name, value.clone());
                let read = Configs::from_value(json!([entry]));
                assert!(read.is_ok(), "{model_type} {} {value}: {}", field.name, read.unwrap_err());
            }
            let required = ["model_name", "api_url"].contains(&field.name);
            let none = Configs::from_value(with(least(model_type), field.name, Value::Null));
            assert!(none.is_ok() || required, "{model_type} {}: {}", field.name, none.unwrap_err());
        }
    }
}

#[test]
fn every_field_of_every_type_refuses_what_it_cannot_be_and_says_which_it_is() {
    for (model_type, purpose) in all_types() {
        for field in fields_of(model_type, purpose) {
            let kinds: Vec<_> = field.good.iter().map(kind).collect();
            let mistyped = values().into_iter().filter(|it| !kinds.contains(&kind(it)));
            for value in mistyped.chain(field.out_of_range) {
                let entry = with(least(model_type), field.name, value.clone());
                let told = refused(json!([
                    least("openai_chat").clone(),
                    with(entry, "config_name", json!("second"))
                ]));
                assert!(told.starts_with("the model configurations, entry 2 (`second`): "), "{told}");
                assert!(
                    told.contains(&format!("`{}`", field.name)),
                    "{model_type} {} {value}: {told}",
                    field.name
                );
                assert!(!told.contains('\n'), "one fault, told once: {told}");
            }
        }
    }
}

#[test]
fn every_misspelt_field_of_every_type_is_told_what_was_meant() {
    for (model_type, purpose) in all_types() {
        let least_fields =
            ["config_name", "model_type"].map(|name| field(name, json!(["my_config"]), json!([])));
        for field in fields_of(model_type, purpose).into_iter().chain(least_fields) {
            for wrong in misspelt(field.name) {
                let mut entry = least(model_type);
                let value =
                    entry.as_object_mut().unwrap().remove(field.name).unwrap_or(field.good[0].clone());
                let told = refused(with(entry, &wrong, value));
                let meant = [
                    format!("`{wrong}` is no known field: do you mean `{}`?", field.name),
                    format!("rename `{wrong}` to `{}`", field.name),
                ];
                assert!(meant.iter().any(|it| told.contains(it)), "{model_type} {wrong}: {told}");
            }
        }
    }
}

#[test]
fn what_must_be_there_is_missed() {
    for (model_type, _) in all_types() {
        for name in ["config_name", "model_type", "model_name", "api_url"] {
            let mut entry = least(model_type);
            let given = entry.as_object_mut().unwrap().remove(name);
            let may_be_unnamed = ["openai", "dashscope_", "tongyi", "litellm", "zhipuai_"];
            if given.is_none()
                || (name == "model_name" && may_be_unnamed.iter().any(|it| model_type.starts_with(it)))
            {
                continue;
            }
            for entry in [entry.clone(), with(entry, name, Value::Null)] {
                assert!(
                    refused(entry).contains(&format!("`{name}` is missing: add ")),
                    "{model_type} {name}"
                );
            }
        }
    }
    let unnamed = json!({"config_name": "gpt-4", "model_type": "openai"});
    assert_eq!(Configs::from_value(unnamed).unwrap().config("gpt-4").unwrap().model_name, "gpt-4");
}

/// That the fields of an inner object are held to what they may be.
fn hold(inner: &str, model_type: &str, fields: impl IntoIterator<Item = Field>) {
    for field in fields {
        let entry = |name: &str, value: &Value| with(least(model_type), inner, json!({name: value}));
        for value in &field.good {
            let read = Configs::from_value(entry(field.name, value));
            assert!(read.is_ok(), "{inner} {} {value}: {}", field.name, read.unwrap_err());
        }
        let kinds: Vec<_> = field.good.iter().map(kind).collect();
        let mistyped = values().into_iter().filter(|it| !kinds.contains(&kind(it)));
        for value in mistyped.chain(field.out_of_range) {
            let told = refused(entry(field.name, &value));
            assert!(
                told.contains(&format!("`{}` of `{inner}`", field.name))
                    || told.contains(&format!("of `{}` of `{inner}`", field.name)),
                "{told}"
            );
        }
        if field.name.len() > 4 {
            for wrong in misspelt(field.name) {
                let told = refused(entry(&wrong, &field.good[0]));
                let meant =
                    format!("`{wrong}` of `{inner}` is no known field: do you mean `{}`?", field.name);
                assert!(told.contains(&meant), "{told}");
            }
        }
    }
}

#[test]
fn the_arguments_of_a_client_are_held_to_their_types() {
    for (model_type, _) in SERVICES.into_iter().filter(|it| it.0 != "litellm_chat") {
        let texts = || (json!([{}, {"A": "b"}]), json!([{"A": 1}]));
        let (headers, no_headers) = texts();
        let (query, no_query) = texts();
        let mut fields = vec![
            field("api_key", json!(["k", ""]), json!(["a\rb"])),
            field(
                "base_url",
                json!(["http://127.0.0.1:8000/v1/", "http:localhost:8000/v1/"]),
                json!(["localhost", ""]),
            ),
            field("timeout", json!([30, 0.5, [3, 4]]), json!([0, -1])),
            field("max_retries", json!([0, 100]), json!([-1, 101, 0.5])),
            field("default_headers", headers, no_headers),
            field("default_query", query, no_query),
        ];
        if model_type.starts_with("openai") {
            fields.push(field("organization", json!(["org"]), json!([""])));
            fields.push(field("project", json!(["p"]), json!(["a\nb"])));
        }
        hold("client_args", model_type, fields);
        let unknown = with(least(model_type), "client_args", json!({"verify": false}));
        assert!(
            refused(unknown).contains("`verify` of `client_args` is no known field: there are "),
            "{model_type}"
        );
        let twice =
            with(with(least(model_type), "api_key", json!("a")), "client_args", json!({"api_key": "b"}));
        assert!(
            refused(twice)
                .contains("`api_key` is in the entry and in its `client_args`: leave one of them out")
        );
    }
}

#[test]
fn the_arguments_of_generation_are_held_to_their_types_and_others_are_passed_on() {
    for (model_type, purpose) in SERVICES {
        match purpose {
            Purpose::Chat => {
                let hottest = if model_type.starts_with("anthropic") || model_type.starts_with("zhipuai") {
                    1.0
                } else {
                    2.0
                };
                hold("generate_args", model_type, sampling(hottest));
                let penalty = |name| field(name, json!([-2, 0.5, 2]), json!([-2.1, 3]));
                hold(
                    "generate_args",
                    model_type,
                    [penalty("presence_penalty"), penalty("frequency_penalty")],
                );
                hold(
                    "generate_args",
                    model_type,
                    [field("n", json!([1, 2]), json!([0, 1.5])), field("stream", json!([true]), json!([]))],
                );
            }
            Purpose::Image => {
                let size =
                    field("size", json!(["512x512", "1024*1024", "auto"]), json!(["", "512x", "0x1", "a b"]));
                hold("generate_args", model_type, [size, field("n", json!([1]), json!([0]))]);
            }
            _ => {
                hold("generate_args", model_type, [field("dimensions", json!([1, 512]), json!([0, -1, 0.5]))])
            }
        }
        let passed = json!({"top_k": 5, "enable_thinking": true, "some_new_field": {"a": 1}, "extra_body": {"temprature": 1}});
        let configs = Configs::from_value(with(least(model_type), "generate_args", passed)).unwrap();
        let extra = &configs.config("my_config").unwrap().options.extra;
        assert_eq!(
            (&extra["top_k"], &extra["some_new_field"], &extra["temprature"]),
            (&json!(5), &json!({"a": 1}), &json!(1))
        );
        let told = refused(with(least(model_type), "generate_args", json!({"messages": []})));
        assert!(told.contains("`messages` of `generate_args` is what the model is asked"), "{told}");
    }
}

#[test]
fn the_options_of_ollama_and_the_arguments_of_posts_are_held_to_their_types() {
    for (model_type, _) in OLLAMAS {
        let [_, top_p, _, seed, stop] = sampling(2.0);
        let temperature = field("temperature", json!([0, 3]), json!([-1]));
        let num_ctx = field("num_ctx", json!([2048]), json!([0, -1, 1.5]));
        let num_predict = field("num_predict", json!([-2, -1, 100]), json!([-3, 0.5]));
        hold("options", model_type, [temperature, top_p, seed, stop, num_ctx, num_predict]);
    }
    for (model_type, _) in POST_APIS {
        hold(
            "post_args",
            model_type,
            [
                field("params", json!([{"a": "b"}]), json!([{"a": []}])),
                field("timeout", json!([3, [1, 2]]), json!([0])),
                field("headers", json!([{"A": "b"}]), json!([{"A b": "c"}])),
                field("auth", json!([["u", "p"]]), json!([[], ["u"], ["u", 1]])),
            ],
        );
        let told = refused(with(least(model_type), "post_args", json!({"verify": false, "cookies": {}})));
        assert!(
            told.contains("`verify` of `post_args` cannot be set here: let SSL_CERT_FILE name")
                && told.contains("`cookies`"),
            "{told}"
        );
    }
}
