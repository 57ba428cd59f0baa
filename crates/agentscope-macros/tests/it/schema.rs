//! What the model is told: name, description, schema.

use crate::{chunks, error, spec, text};
use agentscope_core::{Context, ToolRequest, tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{path::Path, time::Duration};

/// How warm it is shown.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Unit {
    Celsius,
    Fahrenheit,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Place {
    /// Its name.
    city: String,
    /// Its country.
    country: Option<String>,
}

const DAYS: u8 = 3;

/// Tells the weather
/// of a place.
///
/// It may be wrong.
#[tool]
async fn forecast(
    /// Where
    /// it is.
    place: Place,
    /// The unit.
    #[tool(default = Unit::Celsius)]
    unit: Unit,
    /// How many days.
    #[tool(default = DAYS)]
    #[schemars(range(max = 7))]
    days: u8,
    /// What to leave out.
    #[tool(default)]
    without: Vec<String>,
    /// The language.
    #[tool(default = "en")]
    language: String,
    /// Whom to greet.
    #[serde(rename = "greetTo", alias = "to")]
    greet_to: Option<String>,
) -> String {
    let country = place.country.unwrap_or_default();
    format!("{} {country} {unit:?} {days} {without:?} {language} {greet_to:?}", place.city)
}

#[test]
fn the_schema_is_what_the_signature_says() {
    let spec = spec(forecast);
    assert_eq!(spec.name, "forecast");
    assert_eq!(spec.description, "Tells the weather of a place.\n\nIt may be wrong.");
    assert_eq!(
        *spec.input_schema,
        json!({
            "type": "object",
            "properties": {
                "place": {"description": "Where it is.", "$ref": "#/$defs/Place"},
                "unit": {"description": "The unit.", "$ref": "#/$defs/Unit", "default": "celsius"},
                "days": {"description": "How many days.", "type": "integer", "format": "uint8", "minimum": 0,
                         "maximum": 7, "default": 3},
                "without": {"description": "What to leave out.", "type": "array", "items": {"type": "string"},
                            "default": []},
                "language": {"description": "The language.", "type": "string", "default": "en"},
                "greetTo": {"description": "Whom to greet.", "type": ["string", "null"]},
            },
            "required": ["place"],
            "additionalProperties": false,
            "$defs": {
                "Place": {
                    "type": "object",
                    "properties": {
                        "city": {"description": "Its name.", "type": "string"},
                        "country": {"description": "Its country.", "type": ["string", "null"]},
                    },
                    "required": ["city"],
                },
                "Unit": {"description": "How warm it is shown.", "type": "string", "enum": ["celsius", "fahrenheit"]},
            },
        })
    );
    let order: Vec<_> = spec.input_schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(order, ["place", "unit", "days", "without", "language", "greetTo"]);
}

#[test]
fn the_spec_is_made_once() {
    assert!(std::sync::Arc::ptr_eq(&spec(forecast), &spec(forecast)));
}

#[tokio::test]
async fn what_is_left_out_has_its_default() {
    let answer = text(forecast, json!({"place": {"city": "Rome"}})).await.unwrap();
    assert_eq!(answer, "Rome  Celsius 3 [] en None");
    let input = json!({"place": {"city": "Rome", "country": "IT"}, "unit": "fahrenheit", "days": 1, "without": ["rain"],
                       "language": "it", "to": "Ada"});
    assert_eq!(text(forecast, input).await.unwrap(), r#"Rome IT Fahrenheit 1 ["rain"] it Some("Ada")"#);
}

#[tokio::test]
async fn wrong_arguments_are_told_with_their_path() {
    let told = async |input| error(forecast, input).await.to_string();
    let base = "the arguments of `forecast` do not fit: ";
    assert_eq!(
        told(json!({"place": {"city": "Rome"}, "dayz": 2})).await,
        format!(
            "{base}at `dayz`: unknown field `dayz`, expected one of `place`, `unit`, `days`, `without`, `language`, \
             `greetTo`, `to`"
        )
    );
    assert_eq!(
        told(json!({"place": {"city": 5}})).await,
        format!("{base}at `place.city`: invalid type: integer `5`, expected a string")
    );
    assert_eq!(
        told(json!({"place": {"city": "Rome"}, "without": ["a", 1]})).await,
        format!("{base}at `without[1]`: invalid type: integer `1`, expected a string")
    );
    assert_eq!(
        told(json!({"place": {"city": "Rome"}, "unit": "kelvin"})).await,
        format!("{base}at `unit`: unknown variant `kelvin`, expected `celsius` or `fahrenheit`")
    );
    assert_eq!(told(json!({})).await, format!("{base}missing field `place`"));
    assert_eq!(
        told(json!("Rome")).await,
        format!("{base}invalid type: string \"Rome\", expected an object of arguments")
    );
}

/// Does what its options say.
#[tool(
    name = "do-it",
    description = "Told by an option.",
    read_only,
    idempotent,
    parallel = false,
    timeout = "1500ms",
    slots("plan", "todo")
)]
async fn with_options() {}

/// Slow.
#[tool(timeout = 90)]
async fn slow() {}

#[test]
fn options_are_in_the_spec() {
    let it = spec(with_options);
    assert_eq!((it.name.as_str(), it.description.as_str()), ("do-it", "Told by an option."));
    assert!(it.read_only && it.idempotent && !it.runs_beside_others());
    assert_eq!((it.timeout_ms, it.slots.as_slice()), (Some(1500), &["plan".into(), "todo".into()][..]));
    assert_eq!(*it.input_schema, json!({"type": "object", "properties": {}, "additionalProperties": false}));

    let it = spec(slow);
    assert!(!it.read_only && !it.idempotent && it.parallel.is_none() && it.slots.is_empty());
    assert_eq!(it.timeout_ms, Some(90_000));
}

#[tokio::test]
async fn no_arguments_may_be_null() {
    assert_eq!(text(slow, json!(null)).await.unwrap(), "done");
    assert_eq!(text(slow, json!({})).await.unwrap(), "done");
}

/// Where the caller is.
#[tool]
async fn whereabouts(
    cx: &Context,
    /// The word before.
    before: &str,
    _: ToolRequest,
    /// Numbers.
    numbers: &[u32],
    /// A file.
    path: &Path,
) -> String {
    format!("{before} {} {} {}", cx.path().len(), numbers.len(), path.display())
}

/// Reads a slot.
#[tool(slots("plan"))]
async fn read_slot(req: &ToolRequest, cx: Context) -> String {
    format!("{} {} {}", req.call_id, req.slots.len(), cx.interrupt().is_triggered())
}

#[tokio::test]
async fn context_and_request_are_passed_on_and_are_no_arguments() {
    let schema = &spec(whereabouts).input_schema;
    let names: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["before", "numbers", "path"]);
    let input = json!({"before": "at", "numbers": [1, 2], "path": "/tmp"});
    assert_eq!(text(whereabouts, input).await.unwrap(), "at 0 2 /tmp");
    assert_eq!(text(read_slot, json!({})).await.unwrap(), "call_1 0 false");
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Range {
    /// First.
    from: u32,
    /// Last.
    #[serde(default)]
    to: u32,
}

/// Cuts.
#[tool]
async fn cut(
    /// What.
    text: String,
    /// Its fields stand beside the others.
    #[serde(flatten)]
    range: Range,
) -> String {
    format!("{text} {}..{}", range.from, range.to)
}

#[tokio::test]
async fn flattened_parameters_are_arguments_of_their_own() {
    assert_eq!(spec(cut).input_schema["required"], json!(["text", "from"]));
    assert_eq!(text(cut, json!({"text": "a", "from": 2})).await.unwrap(), "a 2..0");
    assert!(error(cut, json!({"text": "a"})).await.to_string().contains("missing field `from`"));
}

/// Picks a file in the browser.
#[tool(external, timeout = "5m")]
async fn pick_file(
    /// Where to begin.
    folder: String,
) -> String;

#[tokio::test]
async fn an_external_tool_is_a_spec_alone() {
    let it = spec(pick_file);
    assert!(it.external && it.timeout_ms == Some(Duration::from_secs(300).as_millis() as u64));
    assert!(it.input_schema["properties"]["folder"].is_object());
    assert!(chunks(pick_file, json!({"folder": "/"})).await.is_err());
}
