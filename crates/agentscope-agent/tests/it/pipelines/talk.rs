//! Talks in which somebody cannot hear, is slow, waits for its user, or has the name of another one.

use crate::support::{Ears, Probe, echoing, speaker};
use agentscope_agent::{Debate, GroupChat, Handoff, ReActAgent, SpeakerPolicy};
use agentscope_core::{
    AgentExt, CallState, ErrorKind, Finish, Msg, ScriptedModel, agent_fn,
    testing::{call, say},
};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn who_cannot_hear_and_is_not_asked_keeps_nobody_from_talking() {
    let (amy, bob, deaf) = (speaker("Amy"), speaker("Bob"), Ears::new("Deaf").fails());
    let chat = GroupChat::new((&amy, &bob, &deaf)).max_turns(4);
    let talk = chat.clone().speaker(SpeakerPolicy::by(|talk, names| names.get(talk.len() % 2).cloned()));
    assert_eq!(talk.all("Let us begin.").await.unwrap().len(), 4);
    let error = chat.all("Let us begin.").await.unwrap_err();
    assert!(error.to_string().contains("`Deaf` did not hear all that was said"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_holds_while_a_talk_waits_for_who_hears_slowly() {
    let (amy, slow) = (speaker("Amy"), Ears::new("Slow").takes(Duration::from_secs(50)));
    let began = tokio::time::Instant::now();
    let chat = GroupChat::new((&amy, &slow)).deadline(Duration::from_secs(5));
    assert_eq!(chat.all("Let us begin.").await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(began.elapsed().as_secs(), 5);
    let began = tokio::time::Instant::now();
    assert_eq!(chat.reply("Let us begin.").await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(began.elapsed().as_secs() <= 6, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_talk_neither_denies_nor_takes_up_what_waits_for_the_user() {
    let pay = Probe::new("pay", |_, _| async { Ok("paid".into()) });
    let script = [call("c1", "pay", json!({})), say("Good morning.")];
    let amy = ReActAgent::new("Amy", ScriptedModel::new(script)).tool(pay.clone());
    assert_eq!(amy.reply("Pay!").await.unwrap().finish, Some(Finish::Waiting));
    let bob = speaker("Bob");
    let talk = GroupChat::new((&amy, &bob)).max_turns(1).all("Say hello.").await.unwrap();
    assert_eq!(talk[0].text(), "Good morning.");
    let state = amy.snapshot().await.unwrap();
    let before = state.messages().find(|msg| msg.calls().next().is_some()).unwrap();
    assert!(
        before.open_calls().all(|call| call.state != CallState::Asking),
        "it was closed, as by any new request"
    );
    assert_eq!(pay.runs(), (0, 0));
}

#[tokio::test]
async fn who_panics_once_is_asked_anew_in_the_next_talk() {
    let amy = agent_fn("Amy", |heard, _| async move {
        let last = heard.last().expect("it is told what was said").text();
        assert!(last != "panic", "as it was told");
        Ok(Msg::assistant("Amy", last))
    });
    let chat = GroupChat::new((&amy, &speaker("Bob"))).max_turns(1);
    assert_eq!(chat.all("panic").await.unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(chat.all("hello").await.unwrap()[0].text(), "hello");
}

#[tokio::test]
async fn a_topic_may_be_talked_about_twice() {
    let (amy, bob) = (echoing("Amy"), echoing("Bob"));
    let topic = std::sync::Arc::new(Msg::user("Tabs or spaces?"));
    let chat = GroupChat::new((&amy, &bob)).max_turns(1);
    chat.all("Something else.").await.unwrap();
    for _ in 0..2 {
        assert_eq!(chat.all(&topic).await.unwrap()[0].text(), "Tabs or spaces?");
    }
}

#[tokio::test]
async fn two_of_one_name_are_refused_where_names_are_called() {
    let (one, two, judge) = (speaker("Expert"), speaker("Expert"), speaker("Judge"));
    for error in [
        GroupChat::new((&one, &two)).all("hi").await.unwrap_err(),
        Debate::new((&one, &two), &judge).judge("hi").await.unwrap_err(),
        Handoff::new((&one, &two)).reply("hi").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("two agents are called `Expert`"), "{error}");
    }
}
