//! Any history of any speakers is a conversation that the API accepts, and nothing that was said in it is lost.

use super::*;
use crate::conversation::testing::{is_tool_name, request, words_of};
use proptest::prelude::*;
use std::collections::HashSet;

proptest! {
    #[test]
    fn any_history_is_a_conversation_that_the_api_accepts(req in request(), sees in any::<bool>()) {
        let body = if sees { encoded_seeing(&Responses, &req) } else { encoded(&Responses, &req, |_| {}) };
        let words = words_of(&req);
        let Ok(body) = body else {
            prop_assert!(words.iter().all(|text| text.is_empty()), "{words:?} is lost");
            return Ok(());
        };
        let items = body["input"].as_array().unwrap();
        prop_assert!(!items.is_empty());
        let (mut ids, mut open) = (HashSet::new(), HashSet::new());
        for item in items {
            match item["type"].as_str() {
                None => {
                    let role = item["role"].as_str().unwrap();
                    prop_assert!(open.is_empty() || role == "assistant", "a call has no result: {body:#}");
                    prop_assert!(matches!(role, "system" | "user" | "assistant"), "{item}");
                    let content = item["content"].as_array().unwrap();
                    prop_assert!(!content.is_empty(), "{item}");
                    for part in content {
                        let kind = part["type"].as_str().unwrap();
                        prop_assert_eq!(kind == "output_text", role == "assistant", "{}", item);
                        prop_assert!(part.get("text").is_none_or(|text| text != ""), "{item}");
                    }
                }
                Some("function_call") => {
                    let id = item["call_id"].as_str().unwrap();
                    prop_assert!(is_tool_name(&item["name"]) && !id.is_empty() && id.len() <= 64, "{item}");
                    prop_assert!(ids.insert(id) && open.insert(id), "an id twice: {body:#}");
                    let arguments: Value = serde_json::from_str(item["arguments"].as_str().unwrap()).unwrap();
                    prop_assert!(arguments.is_object());
                }
                Some("function_call_output") => {
                    prop_assert!(open.remove(item["call_id"].as_str().unwrap()), "a result has no call: {body:#}");
                    let is_empty = item["output"].as_str().is_some_and(str::is_empty);
                    prop_assert!(!is_empty && item["output"].as_array().is_none_or(|parts| !parts.is_empty()), "{item}");
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert!(open.is_empty(), "a call has no result: {body:#}");
        let text = body.to_string();
        for word in words {
            prop_assert!(text.contains(word), "{word} is lost: {body:#}");
        }
    }
}
