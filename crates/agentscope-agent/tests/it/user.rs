//! A person as an agent, by channel and by function.

use crate::support::results;
use agentscope_agent::{Answer, ReActAgent, UserAgent, user_channel, user_fn};
use agentscope_core::{
    Agent, AgentExt, ContentBlock, Error, ErrorKind, Finish, Input, Interrupt, MemoryStore, Msg, Reason,
    Result, Role, ScriptedModel, SessionKey, ToolCall,
    testing::{
        call,
        conformance::{Subject, agent},
        say,
    },
};
use proptest::prelude::*;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

fn subject_of(user: UserAgent) -> Subject {
    let saved = user.clone();
    Subject::new(user).snapshot(move || {
        let user = saved.clone();
        async move { user.snapshot().await }
    })
}

#[tokio::test(start_paused = true)]
async fn a_person_keeps_the_laws_of_agents() {
    agent(|| {
        subject_of(UserAgent::new(
            "Bob",
            user_fn(|_| async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                tokio::task::yield_now().await;
                Ok("hello")
            }),
        ))
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_person_at_a_channel_keeps_the_laws_of_agents() {
    agent(|| {
        let (input, questions) = user_channel(4);
        tokio::spawn(async move {
            while let Some(question) = questions.next().await {
                tokio::time::sleep(Duration::from_millis(3)).await;
                let _ = questions.answer(&question.id, "hello"); // it may be interrupted
            }
        });
        subject_of(UserAgent::new("Bob", input))
    })
    .await;
}

#[tokio::test]
async fn a_person_and_an_agent_talk_and_each_hears_the_other_as_who_they_are() {
    let model = ScriptedModel::new([say("Where do you live?"), say("Then take an umbrella.")]);
    let friday = ReActAgent::new("Friday", model.clone());
    let (input, questions) = user_channel(4);
    let bob = UserAgent::new("Bob", input);
    let page = tokio::spawn(async move {
        let mut heard = Vec::new();
        for line in ["Will it rain?", "In Bergen.", "exit"] {
            let question = questions.next().await.unwrap();
            heard.extend(question.messages.iter().map(|msg| format!("{}: {}", msg.name, msg.text())));
            questions.answer(&question.id, line).unwrap();
        }
        heard
    });
    let mut msg = bob.reply(()).await.unwrap();
    while msg.text() != "exit" {
        msg = bob.reply(friday.reply(msg).await.unwrap()).await.unwrap();
    }
    assert_eq!(page.await.unwrap(), ["Friday: Where do you live?", "Friday: Then take an umbrella."]);
    let read = &model.requests()[1].messages;
    let said: Vec<_> = read.iter().map(|it| (it.role, it.name.to_string())).collect();
    let bob_says = (Role::User, "Bob".to_owned());
    assert_eq!(said, [bob_says.clone(), (Role::Assistant, "Friday".to_owned()), bob_says]);
    let kept = bob.snapshot().await.unwrap();
    assert_eq!(kept.context.len(), 5, "what they said, and what they heard");
}

#[tokio::test]
async fn two_people_and_an_agent_hear_each_message_once() {
    let friday = ReActAgent::new("Friday", ScriptedModel::new([say("one"), say("two")]));
    let heard = |name: &str| {
        let (count, name) = (Arc::new(AtomicUsize::new(0)), name.to_owned());
        user_fn(move |question| {
            let round = count.fetch_add(1, Ordering::SeqCst);
            let heard: Vec<_> = question.messages.iter().map(|it| it.text()).collect();
            let text = format!("{name}{round}({})", heard.join(","));
            async move { Ok(text) }
        })
    };
    let (alice, bob) = (UserAgent::new("Alice", heard("A")), UserAgent::new("Bob", heard("B")));
    let mut last = String::new();
    for _ in 0..2 {
        for (speaker, others) in [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])] {
            let all: [&dyn Agent; 3] = [&alice, &bob, &friday];
            let said = all[speaker].reply(()).await.unwrap();
            for other in others {
                all[other].observe(vec![Arc::new(said.spoken())]).await.unwrap();
            }
            last = said.text();
        }
    }
    assert_eq!(last, "two");
    let state = bob.snapshot().await.unwrap();
    let said: Vec<_> = state.messages().map(|it| it.text()).collect();
    assert_eq!(said, ["A0()", "B0(A0())", "one", "A1(B0(A0()),one)", "B1(one,A1(B0(A0()),one))"]);
}

#[derive(serde::Deserialize, schemars::JsonSchema, Debug, PartialEq)]
struct Trip {
    /// Where to.
    city: String,
    days: u8,
}

#[tokio::test]
async fn typed_input_is_held_to_the_schema_and_asked_for_again() {
    let (input, questions) = user_channel(4);
    let bob = UserAgent::new("Bob", input);
    let page = tokio::spawn(async move {
        let first = questions.next().await.unwrap();
        assert_eq!((first.attempt, &first.wrong), (1, &None));
        assert_eq!(first.output_schema.unwrap()["properties"]["city"]["description"], "Where to.");
        questions.answer(&first.id, "to Oslo").unwrap();
        let second = questions.next().await.unwrap();
        assert!(second.wrong.unwrap().contains("no JSON") && second.messages == first.messages);
        questions.answer(&second.id, Answer::output(json!({"city": "Oslo", "days": 300}))).unwrap();
        let third = questions.next().await.unwrap();
        assert!(third.wrong.unwrap().contains("/days") && third.attempt == 3);
        questions.answer(&third.id, Answer::output(json!({"city": "Oslo", "days": 3}))).unwrap();
    });
    let trip: Trip = bob.reply("Where to?").typed().await.unwrap();
    assert_eq!(trip, Trip { city: "Oslo".into(), days: 3 });
    page.await.unwrap();
    let said = bob.snapshot().await.unwrap().context[1].msg.text();
    assert_eq!(said, r#"{"city":"Oslo","days":3}"#, "who reads words reads it too");
}

#[tokio::test]
async fn words_are_the_output_if_they_say_it_as_json_or_as_the_text_that_is_wanted() {
    let says = |text: &'static str| UserAgent::new("Bob", user_fn(move |_| async move { Ok(text) })).tries(1);
    assert!(says("true").reply("Well?").typed::<bool>().await.unwrap());
    assert_eq!(says("42").reply("Well?").typed::<String>().await.unwrap(), "42");
    assert_eq!(says("42").reply("Well?").typed::<u8>().await.unwrap(), 42);
    assert_eq!(says("null").reply("Well?").typed::<Option<u8>>().await.unwrap(), None);
}

#[tokio::test]
async fn output_that_never_fits_is_asked_for_as_often_as_is_allowed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let input = user_fn(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok("no") }
    });
    let error = UserAgent::new("Bob", input).tries(3).reply("Trip?").typed::<Trip>().await.unwrap_err();
    assert_eq!((error.kind(), asked.load(Ordering::SeqCst)), (ErrorKind::Refused, 3), "{error}");
}

#[tokio::test]
async fn what_is_no_text_and_no_media_is_not_taken_for_a_person_s_answer() {
    let call = || vec![ContentBlock::from(ToolCall::new("c1", "remove", "{}"))];
    let bob = UserAgent::new("Bob", user_fn(move |_| async move { Ok(call()) }));
    let error = bob.reply("Hello?").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert!(bob.snapshot().await.unwrap().is_well_formed());
}

#[tokio::test]
async fn a_person_elsewhere_names_no_file_of_this_machine() {
    let sends = |url: &'static str| {
        let input = user_fn(move |_| async move { Ok(Answer::default().with(ContentBlock::url(url))) });
        UserAgent::new("Bob", input)
    };
    for path in ["/etc/passwd", "cat.png", "file:///etc/passwd"] {
        let error = sends(path).reply("Your picture?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{path}: {error}");
        assert_eq!(sends(path).local_files().reply("Your picture?").await.unwrap().content.len(), 1);
    }
    assert!(sends("https://example.org/cat.png").reply("Your picture?").await.is_ok());
}

#[tokio::test]
async fn a_model_may_ask_a_person_as_a_tool() {
    let model = ScriptedModel::new([call("c1", "Bob", json!({"task": "Which city?"})), say("Oslo it is.")]);
    let bob = UserAgent::new(
        "Bob",
        user_fn(|question| async move {
            Ok(if question.messages[0].text() == "Which city?" { "Oslo" } else { "What?" })
        }),
    );
    let reply = ReActAgent::new("Friday", model).agent(bob).reply("Book a trip.").await.unwrap();
    assert_eq!(results(&reply)[0].2, "Oslo");
    assert_eq!(reply.text(), "Oslo it is.");
}

#[tokio::test]
async fn only_what_an_agent_says_is_shown_to_a_person() {
    let shown = user_fn(|question| async move { Ok(serde_json::to_string(&question.messages).unwrap()) });
    let secret = Msg::assistant("Friday", "I looked.").with(ContentBlock::thinking("secret thought"));
    let secret = secret.with(ToolCall::new("c1", "look", r#"{"secret":1}"#));
    let text = UserAgent::new("Bob", shown).reply(secret).await.unwrap().text();
    assert!(text.contains("I looked.") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn questions_that_wait_are_bounded_shown_again_and_answered_once() {
    let (input, questions) = user_channel(2);
    let people: Vec<_> = ["A", "B", "C"].map(|name| UserAgent::new(name, input.clone())).into();
    let stop = Interrupt::new();
    let (first, second) = (people[0].reply("1").start(), people[1].reply("2").interrupt(&stop).start());
    let (a, b) = (questions.next().await.unwrap(), questions.next().await.unwrap());
    let full = people[2].reply("3").await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Exhausted, "{full}");
    assert_eq!(questions.open(), [a.clone(), b.clone()], "a page that is loaded again sees them again");
    stop.trigger(Reason::User(None));
    assert_eq!(second.await.unwrap().finish, Some(Finish::Interrupted));
    assert_eq!(questions.answer(&b.id, "late").unwrap_err().kind(), ErrorKind::NotFound);
    questions.decline(&a.id, "Alice is busy").unwrap();
    let declined = first.await.unwrap_err();
    assert_eq!((declined.kind(), declined.message()), (ErrorKind::Refused, "Alice is busy"));
    let waits = people[2].reply("4").start();
    questions.next().await.unwrap();
    drop(questions);
    assert_eq!(waits.await.unwrap_err().kind(), ErrorKind::Unavailable, "nobody is left who could answer");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_wait_for_a_person_as_an_error() {
    let (input, questions) = user_channel(2);
    let bob = UserAgent::new("Bob", input);
    let error = bob.reply("Hello?").deadline(Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(questions.open().is_empty());
    assert!(bob.snapshot().await.unwrap().open.is_none());
}

#[tokio::test]
async fn what_a_person_did_not_answer_before_a_crash_is_asked_again_as_the_same_question() {
    let store = MemoryStore::new();
    let chat = SessionKey::new("chat-1");
    let (before, _kept) = {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (input, questions) = user_channel(2);
        let bob = UserAgent::new("Bob", input).store(store.clone()).session(chat.clone());
        let question = runtime
            .spawn(async move {
                bob.observe(vec![Msg::assistant("Friday", "psst").into()]).await.unwrap();
                std::mem::forget(bob.reply("Hello?").stream().start());
                (questions.next().await.unwrap(), questions)
            })
            .await
            .unwrap();
        runtime.shutdown_background(); // as if the program had died
        question
    };
    let (input, questions) = user_channel(2);
    let bob = UserAgent::new("Bob", input).store(store).session(chat);
    let reply = bob.reply(Input::Continue).start();
    let again = questions.next().await.unwrap();
    assert_eq!((&again.id, &again.messages), (&before.id, &before.messages));
    questions.answer(&before.id, "Hello.").unwrap();
    let said = reply.await.unwrap();
    assert_eq!((said.text().as_str(), said.role), ("Hello.", Role::User));
}

/// What a person does when asked.
#[derive(Clone, Copy, Debug)]
enum Move {
    Speaks(u64),
    Fails(u64),
    IsGone,
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => (0..20u64).prop_map(Move::Speaks),
        1 => (0..20u64).prop_map(Move::Fails),
        1 => Just(Move::IsGone),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whenever_a_person_is_interrupted_the_talk_goes_on(
        moves in proptest::collection::vec((any_move(), 0..25u64), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let script: Arc<std::sync::Mutex<Vec<Move>>> = Arc::default();
            let next = Arc::clone(&script);
            let bob = UserAgent::new("Bob", user_fn(move |_| {
                let now = next.lock().unwrap().pop();
                async move {
                    match now {
                        Some(Move::Speaks(after)) => tokio::time::sleep(Duration::from_millis(after)).await,
                        Some(Move::Fails(after)) => {
                            tokio::time::sleep(Duration::from_millis(after)).await;
                            return Err(Error::new(ErrorKind::Unavailable, "the page is gone"));
                        }
                        Some(Move::IsGone) => std::future::pending().await,
                        None => {}
                    }
                    Result::Ok("hello")
                }
            }));
            for (now, stop_after) in moves {
                script.lock().unwrap().push(now);
                let stop = Interrupt::new();
                let reply = bob.reply("Hello?").interrupt(&stop).start();
                tokio::time::sleep(Duration::from_millis(stop_after)).await;
                stop.trigger(Reason::User(None));
                match (reply.await, now) {
                    (Ok(msg), Move::Speaks(after)) if after < stop_after => {
                        assert_eq!((msg.finish.clone(), msg.text().as_str()), (Some(Finish::Completed), "hello"));
                    }
                    (Err(error), Move::Fails(after)) => {
                        assert!(error.kind() == ErrorKind::Unavailable && after <= stop_after);
                    }
                    (Ok(msg), _) => assert!(matches!(msg.finish, Some(Finish::Interrupted | Finish::Completed))),
                    (Err(error), now) => panic!("{now:?} interrupted after {stop_after} ms: {error}"),
                }
                let state = bob.snapshot().await.unwrap();
                assert!(state.is_well_formed() && state.open.is_none());
                script.lock().unwrap().clear();
            }
            assert_eq!(bob.reply("Still there?").await.unwrap().text(), "hello");
        });
    }
}

#[tokio::test]
async fn a_schema_that_is_none_is_refused_before_anybody_is_asked() {
    let bob = UserAgent::new("Bob", user_fn(|_| async { Ok("never") }));
    let mut req = agentscope_core::ReplyRequest::from(Input::from("Well?"));
    req.output_schema = Some(Arc::new(json!({"type": 3})));
    let error = Agent::call(&bob, req, agentscope_core::Context::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(bob.snapshot().await.unwrap().context.len(), 0);
}
