//! What comes into a conversation, each message once.

use super::turn::Hold;
use crate::{
    id::MsgId,
    message::{ContentBlock, Msg},
    state::{AgentState, Change, InboxSeq},
};
use std::{collections::HashSet, sync::Arc};

/// How far back a message is looked for that comes twice: by a hub and by who passes it on, by a hub and by hand.
const LOOKED_BACK: usize = 64;

/// Takes what was heard since the last reply into the conversation, and then what was asked.
pub(super) fn hear(hold: &mut Hold, asked: impl Iterator<Item = Arc<Msg>>) {
    let (taken, is_new) = {
        let mut inbox = hold.inner.inbox();
        (inbox.take(), inbox.is_new())
    };
    // Who never hears by the way is told nothing twice, unless it is meant.
    let mut known = (!is_new).then(|| known(hold.held.state.as_deref()));
    let mut take = |hold: &mut Hold, msg: Arc<Msg>| {
        if known.as_mut().is_none_or(|known| known.insert(msg.id.clone())) {
            hold.change(Change::Message { msg });
        }
    };
    if let Some((upto, heard)) = taken {
        heard.into_iter().for_each(|(_, msg)| take(hold, msg));
        hold.change(Change::Taken { upto });
    }
    asked.for_each(|msg| take(hold, msg));
}

/// Takes what was heard since, and says what of it is new to the reply that is open.
pub(super) fn overhear(hold: &Hold) -> Option<(InboxSeq, Vec<Arc<Msg>>)> {
    let (upto, mut heard) = hold.inner.inbox().take()?;
    let mut known = known(hold.held.state.as_deref());
    heard.retain(|(_, msg)| known.insert(msg.id.clone()));
    Some((upto, heard.into_iter().map(|(_, msg)| msg).collect()))
}

/// The messages that came in last, and those that were heard within the replies.
fn known(state: Option<&AgentState>) -> HashSet<MsgId> {
    let last = state.into_iter().flat_map(|state| {
        let open = state.open.iter().map(|open| &open.msg);
        open.chain(state.messages().rev().take(LOOKED_BACK))
    });
    last.flat_map(|msg| std::iter::once(msg.id.clone()).chain(heard_in(msg))).collect()
}

fn heard_in(msg: &Msg) -> impl Iterator<Item = MsgId> + '_ {
    msg.content.iter().filter_map(|block| match block {
        ContentBlock::Heard(heard) => Some(heard.id.clone()),
        _ => None,
    })
}
