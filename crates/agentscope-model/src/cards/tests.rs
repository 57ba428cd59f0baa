use super::*;
use agentscope_core::Currency;
use proptest::prelude::*;

fn found(provider: &str, model: &str) -> Option<String> {
    let entries = ModelCards::builtin().providers.get(provider)?;
    entries.iter().find(|entry| entry.is_of(model)).map(|entry| entry.model.clone())
}

#[test]
fn what_comes_with_this_version_can_be_read_and_names_where_it_stands() {
    let cards = ModelCards::default().extended_with_json("this version", BUILTIN).unwrap();
    let providers: Vec<_> = cards.providers.keys().map(String::as_str).collect();
    assert_eq!(providers, ["anthropic", "dashscope", "deepseek", "gemini", "moonshot", "openai", "xai"]);
    assert_eq!(cards.models().count(), ModelCards::builtin().models().count());
    assert!(cards.models().count() > 100);
    for (provider, model) in cards.models() {
        let card = cards.lookup(provider, model).unwrap();
        assert_eq!(card.spec, format!("{provider}:{model}"));
        assert!(card.context_size >= 8192 || card.name == "qwen-max", "{}", card.spec);
        assert!(card.extra.get("source").unwrap().as_str().unwrap().starts_with("https://"), "{}", card.spec);
        assert_eq!(
            card.extra.get("date").unwrap().as_str().unwrap().len(),
            "2026-11-20".len(),
            "{}",
            card.spec
        );
        let written = card.extra.get("max_output").map_or(0, |it| it.as_u64().unwrap());
        assert!(written <= card.context_size || card.context_size == 0, "{}", card.spec);
        if let Some(price) = card.price {
            assert!(price.cached < price.input && price.input <= price.output, "{}", card.spec);
            let chinese = matches!(provider, "dashscope" | "moonshot");
            assert_eq!(price.currency, if chinese { Currency::CNY } else { Currency::USD }, "{}", card.spec);
            if let Some(long) = price.long {
                assert!(long.above < card.context_size && long.input > price.input, "{}", card.spec);
                assert_eq!(long.cache_write > 0.0, price.cache_write > 0.0, "{}", card.spec);
            }
        }
    }
}

#[test]
fn names_with_dates_are_those_of_the_model_and_the_longest_counts() {
    for (provider, model, entry) in [
        ("openai", "gpt-4o", Some("gpt-4o")),
        ("openai", "gpt-4o-2024-08-06", Some("gpt-4o")),
        ("openai", "gpt-4o-2024-05-13", Some("gpt-4o-2024-05-13")),
        ("openai", "gpt-4o-mini-2024-07-18", Some("gpt-4o-mini")),
        ("openai", "gpt-4o-audio-preview", None),
        ("openai", "gpt-4-0613", Some("gpt-4")),
        ("openai", "gpt-4-32k", None),
        ("openai", "gpt-5.1-codex-mini", Some("gpt-5.1-codex-mini")),
        ("openai", "gpt-55", None),
        ("anthropic", "claude-sonnet-4-20250514", Some("claude-sonnet-4")),
        ("anthropic", "claude-sonnet-4-5-20250929", Some("claude-sonnet-4-5")),
        ("anthropic", "claude-sonnet-4-7", None),
        ("anthropic", "claude-3-5-sonnet-latest", Some("claude-3-5-sonnet")),
        ("anthropic", "claude-sonnet-4-5@20250929", Some("claude-sonnet-4-5")),
        ("gemini", "gemini-2.5-flash-preview-05-20", Some("gemini-2.5-flash")),
        ("gemini", "gemini-2.5-flash-lite", Some("gemini-2.5-flash-lite")),
        ("gemini", "gemini-2.0-flash-001", Some("gemini-2.0-flash")),
        ("gemini", "gemini-2.5-flash-preview-tts", None),
        ("dashscope", "deepseek-v3", Some("deepseek-v3")),
        ("deepseek", "deepseek-v3", None),
        ("dashscope", "qwen-max-2025-01-25", Some("qwen-max")),
        ("ollama", "qwen3", None),
        ("openai", "", None),
    ] {
        assert_eq!(found(provider, model).as_deref(), entry, "{provider}:{model}");
    }
}

#[test]
fn other_ways_to_a_provider_know_its_models() {
    let card = ModelCards::builtin().lookup("responses", "gpt-4o-2024-11-20").unwrap();
    assert_eq!((&*card.name, &*card.spec), ("gpt-4o-2024-11-20", "responses:gpt-4o-2024-11-20"));
    assert_eq!(card.price.unwrap().cached, 1.25);
    assert_eq!(
        ModelCards::builtin().lookup("azure", "gpt-4o").unwrap().price,
        None,
        "Azure has prices of its own"
    );
    assert_eq!(
        ModelCards::builtin().lookup("dashscope-native", "qwen-max").unwrap().price.unwrap().currency,
        Currency::CNY
    );
    assert_eq!(ModelCards::builtin().lookup("vllm", "Qwen/Qwen3-8B"), None);
    let ours = r#"{"azure": [{"model": "gpt-4o", "price": {"input": 3, "output": 12}}]}"#;
    let cards = ModelCards::builtin().extended_with_json("ours", ours).unwrap();
    assert_eq!(cards.lookup("azure", "gpt-4o").unwrap().price, Some(Price::new(3.0, 12.0)));
}

#[test]
fn a_file_of_your_own_comes_first_and_says_only_what_is_different() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cards.json");
    let json = r#"{"openai": [{"model": "gpt-4o", "context_size": 64000, "source": null}, {"model": "gpt-4o-*", "tools": false}],
                   "mine": [{"model": "*a"}]}"#;
    std::fs::write(&path, json).unwrap();
    let cards = ModelCards::builtin().extended_with(&path).unwrap();
    let card = cards.lookup("openai", "gpt-4o").unwrap();
    assert_eq!((card.context_size, card.price.unwrap().output), (64_000, 10.0));
    let audio = cards.lookup("openai", "gpt-4o-audio-preview").unwrap();
    assert_eq!((audio.context_size, audio.tools), (0, false));
    assert_eq!(cards.lookup("openai", "gpt-4o-mini").unwrap().context_size, 128_000, "the longest counts");
    assert_eq!(ModelCards::builtin().lookup("openai", "gpt-4o").unwrap().context_size, 128_000);
    std::fs::remove_file(&path).unwrap();
    let error = ModelCards::builtin().extended_with(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("cards.json"), "{error}");
}

#[test]
fn the_file_that_the_variable_names_is_part_of_the_program_s_cards() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cards.json");
    std::fs::write(&path, r#"{"vllm": [{"model": "Qwen/*", "context_size": 32768}]}"#).unwrap();
    let cards = of_program(Some(path.clone().into())).unwrap();
    assert_eq!(cards.lookup("vllm", "Qwen/Qwen3-8B").unwrap().context_size, 32_768);
    assert!(of_program(Some(OsString::new())).unwrap().lookup("vllm", "Qwen/Qwen3-8B").is_none());
    std::fs::write(&path, r#"{"vllm": [{"model": "m", "contextsize": 1}]}"#).unwrap();
    let error = of_program(Some(path.into())).unwrap_err();
    assert!(error.message().starts_with("AGENTSCOPE_MODEL_CARDS: model cards of "), "{error}");
    assert!(error.message().ends_with("no field `contextsize`: did you mean `context_size`?"), "{error}");
}

#[test]
fn what_is_wrong_is_told_with_file_entry_and_field() {
    let told = |json: &str| {
        let error = ModelCards::default().extended_with_json("cards.json", json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        error.message().strip_prefix("model cards of cards.json: ").unwrap().to_owned()
    };
    let of = |fields: &str| told(&format!(r#"{{"p": [{{"model": "a"}}, {{"model": "m", {fields}}}]}}"#));
    for (told, words) in [
        (told("{"), "no JSON: EOF while parsing"),
        (told("[]"), "an object is needed"),
        (told(r#"{"p": {}}"#), "p: a list of models is needed, not an object"),
        (told(r#"{"p": [1]}"#), "p, entry 1: a card is an object, not a number"),
        (told(r#"{"p": [{}]}"#), "p, entry 1: a card needs the field `model`"),
        (told(r#"{"p": [{"model": "*"}]}"#), "p, entry 1 `*`: the field `model` is empty"),
        (of(r#""pirce": {}"#), "p, entry 2 `m`: a card has no field `pirce`: did you mean `price`?"),
        (of(r#""zzzzzz": {}"#), "a card has no field `zzzzzz`: it has model, context_size"),
        (of(r#""context_size": -5"#), "the field `context_size` is a number of tokens above 0, not -5"),
        (of(r#""context_size": "32k""#), "not \"32k\""),
        (of(r#""tools": "yes""#), "the field `tools` is true or false, not \"yes\""),
        (of(r#""input_types": ["image"]"#), "a list of media types such as \"image/*\", not a list"),
        (of(r#""price": 3"#), "price: a price is an object, not a number"),
        (of(r#""price": {"input": 1}"#), "price: the field `output` is missing"),
        (
            of(r#""price": {"input": -1, "output": 1}"#),
            "price: the field `input` is what a million tokens cost, 0 or more, not -1",
        ),
        (of(r#""price": {"input": 1, "output": 1, "cahced": 1}"#), "did you mean `cached`?"),
        (of(r#""price": {"input": 1, "output": 1, "currency": "$"}"#), "price: `$` is no currency"),
        (
            of(r#""price": {"input": 1, "output": 1, "long": {"input": 1, "output": 2}}"#),
            "price: long: the field `above` is missing",
        ),
    ] {
        assert!(told.contains(words), "{told}\nhas not: {words}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_file_and_no_name_makes_it_panic(json in any::<String>(), provider in "[a-z]{0,3}", model in any::<String>()) {
        drop(ModelCards::default().extended_with_json("any", &json));
        let names = format!(r#"{{"{provider}": [{{"model": {}}}]}}"#, serde_json::to_string(&model).unwrap());
        if let Ok(cards) = ModelCards::default().extended_with_json("any", &names)
            && !model.ends_with('*')
        {
            prop_assert_eq!(cards.lookup(&provider, &model).unwrap().name, &*model);
        }
    }
}
