//! What the server of the bench says. All of it is made ready before, so that it costs little beside a client.

use crate::server::{Answer, Chat, Request, Server};
use std::{
    io::{Read, stdin},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// Pieces of the streamed answer.
pub(crate) const CHUNKS: usize = 10_000;

/// Pieces of each of many streams.
pub(crate) const SHORT: usize = 200;

/// From one piece to the next where an answer is spoken.
const PACE: Duration = Duration::from_millis(20);

/// How long the model of the crowd thinks.
const THOUGHT: Duration = Duration::from_millis(100);

/// Serves until its input ends.
pub(crate) fn run() {
    let (plain, streamed) = (turn(1, false, Duration::ZERO), turn(1, true, Duration::ZERO));
    let crowd = turn(2, false, THOUGHT);
    let stream = Answer::from(Chat::new().text("word ".repeat(CHUNKS)));
    let (stream, burst) = (stream.clone().ready(true), stream.by(64 << 10).ready(true));
    // At once or in good time: how many chunks a read finds does not depend on how quick either side is.
    let short = Answer::from(Chat::new().text("word ".repeat(SHORT)));
    let (short, spoken) = (short.clone().by(64 << 10).ready(true), short.paced(PACE).ready(true));
    let talk: Vec<_> = (0..151).map(|n| Answer::text(words(100 + n)).ready(false)).collect();
    let said = AtomicUsize::new(0);
    let server =
        Server::raw(move |request: &Request| match request.path.split('/').nth(1).unwrap_or_default() {
            "turn" => plain(request),
            "streamed-turn" => streamed(request),
            "crowd" => crowd(request),
            "stream" => stream.clone(),
            "burst" => burst.clone(),
            "short" => short.clone(),
            "spoken" => spoken.clone(),
            _ => talk[said.fetch_add(37, Ordering::Relaxed) % talk.len()].clone(),
        });
    println!("http://{}", server.address());
    drop(stdin().read_to_end(&mut Vec::new()));
}

/// So many calls of the tool, each in a request of its own, then words.
fn turn(calls: usize, streams: bool, thought: Duration) -> impl Fn(&Request) -> Answer + Send + Sync {
    let call = Chat::new().call("call_1", "weather", r#"{"city":"Oslo"}"#).piece(8);
    let call = Answer::from(call).ready(streams).after(thought);
    let say = Answer::text("It is sunny in Oslo, at 21 degrees.").ready(streams).after(thought);
    move |request| if results(&request.body) < calls { call.clone() } else { say.clone() }
}

/// How many results of tools a request has.
fn results(body: &[u8]) -> usize {
    let needle = b"\"role\":\"tool\"";
    body.windows(needle.len()).filter(|window| *window == needle).count()
}

/// So many bytes of something like talk, with what JSON has to escape.
pub(crate) fn words(bytes: usize) -> String {
    "Nobody said \"no\" to that.\nThe plan has four parts, and the last of them is the longest; we begin at noon. "
        .chars()
        .cycle()
        .take(bytes)
        .collect()
}
