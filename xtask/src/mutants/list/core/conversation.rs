//! How a conversation is kept: the turn of a reply, its end, the store, the inbox.

use crate::mutants::list::{AGENT, CORE, Mutant};

const MAILBOX: &str = "crates/agentscope-core/src/mailbox.rs";
const TURN: &str = "crates/agentscope-core/src/mailbox/turn.rs";
const SAVE: &str = "crates/agentscope-core/src/mailbox/save.rs";

pub(in crate::mutants::list) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "calls-left-open",
        rule: "law 6",
        says: "the end of a reply does not close the calls that are open",
        file: TURN,
        find: "match finish {\n            Finish::Waiting => {}",
        replace: "match finish {\n            _ if true => {}\n            Finish::Waiting => {}",
        packages: AGENT,
        tests: &[],
    },
    Mutant {
        name: "closed-as-success",
        rule: "law 6",
        says: "a call that was stopped or never run is closed as a success",
        file: TURN,
        find: "ToolResult::new(call.id.clone(), call.name.clone(), ToolState::Interrupted, output)",
        replace: "ToolResult::new(call.id.clone(), call.name.clone(), ToolState::Success, output)",
        packages: AGENT,
        tests: &[],
    },
    Mutant {
        name: "end-before-commit",
        rule: "law 2",
        says: "the end of a reply is seen before it is saved",
        file: TURN,
        find: END,
        replace: END_BEFORE_COMMIT,
        packages: &["agentscope-core", "agentscope-agent"],
        tests: &["mailbox::", "law_", "keeps_the_laws"],
    },
    Mutant {
        name: "released-before-commit",
        rule: "law 2",
        says: "the conversation is given to the next one before the end is saved",
        file: TURN,
        find: END,
        replace: RELEASED_BEFORE_COMMIT,
        packages: &["agentscope-core", "agentscope-agent"],
        tests: &["mailbox::", "law_", "keeps_the_laws"],
    },
    Mutant {
        name: "unsaved-end-stays",
        rule: "law 2",
        says: "an end that could not be saved is told as if it had been",
        file: TURN,
        find: "self.amend_end(&mut end, failed);",
        replace: "let _ = (&mut end, failed, Self::amend_end);",
        packages: CORE,
        tests: &["mailbox::"],
    },
    Mutant {
        name: "torn-state-kept",
        rule: "law 2",
        says: "a reply that panics leaves half a step in the memory",
        file: TURN,
        find: "Arc::make_mut(&mut open.msg).rewind(safe.next_seq.saturating_sub(1));",
        replace: "",
        packages: AGENT,
        tests: &["panic"],
    },
    Mutant {
        name: "torn-state-saved",
        rule: "law 2",
        says: "a reply that panics leaves half a step, which the next one saves in the store",
        file: TURN,
        find: "self.held.stale = true;",
        replace: "",
        packages: AGENT,
        tests: &["panic"],
    },
    Mutant {
        name: "deadline-as-interrupt",
        rule: "law 4",
        says: "an elapsed deadline ends a reply as interrupted, without an error",
        file: TURN,
        find: "(Finish::Failed((&error).into()), Some(error))",
        replace: "(Finish::Interrupted, Some(error).take_if(|_| false))",
        packages: AGENT,
        tests: &[],
    },
    Mutant {
        name: "interrupt-as-error",
        rule: "law 4",
        says: "an interrupted reply ends as an error",
        file: TURN,
        find: "Some(_) => (Finish::Interrupted, None),",
        replace: "Some(_) => (Finish::Interrupted, Some(Error::new(ErrorKind::Tool, \"interrupted\"))),",
        packages: AGENT,
        tests: &[],
    },
    Mutant {
        name: "replies-without-limit",
        rule: "law 7",
        says: "any number of replies may wait for their turn",
        file: TURN,
        find: "(before < limit).then_some(place)",
        replace: "(before < limit * 1_000).then_some(place)",
        packages: AGENT,
        tests: &["law_"],
    },
    Mutant {
        name: "place-kept",
        rule: "law 7",
        says: "a reply that is over keeps its place in the queue",
        file: TURN,
        find: "self.0.waiting.fetch_sub(1, Ordering::Relaxed);",
        replace: "",
        packages: CORE,
        tests: &["mailbox::"],
    },
    Mutant {
        name: "inbox-without-limit",
        rule: "law 7",
        says: "any number of messages may be heard and not read",
        file: MAILBOX,
        find: "if self.msgs.len() + more <= limit {",
        replace: "if self.msgs.len() + more <= limit * 1_000 {",
        packages: AGENT,
        tests: &["law_"],
    },
    Mutant {
        name: "observe-not-durable",
        rule: "law 6",
        says: "what is observed is not put into the store",
        file: MAILBOX,
        find: "let last = this.0.limits.ask(|| store.enqueue(&this.0.key, &msgs)).await?;",
        replace: "drop(store);\n            let last = InboxSeq(this.inbox().last.0 + msgs.len() as u64);",
        packages: CORE,
        tests: &["mailbox::"],
    },
    Mutant {
        name: "heard-twice",
        rule: "law 6",
        says: "what was taken from the inbox is not marked as taken",
        file: "crates/agentscope-core/src/mailbox/hear.rs",
        find: "hold.change(Change::Taken { upto });",
        replace: "let _ = upto;",
        packages: CORE,
        tests: &["mailbox::"],
    },
    Mutant {
        name: "conflict-swallowed",
        rule: "law 2",
        says: "a conversation that another process changed is no error",
        file: SAVE,
        find: "held.stale = true;",
        replace: "held.stale = true;\n                    return Ok(());",
        packages: CORE,
        tests: &["mailbox::"],
    },
    Mutant {
        name: "conflict-not-reloaded",
        rule: "law 2",
        says: "a conversation that another process changed is not loaded again",
        file: SAVE,
        find: "held.stale = true;",
        replace: "",
        packages: CORE,
        tests: &["mailbox::"],
    },
    Mutant {
        name: "store-waited-for-ever",
        rule: "law 7",
        says: "a store that does not answer is waited for without a limit",
        file: SAVE,
        find: "tokio::time::timeout(self.store_timeout, ask())",
        replace: "tokio::time::timeout(self.store_timeout * 1_000, ask())",
        packages: CORE,
        tests: &["mailbox::"],
    },
];

/// How a reply ends.
const END: &str = r#"        if let Err(unsaved) = self.commit().await {
            let failed = Finish::Failed((&unsaved).into());
            if !waits {
                self.amend_end(&mut end, failed);
            } else if let (ErrorKind::Conflict, EventKind::ReplyEnd { finish, .. }) =
                (unsaved.kind(), &mut end.kind)
            {
                *finish = failed; // nothing waits here any more
            }
            error = Some(unsaved);
        }
        let state = self.state();
        let msg =
            if waits { state.open.as_ref().map(|open| &open.msg) } else { state.messages().next_back() };
        let Some(msg) = msg.cloned() else {
            return Err(Error::new(ErrorKind::Internal, "a reply ended that never began"));
        };
        let Self { mut hold, place, sink, forgets, .. } = self;
        hold.torn = false;
        // Before the next reply begins, so that replies are heard in the order in which they were given.
        if let Some(audience) = hold.inner.audience.get()
            && error.is_none()
            && !waits
        {
            Box::pin(audience.tell(&msg)).await;
        }
        if let Some(state) = hold.held.state.as_mut().filter(|_| forgets) {
            state.context.clear();
        }
        drop((hold, place)); // the next reply may begin before this end is seen, never the other way round
        sink.send_end(end, msg);
"#;

const END_BEFORE_COMMIT: &str = r#"        let state = self.state();
        let msg =
            if waits { state.open.as_ref().map(|open| &open.msg) } else { state.messages().next_back() };
        let Some(msg) = msg.cloned() else {
            return Err(Error::new(ErrorKind::Internal, "a reply ended that never began"));
        };
        let Self { mut hold, place, sink, forgets, .. } = self;
        sink.send_end(end, msg.clone());
        if let Err(unsaved) = hold.inner.commit(&mut hold.held).await {
            error = Some(unsaved);
        }
        hold.torn = false;
        if let Some(audience) = hold.inner.audience.get()
            && error.is_none()
            && !waits
        {
            Box::pin(audience.tell(&msg)).await;
        }
        if let Some(state) = hold.held.state.as_mut().filter(|_| forgets) {
            state.context.clear();
        }
        drop((hold, place));
"#;

const RELEASED_BEFORE_COMMIT: &str = r#"        let state = self.state();
        let msg =
            if waits { state.open.as_ref().map(|open| &open.msg) } else { state.messages().next_back() };
        let Some(msg) = msg.cloned() else {
            return Err(Error::new(ErrorKind::Internal, "a reply ended that never began"));
        };
        let Self { mut hold, place, sink, forgets, .. } = self;
        hold.torn = false;
        if let Some(audience) = hold.inner.audience.get()
            && error.is_none()
            && !waits
        {
            Box::pin(audience.tell(&msg)).await;
        }
        if let Some(state) = hold.held.state.as_mut().filter(|_| forgets) {
            state.context.clear();
        }
        let inner = Arc::clone(&hold.inner);
        drop((hold, place));
        let mut held = inner.held.lock().await;
        if let Err(unsaved) = inner.commit(&mut held).await {
            error = Some(unsaved);
        }
        drop(held);
        sink.send_end(end, msg);
"#;
