//! Laws of the hub: who hears what, when, and how often.

mod slow;

use crate::support::{Ears, Probe, echoing, heard_by, listener, speaker};
use agentscope_agent::{Fanout, MsgHub, ReActAgent, Sequential};
use agentscope_core::{
    Agent, AgentExt, AgentState, ContentBlock, Error, ErrorKind, Finish, Interrupt, MemoryStore, ModelCard,
    ModelDelta, ModelRequest, Msg, Reason, Result, SessionKey, agent_fn, model_fn,
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Reasons aloud, calls a tool, then says its word.
fn thinker(name: &str, word: &'static str) -> ReActAgent {
    let look = Probe::new("look", |_, _| async { Ok("the floor price is 10".into()) })
        .with(agentscope_core::ToolSpec::read_only);
    let model = model_fn(ModelCard::new("thinker"), move |req: ModelRequest| async move {
        Ok(match req.messages.last().map_or(0, |msg| msg.results().count()) {
            0 => vec![
                ModelDelta::Thinking { block: 0, delta: "my secret".into() },
                ModelDelta::Text { block: 1, delta: "Let me see.".into() },
                ModelDelta::tool_call(2, "c1", "look", "{}"),
            ],
            _ => vec![
                ModelDelta::Thinking { block: 0, delta: "my secret".into() },
                ModelDelta::Text { block: 1, delta: word.into() },
            ],
        })
    });
    ReActAgent::new(name, model).tool(look)
}

fn texts(state: &AgentState) -> Vec<String> {
    state.messages().map(|msg| format!("{}: {}", msg.name, msg.text())).collect()
}

#[tokio::test]
async fn law_8_only_what_is_spoken_is_heard_and_all_share_one_message() {
    let alice = thinker("Alice", "Twelve.");
    let ears: Vec<Ears> = (0..5).map(|n| Ears::new(format!("Ear{n}"))).collect();
    let hub = MsgHub::new(vec![Arc::new(alice.clone()) as Arc<dyn Agent>]).unwrap();
    hub.add(&ears).unwrap();
    let reply = alice.reply("Your price?").await.unwrap();
    assert!(reply.content.len() > 1, "it thought and called");
    let first = ears[0].heard();
    for ear in &ears {
        let heard = ear.heard();
        assert_eq!(heard.len(), 1);
        assert!(Arc::ptr_eq(&heard[0], &first[0]), "a broadcast shares one message");
        assert_eq!(heard[0].content, [ContentBlock::text("Twelve.")]);
        assert_eq!((&heard[0].id, heard[0].name.as_str()), (&reply.id, "Alice"));
    }
}

#[tokio::test]
async fn nobody_hears_itself() {
    let (alice, bob) = (echoing("Alice"), echoing("Bob"));
    let _hub = MsgHub::new((&alice, &bob)).unwrap();
    alice.reply("one").await.unwrap();
    assert_eq!((alice.mailbox().heard(), bob.mailbox().heard()), (0, 1));
}

#[tokio::test]
async fn a_hub_of_one_or_of_none_is_a_hub() {
    let alice = echoing("Alice");
    let hub = MsgHub::new(&alice).unwrap();
    alice.reply("Anybody?").await.unwrap();
    hub.broadcast("hello").await.unwrap();
    assert_eq!(alice.mailbox().heard(), 1);
    hub.remove(&alice).unwrap();
    assert!(hub.participants().is_empty());
    hub.broadcast("hello").await.unwrap();
    hub.settled().await;
    let empty = MsgHub::new(Vec::<Arc<dyn Agent>>::new()).unwrap();
    empty.broadcast("hello").await.unwrap();
    assert!(empty.faults().is_empty());
}

#[tokio::test]
async fn who_is_in_several_hubs_with_the_speaker_hears_once() {
    let (alice, bob, carol) = (echoing("Alice"), echoing("Bob"), echoing("Carol"));
    let _all = MsgHub::new((&alice, &bob, &carol)).unwrap();
    {
        let _some = MsgHub::new((&alice, &bob)).unwrap(); // within the other one
        alice.reply("one").await.unwrap();
        assert_eq!((bob.mailbox().heard(), carol.mailbox().heard()), (1, 1));
        let _again = MsgHub::new((&bob, &alice)).unwrap();
        alice.reply("two").await.unwrap();
        assert_eq!((bob.mailbox().heard(), carol.mailbox().heard()), (2, 2));
    }
    alice.reply("three").await.unwrap();
    assert_eq!((bob.mailbox().heard(), carol.mailbox().heard()), (3, 3));
}

#[tokio::test]
async fn what_is_said_in_a_hub_within_a_hub_is_heard_by_those_of_the_speakers_hubs_alone() {
    let (wolf, other, villager) = (echoing("Wolf"), echoing("Other"), echoing("Villager"));
    let village = MsgHub::new((&wolf, &other, &villager)).unwrap();
    village.auto_broadcast(false); // at night
    {
        let _den = MsgHub::new((&wolf, &other)).unwrap();
        wolf.reply("Whom?").await.unwrap();
        assert_eq!((other.mailbox().heard(), villager.mailbox().heard()), (1, 0));
    }
    village.auto_broadcast(true);
    wolf.reply("Good morning!").await.unwrap();
    assert_eq!((other.mailbox().heard(), villager.mailbox().heard()), (2, 1));
}

#[tokio::test]
async fn who_left_or_whose_hub_is_gone_neither_hears_nor_is_heard() {
    let (alice, bob, carol) = (echoing("Alice"), echoing("Bob"), echoing("Carol"));
    let hub = MsgHub::new((&alice, &bob, &carol)).unwrap();
    hub.remove(&bob).unwrap();
    alice.reply("one").await.unwrap();
    bob.reply("two").await.unwrap();
    hub.broadcast("three").await.unwrap();
    let heard = || [&alice, &bob, &carol].map(|agent| agent.mailbox().heard());
    assert_eq!(heard(), [1, 0, 2]);
    assert!(bob.audience().unwrap().is_empty() && !alice.audience().unwrap().is_empty());
    let same = hub.clone();
    drop(hub);
    alice.reply("four").await.unwrap();
    assert_eq!(heard(), [0, 0, 3], "a clone is the same hub");
    drop(same);
    assert!(alice.audience().unwrap().is_empty());
    alice.reply("five").await.unwrap();
    assert_eq!(heard(), [0, 0, 3]);
}

#[tokio::test]
async fn nobody_is_added_twice_and_no_stranger_is_removed() {
    let (alice, bob, carol) = (echoing("Alice"), echoing("Bob"), echoing("Carol"));
    let hub = MsgHub::new((&alice, &bob)).unwrap();
    for error in [hub.add((&carol, &alice)).unwrap_err(), hub.add((&carol, &carol)).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("add each participant once"), "{error}");
    }
    assert_eq!(hub.participants().len(), 2, "nobody was added");
    assert!(carol.audience().unwrap().is_empty());
    let error = hub.remove((&bob, &carol)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().ends_with("`Carol` cannot be removed: in the hub is Alice"), "{error}");
    hub.remove(&alice).unwrap();
    hub.add(&alice).unwrap();
    assert_eq!(format!("{hub:?}"), r#"["Alice"]"#);
}

#[tokio::test]
async fn an_agent_without_an_audience_is_told_how_to_get_one() {
    let error = MsgHub::new(&Ears::new("Deaf").mute()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("`Deaf`") && error.to_string().contains("Agent::audience"), "{error}");
}

#[tokio::test]
async fn who_joins_hears_what_is_said_from_then_on() {
    let (alice, bob) = (echoing("Alice"), echoing("Bob"));
    let hub = MsgHub::announced(&alice, "Welcome!").await.unwrap();
    alice.reply("one").await.unwrap();
    hub.add(&bob).unwrap();
    alice.reply("two").await.unwrap();
    assert_eq!(heard_by(&bob).await, ["two"]);
}

#[tokio::test]
async fn with_automatic_broadcast_off_only_what_is_passed_on_is_heard() {
    let (alice, bob) = (echoing("Alice"), echoing("Bob"));
    let hub = MsgHub::new((&alice, &bob)).unwrap();
    hub.auto_broadcast(false);
    let said = alice.reply("one").await.unwrap();
    assert_eq!(bob.mailbox().heard(), 0);
    hub.broadcast(&said).await.unwrap();
    hub.auto_broadcast(true);
    alice.reply("two").await.unwrap();
    assert_eq!(heard_by(&bob).await, ["one", "two"]);
    assert_eq!(heard_by(&alice).await, Vec::<String>::new(), "its own words are not news to it");
}

#[tokio::test]
async fn replies_of_one_speaker_are_heard_in_order_by_all_however_they_are_asked_for() {
    let alice = agent_fn("Alice", |msgs: Vec<Arc<Msg>>, _| async move {
        let text = msgs[0].text();
        // The first ones take longest.
        tokio::time::sleep(Duration::from_millis(20 - text.parse::<u64>().unwrap())).await;
        Ok(Msg::assistant("Alice", text))
    });
    let ears: Vec<Ears> = (0..3).map(|n| Ears::new(format!("Ear{n}"))).collect();
    let hub = MsgHub::new(&alice).unwrap();
    hub.add(&ears).unwrap();
    let all: Vec<_> = (0..20).map(|n| alice.reply(n.to_string()).start()).collect();
    for reply in all {
        reply.await.unwrap();
    }
    let wanted: Vec<String> = (0..20).map(|n: u32| n.to_string()).collect();
    for ear in &ears {
        assert_eq!(ear.texts(), wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_speak_at_once_are_all_heard_once_and_each_in_order() {
    let speakers: Vec<_> = (0..8).map(|n| speaker(&format!("S{n}"))).collect();
    let ears = Ears::new("Ears");
    let hub = MsgHub::new(&speakers).unwrap();
    hub.add(&ears).unwrap();
    let talks: Vec<_> = speakers
        .iter()
        .cloned()
        .map(|speaker| {
            tokio::spawn(async move {
                for n in 0..50 {
                    speaker.reply(n.to_string()).await.unwrap();
                }
            })
        })
        .collect();
    for talk in talks {
        talk.await.unwrap();
    }
    let heard = ears.heard();
    assert_eq!(heard.len(), 400);
    for speaker in &speakers {
        let of: Vec<String> =
            heard.iter().filter(|msg| msg.name == speaker.card().name).map(|msg| msg.text()).collect();
        assert_eq!(of, (0..50).map(|n: u32| n.to_string()).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_reply_is_heard_as_far_as_it_was_said_and_a_failed_one_not_at_all() {
    use agentscope_core::testing::{Line, say};
    let model = agentscope_core::ScriptedModel::new([
        Line::new().say("one two three four").chunks(4).every(Duration::from_millis(10)),
        say("never said"),
    ])
    .may_leave_lines();
    let alice = ReActAgent::new("Alice", model);
    let broken = agent_fn("Broken", |_, _| async { Err::<Msg, _>(Error::new(ErrorKind::Tool, "no")) });
    let ears = Ears::new("Ears");
    let hub = MsgHub::new((&alice, &broken, &ears)).unwrap();
    let stop = Interrupt::new();
    let reply = alice.reply("Count!").interrupt(&stop).start();
    tokio::time::sleep(Duration::from_millis(25)).await;
    stop.trigger(Reason::User(None));
    let said = reply.await.unwrap();
    assert_eq!(said.finish, Some(Finish::Interrupted));
    assert!(
        "one two three four".starts_with(&said.text()) && said.text().len() < 18 && !said.text().is_empty()
    );
    assert_eq!(ears.texts(), [said.text()]);
    broken.reply("hi").await.unwrap_err();
    let late_words = listener("Late", Duration::from_millis(20));
    hub.add(&late_words).unwrap();
    let error = late_words.reply("too late").deadline(Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let late = Interrupt::new();
    late.trigger(Reason::User(None));
    let silent = alice.reply("Again!").interrupt(&late).await.unwrap();
    assert_eq!(silent.finish, Some(Finish::Interrupted));
    assert_eq!(ears.texts(), [said.text()], "a failed reply, and one that says nothing, are not heard");
    drop(hub);
}

#[tokio::test]
async fn a_waiting_reply_is_heard_when_it_is_over() {
    use agentscope_core::{
        Decision, ScriptedModel,
        testing::{Line, say},
    };
    let model = ScriptedModel::new([Line::new().say("I shall.").call("c1", "act", json!({})), say("Done.")]);
    let act = Probe::new("act", |_, _| async { Ok("acted".into()) });
    let alice = ReActAgent::new("Alice", model).tool(act);
    let ears = Ears::new("Ears");
    let _hub = MsgHub::new((&alice, &ears)).unwrap();
    assert_eq!(alice.reply("Act!").await.unwrap().finish, Some(Finish::Waiting));
    assert_eq!(ears.texts(), Vec::<String>::new());
    alice.reply(Decision::allow("c1")).await.unwrap();
    assert_eq!(ears.texts(), ["Done."]);
}

#[tokio::test]
async fn a_pipeline_takes_part_and_its_agents_hear_once_though_they_take_part_too() {
    let (alice, bob, carol) = (echoing("Alice"), echoing("Bob"), echoing("Carol"));
    let both = Sequential::new((&bob, &carol)).named("Both");
    let hub = MsgHub::new((&alice, &both, &bob)).unwrap();
    alice.reply("one").await.unwrap();
    assert_eq!(heard_by(&bob).await, ["one"], "by itself and through the pipeline");
    assert_eq!(heard_by(&carol).await, ["one"]);
    let said = both.reply("two").await.unwrap();
    // Bob is heard himself, and the pipeline when it is over.
    assert_eq!(heard_by(&alice).await, ["two", said.text().as_str()]);
    let twice = texts(&bob.snapshot().await.unwrap());
    assert_eq!(
        twice.iter().filter(|it| *it == "Bob: two").count(),
        1,
        "its own words came back to it: {twice:?}"
    );
    drop(hub);
}

#[tokio::test]
async fn a_pipeline_that_hears_lets_all_its_agents_hear_whoever_of_them_fails() {
    let (deaf, ears) = (Ears::new("Deaf").fails(), Ears::new("Ears"));
    let both = Fanout::new((&deaf, &ears));
    let alice = speaker("Alice");
    let hub = MsgHub::new((&alice, &both)).unwrap();
    alice.reply("one").await.unwrap();
    assert_eq!(ears.texts(), ["one"]);
    let faults = hub.faults();
    assert_eq!((faults.len(), faults[0].participant.as_str()), (1, "Fanout"));
    assert!(faults[0].error.to_string().contains("Deaf"), "{}", faults[0].error);
}

#[tokio::test]
async fn what_is_passed_on_by_hand_and_by_the_hub_is_taken_once() {
    let store = Arc::new(MemoryStore::new());
    let bob = || echoing("Bob").store(Arc::clone(&store)).session(SessionKey::new("bob"));
    let alice = echoing("Alice");
    let (heir, bob) = (bob(), bob());
    let _hub = MsgHub::new((&alice, &bob)).unwrap();
    let said = alice.reply("one").await.unwrap();
    bob.reply(&said).await.unwrap();
    assert_eq!(texts(&bob.snapshot().await.unwrap()), ["Alice: one", "Bob: one"]);
    bob.observe(vec![Arc::new(said.spoken())]).await.unwrap();
    bob.reply("two").await.unwrap();
    // Another handle, as another process has it.
    heir.observe(vec![Arc::new(said.spoken())]).await.unwrap();
    heir.reply("three").await.unwrap();
    let told = texts(&heir.snapshot().await.unwrap());
    assert_eq!(told.iter().filter(|it| *it == "Alice: one").count(), 1, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_heard_twice_in_the_middle_of_a_reply_enters_it_once() {
    let wait = Probe::new("wait", |_, _| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok("waited".into())
    })
    .with(agentscope_core::ToolSpec::read_only);
    let model = model_fn(ModelCard::new("waiter"), |req: ModelRequest| async move {
        Ok(match req.messages.last().map_or(0, |msg| msg.results().count()) {
            0 => vec![ModelDelta::tool_call(0, "c1", "wait", "{}")],
            _ => vec![ModelDelta::text("Done.")],
        })
    });
    let bob = ReActAgent::new("Bob", model).tool(wait);
    let asked: Arc<Msg> = Msg::user("Wait!").into();
    let reply = bob.reply(&asked).start();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let news: Arc<Msg> = Msg::user("Hurry!").into();
    bob.observe(vec![Arc::clone(&news)]).await.unwrap();
    bob.observe(vec![news, asked]).await.unwrap();
    let msg = reply.await.unwrap();
    let heard: Vec<_> = msg
        .content
        .iter()
        .filter_map(|block| match block {
            ContentBlock::Heard(heard) => Some(heard.text()),
            _ => None,
        })
        .collect();
    assert_eq!(heard, ["Hurry!"]);
    assert_eq!(bob.mailbox().heard(), 0);
}

#[tokio::test]
async fn what_is_asked_twice_is_meant_twice_in_a_hub_as_well() {
    let (alice, bob) = (echoing("Alice"), echoing("Bob"));
    let _hub = MsgHub::new((&alice, &bob)).unwrap();
    alice.reply("one").await.unwrap();
    let nudge: Arc<Msg> = Msg::user("Go on.").into();
    for _ in 0..3 {
        assert_eq!(bob.reply(&nudge).await.unwrap().text(), "Go on.");
    }
    let told = texts(&bob.snapshot().await.unwrap());
    assert_eq!(told.iter().filter(|it| *it == "user: Go on.").count(), 3, "{told:?}");
}

#[tokio::test]
async fn what_a_pipeline_says_again_is_not_taken_by_who_has_heard_it() {
    let [alice, bob, carol] = ["Alice", "Bob", "Carol"].map(echoing);
    let _hub = MsgHub::new((&alice, &bob, &carol)).unwrap();
    let first = Sequential::new((&alice, &bob));
    Sequential::new((&first, &carol)).reply("one").await.unwrap();
    let told = texts(&carol.snapshot().await.unwrap());
    assert_eq!(told, ["Alice: one", "Bob: one", "Carol: one"]);
}

#[tokio::test]
async fn a_pipeline_in_a_hub_decides_by_what_it_heard() {
    let (alice, yes, no) = (echoing("Alice"), speaker("Yes"), speaker("No"));
    let desk = agentscope_agent::IfElse::new(|msg: &Msg| msg.text() == "left", &yes, &no).named("Desk");
    let _hub = MsgHub::new((&alice, &desk)).unwrap();
    for (said, by) in [("left", &yes), ("right", &no)] {
        alice.reply(said).await.unwrap();
        let heard = Ears::new("Ears");
        let _beside = MsgHub::new((by, &heard)).unwrap();
        assert_eq!(desk.reply(()).await.unwrap().text(), said);
        assert_eq!(heard.texts(), [said]);
    }
}

#[tokio::test]
async fn who_is_not_in_a_hub_is_told_as_often_as_it_is_told() {
    let bob = echoing("Bob");
    let msg: Arc<Msg> = Msg::user("Again!").into();
    bob.reply(&msg).await.unwrap();
    bob.reply(&msg).await.unwrap();
    let told = texts(&bob.snapshot().await.unwrap());
    assert_eq!(told.iter().filter(|it| *it == "user: Again!").count(), 2, "{told:?}");
}

#[tokio::test]
async fn sessions_of_one_agent_are_different_participants() {
    let alice = echoing("Alice");
    let (one, two) = (alice.session(SessionKey::new("1")), alice.session(SessionKey::new("2")));
    let _hub = MsgHub::new([&one, &two]).unwrap();
    one.reply("hi").await.unwrap();
    assert_eq!((one.mailbox().heard(), two.mailbox().heard(), alice.mailbox().heard()), (0, 1, 0));
}

#[tokio::test]
async fn a_participant_may_use_the_hub_while_it_speaks() {
    let slot: Arc<std::sync::OnceLock<MsgHub>> = Arc::default();
    let hubs = Arc::clone(&slot);
    let (bob, carol) = (Ears::new("Bob"), Ears::new("Carol"));
    let newcomer = carol.clone();
    let alice = agent_fn("Alice", move |_, _| {
        let (hubs, newcomer) = (Arc::clone(&hubs), newcomer.clone());
        async move {
            let hub = hubs.get().unwrap();
            hub.broadcast("Wait for Carol.").await?;
            hub.add(&newcomer)?;
            Result::Ok(Msg::assistant("Alice", "Here we are."))
        }
    });
    slot.set(MsgHub::new((&alice, &bob)).unwrap()).unwrap();
    alice.reply("Begin.").await.unwrap();
    assert_eq!(bob.texts(), ["Wait for Carol.", "Here we are."]);
    assert_eq!(carol.texts(), ["Here we are."]);
}

#[tokio::test(start_paused = true)]
async fn who_is_removed_while_it_speaks_is_not_heard() {
    let alice = listener("Alice", Duration::from_millis(20));
    let ears = Ears::new("Ears");
    let hub = MsgHub::new((&alice, &ears)).unwrap();
    let reply = alice.reply("one").start();
    tokio::time::sleep(Duration::from_millis(10)).await;
    hub.remove(&alice).unwrap();
    assert_eq!(reply.await.unwrap().text(), "one");
    assert_eq!(ears.texts(), Vec::<String>::new());
}
