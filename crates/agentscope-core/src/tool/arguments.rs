//! Reading a tool's arguments, with an error that says where they are wrong.

use crate::error::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Reads a tool's arguments; `null` is the empty object.
///
/// # Errors
/// [`ErrorKind::InvalidInput`], with the path of what does not fit.
pub fn arguments<T: DeserializeOwned>(tool: &str, input: &Value) -> Result<T> {
    let empty;
    let input = if input.is_null() {
        empty = Value::Object(Map::new());
        &empty
    } else {
        input
    };
    T::deserialize(input).map_err(|error| {
        let message = error.to_string();
        let place = match culprit::<T>(input, &message) {
            path if path.is_empty() => String::new(),
            path => format!("at `{path}`: "),
        };
        let message = format!("the arguments of `{tool}` do not fit: {place}{message}");
        Error::new(ErrorKind::InvalidInput, message).with_source(error)
    })
}

/// The path of the value at which reading fails with `message`, such as `stops[2].city`.
///
/// serde reads in order and stops at the first fault. So of each object and list on the way, the shortest beginning that
/// fails in the same way ends with the culprit.
fn culprit<T: DeserializeOwned>(input: &Value, message: &str) -> String {
    const AT_THE_VALUE: [&str; 4] = ["invalid type", "invalid value", "unknown field", "unknown variant"];
    let mut path = String::new();
    if !AT_THE_VALUE.iter().any(|fault| message.starts_with(fault)) {
        return path;
    }
    let fails = |input: &Value| T::deserialize(input).is_err_and(|error| error.to_string() == message);
    let (mut input, mut pointer) = (input.clone(), String::new());
    while let Some(count) = input.pointer(&pointer).map(children)
        && count > 0
        && !fails(&shortened(&input, &pointer, 0))
    {
        let (mut fits, mut fault) = (0, count);
        while fault - fits > 1 {
            let middle = fits.midpoint(fault);
            if fails(&shortened(&input, &pointer, middle)) {
                fault = middle;
            } else {
                fits = middle;
            }
        }
        input = shortened(&input, &pointer, fault);
        match input.pointer(&pointer) {
            Some(Value::Object(fields)) => {
                let Some(name) = fields.keys().next_back() else { break };
                pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            }
            _ => {
                pointer = format!("{pointer}/{}", fault - 1);
                path = format!("{path}[{}]", fault - 1);
            }
        }
    }
    path
}

fn children(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    }
}

/// `input`, but of what is at `pointer` only the first `count` children.
fn shortened(input: &Value, pointer: &str, count: usize) -> Value {
    let mut input = input.clone();
    match input.pointer_mut(pointer) {
        Some(Value::Array(items)) => items.truncate(count),
        Some(Value::Object(fields)) => *fields = std::mem::take(fields).into_iter().take(count).collect(),
        _ => {}
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Trip {
        #[serde(default)]
        title: String,
        stops: Vec<Stop>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Stop {
        city: String,
        nights: Option<u32>,
    }

    fn message(input: Value) -> String {
        arguments::<Trip>("book", &input).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_the_path_of_what_does_not_fit() {
        let stop = json!({"city": "Rome", "nights": 1});
        let wrong = json!({"city": "Oslo", "nights": "two"});
        assert_eq!(
            message(json!({"title": "x", "stops": [stop, stop, wrong, wrong, stop]})),
            "the arguments of `book` do not fit: at `stops[2].nights`: invalid type: string \"two\", expected u32"
        );
        let shorter = message(json!({"title": 7, "stops": 7}));
        assert!(shorter.contains("at `title`: invalid type: integer `7`, expected a string"), "{shorter}");
        let unknown = message(json!({"stops": [], "colour": "red", "x": 1}));
        assert!(
            unknown.contains("at `colour`: unknown field `colour`, expected `title` or `stops`"),
            "{unknown}"
        );
    }

    #[test]
    fn an_error_names_what_is_missing() {
        let missing = message(json!({"stops": [{"nights": 1}]}));
        assert_eq!(missing, "the arguments of `book` do not fit: missing field `city`");
    }
}
