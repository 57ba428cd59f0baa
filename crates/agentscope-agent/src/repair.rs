//! JSON as models write it who were only asked for it: in a code block, between words, with a comma too many, without the last
//! bracket.

use serde_json::{Deserializer, Error, Value};
use std::borrow::Cow;

/// The JSON that a text has in it.
///
/// # Errors
/// What is wrong with the text as it is, if there is none in it.
pub(crate) fn repaired(text: &str) -> Result<Value, Error> {
    let text = text.trim();
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let block = code_block(text, "");
    let found = block.as_ref().and_then(|block| serde_json::from_str(block.content).ok());
    let found = found.or_else(|| first_value(text));
    let mended = |text: &str| first_value(&without_last_commas(text));
    let found = found.or_else(|| mended(block.as_ref().map_or(text, |block| block.content)));
    found.or_else(|| mended(text)).ok_or(error)
}

/// The same for an answer that is known to have ended by itself: brackets that were never closed are closed, but only where what
/// stands before them is whole. Nothing is made up: a text or a number that may go on is an error.
///
/// # Errors
/// What is wrong with the text as it is, if there is no JSON in it.
pub(crate) fn repaired_and_closed(text: &str) -> Result<Value, Error> {
    let error = match repaired(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let block = code_block(text, "").filter(|block| block.is_whole).map(|block| block.content);
    let text = block.unwrap_or(text);
    let begin = text.find(['{', '[']).and_then(|at| text.get(at..)).unwrap_or_default();
    let whole = closed(begin).and_then(|text| serde_json::from_str(&without_last_commas(&text)).ok());
    whole.ok_or(error)
}

/// What stands in a code block.
pub(crate) struct CodeBlock<'a> {
    pub(crate) content: &'a str,
    /// The same with all that follows, for content that has a fence in it.
    pub(crate) rest: &'a str,
    /// Its end is there too.
    pub(crate) is_whole: bool,
}

/// The first code block of a Markdown text in `language`, or the first of all if that is empty.
pub(crate) fn code_block<'a>(text: &'a str, language: &str) -> Option<CodeBlock<'a>> {
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once("```")?;
        let (head, body) = after.split_once('\n')?; // the name of the language stands before it
        let (content, next) = match body.split_once("```") {
            Some((content, next)) => (content, Some(next)),
            None => (body, None),
        };
        if language.is_empty() || head.trim().eq_ignore_ascii_case(language) {
            return Some(CodeBlock { content, rest: body, is_whole: next.is_some() });
        }
        rest = next?;
    }
}

/// The first object or list of a text that is whole, or nothing if the first one that begins as such is cut. Each place where one
/// may begin is tried, but no more than a few.
fn first_value(text: &str) -> Option<Value> {
    const TRIES: usize = 16;
    for (at, _) in text.match_indices(['{', '[']).take(TRIES) {
        let mut values = Deserializer::from_str(text.get(at..)?).into_iter();
        match values.next()? {
            Ok(value) => return Some(value),
            Err(error) if error.is_eof() => return None, // what is in it is a part of the answer, and not the answer
            Err(_) => {}
        }
    }
    None
}

/// With the brackets that are missing at the end; nothing if it breaks off in the middle of a text, a number or a word.
fn closed(text: &str) -> Option<Cow<'_, str>> {
    let mut open = Vec::new();
    let (mut in_text, mut escaped) = (false, false);
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '{' if !in_text => open.push('}'),
            '[' if !in_text => open.push(']'),
            '}' | ']' if !in_text && open.pop() != Some(letter) => return None,
            _ => {}
        }
    }
    let last = text.chars().next_back()?;
    // After a space, a line break or a comma a number has ended, and `}`, `]` and `"` end by themselves.
    let is_whole = !in_text && (last.is_whitespace() || matches!(last, '"' | '}' | ']' | ','));
    is_whole.then(|| match open.is_empty() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.chars().chain(open.into_iter().rev()).collect()),
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
    fn a_part_of_an_answer_that_was_cut_is_not_taken_for_the_answer() {
        assert!(repaired(r#"{"thought": {"plan": 1}, "vote": "Pla"#).is_err());
        assert_eq!(repaired(r#"Use {this}: {"a": 1}"#).unwrap(), json!({"a": 1}));
    }

    #[test]
    fn brackets_are_closed_only_behind_what_is_whole() {
        for (text, expected) in [
            (r#"{"a": [1, {"b": "x"}"#, json!({"a": [1, {"b": "x"}]})),
            (r#"{"a": "x","#, json!({"a": "x"})),
            ("```json\n{\"a\": 12\n```", json!({"a": 12})),
            ("{\"a\": 12\n", json!({"a": 12})),
            ("So: [\"x\", \"}\"", json!(["x", "}"])),
        ] {
            assert_eq!(repaired_and_closed(text).ok(), Some(expected), "{text}");
        }
        for text in [r#"{"a": 12"#, r#"{"a": "x"#, r#"{"a": tru"#, r#"{"a": "#, r#"{"a"#, r#"{"a": [}"#, "no"]
        {
            assert!(repaired_and_closed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_alone_and_what_is_cut_are_no_json() {
        for text in ["", "I do not know.", "{\"a\": ", "```json\n{\"a\"", "{{{{{{"] {
            assert!(repaired(text).is_err(), "{text}");
        }
    }
}
