//! A model's server for other programs: `cargo run -p agentscope-model --example test_server -- [SCRIPT] [--port N]`.
//!
//! It prints its base URL and answers until its input ends. Without a script it is a model that calls the first tool it is
//! given, says what the tool said, obeys a schema, and else repeats the user. It wants a key, and any will do:
//! `AGENTSCOPE_API_KEY=any cargo xtask demo friday --model http://127.0.0.1:PORT/v1#any`. A script is `words`, by which the
//! user's words choose the answer (see `tests/server/scenario.rs`), or the name of a fault, which every request gets.
//!
//! On the one port it speaks OpenAI's chat and responses, Azure's paths of both, Anthropic's messages, Gemini, Ollama and
//! DashScope, each as strict as the provider's documentation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is there for tests")]

#[path = "../tests/server/server.rs"]
mod server;

use server::{FAULTS, Request, Server, fault, polite, scenario};
use std::io::{Read, stdin};

fn main() {
    let mut script = None;
    let mut words = false;
    let mut port = 0;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--port" => port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(0),
            "words" => words = true,
            name if fault(name).is_some() => script = fault(name),
            name => {
                let names: Vec<_> = FAULTS.iter().map(|(name, _)| *name).collect();
                eprintln!("no script is named `{name}`: there are words, {}", names.join(", "));
                std::process::exit(2);
            }
        }
    }
    let server = Server::start_at(port, move |request: &Request| match &script {
        Some(fault) => fault.clone(),
        None if words => scenario(request),
        None => polite(request),
    });
    println!("{}", server.url());
    let _end = stdin().read_to_end(&mut Vec::new());
}
