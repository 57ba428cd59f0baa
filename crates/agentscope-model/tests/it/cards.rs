//! What is known of models is on their cards, and counts in what is asked.

use agentscope_core::{ChatModel, ContentBlock, Currency, Media, ModelCard, ModelRequest, Msg, Price};
use agentscope_model::{
    AnthropicChatModel, DashScopeChatModel, GeminiChatModel, OllamaChatModel, OpenAIChatModel,
    OpenAIResponseModel, Provider, from_spec, tokens,
};
use serde_json::Value;
use std::{fs, process::Command};

fn asked() -> ModelRequest {
    ModelRequest::new([Msg::user("The quick brown fox jumps over the lazy dog.")])
}

#[test]
fn a_model_has_what_is_known_of_it_on_its_card() {
    let card = OpenAIChatModel::new("gpt-4o-2024-08-06").card().clone();
    assert_eq!((&*card.name, &*card.spec), ("gpt-4o-2024-08-06", "openai:gpt-4o-2024-08-06"));
    assert_eq!((card.context_size, card.output_schema, card.tools), (128_000, true, true));
    assert_eq!(card.input_types, ["image/*", "application/pdf"]);
    assert_eq!(card.price.unwrap().output, 10.0);
    assert_eq!(OpenAIResponseModel::new("gpt-4o").card().context_size, 128_000);
    assert!(!OpenAIChatModel::new("gpt-4").card().output_schema, "it came before schemas");
    let kimi = OpenAIChatModel::of(Provider::Moonshot, "kimi-k2.5").card().clone();
    assert!(kimi.output_schema && kimi.input_types.contains(&"image/*".to_owned()));
    assert_eq!(GeminiChatModel::new("gemini-2.5-flash").card().context_size, 1_048_576);
    let qwen = DashScopeChatModel::new("qwen3-vl-plus").card().clone();
    assert_eq!((qwen.context_size, &*qwen.input_types), (262_144, &["image/*".to_owned()][..]));
}

#[test]
fn what_nobody_knows_is_assumed_as_before() {
    let card = |model: OpenAIChatModel| model.card().clone();
    let new = card(OpenAIChatModel::new("gpt-5-of-tomorrow"));
    assert_eq!((new.context_size, new.price, &*new.input_types), (0, None, &["image/*".to_owned()][..]));
    let mut plain = ModelCard::new("m");
    plain.spec = "vllm:m".to_owned();
    plain.output_schema = true;
    assert_eq!(card(OpenAIChatModel::of(Provider::Vllm, "m")), plain);
    assert!(AnthropicChatModel::new("claude-opus-9").card().output_schema);
    assert_eq!(OllamaChatModel::new("qwen3").card().context_size, 0, "Ollama chooses the window");
}

#[test]
fn the_price_of_a_provider_holds_at_its_own_address_alone() {
    let elsewhere = OpenAIChatModel::new("gpt-4o").base_url("http://localhost:4000/v1");
    assert_eq!((elsewhere.card().price, elsewhere.card().context_size), (None, 128_000));
    let home = OpenAIChatModel::new("gpt-4o").base_url("https://api.openai.com/v1/");
    assert!(home.card().price.is_some());
    let own = OpenAIChatModel::new("gpt-4o").price(Price::new(1.0, 2.0)).base_url("http://localhost:4000/v1");
    assert_eq!(own.card().price, Some(Price::new(1.0, 2.0)));
    assert_eq!(OpenAIChatModel::of(Provider::Azure, "gpt-4o").card().price, None);
    assert_eq!(from_spec("http://localhost:4000/v1#gpt-4o").unwrap().card().price, None);
    let qwen = OpenAIChatModel::of(Provider::DashScope, "qwen-max");
    assert_eq!(qwen.card().price.unwrap().currency, Currency::CNY);
}

#[tokio::test]
async fn claude_may_write_as_much_as_it_is_known_to() {
    let most = async |model: &str| {
        let body = AnthropicChatModel::new(model).request_body(&asked()).await.unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()["max_tokens"].as_u64().unwrap()
    };
    assert_eq!(most("claude-sonnet-4-5").await, 64_000);
    assert_eq!(most("claude-3-haiku-20240307").await, 4_096);
    assert_eq!(most("us.anthropic.claude-sonnet-4-5-v1:0").await, 32_000, "by its version");
    let limited = AnthropicChatModel::new("claude-sonnet-4-5").max_tokens(9).request_body(&asked()).await;
    assert!(String::from_utf8(limited.unwrap()).unwrap().contains(r#""max_tokens":9"#));
}

#[tokio::test]
async fn the_tokens_of_a_request_are_counted_by_the_rules_of_its_model() {
    let model = OpenAIChatModel::new("gpt-4o").api_key("k");
    assert_eq!(model.count_tokens(&asked()).await.unwrap(), tokens::count("gpt-4o", &asked()).await.unwrap());
    // Ten of the words, one of the role, two of the name, three of the message, three of the answer.
    #[cfg(feature = "tiktoken")]
    assert_eq!(model.count_tokens(&asked()).await.unwrap(), 10 + 1 + 2 + 3 + 3);
    // A GIF of 1024 × 1024 pixels.
    let gif = Media::base64("image/gif", "R0lGODlhAAQABAAAAA==");
    let image =
        ModelRequest::new([Msg::new("u", agentscope_core::Role::User, vec![ContentBlock::Image(gif)])]);
    assert_eq!(model.estimate_tokens(&image), 4 + 765);
    assert_eq!(from_spec("http://localhost:1/v1#gpt-4o").unwrap().estimate_tokens(&image), 4 + 765);
    let claude = AnthropicChatModel::new("claude-sonnet-4-5").estimate_tokens(&image);
    assert_eq!(claude, 4 + 1399);
}

/// Is run by the test below in a process of its own, because cards are read once.
#[test]
fn child_of_a_file_of_cards() {
    match std::env::var("AGENTSCOPE_TEST_CARDS").as_deref() {
        Ok("broken") => {
            let error = from_spec("vllm:m").err().unwrap();
            assert!(error.message().starts_with("AGENTSCOPE_MODEL_CARDS: model cards of "), "{error}");
            assert!(
                error.message().contains("vllm, entry 1 `m`: a card has no field `contex_size`"),
                "{error}"
            );
            assert_eq!(OpenAIChatModel::new("gpt-4o").card().context_size, 128_000, "it is passed over");
        }
        Ok("own") => {
            let model = from_spec("vllm:m").unwrap();
            assert_eq!((model.card().context_size, model.card().price), (1000, Some(Price::new(0.0, 0.0))));
            let moved = OpenAIChatModel::of(Provider::Vllm, "m").base_url("http://gpu-1:8000/v1");
            assert_eq!(moved.card().price, Some(Price::new(0.0, 0.0)), "what you say holds anywhere");
            let other = from_spec("http://localhost:1/v1#served").unwrap();
            assert_eq!((other.card().context_size, other.card().output_schema), (2000, true));
        }
        _ => {}
    }
}

#[test]
fn a_file_of_cards_is_read_and_a_broken_one_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let own = r#"{"vllm": [{"model": "m", "context_size": 1000, "price": {"input": 0, "output": 0}}],
                  "other": [{"model": "served", "context_size": 2000, "output_schema": true}]}"#;
    for (name, json) in [("own", own), ("broken", r#"{"vllm": [{"model": "m", "contex_size": 1000}]}"#)] {
        let path = dir.path().join(name);
        fs::write(&path, json).unwrap();
        let ran = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cards::child_of_a_file_of_cards", "--nocapture"])
            .env("AGENTSCOPE_MODEL_CARDS", &path)
            .env("AGENTSCOPE_TEST_CARDS", name)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
        assert!(String::from_utf8_lossy(&ran.stdout).contains("1 passed"));
    }
}
