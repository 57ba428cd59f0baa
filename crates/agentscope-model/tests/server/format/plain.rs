//! A service of somebody's own that takes messages and answers in JSON, as AgentScope's `post_api_chat` speaks to.
//!
//! After AgentScope 0.x: the messages are under `messages` or `inputs`, and the answer is OpenAI's under `data.response`.

use super::{Format, Refused, chat};
use crate::server::{
    Heard, Request,
    chat::Said,
    check::{Checked, wrong},
    frame::{Events, Lines},
};
use serde_json::{Value, json};

pub(super) struct Plain;

impl Format for Plain {
    fn key<'a>(&self, _: &'a Request) -> Option<&'a str> {
        None
    }

    fn check(&self, _: &Request, body: &Value) -> Checked {
        let messages = messages(body).as_array().filter(|messages| !messages.is_empty());
        match messages {
            Some(all) if all.iter().all(|message| message["role"].is_string()) => Ok(()),
            _ => wrong("messages", "expected a list of messages under 'messages' or 'inputs'"),
        }
    }

    fn heard(&self, request: &Request, body: &Value) -> Heard {
        let mut body = body.clone();
        body["messages"] = messages(&body).clone();
        chat::CHAT.heard(request, &body)
    }

    fn streams(&self, _: &Request, _: &Value) -> bool {
        false
    }

    fn lines(&self, _: &Request) -> Lines {
        Lines::Json
    }

    fn whole(&self, said: &Said<'_>) -> Value {
        json!({"code": 0, "message": "ok", "data": {"response": chat::CHAT.whole(said)}})
    }

    fn stream(&self, _: &Said<'_>, _: &mut Events) {}

    fn hollow(&self) -> Value {
        json!({"code": 0, "data": {"response": {"choices": []}}})
    }

    fn refused(&self, refused: &Refused) -> (u16, Value) {
        (refused.status, json!({"code": refused.status, "message": refused.message}))
    }
}

fn messages(body: &Value) -> &Value {
    body.get("messages").unwrap_or(&body["inputs"])
}
