//! JSON as models write it who were only asked for it: in a code block, between words, with a comma too many.

use serde_json::{Deserializer, Error, Value};

/// The JSON that a text has in it.
///
/// # Errors
/// What is wrong with the text as it is, if there is none in it.
pub(super) fn repaired(text: &str) -> Result<Value, Error> {
    let text = text.trim();
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let block = code_block(text);
    let found = block.and_then(|block| serde_json::from_str(block).ok());
    let found = found.or_else(|| first_object(text));
    let mended = || first_object(&without_last_commas(block.unwrap_or(text)));
    found.or_else(mended).ok_or(error)
}

/// What stands in the first code block of a Markdown text.
fn code_block(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("```")?;
    let (_, body) = after.split_once('\n')?; // the name of the language stands before it
    body.split_once("```").map_or(Some(body), |(body, _)| Some(body))
}

/// The first object or list of a text that is whole. Each place where one may begin is tried, but no more than a few.
fn first_object(text: &str) -> Option<Value> {
    const TRIES: usize = 16;
    text.match_indices(['{', '[']).take(TRIES).find_map(|(at, _)| {
        let mut values = Deserializer::from_str(text.get(at..)?).into_iter();
        values.next()?.ok()
    })
}

/// Without the commas behind which an object or a list ends, but for those in texts.
fn without_last_commas(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let (mut in_text, mut escaped) = (false, false);
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '}' | ']' if !in_text => {
                let kept = mended.trim_end().trim_end_matches(',').len();
                mended.truncate(kept);
            }
            _ => {}
        }
        mended.push(letter);
    }
    mended
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_found_where_models_put_it() {
        let expected = json!({"a": [1, 2], "b": "x, }"});
        for text in [
            r#" {"a": [1, 2], "b": "x, }"} "#,
            "```json\n{\"a\": [1, 2], \"b\": \"x, }\"}\n```",
            "Sure! Here it is:\n```\n{\"a\": [1, 2], \"b\": \"x, }\"}\n```\nAnything else?",
            r#"The answer is {"a": [1, 2], "b": "x, }"}. Good?"#,
            r#"{"a": [1, 2,], "b": "x, }",}"#,
            "```json\n{\"a\": [1, 2,\n], \"b\": \"x, }\",\n}",
        ] {
            assert_eq!(repaired(text).unwrap(), expected, "{text}");
        }
        assert_eq!(repaired("[1, 2,]").unwrap(), json!([1, 2]));
        assert_eq!(repaired("\"word\"").unwrap(), json!("word"));
    }

    #[test]
    fn words_alone_and_what_is_cut_are_no_json() {
        for text in ["", "I do not know.", "{\"a\": ", "```json\n{\"a\"", "{{{{{{"] {
            assert!(repaired(text).is_err(), "{text}");
        }
    }
}
