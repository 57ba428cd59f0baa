use super::*;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::json;

/// What a form gives for these lines, each of which it has to ask for.
fn filled(schema: &Value, lines: &[&str]) -> Value {
    let mut form = Form::new(schema).unwrap();
    for line in lines {
        assert!(form.prompt().is_some(), "nothing is asked for `{line}`: {form:?}");
        form.answer(line);
    }
    assert_eq!(form.prompt(), None);
    form.output().cloned().unwrap()
}

/// Why a line is asked again.
fn refused(schema: &Value, line: &str) -> String {
    let mut form = Form::new(schema).unwrap();
    form.answer(line);
    assert_eq!(form.output(), None);
    form.prompt().unwrap().wrong.unwrap()
}

fn asked(form: &Form) -> String {
    form.prompt().unwrap().to_string()
}

#[test]
fn a_choice_is_made_by_name_else_by_number() {
    let sizes = json!({"enum": ["small", "large", 2, 1]});
    for (line, size) in
        [("small", json!("small")), ("LARGE", json!("large")), ("2", json!(2)), ("4", json!(1))]
    {
        assert_eq!(filled(&sizes, &[line]), size, "{line}");
    }
    assert_eq!(refused(&sizes, "5"), "`5` is none of: small, large, 2, 1");
    let described = json!({"title": "Sky", "oneOf": [
        {"const": "clear", "description": "no cloud"}, {"const": "grey"},
    ]});
    let form = Form::new(&described).unwrap();
    assert_eq!(asked(&form), "Sky (one of these, by number or name)\n  1. clear: no cloud\n  2. grey");
    assert_eq!(filled(&described, &["1"]), "clear");
}

#[test]
fn an_empty_line_is_the_default_else_nothing_else_no_answer() {
    let schema = json!({"type": "object", "required": ["a", "b", "e"], "properties": {
        "a": {"type": "integer", "default": 7},
        "b": {"type": ["string", "null"]},
        "c": {"type": "string"},
        "d": {"type": "object", "properties": {"x": {"type": "string"}}},
        "e": {"type": "string", "minLength": 0},
    }});
    assert_eq!(filled(&schema, &["", "", "", "", "", "\"\""]), json!({"a": 7, "b": null, "e": ""}));
    assert_eq!(
        filled(&schema, &["1", "x", "y", "yes", "", "e"]),
        json!({"a": 1, "b": "x", "c": "y", "d": {}, "e": "e"})
    );
    let form = Form::new(&schema).unwrap();
    assert_eq!(asked(&form), "a (whole number, or nothing for 7)");
    let bad_default = json!({"type": "integer", "default": "x"});
    assert_eq!(refused(&bad_default, ""), "an answer is needed");
}

#[test]
fn a_line_that_does_not_fit_is_asked_again_with_the_reason() {
    assert_eq!(refused(&json!({"type": "integer"}), "1.5"), "`1.5` is no whole number, such as 42");
    assert_eq!(refused(&json!({"type": "boolean"}), "maybe"), "`maybe` is neither y nor n");
    assert!(refused(&json!({"type": "string", "maxLength": 2}), "abc").contains("longer than 2"));
    assert!(refused(&json!({"type": "array", "items": {"type": "integer"}}), "1,x").contains("`x`"));
    assert!(refused(&json!(true), "{").starts_with("it is no JSON"));
    let mut form = Form::new(&json!({"type": "integer", "title": "Age"})).unwrap();
    form.answer("x");
    assert_eq!(asked(&form), "That does not fit: `x` is no whole number, such as 42\nAge (whole number)");
    form.answer("3");
    assert_eq!((form.prompt(), form.output()), (None, Some(&json!(3))));
    form.answer("4");
    assert_eq!(form.output(), Some(&json!(3)), "what is filled in stays");
}

#[test]
fn what_is_certain_is_not_asked() {
    let schema = json!({"type": "object", "required": ["kind", "inner"], "properties": {
        "kind": {"const": "circle"}, "inner": {"type": "object", "properties": {}}, "never": false,
    }});
    assert_eq!(filled(&schema, &[]), json!({"kind": "circle", "inner": {}}));
}

#[test]
fn one_of_several_kinds_is_chosen_first_and_its_fields_follow() {
    let shapes = json!({"oneOf": [
        {"type": "object", "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}}, "required": ["kind", "r"]},
        {"type": "object", "properties": {"Square": {"type": "number"}}, "required": ["Square"]},
        {"type": "string", "enum": ["Point"]},
    ]});
    assert_eq!(filled(&shapes, &["circle", "2"]), json!({"kind": "circle", "r": 2}));
    assert_eq!(filled(&shapes, &["2", "0.5"]), json!({"Square": 0.5}));
    assert_eq!(filled(&shapes, &["3", "point"]), "Point");
}

#[test]
fn a_rule_that_no_field_breaks_alone_is_met_by_json() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "minProperties": 1});
    let mut form = Form::new(&schema).unwrap();
    form.answer("");
    form.answer("");
    let again = form.prompt().unwrap();
    assert!(
        (again.hint.as_str(), again.wrong.is_some()) == ("JSON, or nothing", true) || again.hint == "JSON",
        "{again:?}"
    );
    form.answer(r#"{"b": "x"}"#);
    assert_eq!(form.output(), Some(&json!({"b": "x"})));
}

#[test]
fn the_field_that_is_wrong_in_the_whole_is_the_one_that_is_asked_again() {
    let schema = json!({
        "type": "object", "required": ["a", "b"],
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "if": {"properties": {"a": {"const": "few"}}}, "then": {"properties": {"b": {"maximum": 3}}},
    });
    let plain = json!({"allOf": [schema]});
    assert_eq!(
        asked(&Form::new(&plain).unwrap()),
        "answer (JSON)",
        "a rule between fields cannot be asked field by field"
    );
    let schema = json!({
        "$id": "https://example.org/s", "type": "object", "required": ["a", "b"],
        "properties": {"a": {"type": "string"}, "b": {"type": "integer", "maximum": 3}},
    });
    let mut form = Form::new(&schema).unwrap();
    for line in ["few", "5"] {
        form.answer(line); // its parts cannot be read apart, so only the whole tells what is wrong
    }
    let again = form.prompt().unwrap();
    assert_eq!((again.name.as_str(), again.hint.as_str()), ("b", "whole number"));
    form.answer("6");
    let again = form.prompt().unwrap();
    assert_eq!((again.name.as_str(), again.hint.as_str()), ("b", "JSON"), "by which all can be said");
    form.answer("3");
    assert_eq!(form.output(), Some(&json!({"a": "few", "b": 3})));
}

#[test]
fn a_field_that_is_wrong_is_asked_again_before_all_that_contains_it() {
    let mut form = Form::new(&json!({
        "$id": "https://example.org/s", "type": "object", "required": ["a"], "minProperties": 2,
        "properties": {"a": {"type": "integer", "maximum": 3}, "b": {"type": "integer"}},
    }))
    .unwrap();
    for line in ["5", ""] {
        form.answer(line);
    }
    assert_eq!(form.prompt().unwrap().name, "a");
    form.answer("3");
    assert_eq!(form.prompt().unwrap().name, "answer");
    form.answer(r#"{"a": 3, "b": 4}"#);
    assert_eq!(form.output(), Some(&json!({"a": 3, "b": 4})));
}

#[test]
fn a_schema_without_end_is_asked_to_an_end() {
    let tree = json!({"$ref": "#/$defs/tree", "$defs": {"tree": {
        "type": "object", "required": ["l", "r"],
        "properties": {"l": {"$ref": "#/$defs/tree"}, "r": {"$ref": "#/$defs/tree"}, "n": {"type": "integer"}},
    }}});
    let mut form = Form::new(&tree).unwrap();
    assert_eq!(form.prompt().unwrap().name, "l.l.l.l.l.l.l.l");
    form.answer("{}");
    assert!(form.prompt().unwrap().wrong.is_some());
    for schema in [json!({"$ref": "#"}), json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})]
    {
        let Ok(form) = Form::new(&schema) else { continue };
        assert!(form.prompt().is_none_or(|prompt| prompt.hint == "JSON"));
    }
    let error = Form::new(&json!({"type": 3})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

/// A schema, a value by it, and the lines by which a person says that value.
#[derive(Clone, Debug)]
enum Sample {
    Text(String),
    Whole(i64),
    Number(f64),
    YesNo(bool),
    Choice(usize),
    List(Vec<i64>),
    Json(Value),
    Variant(Box<Sample>),
    Shared(Box<Sample>),
    Nullable(Box<Sample>, bool),
    Object(Vec<(Sample, bool, bool)>),
}

impl Sample {
    fn schema(&self, definitions: &mut Map<String, Value>) -> Value {
        match self {
            Self::Text(_) => json!({"type": "string", "minLength": 1}),
            Self::Whole(_) => json!({"type": "integer"}),
            Self::Number(_) => json!({"type": "number"}),
            Self::YesNo(_) => json!({"type": "boolean"}),
            Self::Choice(_) => json!({"enum": ["red", "green", "blue"]}),
            Self::List(_) => json!({"type": "array", "items": {"type": "integer"}}),
            Self::Json(_) => json!({}),
            Self::Variant(inner) => {
                let inner = inner.schema(definitions);
                let object =
                    |key: &str| json!({"type": "object", "properties": {key: inner}, "required": [key]});
                json!({"oneOf": [object("One"), object("Two")]})
            }
            Self::Shared(inner) => {
                let inner = inner.schema(definitions);
                let name = format!("d{}", definitions.len());
                let reference = format!("#/$defs/{name}");
                definitions.insert(name, inner);
                json!({"$ref": reference})
            }
            Self::Nullable(inner, _) => json!({"anyOf": [inner.schema(definitions), {"type": "null"}]}),
            Self::Object(fields) => {
                let named = || (0..).map(|at| format!("f{at}")).zip(fields);
                let required: Vec<_> = named().filter(|(_, field)| field.1).map(|(name, _)| name).collect();
                let properties: Map<_, _> =
                    named().map(|(name, field)| (name, field.0.schema(definitions))).collect();
                json!({"type": "object", "properties": properties, "required": required})
            }
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Whole(number) => json!(number),
            Self::Number(number) => json!(number),
            Self::YesNo(yes) => json!(yes),
            Self::Choice(at) => json!(["red", "green", "blue"][*at]),
            Self::List(items) => json!(items),
            Self::Json(value) => value.clone(),
            Self::Variant(inner) => json!({"Two": inner.value()}),
            Self::Shared(inner) => inner.value(),
            Self::Nullable(inner, there) => {
                if *there {
                    inner.value()
                } else {
                    Value::Null
                }
            }
            Self::Object(fields) => {
                let said = (0..).zip(fields).filter(|(_, field)| field.0.is_said(field.1, field.2));
                said.map(|(at, field)| (format!("f{at}"), field.0.value())).collect::<Map<_, _>>().into()
            }
        }
    }

    /// Whether a field is there; one that may be left out is so if it would be `null`.
    fn is_said(&self, required: bool, there: bool) -> bool {
        required || (there && self.value() != Value::Null)
    }

    fn is_object(&self) -> bool {
        match self {
            Self::Object(_) => true,
            Self::Shared(inner) | Self::Nullable(inner, _) => inner.is_object(),
            _ => false,
        }
    }

    fn lines(&self, lines: &mut Vec<String>) {
        match self {
            Self::Text(text) => lines.push(format!(" {text}")),
            Self::Choice(at) => lines.push((at + 1).to_string()),
            Self::List(items) if !items.is_empty() => {
                lines.push(items.iter().map(i64::to_string).collect::<Vec<_>>().join(", "));
            }
            Self::Variant(inner) => {
                lines.push("two".to_owned());
                inner.lines(lines);
            }
            Self::Shared(inner) => inner.lines(lines),
            Self::Nullable(_, false) => lines.push(String::new()),
            Self::Nullable(inner, true) => {
                lines.extend(inner.is_object().then(|| "y".to_owned()));
                inner.lines(lines);
            }
            Self::Object(fields) => {
                for (sample, required, there) in fields {
                    if !sample.is_said(*required, *there) {
                        lines.push(String::new());
                        continue;
                    }
                    let asked_already = matches!(sample, Self::Nullable(..));
                    lines.extend(
                        (!required && sample.is_object() && !asked_already).then(|| "yes".to_owned()),
                    );
                    sample.lines(lines);
                }
            }
            other => lines.push(other.value().to_string()),
        }
    }
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let leaf = prop_oneof![
        "[a-z][a-z0-9 ,.]{0,8}[a-z]".prop_map(Sample::Text),
        any::<i64>().prop_map(Sample::Whole),
        (-1e9..1e9).prop_map(Sample::Number),
        any::<bool>().prop_map(Sample::YesNo),
        (0..3usize).prop_map(Sample::Choice),
        vec(any::<i64>(), 0..4).prop_map(Sample::List),
        select(vec![json!({"a": [1, null]}), json!("text"), json!(3.5), json!([])]).prop_map(Sample::Json),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let there =
            inner.clone().prop_filter("null stands for one thing", |it| !matches!(it, Sample::Nullable(..)));
        prop_oneof![
            3 => vec((inner.clone(), any::<bool>(), any::<bool>()), 0..4).prop_map(Sample::Object),
            1 => inner.clone().prop_map(|it| Sample::Variant(Box::new(it))),
            1 => there.clone().prop_filter("as above", |it| !matches!(it, Sample::Shared(_)))
                .prop_map(|it| Sample::Shared(Box::new(it))),
            1 => (there, any::<bool>()).prop_map(|(it, there)| Sample::Nullable(Box::new(it), there)),
        ]
    })
}

/// Schemas of all sorts, also such as nothing fits.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = select(vec![
        json!(true),
        json!(false),
        json!({}),
        json!({"type": "string", "pattern": "^[a-z]+$"}),
        json!({"type": "integer", "minimum": 3, "default": 1}),
        json!({"type": ["number", "null"], "exclusiveMaximum": 5}),
        json!({"type": "boolean"}),
        json!({"const": {"a": 1}}),
        json!({"enum": ["y", 1, null]}),
        json!({"type": "null"}),
        json!({"$ref": "#"}),
        json!({"type": "object", "properties": {"p0": {"$ref": "#"}, "p1": true}}),
        json!({"type": "array", "items": {"$ref": "#"}}),
        json!({"not": {"type": "string"}}),
    ]);
    leaf.prop_recursive(3, 20, 4, |inner| {
        let list = vec(inner.clone(), 1..4);
        prop_oneof![
            3 => (vec(inner.clone(), 0..4), vec(select(vec!["p0", "p1", "p9"]), 0..3), 0..3u32).prop_map(
                |(properties, mut required, least)| {
                    required.sort_unstable();
                    required.dedup();
                    let properties: Map<_, _> = (0..).map(|at| format!("p{at}")).zip(properties).collect();
                    json!({"type": "object", "properties": properties, "required": required, "minProperties": least})
                }
            ),
            1 => inner.clone().prop_map(|items| json!({"type": "array", "items": items, "minItems": 1})),
            1 => list.clone().prop_map(|all| json!({"allOf": all})),
            1 => list.clone().prop_map(|any| json!({"anyOf": any})),
            1 => list.prop_map(|one| json!({"oneOf": one})),
            1 => inner.prop_map(|it| json!({"anyOf": [it, {"type": "null"}]})),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_answers_what_is_asked_gets_the_value_that_they_mean(sample in any_sample()) {
        let mut definitions = Map::new();
        let schema = sample.schema(&mut definitions);
        let schema = json!({"allOf": [schema], "$defs": definitions});
        let (mut lines, value) = (Vec::new(), sample.value());
        sample.lines(&mut lines);
        let mut form = Form::new(&schema).unwrap();
        for line in &lines {
            prop_assert!(form.prompt().is_some(), "nothing is asked for `{}` of {:?}: {:?}", line, lines, form);
            form.answer(line);
            let wrong = form.prompt().and_then(|it| it.wrong);
            prop_assert_eq!(wrong, None, "`{}` of {:?} in {}", line, lines, schema);
        }
        prop_assert_eq!(form.prompt(), None, "{:?} were not enough for {}", lines, schema);
        prop_assert_eq!(form.output(), Some(&value));
    }

    #[test]
    fn whatever_lines_are_typed_the_value_is_valid_or_the_form_still_asks(
        schema in any_schema(),
        lines in vec(select(vec![
            "", "y", "n", "1", "2", "3", "-7", "4.5", "abc", "a,b", "1,2", "null", "[]", "[1]", "{}", "{",
            r#""x""#, r#"{"p0": "a", "p1": 4}"#, r#"{"p0": null, "p9": []}"#, "\u{0}", "true", "ß\r",
        ]), 0..40),
    ) {
        let Ok(mut form) = Form::new(&schema) else { return Ok(()) };
        let validator = jsonschema::validator_for(&schema).unwrap();
        for line in lines {
            let Some(prompt) = form.prompt() else { break };
            prop_assert!(!prompt.name.is_empty() && !prompt.hint.is_empty());
            prop_assert_eq!(form.output(), None);
            form.answer(line);
        }
        match form.output() {
            Some(value) => prop_assert!(validator.is_valid(value), "{} by {}", value, schema),
            None => prop_assert!(form.prompt().is_some()),
        }
    }
}
