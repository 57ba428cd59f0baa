//! Random conversations: whatever model, tools, store and people do, in whatever order, the laws hold.
//!
//! `AGENTSCOPE_SWEEP` is how many, `AGENTSCOPE_SEED` the first; what fails prints its seed and all that was done.

mod world;

use agentscope_agent::ReActAgent;
use agentscope_core::{
    Agent, AgentExt, AgentState, CallState, Context, Decision, Error, ErrorKind, Event, EventKind,
    EventStream, Finish, Input, Interrupt, Msg, Reason, ReplyRequest, Role, ToolResult, ToolState,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::Duration,
};
use world::World;

/// Longest that anything may take, in virtual time.
const PATIENCE: Duration = Duration::from_secs(20_000);

#[test]
fn sweep_random_conversations_keep_the_laws() {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    let first = number("AGENTSCOPE_SEED").unwrap_or(0);
    for seed in first..first + number("AGENTSCOPE_SWEEP").unwrap_or(300) {
        let world = World::new(seed);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| Talk::new(Arc::clone(&world)).run())) {
            eprintln!("seed {seed}: {}", world.log());
            resume_unwind(panic);
        }
    }
}

/// A conversation under way.
struct Talk {
    world: Arc<World>,
    agent: ReActAgent,
    /// What was brought or told and has to be there in the end.
    told: BTreeSet<String>,
    /// Somebody else may have changed the conversation, or nobody knows whether a commit was one: a conflict is no wonder.
    disputed: bool,
}

/// What a reader saw of a reply.
struct Seen {
    what: String,
    events: Vec<Event>,
    error: Option<Error>,
    fold: Msg,
    /// To its end.
    whole: bool,
}

impl Talk {
    fn new(world: Arc<World>) -> Self {
        let agent = world.agent();
        let disputed = world.is_doubtful();
        Self { world, agent, told: BTreeSet::new(), disputed }
    }

    fn run(mut self) {
        let mut runtime = runtime();
        for _ in 0..1 + self.world.up_to(8) {
            let crashes = self.world.chance(15);
            let crash = Duration::from_millis(self.world.up_to(600));
            let crashed = runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = self.act() => false,
                    () = tokio::time::sleep(crash), if crashes => true,
                }
            });
            if crashed {
                drop(runtime);
                runtime = self::runtime();
                self.disputed = true;
                let another = self.world.store.is_some() && self.world.chance(70);
                self.world.note(format!("crash after {crash:?}; another process: {another}"));
                if another {
                    self.agent = self.world.agent();
                }
            }
        }
        runtime.block_on(self.end());
    }

    /// Somebody does something, and others while it goes on.
    async fn act(&mut self) {
        let state = self.world.state(&self.agent).await;
        let mut requests = vec![self.input(&state)];
        if self.world.chance(15) {
            requests.push(self.input(&state));
        }
        let observed = self.world.chance(30).then(|| self.world.word("heard"));
        let usurper = (self.world.store.is_some() && self.world.chance(6)).then(|| self.world.agent());
        let mut readers = Vec::new();
        for (at, (what, request)) in requests.into_iter().enumerate() {
            let agent = match &usurper {
                Some(usurper) if at > 0 => usurper,
                _ => &self.agent,
            };
            let wait = if at > 0 { self.world.up_to(300) } else { 0 };
            readers.push(self.read(agent, what, request, Duration::from_millis(wait)));
        }
        let teller = usurper.as_ref().unwrap_or(&self.agent);
        let wait = Duration::from_millis(self.world.up_to(200));
        let tell = async {
            let Some(text) = &observed else { return false };
            tokio::time::sleep(wait).await;
            self.world.note(format!("observe {text} after {wait:?}"));
            teller.observe(vec![Arc::new(Msg::user(text.as_str()))]).await.is_ok()
        };
        let (seen, heard) = tokio::join!(join_all(readers), tell);
        self.disputed |= usurper.is_some();
        self.told.extend(observed.filter(|_| heard));
        self.settle(&seen, usurper.is_some()).await;
    }

    /// What to ask of an agent in this state.
    fn input(&self, state: &AgentState) -> (String, ReplyRequest) {
        let world = &self.world;
        let open = state.open.as_deref();
        let waits = open.is_some_and(|open| open.msg.finish == Some(Finish::Waiting));
        let input = match (open, world.up_to(10)) {
            (_, 0) => Input::from(Decision::allow("unknown")),
            (_, 1) => Input::Abort,
            (_, 2) => Input::Continue,
            (Some(open), 3..8) if waits => {
                let of = |state: CallState| open.msg.open_calls().filter(move |call| call.state == state);
                let asking: Vec<_> = of(CallState::Asking).filter(|_| world.chance(80)).collect();
                if asking.is_empty() {
                    let outside = of(CallState::Submitted).filter(|_| world.chance(80));
                    let result = |id| ToolResult::success(id, "outside", "done outside");
                    Input::Results(outside.map(|call| result(call.id.clone())).collect())
                } else {
                    let decide = |call: &agentscope_core::ToolCall| match world.up_to(8) {
                        0 => Decision::deny(call.id.clone()),
                        1 => Decision::allow(call.id.clone()).edited("{"),
                        2 => Decision::allow(call.id.clone()).edited(call.input.replace('{', "{ ")),
                        3 => Decision::allow(call.id.clone()).always(call.name.clone()),
                        _ => Decision::allow(call.id.clone()),
                    };
                    Input::Decisions(asking.into_iter().map(decide).collect())
                }
            }
            (Some(_), 3..6) => Input::Continue,
            _ => Input::from(world.word("ask").as_str()),
        };
        let what = format!("{input:?}");
        let what = what.split("content: [").nth(1).unwrap_or(&what).chars().take(110).collect();
        let mut request = ReplyRequest::from(input);
        if world.chance(15) {
            let schema =
                json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]});
            request.output_schema = Some(Arc::new(schema));
        }
        (what, request)
    }

    /// Asks after `wait` and reads, perhaps not to the end; perhaps with an interrupt or a deadline.
    fn read(
        &self,
        agent: &ReActAgent,
        what: String,
        request: ReplyRequest,
        wait: Duration,
    ) -> impl Future<Output = Seen> + use<> {
        let world = Arc::clone(&self.world);
        let some_time = |percent| world.chance(percent).then(|| Duration::from_millis(world.up_to(400)));
        let (interrupt, deadline, nap) = (some_time(20), some_time(8), some_time(10));
        let leaves = world.chance(12).then(|| world.up_to(25) as usize);
        let note = world.chance(50).then(|| "wait".to_owned());
        let agent = agent.clone();
        async move {
            tokio::time::sleep(wait).await;
            world.note(format!(
                "{what} after {wait:?}; typed {}, interrupt {interrupt:?}, deadline {deadline:?}, leaves {leaves:?}",
                request.output_schema.is_some()
            ));
            let stop = Interrupt::new();
            let cx = Context::new().with_interrupt(stop.child());
            let cx = deadline.map_or(cx.clone(), |time| cx.with_deadline(time));
            if interrupt == Some(Duration::ZERO) {
                stop.trigger(Reason::User(note.clone()));
            }
            let stream = agent.call(request, cx);
            let stopping = async {
                if let Some(time) = interrupt {
                    tokio::time::sleep(time).await;
                    stop.trigger(Reason::User(note));
                }
            };
            let (seen, ()) = tokio::join!(see(&world, what, stream, leaves, nap), stopping);
            seen
        }
    }

    /// Waits until nothing runs, and holds what was seen and what was kept to the laws.
    async fn settle(&mut self, seen: &[Seen], usurped: bool) {
        let world = Arc::clone(&self.world);
        let moody = world.heal();
        let state = match patiently(&world, "the snapshot", self.agent.snapshot()).await {
            Ok(state) => state,
            Err(error) => world.broken(format_args!("a snapshot of a store that works: {error}")),
        };
        self.check_state(&state);
        let state = if usurped { world.state(&self.agent).await } else { state };
        for reply in seen.iter().filter(|_| !(usurped && world.is_moody())) {
            self.check_seen(reply, &state);
        }
        world.mood(moody);
    }

    fn check_seen(&mut self, seen: &Seen, state: &AgentState) {
        let world = Arc::clone(&self.world);
        if !seen.whole {
            return;
        }
        let what = &seen.what;
        let kind = seen.error.as_ref().map(Error::kind);
        if kind == Some(ErrorKind::Conflict) && !self.disputed {
            world.broken(format_args!("nobody else was there to conflict with: {what}"));
        }
        if let Some(error) = &seen.error
            && error.kind() == ErrorKind::Internal
        {
            world.broken(format_args!("an internal error: {what}: {error}"));
        }
        let (Some(first), Some(last)) = (seen.events.first(), seen.events.last()) else {
            if kind.is_none() {
                world.broken(format_args!("neither an event nor an error: {what}"));
            }
            return;
        };
        if !matches!(
            first.kind,
            EventKind::ReplyStart { .. } | EventKind::Resumed { .. } | EventKind::Rewind { .. }
        ) {
            world.broken(format_args!("a beginning that is none: {what}: {first:?}"));
        }
        let ends =
            seen.events.iter().filter(|event| matches!(event.kind, EventKind::ReplyEnd { .. })).count();
        let EventKind::ReplyEnd { finish, .. } = &last.kind else {
            world.broken(format_args!("an end that is none: {what}: {last:?}"));
        };
        let failed = matches!(finish, Finish::Failed(_));
        if ends != 1 || (failed != seen.error.is_some() && !(world.is_moody() && *finish == Finish::Waiting))
        {
            world.broken(format_args!("{ends} ends, {finish:?}, {:?}: {what}", seen.error));
        }
        for pair in seen.events.windows(2) {
            if (pair[1].epoch, pair[1].seq) <= (pair[0].epoch, pair[0].seq)
                || pair[0].reply_id != pair[1].reply_id
            {
                world.broken(format_args!("out of order: {what}: {pair:?}"));
            }
        }
        let is_it = |msg: &&Arc<Msg>| msg.id == seen.fold.id;
        let saved = match (finish, &state.open) {
            (Finish::Waiting, Some(open)) if open.msg.id == seen.fold.id && open.epoch == last.epoch => {
                Some(&open.msg)
            }
            (Finish::Waiting, _) => return,
            _ => state.messages().find(is_it),
        };
        match saved {
            _ if kind == Some(ErrorKind::Conflict) => {}
            // It was saved, and the store's answer got lost.
            Some(_) if kind == Some(ErrorKind::Unavailable) && world.is_doubtful() => {}
            Some(saved)
                if saved.content == seen.fold.content
                    && saved.finish == seen.fold.finish
                    && saved.output == seen.fold.output
                    && saved.metadata == seen.fold.metadata
                    && saved.usage == seen.fold.usage => {}
            None if seen.fold.content.is_empty() => {} // its turn never came
            None if self.disputed && self.world.is_doubtful() => {}
            saved => world.broken(format_args!(
                "what was seen is what was saved: {what}\nseen:  {:?}\nsaved: {saved:?}",
                seen.fold
            )),
        }
        if kind.is_none()
            && let Some(text) = what.split('"').nth(1).filter(|text| text.starts_with("ask-"))
        {
            self.told.insert(text.to_owned());
        }
    }

    fn check_state(&self, state: &AgentState) {
        let world = &self.world;
        if !state.is_well_formed() {
            world.broken(format_args!("a state that is not well-formed: {state:?}"));
        }
        let mut slot = Vec::new();
        for msg in state.messages().chain(state.open.iter().map(|open| &open.msg)) {
            let mut by_id = BTreeMap::<_, Vec<_>>::new();
            msg.results().for_each(|result| by_id.entry(result.id.clone()).or_default().push(result));
            for call in msg.calls() {
                let results = by_id.get(&call.id).map_or(&[][..], Vec::as_slice);
                let open = msg.open_calls().any(|open| open.id == call.id);
                if results.iter().filter(|it| it.state != ToolState::Running).count() != usize::from(!open) {
                    world.broken(format_args!("call {call:?} has the results {results:?}"));
                }
                let n = call.arguments().ok().and_then(|fields| fields.get("n")?.as_u64());
                if let ([result], Some(n)) = (results, n)
                    && result.state == ToolState::Success
                    && result.text() != "done outside"
                {
                    if !world.has_ended(n) {
                        world.broken(format_args!(
                            "a success of a tool that did not end: {call:?} {result:?}"
                        ));
                    }
                    if call.name == "note" {
                        slot.push(n);
                    }
                }
            }
        }
        // Which of two calls of a round ran first depends on who had to be asked.
        let noted = state.slots.get("notes").and_then(Value::as_array).into_iter().flatten();
        let mut noted: Vec<_> = noted.filter_map(Value::as_u64).collect();
        noted.sort_unstable();
        slot.sort_unstable();
        if noted != slot {
            world.broken(format_args!("the slot is {noted:?}, but the calls that succeeded noted {slot:?}"));
        }
        world.check_runs();
    }

    /// In the end all is well, and the next plain request is answered.
    async fn end(mut self) {
        let world = Arc::clone(&self.world);
        world.calm();
        let mut answer = patiently(&world, "the last answer", self.agent.reply("ask-last")).await;
        for _ in 0..2 {
            if self.disputed && answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict) {
                answer = patiently(&world, "the last answer", self.agent.reply("ask-last")).await;
            }
        }
        match answer {
            Ok(msg) if msg.text() == "fine" => {}
            other => world.broken(format_args!("the last request is answered: {other:?}")),
        }
        self.settle(&[], false).await;
        let waiting = self.agent.mailbox().waiting();
        let state = world.state(&self.agent).await;
        let snapshot = self.agent.snapshot().await.unwrap();
        if waiting != 0 || state != snapshot || state.open.is_some() {
            world.broken(format_args!("{waiting} wait; stored {state:?}; here {snapshot:?}"));
        }
        let mut texts = Vec::new();
        for msg in state.messages() {
            texts.push(msg.text());
            for block in &msg.content {
                if let agentscope_core::ContentBlock::Heard(heard) = block {
                    texts.push(heard.text());
                }
            }
        }
        texts.extend(world.unread(&self.agent).await);
        for told in &self.told {
            let times = texts.iter().filter(|text| *text == told).count();
            if times == 0 || (times > 1 && !self.disputed) {
                world.broken(format_args!("`{told}` was kept {times} times in {texts:?}"));
            }
        }
    }
}

async fn see(
    world: &World,
    what: String,
    mut stream: EventStream,
    leaves: Option<usize>,
    nap: Option<Duration>,
) -> Seen {
    let fold = Msg::new("", Role::Assistant, Vec::new());
    let mut seen = Seen { what, events: Vec::new(), error: None, fold, whole: false };
    if let Some(nap) = nap {
        stream = stream.start();
        tokio::time::sleep(nap).await;
    }
    while leaves.is_none_or(|leaves| seen.events.len() < leaves) {
        match patiently(world, "the next event", stream.next()).await {
            None => {
                seen.whole = true;
                break;
            }
            Some(Err(error)) => seen.error = Some(error),
            Some(Ok(event)) => {
                if seen.error.is_some() {
                    world.broken(format_args!("an event after the error: {event:?}"));
                }
                // What crosses a wire folds to the same.
                let text = serde_json::to_string(&event).unwrap();
                seen.fold.apply(&serde_json::from_str(&text).unwrap());
                seen.events.push(event);
            }
        }
    }
    seen
}

async fn patiently<F: IntoFuture>(world: &World, what: &str, work: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, work.into_future()).await {
        Ok(output) => output,
        Err(_) => world.broken(format_args!("{what} never came")),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}
