use super::*;
use crate::configs::Configs;
use serde_json::{Value, json};

const ANTHROPIC: &str = "sk-ant-api03-0123456789";

fn connected<const N: usize>(entry: Value, environment: [(&str, &str); N]) -> Result<Connection> {
    let mut entry = entry;
    entry["config_name"] = json!("a");
    let name = entry["model_name"].as_str().unwrap_or("m").to_owned();
    entry["model_name"] = name.into();
    let configs = Configs::from_value(entry).unwrap();
    Connection::of(configs.config("a").unwrap(), &environment.into())
}

fn key<const N: usize>(entry: Value, environment: [(&str, &str); N]) -> Option<String> {
    connected(entry, environment).unwrap().key.map(|it| it.expose().to_owned())
}

fn refused<const N: usize>(entry: Value, environment: [(&str, &str); N]) -> String {
    let error = connected(entry, environment).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    error.message().to_owned()
}

#[test]
fn a_key_comes_from_the_entry_or_else_from_the_variable_of_its_provider() {
    for (model_type, variable) in [
        ("openai", "OPENAI_API_KEY"),
        ("openai_dall_e", "OPENAI_API_KEY"),
        ("openai_embedding", "OPENAI_API_KEY"),
        ("dashscope_chat", "DASHSCOPE_API_KEY"),
        ("tongyi_chat", "DASHSCOPE_API_KEY"),
        ("dashscope_image_synthesis", "DASHSCOPE_API_KEY"),
        ("gemini_chat", "GEMINI_API_KEY"),
        ("gemini_chat", "GOOGLE_API_KEY"),
        ("zhipuai_chat", "ZHIPUAI_API_KEY"),
        ("yi_chat", "YI_API_KEY"),
        ("anthropic_chat", "ANTHROPIC_API_KEY"),
        ("deepseek", "DEEPSEEK_API_KEY"),
    ] {
        let entry = |key: Value| json!({"model_type": model_type, "api_key": key});
        assert_eq!(
            key(entry(Value::Null), [(variable, " of the variable ")]).as_deref(),
            Some("of the variable")
        );
        assert_eq!(key(entry(json!("")), [(variable, "v")]).as_deref(), Some("v"), "{model_type}");
        assert_eq!(key(entry(json!("of the entry")), [(variable, "v")]).as_deref(), Some("of the entry"));
        let told = refused(entry(Value::Null), []);
        let first = if variable == "GOOGLE_API_KEY" { "GEMINI_API_KEY" } else { variable };
        assert_eq!(told, format!("model `m` needs {first}: set it, or write `api_key`"));
    }
}

#[test]
fn a_model_of_litellm_has_the_key_of_its_provider() {
    let entry = |name: &str| json!({"model_type": "litellm_chat", "model_name": name});
    assert_eq!(key(entry("claude-3-opus"), [("ANTHROPIC_API_KEY", "a")]).as_deref(), Some("a"));
    assert_eq!(key(entry("dashscope/qwen-max"), [("DASHSCOPE_API_KEY", "d")]).as_deref(), Some("d"));
    assert_eq!(refused(entry("gpt-4"), []), "model `gpt-4` needs OPENAI_API_KEY: set it, or write `api_key`");
}

#[test]
fn a_key_in_the_wrong_place_is_told_without_its_value() {
    let dashscope = json!({"model_type": "dashscope_chat"});
    assert_eq!(
        refused(dashscope, [("OPENAI_API_KEY", "sk-1")]),
        "model `m` needs DASHSCOPE_API_KEY: set it, or write `api_key` (OPENAI_API_KEY is set, which is for OpenAI)"
    );
    assert_eq!(
        refused(json!({"model_type": "openai"}), [("OPENAI_API_KEY", ANTHROPIC)]),
        "the value of OPENAI_API_KEY looks like a key of Anthropic, which ANTHROPIC_API_KEY is for"
    );
    assert_eq!(
        refused(json!({"model_type": "openai", "api_key": ANTHROPIC}), []),
        "`api_key` looks like a key of Anthropic, which ANTHROPIC_API_KEY is for"
    );
    assert_eq!(
        refused(json!({"model_type": "openai", "api_key": "{your_api_key}"}), []),
        "`api_key` is a placeholder: put a key in its place, or leave it out and set OPENAI_API_KEY"
    );
    assert_eq!(
        refused(
            json!({"model_type": "post_api", "api_url": "https://a", "headers": {"Authorization": "Bearer {KEY}"}}),
            []
        ),
        "the header `Authorization` has a placeholder: put a value in its place"
    );
}

#[test]
fn a_key_of_the_environment_goes_to_its_provider_alone() {
    let at = |url: &str| json!({"model_type": "openai", "base_url": url});
    let environment = [("OPENAI_API_KEY", "sk-1"), ("OPENAI_ORGANIZATION", "org")];
    for (url, sent) in [
        ("https://api.openai.com/v1", true),
        ("https://eu.api.openai.com/v1/", true),
        ("http://api.openai.com/v1", false),
        ("https://api.openai.com:8443/v1", false),
        ("https://api.openai.com.example.org/v1", false),
        ("http://127.0.0.1:8000/v1", false),
    ] {
        let connection = connected(at(url), environment).unwrap();
        assert_eq!((connection.key.is_some(), connection.organization.is_some()), (sent, sent), "{url}");
    }
    let azure = |url: &str| json!({"model_type": "azure", "base_url": url});
    for (url, sent) in [
        ("https://mine.openai.azure.com", true),
        ("https://own.example.org/v1", true),
        ("http://mine.openai.azure.com", false),
        ("https://openai.azure.com.example.org", false),
        ("https://evil.example.org", false),
    ] {
        let environment =
            [("AZURE_OPENAI_API_KEY", "k"), ("AZURE_OPENAI_ENDPOINT", "https://own.example.org")];
        assert_eq!(connected(azure(url), environment).unwrap().key.is_some(), sent, "{url}");
    }
    // A server that everyone runs for themselves.
    assert_eq!(
        key(json!({"model_type": "vllm", "base_url": "http://gpu-1:8000/v1"}), [("VLLM_API_KEY", "v")])
            .as_deref(),
        Some("v")
    );
    assert_eq!(key(json!({"model_type": "vllm"}), []), None);
}

#[test]
fn a_provider_that_was_moved_by_its_variable_may_have_another_kind_of_key_or_none() {
    let moved = [("OPENAI_BASE_URL", "http://localhost:4000/v1"), ("OPENAI_API_KEY", "sk-or-v1-0123456789")];
    assert_eq!(key(json!({"model_type": "openai"}), moved).as_deref(), Some("sk-or-v1-0123456789"));
    assert_eq!(key(json!({"model_type": "openai"}), [("OPENAI_BASE_URL", "http://localhost:4000/v1")]), None);
}

#[test]
fn organizations_and_addresses_come_from_their_variables() {
    let key = ("OPENAI_API_KEY", "k");
    let organization = |entry: Value, name| connected(entry, [key, (name, "org")]).unwrap().organization;
    for name in ["OPENAI_ORGANIZATION", "OPENAI_ORG_ID"] {
        assert_eq!(organization(json!({"model_type": "openai"}), name).as_deref(), Some("org"));
    }
    let own = json!({"model_type": "openai", "organization": "own"});
    assert_eq!(organization(own, "OPENAI_ORGANIZATION").as_deref(), Some("own"));
    assert_eq!(
        organization(json!({"model_type": "dashscope_chat", "api_key": "k"}), "OPENAI_ORGANIZATION"),
        None
    );
}

#[test]
fn an_endpoint_is_asked_as_0_x_asks_it() {
    let entry = json!({"config_name": "a", "model_type": "post_api_chat", "api_url": "http://h:1/llm", "messages_key": "inputs",
        "json_args": {"top_k": 3}, "headers": {"X-Token": "t"}, "timeout": 7, "max_length": 2048});
    let configs = Configs::from_value(entry).unwrap();
    let config = configs.config("a").unwrap();
    let settings = post_api(config);
    let sent = crate::http::testing::encoded(
        &*settings.format,
        &ModelRequest::new([agentscope_core::Msg::user("hi")]),
        |_| {},
    );
    assert_eq!(sent.unwrap(), json!({"top_k": 3, "inputs": [{"role": "user", "content": "hi"}]}));
    let model = chat(config, None, &Monitor::new(), &Environment::default()).unwrap();
    assert_eq!(model.card().context_size, 2048);
}

#[test]
fn each_type_gives_a_model() {
    for (model_type, card) in [
        ("openai", "openai:m"),
        ("dashscope_chat", "dashscope:m"),
        ("dashscope_multimodal", "dashscope:m"),
        ("deepseek", "deepseek:m"),
        ("moonshot", "moonshot:m"),
        ("vllm", "vllm:m"),
        ("zhipuai_chat", "zhipu:m"),
        ("yi_chat", "yi:m"),
        ("xai", "xai:m"),
        ("fastchat", "fastchat:m"),
        ("anthropic_chat", "anthropic:m"),
        ("gemini_chat", "gemini:m"),
        ("ollama_chat", "ollama:m"),
        ("ollama_generate", "ollama:m"),
        ("responses", "responses:m"),
        ("dashscope-native", "dashscope-native:m"),
    ] {
        let entry = json!({"config_name": "a", "model_type": model_type, "model_name": "m", "api_key": "k"});
        let configs = Configs::from_value(entry).unwrap();
        let model =
            chat(configs.config("a").unwrap(), None, &Monitor::new(), &Environment::default()).unwrap();
        assert_eq!(model.card().spec, card);
    }
}
