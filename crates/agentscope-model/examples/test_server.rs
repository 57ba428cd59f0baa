//! A model's server for other programs: `cargo run -p agentscope-model --example test_server -- [SCRIPT] [--port N]`.
//!
//! It prints its base URL and answers until its input ends. Without a script it is a model that calls the first tool it is
//! given, says what the tool said, obeys a schema, and else repeats the user. It wants a key, and any will do:
//! `AGENTSCOPE_API_KEY=any cargo xtask demo friday --model http://127.0.0.1:PORT/v1#any`. It is as strict as OpenAI's
//! documentation. A script is the name of a fault: every request gets it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is there for tests")]

#[path = "../tests/server/server.rs"]
mod server;

use server::{Answer, Chat, Count, FAULTS, Request, Server, fault, instance};
use std::io::{Read, stdin};

fn main() {
    let mut script = None;
    let mut port = 0;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--port" => port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(0),
            name if fault(name).is_some() => script = fault(name),
            name => {
                let names: Vec<_> = FAULTS.iter().map(|(name, _)| *name).collect();
                eprintln!("no script is named `{name}`: there are {}", names.join(", "));
                std::process::exit(2);
            }
        }
    }
    let server =
        Server::start_at(port, move |request: &Request| script.clone().unwrap_or_else(|| polite(request)));
    println!("{}", server.url());
    let _end = stdin().read_to_end(&mut Vec::new());
}

/// Does what it is asked in the simplest way.
fn polite(request: &Request) -> Answer {
    let body = request.json();
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    let last = request.transcript().pop().unwrap_or_default();
    let tool = &body["tools"][0]["function"];
    let count = Count { input: 4 * messages.len() as u64, output: 7, cached: 2, reasoning: 0 };
    let chat = Chat::new().usage(count);
    let chat = if body["response_format"]["type"] == "json_schema" {
        chat.echo()
    } else if let Some(answer) = last.strip_prefix("tool: ") {
        chat.text(format!("The tool says: {answer}"))
    } else if let Some(name) = tool["name"].as_str() {
        let id = format!("call_{}", messages.len());
        chat.call(&id, name, instance(&tool["parameters"]).to_string())
    } else {
        chat.text(format!("You said: {}", last.strip_prefix("user: ").unwrap_or(&last)))
    };
    chat.into()
}
