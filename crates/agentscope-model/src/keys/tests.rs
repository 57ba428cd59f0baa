use super::*;

const ANTHROPIC: &str = "sk-ant-api03-0123456789";
const GEMINI: &str = "AIzaSy0123456789abcdef";

fn hint(needed: &str, environment: impl Into<Environment>) -> Option<String> {
    key_hint(needed, &environment.into())
}

#[test]
fn a_key_in_the_wrong_variable_is_told() {
    let cases: [(&str, &[(&str, &str)], &str); 12] = [
        ("DASHSCOPE_API_KEY", &[("OPENAI_API_KEY", "sk-1")], "OPENAI_API_KEY is set, which is for OpenAI"),
        (
            "DASHSCOPE_API_KEY",
            &[("OPENAI_API_KEY", "sk-1"), ("XAI_API_KEY", "x")],
            "OPENAI_API_KEY is set, which is for OpenAI; XAI_API_KEY is set, which is for xAI",
        ),
        (
            "ANTHROPIC_API_KEY",
            &[("OPENAI_API_KEY", ANTHROPIC), ("XAI_API_KEY", "x")],
            "the value of OPENAI_API_KEY looks like a key of Anthropic",
        ),
        ("GEMINI_API_KEY", &[("MY_KEY", GEMINI)], "the value of MY_KEY looks like a key of Gemini"),
        ("ZHIPUAI_API_KEY", &[("ZAI_API_KEY", "k")], "ZAI_API_KEY is set, which is not read here"),
        ("OPENAI_API_KEY", &[("OPENAI_KEY", "sk-1")], "OPENAI_KEY is set, which is not read: rename it"),
        (
            "OPENAI_API_KEY",
            &[("OPENAI_APIKEY", "sk-1")],
            "OPENAI_APIKEY is set, which is not read: rename it",
        ),
        (
            "OPENAI_API_KEY",
            &[("OPNAI_API_KEY", "sk-1")],
            "OPNAI_API_KEY is set, which is not read: rename it",
        ),
        (
            "OPENAI_API_KEY",
            &[("openai_api_key", "sk-1")],
            "openai_api_key is set, which is not read: rename it",
        ),
        ("OPENAI_API_KEY", &[("OPENAI_API_KEY", "  ")], "OPENAI_API_KEY is set and empty"),
        (
            "OPENAI_API_KEY",
            &[("OPENAI_API_KEY", ANTHROPIC)],
            "the value of OPENAI_API_KEY looks like a key of Anthropic, which ANTHROPIC_API_KEY is for",
        ),
        (
            "DASHSCOPE_API_KEY",
            &[("DASHSCOPE_API_KEY", "\"sk-123\"")],
            "the value of DASHSCOPE_API_KEY is in quotation marks: leave them out",
        ),
    ];
    for (needed, variables, told) in cases {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let said = key_hint(needed, &Environment(variables.collect()));
        assert_eq!(said.as_deref(), Some(told), "{needed}");
    }
}

#[test]
fn nothing_is_told_of_an_environment_that_has_nothing_to_do_with_it() {
    assert_eq!(hint("OPENAI_API_KEY", []), None);
    let others = [("PATH", "/bin"), ("OPENAI_BASE_URL", "http://a"), ("SSH_KEY", "k"), ("XAI_API_KEY", " ")];
    assert_eq!(hint("OPENAI_API_KEY", others), None);
    assert_eq!(hint("OPENAI_API_KEY", [("OPENAI_API_KEY", "sk-proj-0123456789abcdef")]), None);
}

#[test]
fn no_value_is_ever_told() {
    let secret = "sk-ant-do-not-tell-me-0123456789";
    for name in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_KEY", "ANTHROPIC_KEY", "OTHER"] {
        for needed in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"] {
            let told = hint(needed, [(name, secret)]).unwrap_or_default();
            assert!(!told.contains("do-not"), "{told}");
        }
    }
}

#[test]
fn a_fault_is_told_only_where_it_is_sure() {
    for (key, told) in [
        ("{your_api_key}", Some("is a placeholder: put a key in its place")),
        ("<key>", Some("is a placeholder: put a key in its place")),
        ("${OPENAI_API_KEY}", Some("is a placeholder: put a key in its place")),
        ("YOUR_API_KEY", Some("is a placeholder: put a key in its place")),
        ("*******", Some("is a placeholder: put a key in its place")),
        ("Bearer sk-1", Some("begins with `Bearer`: leave it out")),
        ("'sk-1'", Some("is in quotation marks: leave them out")),
        ("hf_0123456789abcdef", Some("looks like a key of Hugging Face, which HF_TOKEN is for")),
        ("sk-0123456789abcdef", None),
        ("hf_short", None),
        ("EMPTY", None),
        ("xxx", None),
        ("", None),
        ("\"", None),
        ("schlüssel", None),
    ] {
        assert_eq!(key_fault("OPENAI_API_KEY", key).as_deref(), told, "{key}");
    }
    assert_eq!(key_fault("AGENTSCOPE_API_KEY", ANTHROPIC), None);
    assert_eq!(key_fault("ANTHROPIC_API_KEY", ANTHROPIC), None);
    assert_eq!(key_fault("GOOGLE_API_KEY", GEMINI), None);
}

#[test]
fn variables_of_the_process_are_read_without_blanks() {
    let environment: Environment = [("A", " a "), ("B", " ")].into();
    assert_eq!(
        (environment.value("A"), environment.value("B"), environment.value("C")),
        (Some("a"), None, None)
    );
    assert!(Environment::of_process().value("PATH").is_some());
}
