//! What every [`StateStore`] has to do.

mod everything;

use super::{broken, in_time, require};
use crate::{
    error::{Error, ErrorKind},
    message::Msg,
    state::{AgentState, Change, InboxSeq, SessionFilter, SessionKey, StateStore, Stored, Version},
};
use everything::everything;
use serde_json::json;
use std::{future::Future, sync::Arc};
use tokio::task::JoinSet;

/// How many commits are made one after the other.
const MANY: u64 = 2_000;

/// How many tasks race to commit, and how often.
const RACERS: usize = 8;
const RACES: u64 = 25;

/// Characters of the big message: 5 MB.
const BIG: usize = 5_000_000;

/// Runs the suite of a store. `make` gives a new one, empty, at each call.
///
/// It holds the store to this: what is committed is loaded, whatever the change; of several commits for one version exactly
/// one happens, and it happens whole; what is heard is kept in order until it is taken, and never comes back; conversations
/// whose keys differ in anything, however odd, never meet; a fork goes its own way, a rewind brings the past back, and what is
/// deleted is gone.
///
/// ```
/// use agentscope_core::{MemoryStore, StateStore, testing::conformance};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// conformance::state_store(|| async { Arc::new(MemoryStore::new()) as Arc<dyn StateStore> }).await;
/// # }
/// ```
///
/// # Panics
/// With the law that the store breaks.
pub async fn state_store<Fut>(make: impl Fn() -> Fut)
where
    Fut: Future<Output = Arc<dyn StateStore>>,
{
    nothing_is_loaded_before_anything_is_stored(&*make().await).await;
    what_is_committed_is_loaded(&*make().await).await;
    a_commit_for_another_version_is_a_conflict_and_changes_nothing(&*make().await).await;
    of_several_commits_for_one_version_exactly_one_happens(make().await).await;
    what_is_heard_is_kept_until_it_is_taken(&*make().await).await;
    hearing_and_committing_do_not_disturb_each_other(make().await).await;
    conversations_are_listed_in_the_order_of_their_keys(&*make().await).await;
    keys_that_differ_never_meet(&*make().await).await;
    a_fork_goes_its_own_way(&*make().await).await;
    a_rewind_brings_the_past_back(&*make().await).await;
    what_is_deleted_is_gone(&*make().await).await;
    a_big_message_and_many_small_ones_are_kept(&*make().await).await;
}

/// The value, or a failure of the suite.
trait Must<T> {
    fn must(self, law: &str) -> T;
}

impl<T> Must<T> for Result<T, Error> {
    #[track_caller]
    fn must(self, law: &str) -> T {
        self.unwrap_or_else(|error| broken(law, format_args!("the store says: {error}")))
    }
}

impl<T> Must<T> for Option<T> {
    #[track_caller]
    fn must(self, law: &str) -> T {
        self.unwrap_or_else(|| broken(law, "there is none"))
    }
}

#[track_caller]
fn fails_as<T>(result: Result<T, Error>, kind: ErrorKind, law: &str) {
    match result {
        Ok(_) => broken(law, "it succeeded"),
        Err(error) => require(error.kind() == kind, law, || format!("the error is {error:?}")),
    }
}

async fn loaded(store: &dyn StateStore, key: &SessionKey, law: &str) -> Stored {
    in_time(law, store.load(key)).await.must(law).must(law)
}

fn key(session: &str) -> SessionKey {
    SessionKey::new(session).agent("friday")
}

fn said(text: impl Into<String>) -> Change {
    Change::message(Msg::user(text))
}

fn texts(state: &AgentState) -> Vec<String> {
    state.messages().map(|msg| msg.text()).collect()
}

async fn nothing_is_loaded_before_anything_is_stored(store: &dyn StateStore) {
    const LAW: &str = "a conversation that was never stored does not exist";
    require(store.load(&key("s")).await.must(LAW).is_none(), LAW, || "something was loaded".to_owned());
    require(store.list(&SessionFilter::default()).await.must(LAW).is_empty(), LAW, || {
        "one is listed".to_owned()
    });
    require(!store.delete(&key("s")).await.must(LAW), LAW, || "one was deleted".to_owned());
    fails_as(store.rewind(&key("s"), Version(0)).await, ErrorKind::NotFound, LAW);
    fails_as(store.fork(&key("s"), &key("t")).await, ErrorKind::NotFound, LAW);
    require(store.load(&key("t")).await.must(LAW).is_none(), LAW, || "a failed fork made one".to_owned());
}

async fn what_is_committed_is_loaded(store: &dyn StateStore) {
    const LAW: &str = "the state that is loaded is the fold of the changes that were committed";
    let key = key("s").tenant("t").user("u");
    let mut state = AgentState::new(key.clone());
    for (version, changes) in (1..).map(Version).zip(everything()) {
        let given = store.commit(&key, Version(version.0 - 1), &changes).await.must(LAW);
        require(given == version, "each commit is one version more", || {
            format!("{given:?} is not {version:?}")
        });
        changes.iter().for_each(|change| state.apply(change));
        let stored = loaded(store, &key, LAW).await;
        require(stored.version == version, "the version that is loaded is that of the last commit", || {
            format!("{:?} is not {version:?}", stored.version)
        });
        require(stored.state == state, LAW, || {
            format!("after {changes:?}\nthere is {:#?}\ninstead of {state:#?}", stored.state)
        });
    }
}

async fn a_commit_for_another_version_is_a_conflict_and_changes_nothing(store: &dyn StateStore) {
    const LAW: &str =
        "a commit for another version than that of the conversation is a conflict and changes nothing";
    let key = key("s");
    for future in [1, u64::MAX] {
        let early = store.commit(&key, Version(future), &[said("lost")]).await;
        fails_as(early, ErrorKind::Conflict, LAW);
    }
    let left = store.load(&key).await.must(LAW);
    require(left.is_none(), LAW, || "a refused commit made a conversation".to_owned());
    store.commit(&key, Version(0), &[said("one")]).await.must(LAW);
    store.commit(&key, Version(1), &[said("two")]).await.must(LAW);
    for wrong in [0, 1, 3, u64::MAX] {
        let changes = [said("lost"), Change::Slot { key: "lost".into(), value: json!(1) }];
        fails_as(store.commit(&key, Version(wrong), &changes).await, ErrorKind::Conflict, LAW);
    }
    let stored = loaded(store, &key, LAW).await;
    require(stored.version == Version(2) && stored.state.slots.is_empty(), LAW, || format!("{stored:?}"));
    require(texts(&stored.state) == ["one", "two"], LAW, || format!("it has {:?}", texts(&stored.state)));
}

async fn of_several_commits_for_one_version_exactly_one_happens(store: Arc<dyn StateStore>) {
    const LAW: &str = "of several commits for one version exactly one happens, and it happens whole";
    let key = key("s");
    for version in 0..RACES {
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let (store, key) = (Arc::clone(&store), key.clone());
            racers.spawn(async move {
                let changes = ["first", "second"].map(|part| said(format!("{version} {racer} {part}")));
                let result = store.commit(&key, Version(version), &changes).await;
                let seen = store.load(&key).await.must(LAW);
                let count = seen.map_or(0, |stored| stored.state.context.len());
                require(count % 2 == 0, LAW, || format!("one who looked saw {count} messages"));
                (racer, result)
            });
        }
        let mut winners = Vec::new();
        for (racer, result) in in_time(LAW, racers.join_all()).await {
            match result {
                Ok(_) => winners.push(racer),
                Err(error) => require(error.kind() == ErrorKind::Conflict, LAW, || format!("{error:?}")),
            }
        }
        require(winners.len() == 1, LAW, || format!("{} of {RACERS} won", winners.len()));
        let stored = loaded(&*store, &key, LAW).await;
        let won =
            winners.first().map(|racer| ["first", "second"].map(|part| format!("{version} {racer} {part}")));
        let last: Vec<String> = texts(&stored.state).into_iter().skip(2 * version as usize).collect();
        require(won.is_some_and(|won| last == won), LAW, || format!("the winner's messages are {last:?}"));
    }
}

async fn hear(store: &dyn StateStore, key: &SessionKey, text: &[&str], law: &str) -> InboxSeq {
    let msgs: Vec<Arc<Msg>> = text.iter().map(|text| Arc::new(Msg::user(*text))).collect();
    store.enqueue(key, &msgs).await.must(law)
}

fn inbox(stored: &Stored) -> Vec<String> {
    stored.inbox.iter().map(|(_, msg)| msg.text()).collect()
}

async fn what_is_heard_is_kept_until_it_is_taken(store: &dyn StateStore) {
    const LAW: &str = "what is heard is kept in order until it is taken, and never comes back";
    const UNTOUCHED: &str = "hearing changes neither the state nor its version";
    let key = key("s");
    hear(store, &key, &["one", "two"], LAW).await;
    let stored = loaded(store, &key, "a conversation exists as soon as it has an inbox").await;
    require(stored.version == Version(0) && stored.state.context.is_empty(), UNTOUCHED, || {
        format!("{stored:?}")
    });
    store
        .commit(&key, Version(0), &[said("hi")])
        .await
        .must("a conversation with an inbox alone is at version 0");
    let last = hear(store, &key, &["three"], LAW).await;
    hear(store, &key, &["four"], LAW).await;
    let stored = loaded(store, &key, LAW).await;
    require(stored.version == Version(1), UNTOUCHED, || format!("the version is {:?}", stored.version));
    require(inbox(&stored) == ["one", "two", "three", "four"], LAW, || {
        format!("there is {:?}", inbox(&stored))
    });
    let places: Vec<InboxSeq> = stored.inbox.iter().map(|(seq, _)| *seq).collect();
    require(places.is_sorted_by(|a, b| a < b) && places.first() > Some(&InboxSeq(0)), LAW, || {
        format!("the places are {places:?}")
    });
    require(places.get(2) == Some(&last), "enqueue says the place of the last message", || {
        format!("it said {last:?} of {places:?}")
    });

    store.commit(&key, Version(1), &[Change::Taken { upto: last }]).await.must(LAW);
    let stored = loaded(store, &key, LAW).await;
    require(inbox(&stored) == ["four"] && stored.state.taken == last, LAW, || format!("{stored:?}"));
    let five = hear(store, &key, &["five"], LAW).await;
    store.commit(&key, Version(2), &[Change::Taken { upto: five }]).await.must(LAW);
    let six = hear(store, &key, &["six"], LAW).await;
    require(six > five, "a place is given once", || format!("{six:?} came after {five:?}"));
    let stored = loaded(store, &key, LAW).await;
    require(inbox(&stored) == ["six"], LAW, || format!("there is {:?}", inbox(&stored)));
}

async fn hearing_and_committing_do_not_disturb_each_other(store: Arc<dyn StateStore>) {
    const LAW: &str = "hearing and committing at the same time lose nothing";
    let key = key("s");
    let mut hearers = JoinSet::new();
    for hearer in 0..RACERS {
        let (store, key) = (Arc::clone(&store), key.clone());
        hearers.spawn(async move {
            for n in 0..RACES {
                hear(&*store, &key, &[&format!("{hearer} {n}")], LAW).await;
            }
        });
    }
    for version in 0..RACES {
        store.commit(&key, Version(version), &[said("x")]).await.must(LAW);
    }
    in_time(LAW, hearers.join_all()).await;
    let stored = loaded(&*store, &key, LAW).await;
    require(stored.state.context.len() as u64 == RACES, LAW, || {
        format!("{} messages", stored.state.context.len())
    });
    for hearer in 0..RACERS {
        let own: Vec<String> =
            inbox(&stored).into_iter().filter(|text| text.starts_with(&format!("{hearer} "))).collect();
        let told: Vec<String> = (0..RACES).map(|n| format!("{hearer} {n}")).collect();
        require(own == told, LAW, || format!("of {told:?} there is {own:?}"));
    }
}

async fn conversations_are_listed_in_the_order_of_their_keys(store: &dyn StateStore) {
    const LAW: &str =
        "the conversations of a tenant, a user and an agent are listed in the order of their keys";
    let mut keys = Vec::new();
    for tenant in ["", "acme"] {
        for user in ["bob", "", "alice"] {
            for (agent, session) in [("b", "2"), ("a", "10"), ("a", "1"), ("", "z")] {
                keys.push(SessionKey::new(session).tenant(tenant).user(user).agent(agent));
            }
        }
    }
    for key in &keys {
        store.commit(key, Version(0), &[]).await.must(LAW);
    }
    let heard = SessionKey::new("heard").tenant("acme");
    hear(store, &heard, &["x"], LAW).await;
    keys.push(heard);
    keys.sort();
    for tenant in ["", "acme", "nobody"] {
        for user in [None, Some("alice"), Some("")] {
            for agent in [None, Some("a"), Some("")] {
                let filter = SessionFilter {
                    tenant: tenant.into(),
                    user: user.map(Into::into),
                    agent: agent.map(Into::into),
                };
                let found = store.list(&filter).await.must(LAW);
                let wanted: Vec<SessionKey> =
                    keys.iter().filter(|key| filter.matches(key)).cloned().collect();
                require(found == wanted, LAW, || format!("{filter:?} finds {found:?} instead of {wanted:?}"));
            }
        }
    }
}

/// Texts in which a store may see something else than a text.
fn odd_texts() -> Vec<String> {
    let odd = [
        "",
        " ",
        ".",
        "..",
        "/",
        "../../etc/passwd",
        "a/b",
        "a\\b",
        "a:b",
        "a%2Fb",
        "%",
        "a.b",
        "_",
        "-",
        "*",
        "?",
        "'",
        "\"",
        "'; DROP TABLE sessions; --",
        "a\nb",
        "a\tb",
        "NUL",
        "\u{e9}",
        "e\u{301}",
        "\u{65e5}\u{672c}",
        "\u{1F600}",
        "A",
        "a",
        "{}",
        "$x",
        "#",
        "~",
    ];
    odd.into_iter()
        .map(str::to_owned)
        .chain(["x".repeat(1_000), "x".repeat(1_001), "\u{e9}".repeat(500)])
        .collect()
}

async fn keys_that_differ_never_meet(store: &dyn StateStore) {
    const LAW: &str = "conversations whose keys differ in any part never meet";
    let mut keys: Vec<SessionKey> = odd_texts().iter().map(|odd| key(odd)).collect();
    for odd in odd_texts() {
        keys.push(SessionKey::new("s").tenant(&*odd));
        keys.push(SessionKey::new("s").tenant("t").user(&*odd));
        keys.push(SessionKey::new("s").tenant("t").user("u").agent(&*odd));
    }
    for (a, b) in [("a", "b/c"), ("a/b", "c"), ("a.b", "c"), ("a", "b.c"), ("", "a"), ("a", "")] {
        keys.push(SessionKey::new(b).agent("x").user(a));
        keys.push(SessionKey::new(b).tenant(a).agent("x"));
    }
    keys.sort();
    keys.dedup();
    for (at, key) in keys.iter().enumerate() {
        let before = store.load(key).await.must(LAW);
        require(before.is_none(), LAW, || format!("{key:?} is another's"));
        store.commit(key, Version(0), &[said(format!("state of {at}"))]).await.must(LAW);
        hear(store, key, &[&format!("inbox of {at}")], LAW).await;
    }
    for (at, key) in keys.iter().enumerate() {
        let stored = loaded(store, key, LAW).await;
        let own = stored.state.key == *key
            && texts(&stored.state) == [format!("state of {at}")]
            && inbox(&stored) == [format!("inbox of {at}")];
        require(own, LAW, || format!("under {key:?} there is {stored:?}"));
    }
    let empty = store.list(&SessionFilter::default()).await.must(LAW);
    require(empty.iter().all(|key| key.tenant.is_empty()), "the empty tenant is one of its own", || {
        format!("it has {empty:?}")
    });
}

async fn a_fork_goes_its_own_way(store: &dyn StateStore) {
    const LAW: &str = "a fork is a copy that goes its own way";
    let (from, to) = (key("from"), key("to").tenant("t"));
    store.commit(&from, Version(0), &[said("one")]).await.must(LAW);
    let heard = hear(store, &from, &["heard", "later"], LAW).await;
    let taken = Change::Taken { upto: InboxSeq(heard.0 - 1) };
    store.commit(&from, Version(1), &[said("two"), taken]).await.must(LAW);
    store.fork(&from, &to).await.must(LAW);
    let copy = loaded(store, &to, LAW).await;
    let same = copy.state.key == to && texts(&copy.state) == ["one", "two"] && copy.version > Version(0);
    require(same, LAW, || format!("it is {copy:?}"));
    require(copy.inbox.is_empty(), "a fork leaves the inbox behind", || {
        format!("there is {:?}", inbox(&copy))
    });

    store.commit(&to, copy.version, &[said("three")]).await.must(LAW);
    store.commit(&from, Version(2), &[said("other")]).await.must(LAW);
    hear(store, &to, &["new"], LAW).await;
    let (original, copy) = (loaded(store, &from, LAW).await, loaded(store, &to, LAW).await);
    let apart =
        texts(&original.state) == ["one", "two", "other"] && texts(&copy.state) == ["one", "two", "three"];
    require(apart, LAW, || format!("there are {original:?} and {copy:?}"));
    let heard = (inbox(&original), inbox(&copy));
    require(heard.0 == ["later"] && heard.1 == ["new"], "a fork hears for itself", || {
        format!("there is {heard:?}")
    });

    fails_as(store.fork(&from, &to).await, ErrorKind::Conflict, "a fork replaces nothing");
    let copy = loaded(store, &to, LAW).await;
    require(texts(&copy.state).len() == 3, "a fork replaces nothing", || format!("there is {copy:?}"));
    store.delete(&from).await.must(LAW);
    require(texts(&loaded(store, &to, LAW).await.state).len() == 3, LAW, || {
        "it went with the other".to_owned()
    });
}

async fn a_rewind_brings_the_past_back(store: &dyn StateStore) {
    const LAW: &str = "a rewind makes the conversation what it was, as a new version";
    let key = key("s");
    for (version, text) in ["one", "two", "three"].into_iter().enumerate() {
        let set = Change::Slot { key: "last".into(), value: json!(text) };
        store.commit(&key, Version(version as u64), &[said(text), set]).await.must(LAW);
    }
    let heard = hear(store, &key, &["taken", "kept"], LAW).await;
    let taken = Change::Taken { upto: InboxSeq(heard.0 - 1) };
    store.commit(&key, Version(3), &[said("four"), taken]).await.must(LAW);

    for unknown in [5, u64::MAX] {
        fails_as(store.rewind(&key, Version(unknown)).await, ErrorKind::NotFound, LAW);
    }
    for (to, version, left) in [
        (2, 5, vec!["one", "two"]),
        (4, 6, vec!["one", "two", "three", "four"]),
        (5, 7, vec!["one", "two"]),
        (0, 8, vec![]),
    ] {
        let given = store.rewind(&key, Version(to)).await.must(LAW);
        let stored = loaded(store, &key, LAW).await;
        require(given == Version(version) && stored.version == given, LAW, || {
            format!("the version is {given:?}, then {:?}, instead of {version}", stored.version)
        });
        let slot = stored.state.slots.get("last").and_then(|value| value.as_str());
        let told = left.iter().rfind(|text| **text != "four").copied();
        require(texts(&stored.state) == left && slot == told, LAW, || format!("at {to} it is {stored:?}"));
        require(inbox(&stored) == ["kept"], "what was taken before a rewind stays taken", || {
            format!("there is {:?}", inbox(&stored))
        });
    }
    fails_as(store.commit(&key, Version(4), &[said("old")]).await, ErrorKind::Conflict, LAW);
    store.commit(&key, Version(8), &[said("new")]).await.must(LAW);
}

async fn what_is_deleted_is_gone(store: &dyn StateStore) {
    const LAW: &str = "what is deleted is gone, and nothing else is";
    store.commit(&key("s"), Version(0), &[said("one")]).await.must(LAW);
    store.commit(&key("t"), Version(0), &[said("two")]).await.must(LAW);
    hear(store, &key("s"), &["psst"], LAW).await;
    require(store.delete(&key("s")).await.must(LAW), LAW, || "it says that there was none".to_owned());
    require(store.load(&key("s")).await.must(LAW).is_none(), LAW, || "it can be loaded".to_owned());
    require(!store.delete(&key("s")).await.must(LAW), LAW, || "it says that there is still one".to_owned());
    fails_as(store.commit(&key("s"), Version(1), &[]).await, ErrorKind::Conflict, LAW);
    let left = store.list(&SessionFilter::default()).await.must(LAW);
    require(left == [key("t")], LAW, || format!("these are left: {left:?}"));
    store.commit(&key("s"), Version(0), &[said("again")]).await.must("what was deleted can begin anew");
    let stored = loaded(store, &key("s"), LAW).await;
    require(texts(&stored.state) == ["again"] && stored.inbox.is_empty(), LAW, || format!("{stored:?}"));
}

async fn a_big_message_and_many_small_ones_are_kept(store: &dyn StateStore) {
    const LAW: &str = "a message of 5 MB and 2,000 commits are kept";
    let key = key("s");
    let big = "\u{e9}\"\n".repeat(BIG / 4);
    store.commit(&key, Version(0), &[said(&*big)]).await.must(LAW);
    let upto = hear(store, &key, &[&big], LAW).await;
    let stored = loaded(store, &key, LAW).await;
    let same =
        stored.state.messages().next().is_some_and(|msg| msg.text() == big) && inbox(&stored) == [&*big];
    require(same, LAW, || "the big message is another".to_owned());
    store.commit(&key, Version(1), &[Change::Taken { upto }]).await.must(LAW);
    for version in 2..MANY {
        store.commit(&key, Version(version), &[said(format!("{version}"))]).await.must(LAW);
    }
    let stored = loaded(store, &key, LAW).await;
    let told = (2..MANY).map(|version| version.to_string());
    let kept = stored.version == Version(MANY)
        && stored.inbox.is_empty()
        && texts(&stored.state).into_iter().skip(1).eq(told);
    require(kept, LAW, || format!("there are {} at {:?}", stored.state.context.len(), stored.version));
}
