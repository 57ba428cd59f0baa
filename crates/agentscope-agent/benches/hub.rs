//! What it costs that agents hear each other: in a hub of 3, 10, 100 and 1,000.
//!
//! `told` is one message to all, by hand, which waits in each inbox. `chat` is a group chat: each speaks in turn and all others
//! hear, take what they heard into their conversations and remember it. `push` is the limit: one push to a `Mutex<Vec<Arc<Msg>>>`
//! for each participant. CPU time of one thread, medians of interleaved rounds. Run it with `cargo xtask bench hub`.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has nothing better to do")]
#![allow(clippy::indexing_slicing, reason = "as above")]

use agentscope_agent::MsgHub;
use agentscope_core::{
    Agent, AgentCard, AgentExt, Audience, BoxFuture, Context, EventKind, EventSink, EventStream, Finish,
    Mailbox, Msg, Opened, ReplyRequest, Result,
};
use rustix::time::{ClockId, clock_gettime};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{
    alloc::System,
    sync::{Arc, Mutex},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Rounds of each contender.
const ROUNDS: usize = 7;

/// Deliveries of a round, about.
const DELIVERIES: usize = 200_000;

/// Most messages that wait in an inbox of the bench.
const WAITING: usize = 1_000;

/// Says the same whatever it hears, and remembers all of it.
#[derive(Clone)]
struct Speaker {
    card: Arc<AgentCard>,
    mailbox: Mailbox,
}

impl Speaker {
    fn new(number: usize) -> Self {
        Self { card: AgentCard::new(format!("Agent{number}")).into(), mailbox: Mailbox::new() }
    }

    async fn drive(self, req: ReplyRequest, cx: Context, sink: EventSink) -> Result<()> {
        let mut turn = match self.mailbox.open(&self.card.name, req, 0, &cx, sink).await? {
            Opened::Turn(turn) => turn,
            Opened::Aborted(turn) => return turn.end(Finish::Interrupted, None).await,
            _ => return Ok(()),
        };
        turn.emit(EventKind::Block { block: "I see it the same way.".into() });
        turn.end(Finish::Completed, None).await
    }
}

impl Agent for Speaker {
    fn card(&self) -> &AgentCard {
        &self.card
    }

    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        let this = self.clone();
        EventStream::spawn(cx, move |sink, cx| this.drive(req, cx, sink))
    }

    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        self.mailbox.observe(msgs)
    }

    fn audience(&self) -> Option<Audience> {
        Some(self.mailbox.audience())
    }
}

/// Of one contender, for each delivery.
#[derive(Default)]
struct Figures {
    ns: Vec<f64>,
    allocations: f64,
    /// That are still held when all is delivered.
    bytes: f64,
}

impl Figures {
    fn ns(&mut self) -> f64 {
        self.ns.sort_by(f64::total_cmp);
        self.ns[self.ns.len() / 2]
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!(
        "{:>12} {:>14} {:>7} {:>7} {:>7} {:>14} {:>7} {:>7} {:>7} {:>14} {:>7}",
        "participants",
        "told /s",
        "ns",
        "allocs",
        "bytes",
        "chat /s",
        "ns",
        "allocs",
        "bytes",
        "push /s",
        "ns"
    );
    for participants in [3, 10, 100, 1_000] {
        let mut figures = [const { Figures { ns: Vec::new(), allocations: 0.0, bytes: 0.0 } }; 3];
        for round in 0..ROUNDS {
            for at in [0, 1, 2].map(|at| (at + round) % 3) {
                match at {
                    0 => told(participants, &mut figures[0]).await,
                    1 => chat(participants, &mut figures[1]).await,
                    _ => push(participants, &mut figures[2]),
                }
            }
        }
        let [told, chat, push] = &mut figures;
        println!(
            "{participants:>12} {:>14.0} {:>7.0} {:>7.2} {:>7.1} {:>14.0} {:>7.0} {:>7.2} {:>7.1} {:>14.0} {:>7.1}",
            1e9 / told.ns(),
            told.ns(),
            told.allocations,
            told.bytes,
            1e9 / chat.ns(),
            chat.ns(),
            chat.allocations,
            chat.bytes,
            1e9 / push.ns(),
            push.ns()
        );
    }
}

/// One message after the other to all, which nobody reads.
async fn told(participants: usize, figures: &mut Figures) {
    let each = (DELIVERIES / participants).min(WAITING);
    let mut made = made(participants);
    let messages: Vec<Msg> = (0..each).map(|n| Msg::user(format!("Message {n}."))).collect();
    for batch in 0..DELIVERIES / (each * participants) {
        if batch > 0 {
            made = self::made(participants); // with empty inboxes
        }
        let hub = &made.1;
        let tell = async {
            for msg in &messages {
                hub.broadcast(msg).await.unwrap();
            }
        };
        measure(each * participants, figures, tell).await;
    }
}

/// Each speaks in turn, and all others hear.
async fn chat(participants: usize, figures: &mut Figures) {
    let (speakers, _hub) = made(participants);
    let turns = (DELIVERIES / (participants - 1)).max(participants);
    let talk = async {
        for speaker in speakers.iter().cycle().take(turns) {
            speaker.reply(()).await.unwrap();
        }
    };
    measure(turns * (participants - 1), figures, talk).await;
}

fn made(participants: usize) -> (Vec<Speaker>, MsgHub) {
    let speakers: Vec<_> = (0..participants).map(Speaker::new).collect();
    let hub = MsgHub::new(&speakers).unwrap();
    (speakers, hub)
}

/// What no hub can do without.
fn push(participants: usize, figures: &mut Figures) {
    let inboxes: Vec<Mutex<Vec<Arc<Msg>>>> = (0..participants).map(|_| Mutex::default()).collect();
    let messages: Vec<Arc<Msg>> =
        (0..DELIVERIES / participants).map(|n| Msg::user(format!("Message {n}.")).into()).collect();
    let start = cpu_ns();
    for msg in &messages {
        for inbox in &inboxes {
            inbox.lock().unwrap().push(Arc::clone(msg));
        }
    }
    figures.ns.push((cpu_ns() - start) / (messages.len() * participants) as f64);
}

async fn measure(deliveries: usize, figures: &mut Figures, work: impl Future<Output = ()>) {
    let region = Region::new(ALLOCATOR);
    let start = cpu_ns();
    work.await;
    figures.ns.push((cpu_ns() - start) / deliveries as f64);
    let stats = region.change();
    let per = |count: usize| count as f64 / deliveries as f64;
    figures.allocations = per(stats.allocations + stats.reallocations);
    figures.bytes = per(stats.bytes_allocated) - per(stats.bytes_deallocated);
}

fn cpu_ns() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}
