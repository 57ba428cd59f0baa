use super::{
    service::{GEMINI, OLLAMA},
    *,
};

fn endpoint() -> Endpoint {
    let mut endpoint = Endpoint::new(&OPENAI, "m", Duration::from_secs(1), 1000);
    // As the environment would give it.
    endpoint.change(|it| (it.key, it.found_key) = (Some("sk-found".into()), true));
    endpoint.base_url = OPENAI.base_url.to_owned();
    endpoint
}

fn sent(endpoint: &Endpoint) -> Option<String> {
    let headers = &endpoint.ready().unwrap().headers;
    headers.get(AUTHORIZATION).map(|it| it.to_str().unwrap().to_owned())
}

#[test]
fn a_key_that_was_found_goes_to_its_provider_only() {
    let mut endpoint = endpoint();
    assert_eq!(sent(&endpoint).unwrap(), "Bearer sk-found");
    endpoint.set_base_url("http://elsewhere.example/v1");
    assert_eq!(sent(&endpoint), None);
    endpoint.set_key("sk-own".into());
    assert_eq!(sent(&endpoint).unwrap(), "Bearer sk-own");
}

#[test]
fn a_key_that_is_missing_is_told_before_anything_is_sent() {
    let mut endpoint = endpoint();
    endpoint.change(|it| it.key = None);
    let error = endpoint.ready().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(error.message(), "model `m` needs OPENAI_API_KEY: set it or pass `.api_key(..)`");
    endpoint.set_key("two\nlines".into());
    assert!(endpoint.ready().err().unwrap().message().starts_with("the API key has characters"));
}

#[test]
fn what_is_secret_is_told_nowhere() {
    let mut endpoint = endpoint();
    endpoint.add_header("x-token".to_owned(), "tok-12345".into());
    endpoint
        .change(|it| it.base_url = "https://user:pass-word@a.example/v1?api_key=abcdef&v=12345".to_owned());
    let said = "sk-found tok-12345 pass-word abcdef 12345";
    let error =
        Error::new(ErrorKind::RateLimited, said).with_source(said).with_retry_after(Duration::from_secs(1));
    let clean = endpoint.without_secrets(error);
    assert_eq!(clean.message(), "*** *** *** *** 12345");
    assert_eq!(clean.retry_after(), Some(Duration::from_secs(1)));
    assert!(std::error::Error::source(&clean).is_none());
    assert_eq!((endpoint.peer(), endpoint.shown().as_str()), ("a.example", "https://a.example/v1"));
}

#[test]
fn one_variable_is_enough_for_both_apis_of_a_provider() {
    assert_eq!(OLLAMA.own_base("http://localhost:11434/v1/"), "http://localhost:11434");
    assert_eq!(
        DASHSCOPE.own_base("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        "https://dashscope-intl.aliyuncs.com/api/v1"
    );
    assert_eq!(GEMINI.own_base("https://g.example/v1beta/openai/"), "https://g.example/v1beta");
    assert_eq!(OPENAI.own_base("https://o.example/v1"), "https://o.example/v1");
}
