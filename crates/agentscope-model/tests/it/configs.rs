//! The JSON configurations of AgentScope 0.x: every type, every field, and all that can be wrong with them.

mod entries;
mod fields;
mod files;
mod models;
mod wired;

use agentscope_model::{Configs, Purpose};
use serde_json::{Value, json};

/// The message of a configuration that is refused.
fn refused(value: Value) -> String {
    let told = format!("{value:.300}");
    Configs::from_value(value).err().unwrap_or_else(|| panic!("not refused: {told}")).message().to_owned()
}

/// An entry of a type with all that it must have and nothing else.
fn least(model_type: &str) -> Value {
    let mut entry = json!({"config_name": "my_config", "model_type": model_type});
    if model_type.starts_with("post_api") {
        entry["api_url"] = json!("https://xxx");
    } else if model_type == "litellm_chat" {
        entry["model_name"] = json!("gpt-4o");
    } else {
        entry["model_name"] = json!("a-model");
    }
    entry
}

fn with(mut entry: Value, field: &str, value: Value) -> Value {
    entry[field] = value;
    entry
}

const SERVICES: [(&str, Purpose); 30] = [
    ("openai", Purpose::Chat),
    ("openai_chat", Purpose::Chat),
    ("openai_dall_e", Purpose::Image),
    ("openai_embedding", Purpose::Embedding),
    ("dashscope_chat", Purpose::Chat),
    ("tongyi_chat", Purpose::Chat),
    ("dashscope_image_synthesis", Purpose::Image),
    ("dashscope_text_embedding", Purpose::Embedding),
    ("dashscope_multimodal", Purpose::Chat),
    ("gemini_chat", Purpose::Chat),
    ("gemini_embedding", Purpose::Embedding),
    ("zhipuai_chat", Purpose::Chat),
    ("zhipuai_embedding", Purpose::Embedding),
    ("litellm_chat", Purpose::Chat),
    ("yi_chat", Purpose::Chat),
    ("anthropic_chat", Purpose::Chat),
    ("responses", Purpose::Chat),
    ("azure", Purpose::Chat),
    ("dashscope", Purpose::Chat),
    ("dashscope-native", Purpose::Chat),
    ("anthropic", Purpose::Chat),
    ("gemini", Purpose::Chat),
    ("deepseek", Purpose::Chat),
    ("moonshot", Purpose::Chat),
    ("xai", Purpose::Chat),
    ("vllm", Purpose::Chat),
    ("fastchat", Purpose::Chat),
    ("huggingface", Purpose::Chat),
    ("modelscope", Purpose::Chat),
    ("zhipuai", Purpose::Chat),
];

const POST_APIS: [(&str, Purpose); 5] = [
    ("post_api", Purpose::Chat),
    ("post_api_chat", Purpose::Chat),
    ("post_api_dall_e", Purpose::Image),
    ("post_api_dalle", Purpose::Image),
    ("post_api_embedding", Purpose::Embedding),
];

const OLLAMAS: [(&str, Purpose); 4] = [
    ("ollama_chat", Purpose::Chat),
    ("ollama_embedding", Purpose::Embedding),
    ("ollama_generate", Purpose::Chat),
    ("ollama", Purpose::Chat),
];

fn all_types() -> impl Iterator<Item = (&'static str, Purpose)> {
    SERVICES.into_iter().chain(POST_APIS).chain(OLLAMAS)
}
