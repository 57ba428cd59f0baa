use super::*;
use crate::{OpenAIChatModel, Provider};
use agentscope_core::ErrorKind;

#[test]
fn keys_are_neither_shown_nor_carried_to_another_address() {
    let model = OpenAIChatModel::new("m").api_key("sk-secret").header("X-Token", "hidden");
    assert!(!format!("{model:?}").contains("secret") && !format!("{model:?}").contains("hidden"));
    assert!(!format!("{:?}", model.0.endpoint().unwrap().headers).contains("secret"));
    assert!(!format!("{:?}", model.0.endpoint().unwrap().headers).contains("hidden"));
    let own = model.base_url("http://localhost:1/v1");
    assert!(own.0.access.key.is_some(), "a key that was given goes where it was told to");
    let mut found = OpenAIChatModel::new("m");
    Arc::make_mut(&mut found.0).access.key = Some("sk-env".into());
    Arc::make_mut(&mut found.0).access.found_key = Some("OPENAI_API_KEY");
    assert!(found.base_url("http://localhost:1/v1").0.access.key.is_none());
}

#[test]
fn a_tool_is_named_beside_its_result_only_to_the_provider_itself() {
    let named = |model: OpenAIChatModel| model.0.access.is_at_home();
    assert!(named(OpenAIChatModel::new("m").base_url("https://api.openai.com/v1")));
    assert!(!named(OpenAIChatModel::new("m").base_url("http://localhost:8000/v1")), "who knows who that is");
    assert!(!named(OpenAIChatModel::of(Provider::Other, "m")));
}

#[test]
fn an_address_is_that_of_the_api_or_of_its_one_method() {
    let at = |url: &str| OpenAIChatModel::new("m").base_url(url).0.endpoint().map(|it| it.url.to_string());
    for base in ["http://h:1/v1", "http://h:1/v1/", "http://h:1/v1/chat/completions"] {
        assert_eq!(at(base).unwrap(), "http://h:1/v1/chat/completions");
    }
    assert_eq!(at("http://h:1?api-version=2").unwrap(), "http://h:1/chat/completions?api-version=2");
    for wrong in ["", "localhost:8000", "ftp://h/v1", "//h/v1", "http://"] {
        assert_eq!(at(wrong).unwrap_err().kind(), ErrorKind::InvalidInput, "{wrong}");
    }
}

#[test]
fn what_is_wrong_in_the_environment_is_called_by_its_variable() {
    let mut found = OpenAIChatModel::new("m").base_url("https://api.openai.com/v1");
    let settings = Arc::make_mut(&mut found.0);
    (settings.access.key, settings.access.found_key) = (Some("sk\nenv".into()), Some("OPENAI_API_KEY"));
    let error = found.0.check().unwrap_err();
    assert!(error.message().starts_with("OPENAI_API_KEY has characters that"), "{error}");

    let mut found = OpenAIChatModel::new("m");
    Arc::make_mut(&mut found.0).access.base_url = "no url".to_owned();
    let error = found.0.check().unwrap_err();
    assert!(error.message().starts_with("OPENAI_BASE_URL: `no url` is no base URL"), "{error}");
    let error = found.base_url("no url").0.check().unwrap_err();
    assert!(error.message().starts_with("`no url` is no base URL"), "{error}");
}
