//! Any history of any speakers is a conversation that Gemini accepts, and nothing that was said in it is lost.

use super::*;
use crate::conversation::testing::{count, is_tool_name, request, words_of};
use proptest::prelude::*;

fn named<'a>(content: &'a Value, field: &str) -> Vec<&'a Value> {
    content["parts"].as_array().unwrap().iter().filter_map(|part| part.get(field)).collect()
}

proptest! {
    #[test]
    fn any_history_is_a_conversation_that_gemini_accepts(
        req in request(), series in proptest::sample::select(vec![Series::Old, Series::New]), sees in any::<bool>(),
    ) {
        let format = Gemini(series);
        let body = if sees { encoded_seeing(&format, &req) } else { encoded(&format, &req, |_| {}) };
        let words = words_of(&req);
        let Ok(body) = body else {
            prop_assert!(words.iter().all(|text| text.is_empty()), "{words:?} is lost");
            return Ok(());
        };
        let contents = body["contents"].as_array().unwrap();
        prop_assert_eq!(&contents[0]["role"], "user", "a user begins: {:#}", body);
        for (at, content) in contents.iter().enumerate() {
            prop_assert_eq!(&content["role"], ["user", "model"][at % 2], "they take turns: {:#}", body);
            let parts = content["parts"].as_array().unwrap();
            prop_assert!(!parts.is_empty());
            for part in parts {
                prop_assert!(part.get("text").is_none_or(|text| text != ""), "{part}");
                let is_web = part.get("fileData").is_some_and(|it| it["fileUri"].as_str().unwrap().starts_with("https://example.com"));
                prop_assert!(!is_web, "Gemini does not fetch {part}");
            }
            let calls = named(content, "functionCall");
            let responses = contents.get(at + 1).map(|next| named(next, "functionResponse")).unwrap_or_default();
            prop_assert!(calls.is_empty() || at % 2 == 1);
            prop_assert_eq!(count(calls.iter().map(|it| &it["id"])), count(responses.iter().map(|it| &it["id"])), "{:#}", body);
            for (call, response) in calls.iter().zip(&responses) {
                prop_assert_eq!(&call["id"], &response["id"], "in the order of the calls");
                prop_assert!(is_tool_name(&call["name"]) && is_tool_name(&response["name"]), "{call} {response}");
                prop_assert!(call["args"].is_object());
                prop_assert!(response["response"].as_object().unwrap().values().all(|it| it.as_str().is_some_and(|it| !it.is_empty())));
            }
            if series == Series::New && !calls.is_empty() {
                let first = parts.iter().find(|part| part.get("functionCall").is_some()).unwrap();
                prop_assert!(first.get("thoughtSignature").is_some(), "{first}");
            }
        }
        prop_assert!(named(&contents[0], "functionResponse").is_empty());
        let ids = count(contents.iter().flat_map(|it| named(it, "functionCall")).map(|call| &call["id"]));
        prop_assert!(ids.values().all(|count| *count == 1), "an id is there once: {ids:?}");
        let text = body.to_string();
        for word in words {
            prop_assert!(text.contains(word), "{word} is lost: {body:#}");
        }
    }
}
