//! What comes into a conversation, each message once.

use super::turn::Hold;
use crate::{
    message::{ContentBlock, Msg, SAID_AS},
    state::{Change, InboxSeq},
};
use serde_json::Value;
use std::{collections::HashSet, sync::Arc};

/// How far back a message is looked for that comes twice: by a hub and by who passes it on, by a hub and by hand.
const LOOKED_BACK: usize = 64;

/// Takes what was heard since the last reply into the conversation, and then what was asked.
pub(super) fn hear(hold: &mut Hold, asked: impl Iterator<Item = Arc<Msg>>) {
    let (taken, is_new) = {
        let mut inbox = hold.inner.inbox();
        (inbox.take(), inbox.is_new())
    };
    let (upto, heard) = taken.map_or_else(Default::default, |(upto, heard)| (Some(upto), heard));
    let mut msgs: Vec<Arc<Msg>> = heard.into_iter().map(|(_, msg)| msg).collect();
    let heard = msgs.len();
    msgs.extend(asked);
    // Who never hears by the way is told nothing twice, unless it is meant.
    let mut news = if is_new { Vec::new() } else { news(hold, &msgs, heard) }.into_iter();
    let mut news = msgs.into_iter().map(|msg| news.next().unwrap_or(true).then_some(msg));
    let take = |hold: &mut Hold, msg: Option<Arc<Msg>>| {
        if let Some(msg) = msg {
            hold.change(Change::Message { msg });
        }
    };
    news.by_ref().take(heard).for_each(|msg| take(hold, msg));
    if let Some(upto) = upto {
        hold.change(Change::Taken { upto });
    }
    news.for_each(|msg| take(hold, msg));
}

/// Takes what was heard since, and says what of it is new to the reply that is open.
pub(super) fn overhear(hold: &Hold) -> Option<(InboxSeq, Vec<Arc<Msg>>)> {
    let (upto, heard) = hold.inner.inbox().take()?;
    let msgs: Vec<Arc<Msg>> = heard.into_iter().map(|(_, msg)| msg).collect();
    let news = news(hold, &msgs, msgs.len());
    Some((upto, msgs.into_iter().zip(news).filter(|(_, new)| *new).map(|(msg, _)| msg).collect()))
}

/// Which of these messages are news. Of the first `heard`, which came by the way, those are that did not come in lately, in whatever
/// way. Of the others, which were asked, those are that were not heard: what is asked twice is meant twice.
fn news(hold: &Hold, msgs: &[Arc<Msg>], heard: usize) -> Vec<bool> {
    if msgs.is_empty() {
        return Vec::new();
    }
    let (mut known, mut overheard) = (HashSet::with_capacity(LOOKED_BACK + msgs.len()), HashSet::new());
    if let Some(state) = hold.held.state.as_deref() {
        let open = state.open.iter().map(|open| &open.msg);
        for msg in open.chain(state.messages().rev().take(LOOKED_BACK)) {
            known.extend(ids(msg));
            overheard.extend(heard_in(msg).flat_map(ids));
        }
    }
    let (by_the_way, asked) = msgs.split_at(heard.min(msgs.len()));
    let mut news = Vec::with_capacity(msgs.len());
    for msg in by_the_way {
        news.push(!ids(msg).any(|id| known.contains(id) || overheard.contains(id)));
        overheard.extend(ids(msg));
    }
    for msg in asked {
        news.push(!ids(msg).any(|id| overheard.contains(id)));
    }
    news
}

/// Its own id, and that of the message which a pipeline said again in it.
fn ids(msg: &Msg) -> impl Iterator<Item = &str> {
    let again = msg.metadata.get(SAID_AS).and_then(Value::as_str);
    std::iter::once(&*msg.id).chain(again)
}

fn heard_in(msg: &Msg) -> impl Iterator<Item = &Msg> {
    msg.content.iter().filter_map(|block| match block {
        ContentBlock::Heard(heard) => Some(&**heard),
        _ => None,
    })
}
