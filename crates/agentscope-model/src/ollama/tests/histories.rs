//! Any history of any speakers is a conversation that Ollama accepts, and nothing that was said in it is lost.

use super::*;
use crate::conversation::testing::{count, is_tool_name, request, words_of};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_history_is_a_conversation_that_ollama_accepts(req in request(), sees in any::<bool>()) {
        let body = if sees { encoded_seeing(&Ollama, &req) } else { encoded(&Ollama, &req, |_| {}) };
        let words = words_of(&req);
        let Ok(body) = body else {
            prop_assert!(words.iter().all(|text| text.is_empty()), "{words:?} is lost");
            return Ok(());
        };
        let messages = body["messages"].as_array().unwrap();
        let (mut at, mut ids) = (0, Vec::new());
        while let Some(message) = messages.get(at) {
            at += 1;
            let role = message["role"].as_str().unwrap();
            prop_assert!(matches!(role, "system" | "user" | "assistant"), "{message} stands alone in {body:#}");
            prop_assert!(role != "system" || at == 1, "{body:#}");
            let calls = message.get("tool_calls").map(|calls| calls.as_array().unwrap().as_slice()).unwrap_or_default();
            let content = message["content"].as_str().unwrap();
            prop_assert!(!content.is_empty() || !calls.is_empty() || message.get("images").is_some(), "{message}");
            prop_assert!(calls.is_empty() || role == "assistant");
            let results = &messages[at..(at + calls.len()).min(messages.len())];
            prop_assert_eq!(count(calls.iter().map(|call| &call["id"])), count(results.iter().map(|it| &it["tool_call_id"])), "{:#}", body);
            for (call, result) in calls.iter().zip(results) {
                prop_assert_eq!(&result["role"], "tool", "{:#}", body);
                prop_assert_eq!(&call["id"], &result["tool_call_id"], "in the order of the calls");
                prop_assert!(result["content"].as_str().is_some_and(|text| !text.is_empty()), "{result}");
                prop_assert!(is_tool_name(&call["function"]["name"]) && is_tool_name(&result["tool_name"]));
                prop_assert!(call["function"]["arguments"].is_object());
            }
            at += calls.len();
            ids.extend(calls.iter().map(|call| &call["id"]));
        }
        prop_assert!(count(ids.into_iter()).values().all(|count| *count == 1), "an id is there once: {body:#}");
        let text = body.to_string();
        for word in words {
            prop_assert!(text.contains(word), "{word} is lost: {body:#}");
        }
    }
}
