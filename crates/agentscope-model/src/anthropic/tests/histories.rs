//! Any history of any speakers is a conversation that the API accepts, and nothing that was said in it is lost.

use super::*;
use crate::conversation::testing::{count, is_tool_name, request, words_of};
use proptest::prelude::*;
use std::collections::HashSet;

proptest! {
    #[test]
    fn any_history_is_a_conversation_that_the_api_accepts(req in request(), sees in any::<bool>(), cache in any::<bool>()) {
        let format = Messages { cache };
        let body = if sees { encoded_seeing(&format, &req) } else { encoded(&format, &req, |_| {}) };
        let words = words_of(&req);
        let Ok(body) = body else {
            prop_assert!(words.iter().all(|text| text.is_empty()), "{words:?} is lost");
            return Ok(());
        };
        let messages = body["messages"].as_array().unwrap();
        prop_assert!(!messages.is_empty());
        let mut calls: Vec<&Value> = Vec::new();
        let mut ids = HashSet::new();
        for (at, message) in messages.iter().enumerate() {
            let role = if at % 2 == 0 { "user" } else { "assistant" };
            prop_assert_eq!(&message["role"], role, "{:#}", body);
            let content = message["content"].as_array().unwrap();
            prop_assert!(!content.is_empty(), "{message}");
            let mut results: Vec<&Value> = Vec::new();
            for (place, block) in content.iter().enumerate() {
                match block["type"].as_str().unwrap() {
                    "text" => prop_assert!(!block["text"].as_str().unwrap().trim().is_empty(), "{message}"),
                    "image" | "document" => prop_assert_eq!(role, "user"),
                    "tool_use" => {
                        prop_assert_eq!(role, "assistant");
                        prop_assert!(is_tool_name(&block["name"]) && block["input"].is_object(), "{block}");
                        prop_assert!(ids.insert(block["id"].as_str().unwrap().to_owned()), "an id twice: {body:#}");
                    }
                    "tool_result" => {
                        prop_assert_eq!((role, results.len()), ("user", place), "results come first: {}", message);
                        prop_assert!(!block["content"].as_array().unwrap().is_empty());
                        results.push(&block["tool_use_id"]);
                    }
                    other => prop_assert!(false, "{other}"),
                }
            }
            prop_assert_eq!(count(results.into_iter()), count(calls.drain(..)), "{:#}", body);
            calls = content.iter().filter(|block| block["type"] == "tool_use").map(|block| &block["id"]).collect();
        }
        prop_assert_eq!(&messages.last().unwrap()["role"], "user");
        let marks = body.to_string().matches("cache_control").count();
        prop_assert!(marks <= 4 * usize::from(cache), "{marks}");
        let text = body.to_string();
        for word in words {
            prop_assert!(text.contains(word), "{word} is lost: {body:#}");
        }
    }
}
