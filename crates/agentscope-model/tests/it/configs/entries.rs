//! Whole entries: what is read of them, and all their faults at once.

use super::{all_types, least, refused, with};
use agentscope_model::{Api, Configs, Details};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::time::Duration;

#[test]
fn what_is_read_is_what_was_written() {
    let configs = Configs::from_value(json!([
        {"config_name": "a", "model_type": "openai", "model_name": "gpt-4", "organization": "org", "budget": 2.5, "stream": false,
         "client_args": {"timeout": [3, 30], "max_retries": 5, "base_url": "http://a/v1", "default_headers": {"X": "y"}},
         "generate_args": {"temperature": 0.5, "stop": "END", "seed": -3, "max_tokens": 9, "top_p": 0.1, "stream": true}},
        {"config_name": "b", "model_type": "post_api", "api_url": "https://xxx", "json_args": {"model": "m"}, "timeout": 7,
         "post_args": {"auth": ["u", "p"], "params": {"q": "1"}}, "max_retries": 3, "retry_interval": 0.25},
        {"config_name": "c", "model_type": "ollama_chat", "model": "qwen:0.5b", "host": "gpu-1", "keep_alive": "5m"},
        {"config_name": "d", "model_type": "litellm_chat", "model_name": "anthropic/claude-x",
         "generate_args": {"api_base": "http://b", "num_retries": 1, "timeout": 4}},
    ]))
    .unwrap();
    assert_eq!(configs.names().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    let a = configs.config("a").unwrap();
    assert_eq!((a.model_type, a.model_name.as_str(), a.budget), ("openai_chat", "gpt-4", Some(2.5)));
    assert_eq!((a.timeout, a.max_retries, a.stream), (Some(Duration::from_secs(30)), Some(5), Some(true)));
    assert_eq!(
        (a.options.seed, &a.options.extra["seed"], a.options.stop.as_slice()),
        (None, &json!(-3), &["END".to_owned()][..])
    );
    assert_eq!(
        (a.options.max_tokens, a.options.temperature, a.options.top_p),
        (Some(9), Some(0.5), Some(0.1))
    );
    let b = configs.config("b").unwrap();
    let Details::PostApi { json_args, messages_key, retry_interval, auth } = &b.details else {
        panic!("{b:?}")
    };
    assert_eq!((b.model_name.as_str(), b.max_retries, b.query.len()), ("m", Some(2), 1));
    assert_eq!(
        (messages_key.as_str(), *retry_interval, &json_args["model"]),
        ("messages", Duration::from_millis(250), &json!("m"))
    );
    assert_eq!(auth.as_ref().map(|it| (it.0.as_str(), it.1.expose())), Some(("u", "p")));
    let c = configs.config("c").unwrap();
    assert_eq!((c.model_name.as_str(), c.base_url.as_deref()), ("qwen:0.5b", Some("http://gpu-1:11434")));
    let d = configs.config("d").unwrap();
    assert_eq!(
        (d.api, d.model_name.as_str(), d.base_url.as_deref(), d.max_retries),
        (Api::Anthropic, "claude-x", Some("http://b"), Some(1))
    );
}

#[test]
fn all_faults_are_told_at_once_and_no_value() {
    let told = refused(json!([
        {"config_name": "a", "model_type": "openai_chat", "api_key": ["sk-ant-0123456789-secret"], "sk-ant-0123456789-secret": 1,
         "temperature": "0.1", "streem": true},
        "sk-ant-0123456789-secret",
        {"config_name": "a", "model_type": "openai-chat"},
        {"config_name": "a", "model_type": "post_api", "api_url": "sk-ant-0123456789-secret"},
        {"model_type": "sk-ant-0123456789-secret"},
    ]));
    assert!(!told.contains("secret"), "{told}");
    for part in [
        "the model configurations: 10 faults\n  ",
        "\n  entry 1 (`a`): `temperature` must be a number from 0 to 2, and is a text: write it without quotation marks",
        "entry 1 (`a`): `api_key` must be a text, and is a list",
        "entry 1 (`a`): `***` is no known field: there are config_name, ",
        "entry 1 (`a`): `streem` is no known field: do you mean `stream`?",
        "entry 2 must be an object, and is a text",
        "entry 3 (`a`): `model_type` `openai-chat` is none that there is: do you mean `openai_chat`?",
        "entry 4 (`a`): `api_url` is no address (relative URL without a base): give one such as",
        "entry 4 (`a`): its `config_name` is that of entry 1 already: rename one of them",
        "entry 5: `config_name` is missing: add a name to find it by",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[test]
fn other_names_of_a_field_are_known_and_not_taken_for_typing_errors() {
    for (field, told) in [
        ("url", "`url` is no known field: do you mean `base_url`?"),
        ("key", "`key` is no known field: do you mean `api_key`?"),
        ("apiKey", "`apiKey` is no known field: do you mean `api_key`?"),
        ("top_k", "`top_k` is no known field: do you mean `top_p`?"),
        (
            "wholly_unknown",
            "`wholly_unknown` is no known field: there are config_name, model_type, model_name, ",
        ),
    ] {
        let told_now = refused(with(least("openai_chat"), field, json!(1)));
        assert!(told_now.contains(told), "{told_now}");
    }
    let twice = with(with(least("anthropic_chat"), "client_kwargs", json!({})), "client_args", json!({}));
    assert!(
        refused(twice).contains("`client_kwargs` is another name of `client_args`: leave one of them out")
    );
    for value in [json!("async_dashscope_chat"), json!("OpenAI_chat"), json!(" openai_chat")] {
        let read = Configs::from_value(with(least("openai_chat"), "model_type", value.clone()));
        assert!(read.is_ok() || read.unwrap_err().message().contains("do you mean `"), "{value}");
    }
    let told = refused(with(least("openai_chat"), "model_type", json!("gpt")));
    assert!(told.contains("there are openai_chat, openai, ") && told.contains("post_api_dalle"), "{told}");
    let told = refused(with(least("litellm_chat"), "model_name", json!("bedrock/x")));
    assert!(
        told.contains(
            "`model_name` `bedrock/x` is no model of LiteLLM that is known here: write PROVIDER/MODEL"
        ),
        "{told}"
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("openai_chat"),
            Just("post_api"),
            Just("ollama"),
            Just("litellm_chat"),
            Just("http://a")
        ]
        .prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("config_name"),
        Just("model_type"),
        Just("model_name"),
        Just("api_key"),
        Just("client_args"),
        Just("generate_args"),
        Just("options"),
        Just("post_args"),
        Just("json_args"),
        Just("api_url"),
        Just("timeout"),
        Just("stop"),
        Just("keep_alive"),
        Just("host"),
        Just("size"),
        Just("headers"),
        Just("é€\u{0}"),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8).prop_map(|fields| {
                Value::from(fields.into_iter().map(|(name, it)| (name.to_owned(), it)).collect::<Map<_, _>>())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in any_json(), model_type in prop::sample::select(all_types().map(|it| it.0).collect::<Vec<_>>())) {
        let told = match Configs::from_value(value.clone()) {
            Ok(configs) => format!("{configs:?}"),
            Err(error) => error.message().to_owned(),
        };
        prop_assert!(!told.is_empty());
        if let Value::Object(fields) = value {
            let mut entry = least(model_type);
            entry.as_object_mut().unwrap().extend(fields.into_iter().filter(|(name, _)| name != "model_type"));
            if let Ok(configs) = Configs::from_value(entry) {
                let name = configs.names().next().unwrap().to_owned();
                let _ = configs.chat(&name);
            }
        }
    }
}
