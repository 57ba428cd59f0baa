//! What models write, read in the form that was asked for.

use agentscope_agent::{
    Keys, MarkdownCodeBlockParser, MarkdownJsonDictParser, MarkdownJsonObjectParser,
    MultiTaggedContentParser, ParseFault, Parser, ParserConfig, RegexTaggedContentParser, TaggedContent,
};
use agentscope_core::{Error, ErrorKind};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{error::Error as _, sync::Arc};

fn tags() -> MultiTaggedContentParser {
    MultiTaggedContentParser::new([
        TaggedContent::new("thought", "[THOUGHT]", "what you think", "[/THOUGHT]"),
        TaggedContent::new("speak", "[SPEAK]", "what you say", "[/SPEAK]"),
        TaggedContent::new("votes", "[VOTES]", "{\"name\": number}", "[/VOTES]").parse_json(),
    ])
}

fn all_parsers() -> Vec<Arc<dyn Parser>> {
    vec![
        Arc::new(MarkdownJsonObjectParser::new()),
        Arc::new(MarkdownJsonDictParser::new().required_keys(["a"]).keys_to_content("a")),
        Arc::new(MarkdownCodeBlockParser::new("python")),
        Arc::new(tags()),
        Arc::new(tags().keys_allow_missing(["thought", "speak", "votes"])),
        Arc::new(RegexTaggedContentParser::new()),
        Arc::new(RegexTaggedContentParser::new().required_keys(["a", "b"])),
        Arc::new(RegexTaggedContentParser::new().pattern(r"(?P<name>\w+): (?P<content>[^\n]*)").unwrap()),
    ]
}

#[test]
fn each_parser_tells_the_model_the_form_as_0_x_does() {
    let dict = MarkdownJsonDictParser::new().content_hint("{\"vote\": \"whom\"}");
    assert_eq!(
        dict.format_instruction(),
        "Respond a JSON dictionary in a markdown's fenced code block as follows:\n```json\n{\"vote\": \"whom\"}\n```"
    );
    assert_eq!(
        MarkdownCodeBlockParser::new("python").format_instruction(),
        "You should generate python code in a python fenced code block as follows: \n```python\n${your_python_code}\n```"
    );
    assert_eq!(
        tags().format_instruction(),
        "Respond with specific tags as outlined below, and the content between [VOTES] and [/VOTES] MUST be a JSON object:\n\
         [THOUGHT]what you think[/THOUGHT]\n[SPEAK]what you say[/SPEAK]\n[VOTES]{\"name\": number}[/VOTES]"
    );
    let regex = RegexTaggedContentParser::new();
    assert!(regex.format_instruction().contains("<{name1}>{content1}</{name1}>"));
    assert!(regex.required_keys(["speak"]).format_instruction().contains("<speak>{speak}</speak>"));
}

#[test]
fn json_is_read_where_models_put_it_and_mended_where_a_rule_can() {
    let parser = MarkdownJsonDictParser::new();
    let expected = json!({"code": "```\nx\n```", "n": 12});
    let whole = expected.to_string();
    for answer in [
        format!("```json\n{whole}\n```"),
        format!("```json\n{whole}"),
        format!("{whole}\n```"),
        format!("```json{whole}```"),
        whole.clone(),
        format!("Here you are: {whole} Anything else?"),
        format!("```python\n{{}}\n```\nand\n```json\n{whole}\n```"),
        format!("```json\n{}\n", whole.trim_end_matches('}')),
        format!("```json\n{},}}\n```", whole.trim_end_matches('}')),
    ] {
        assert_eq!(parser.parse(&answer).ok().as_ref(), Some(&expected), "{answer}");
    }
}

#[test]
fn errors_say_what_is_missing_what_was_seen_and_what_to_do_and_keep_the_answer_to_themselves() {
    let secret = "the password is swordfish";
    let dict = MarkdownJsonDictParser::new().required_keys(["vote", "why"]).keys_to_content("speak");
    let cases: Vec<(Arc<dyn Parser>, String, ParseFault, &str)> = vec![
        (
            Arc::new(dict.clone()),
            format!("{{\"vote\": \"{secret}\"}}"),
            ParseFault::MissingFields { fields: vec!["why".into(), "speak".into()] },
            "fields are missing: `why`, `speak`; there are `vote`: give all that are required",
        ),
        (
            Arc::new(dict.clone()),
            format!("[\"{secret}\"]"),
            ParseFault::NoObject,
            "the JSON is a list, and has to be a dictionary: write one, such as {\"field\": \"value\"}",
        ),
        (
            Arc::new(dict),
            secret.to_owned(),
            ParseFault::NoJson,
            "there is no JSON in the answer (expected ident at line 1 column 2): write it whole, between ```json and ```, with texts in \
             double quotation marks",
        ),
        (
            Arc::new(tags()),
            format!("[THOUGHT]{secret}[/THOUGHT] [VOTES]{{}}[/VOTES]"),
            ParseFault::MissingTag { tag: "[SPEAK]".into() },
            "the tag `[SPEAK]` is missing: write [SPEAK]what you say[/SPEAK]",
        ),
        (
            Arc::new(tags()),
            format!("[THOUGHT]a[/THOUGHT][SPEAK]b[/SPEAK][VOTES]{secret}[/VOTES]"),
            ParseFault::NoJson,
            "between [VOTES] and [/VOTES] is no JSON (expected ident at line 1 column 2): write JSON there alone, with texts in double \
             quotation marks",
        ),
        (
            Arc::new(RegexTaggedContentParser::new().required_keys(["speak"])),
            format!("<thought>{secret}</thought>"),
            ParseFault::MissingTag { tag: "<speak>".into() },
            "the tag `<speak>` is missing, and the parts that were found are `thought`: write <speak>..</speak>",
        ),
    ];
    for (parser, answer, fault, message) in cases {
        let error = parser.parse(&answer).unwrap_err();
        assert_eq!(
            (error.fault(), error.to_string().as_str(), error.raw()),
            (&fault, message, answer.as_str())
        );
        let error = Error::from(error);
        assert_eq!(error.kind(), ErrorKind::Refused);
        let shown = format!("{error} {error:?} {:?}", error.source());
        assert!(!shown.contains("swordfish"), "{shown}");
        let source = error.source().and_then(|it| it.downcast_ref::<agentscope_agent::ParseError>());
        assert_eq!(source.unwrap().raw(), answer, "who handles it has the answer");
    }
}

#[test]
fn a_tag_that_is_missing_at_one_end_is_put_there() {
    let expected = json!({"thought": "hm", "speak": "It is Eve.", "votes": {"Eve": 1}});
    for answer in [
        "[THOUGHT]hm[/THOUGHT][SPEAK]It is Eve.[/SPEAK][VOTES]{\"Eve\": 1}[/VOTES]",
        "[THOUGHT]hm\n[SPEAK]It is Eve.\n[VOTES]{\"Eve\": 1}",
        "hm[/THOUGHT]\nIt is Eve.[/SPEAK]\n{\"Eve\": 1,}[/VOTES]",
        "[VOTES]{\"Eve\": 1}[/VOTES] [SPEAK]It is Eve.[/SPEAK] [THOUGHT]hm[/THOUGHT]",
    ] {
        assert_eq!(tags().parse(answer).ok().as_ref(), Some(&expected), "{answer}");
    }
    let some = tags().keys_allow_missing(["votes", "thought"]).keys_to_memory(["thought", "speak"]);
    assert_eq!(some.parse("[SPEAK]hi[/SPEAK]").unwrap(), json!({"speak": "hi"}));

    let regex = RegexTaggedContentParser::new().required_keys(["thought", "speak"]);
    let read = |answer| regex.parse(answer).ok();
    assert_eq!(read("<thought>hm<speak>Eve"), Some(json!({"thought": "hm", "speak": "Eve"})));
    assert_eq!(read("<thought>hm</><speak>Eve</speak>"), Some(json!({"thought": "hm", "speak": "Eve"})));

    let code = MarkdownCodeBlockParser::new("python");
    for answer in [
        "```python\nprint(1)\n```",
        "```python\nprint(1)",
        "print(1)\n```",
        "```\nprint(1)\n```",
        "```Python\nprint(1)```",
    ] {
        assert_eq!(code.parse(answer).unwrap(), "print(1)", "{answer}");
    }
    assert!(code.parse("```rust\nmain()\n```").is_err(), "another language is not what was asked for");
}

#[test]
fn a_pattern_without_its_groups_or_of_no_sense_is_refused_with_what_to_do() {
    let refused =
        |pattern: &str| RegexTaggedContentParser::new().pattern(pattern).unwrap_err().message().to_owned();
    assert_eq!(
        refused(r"<(?P<name>\w+)>"),
        "the pattern of a parser cannot be used: it has no group `content`, add `(?P<content>..)`"
    );
    assert!(refused("(").contains("unclosed group"), "{}", refused("("));
    assert!(refused(r"<(?P<name>[^>]+)>(?P<content>.*?)</\1?>").contains("backreferences are not supported"));
}

#[test]
fn parsers_are_data_with_the_fields_of_0_x() {
    for json in [
        json!({"type": "markdown_json_object", "content_hint": [1]}),
        json!({"type": "markdown_json_dict", "required_keys": ["a"], "keys_to_memory": true, "keys_to_content": "a", "keys_to_metadata": ["a", "b"]}),
        json!({"type": "markdown_code_block", "language": "python"}),
        json!({"type": "multi_tagged_content", "tagged_contents": [{"name": "a", "tag_begin": "[A]", "content_hint": "..", "tag_end": "[/A]"}],
               "keys_to_memory": false, "keys_to_content": true, "keys_to_metadata": false}),
        json!({"type": "regex_tagged_content", "tagged_content_pattern": "(?P<name>a)(?P<content>b)", "try_parse_json": false,
               "keys_to_memory": true, "keys_to_content": true, "keys_to_metadata": false}),
    ] {
        let config: ParserConfig = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(config.parser().config()).unwrap(), json);
    }
    for wrong in [
        json!({"type": "markdown_json_dict", "key_to_content": "a"}),
        json!({"type": "regex_tagged_content", "tagged_content_pattern": "a"}),
        json!({"type": "markdown_code_block"}),
        json!({"type": "yaml"}),
    ] {
        assert!(serde_json::from_value::<ParserConfig>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn an_answer_of_tens_of_thousands_of_tags_takes_no_time_that_grows_with_its_square() {
    let begin = std::time::Instant::now();
    for tag in ["<a>", "</", "<", "</a", "<a></b>", "[THOUGHT]", "```", "{", "[", "\"", "{\"a\":"] {
        let answer = tag.repeat(20_000);
        for parser in all_parsers() {
            drop(parser.parse(&answer));
        }
    }
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}

fn names() -> impl Strategy<Value = String> {
    "[a-z]{1,8}"
}

/// JSON as models answer it.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~é\n]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(names(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(names(), json_value(), 1..5).prop_map(|map| json!(map))
}

proptest! {
    #[test]
    fn no_answer_makes_a_parser_panic(answer in "([\\[\\]{}\",:<>/`a-c\\\\ \n1é-]|```json\n|```python\n|\\[SPEAK\\]|\\[/SPEAK\\]|<a>|</a>){0,40}") {
        for parser in all_parsers() {
            if let Err(error) = parser.parse(&answer) {
                prop_assert_eq!(error.raw(), &answer);
            }
        }
    }

    #[test]
    fn an_answer_in_the_form_that_is_asked_for_is_read_as_it_is(value in object(), text in "[a-zA-Z0-9 .,é]{0,30}") {
        let fenced = format!("```json\n{value}\n```");
        prop_assert_eq!(MarkdownJsonObjectParser::new().parse(&fenced).unwrap(), value.clone());
        prop_assert_eq!(MarkdownJsonDictParser::new().parse(&fenced).unwrap(), value.clone());
        let code = MarkdownCodeBlockParser::new("python").parse(&format!("```python\n{text}\n```"));
        prop_assert_eq!(code.unwrap(), Value::from(text.clone()));
        let tagged = format!("[THOUGHT]{text}[/THOUGHT]\n[SPEAK]{text}[/SPEAK]\n[VOTES]{value}[/VOTES]");
        let read = tags().parse(&tagged).unwrap();
        prop_assert_eq!(read, json!({"thought": text.trim(), "speak": text.trim(), "votes": value}));
        let regex = RegexTaggedContentParser::new().try_parse_json(false).parse(&format!("<a>{text}</a> <b>{text}</b>"));
        prop_assert_eq!(regex.unwrap(), json!({"a": text.trim(), "b": text.trim()}));
    }

    /// Whatever was cut: an error, or what was said so far, and never something else.
    #[test]
    fn an_answer_cut_anywhere_is_an_error_or_the_beginning_of_itself(value in object(), share in 0.0..1.0f64) {
        let whole = format!("```json\n{value}\n```");
        let mut at = (whole.len() as f64 * share) as usize;
        while !whole.is_char_boundary(at) {
            at -= 1;
        }
        if let Ok(read) = MarkdownJsonDictParser::new().parse(&whole[..at]) {
            prop_assert!(is_beginning(&read, &value), "{} of {}", read, value);
        }
    }

    #[test]
    fn keys_survive_json(keys in prop_oneof![
        any::<bool>().prop_map(Keys::from),
        names().prop_map(Keys::One),
        proptest::collection::vec(names(), 0..3).prop_map(Keys::from),
    ]) {
        let json = serde_json::to_value(&keys).unwrap();
        prop_assert_eq!(serde_json::from_value::<Keys>(json).unwrap(), keys);
    }
}

/// Whether `read` has nothing that `whole` has not, and leaves out only what comes last.
fn is_beginning(read: &Value, whole: &Value) -> bool {
    match (read, whole) {
        (Value::Object(read), Value::Object(whole)) => {
            read.len() <= whole.len()
                && read
                    .iter()
                    .zip(whole)
                    .all(|(read, whole)| read.0 == whole.0 && is_beginning(read.1, whole.1))
        }
        (Value::Array(read), Value::Array(whole)) => {
            read.len() <= whole.len() && read.iter().zip(whole).all(|(read, whole)| is_beginning(read, whole))
        }
        (read, whole) => read == whole,
    }
}
