//! The agent whose answers a program can read: what is said, what is remembered, and what happens to answers that cannot be read.

use agentscope_agent::{
    DictDialogAgent, MarkdownJsonDictParser, MultiTaggedContentParser, ParseError, ParseFault, ReActAgent,
    TaggedContent, parser_fn,
};
use agentscope_core::{
    AgentExt, AgentState, ContentBlock, Error, ErrorKind, EventKind, Finish, FinishReason, Input, Interrupt,
    MemoryStore, ModelCard, ModelRequest, Msg, Reason, Role, ScriptedModel, SessionKey, Usage, model_fn,
    testing::{
        Line,
        conformance::{Subject, agent},
        fail, say,
    },
};
use serde_json::{Value, json};
use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

fn fenced(value: &Value) -> Line {
    say(format!("```json\n{value}\n```"))
}

/// Says `speak`, remembers `thought` and `speak`, and tells the program `vote`.
fn villager() -> MarkdownJsonDictParser {
    MarkdownJsonDictParser::new()
        .content_hint(json!({"thought": "what you think", "speak": "what you say", "vote": "whom"}))
        .keys_to_memory(["thought", "speak"])
        .keys_to_content("speak")
        .keys_to_metadata(["vote"])
}

fn answer() -> Value {
    json!({"thought": "She blinked.", "speak": "It is Eve.", "vote": "Eve"})
}

/// What the model was shown, a line a message.
fn shown(request: &ModelRequest) -> Vec<String> {
    request.messages.iter().map(|msg| format!("{:?} {}: {}", msg.role, msg.name, msg.text())).collect()
}

#[tokio::test]
async fn what_is_said_remembered_and_told_to_the_program_are_different_parts_of_the_answer() {
    let model = ScriptedModel::new([fenced(&answer()), fenced(&answer())]);
    let bob = DictDialogAgent::new("Bob", model.clone()).prompt("You are a villager.").parser(villager());
    let said = bob.reply("Who is the wolf?").await.unwrap();
    assert_eq!((said.text().as_str(), said.role), ("It is Eve.", Role::Assistant));
    assert_eq!((&said.output, &Value::from(said.metadata.clone())), (&None, &json!({"vote": "Eve"})));
    let heard = serde_json::to_string(&said.spoken()).unwrap();
    assert!(!heard.contains("blinked") && heard.contains("It is Eve."), "{heard}");

    bob.reply("Sure?").await.unwrap();
    let asked = shown(&model.requests()[1]);
    let instruction = "System system: Respond a JSON dictionary in a markdown's fenced code block as follows:\n```json\n\
                       {\"thought\":\"what you think\",\"speak\":\"what you say\",\"vote\":\"whom\"}\n```";
    assert_eq!(
        asked,
        [
            "System system: You are a villager.",
            "User user: Who is the wolf?",
            r#"Assistant Bob: {"thought":"She blinked.","speak":"It is Eve."}"#,
            "User user: Sure?",
            instruction,
        ]
    );
}

#[tokio::test]
async fn what_is_remembered_survives_a_store_and_a_move() {
    let model = ScriptedModel::new([fenced(&answer()), fenced(&answer()), fenced(&answer())]);
    let bob = DictDialogAgent::new("Bob", model.clone()).parser(villager()).store(MemoryStore::new());
    let chat = bob.session("game");
    chat.reply("Who?").await.unwrap();
    bob.session("game").reply("And now?").await.unwrap();
    assert!(shown(&model.requests()[1]).iter().any(|line| line.contains("She blinked.")));
    let saved = serde_json::to_string(&chat.snapshot().await.unwrap()).unwrap();
    let state: AgentState = serde_json::from_str(&saved).unwrap();
    bob.resumed(state).reply("And now?").await.unwrap();
    assert!(shown(&model.requests()[2]).iter().any(|line| line.contains("She blinked.")));
}

#[tokio::test]
async fn an_agent_that_remembers_nothing_of_its_answer_knows_only_what_it_was_asked() {
    let model = ScriptedModel::new([fenced(&answer()), fenced(&answer())]);
    let bob = DictDialogAgent::new("Bob", model.clone()).parser(villager().keys_to_memory(false));
    bob.reply("Who?").await.unwrap();
    bob.reply("Sure?").await.unwrap();
    let asked = shown(&model.requests()[1]);
    assert_eq!(asked.len(), 3, "two questions and the form: {asked:?}");
}

#[tokio::test]
async fn all_that_is_said_is_json_in_words_and_as_output() {
    let model = ScriptedModel::new([fenced(&answer())]);
    let said = DictDialogAgent::new("Bob", model).reply("Who?").await.unwrap();
    assert_eq!((said.text(), said.output), (answer().to_string(), Some(answer())));
    assert!(said.metadata.is_empty() && said.content.len() == 1, "nothing else to remember");
}

#[tokio::test]
async fn nothing_is_said_where_no_key_is() {
    let model = ScriptedModel::new([fenced(&answer())]);
    let said = DictDialogAgent::new("Bob", model)
        .parser(villager().keys_to_content(false))
        .reply("Who?")
        .await
        .unwrap();
    assert_eq!((said.text().as_str(), said.spoken().content.len()), ("", 0));
    assert_eq!(said.metadata["vote"], "Eve");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_goes_back_with_what_is_wrong_and_does_not_stay() {
    let model = ScriptedModel::new([
        say("I vote for Eve."),
        fenced(&json!({"thought": "hm", "speak": "It is Eve."})),
        fenced(&answer()),
        fenced(&answer()),
    ]);
    let bob = DictDialogAgent::new("Bob", model.clone()).parser(villager());
    let mut stream = bob.reply("Who?").stream();
    let (mut failed, mut drafts) = (Vec::new(), String::new());
    while let Some(event) = stream.next().await {
        if let EventKind::Custom { name, value } = event.unwrap().kind {
            match name.as_str() {
                "draft" => drafts.push_str(value["delta"].as_str().unwrap()),
                _ => failed.push((name.to_string(), value["attempt"].clone(), value["error"].to_string())),
            }
        }
    }
    assert!(drafts.starts_with("I vote for Eve.```json\n{"), "the words are seen as they come: {drafts}");
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed[1].2.contains("`vote`"), "{failed:?}");
    let asked = shown(&model.requests()[2]);
    assert_eq!(asked[1], "Assistant Bob: I vote for Eve.");
    assert!(
        asked[2].starts_with("User user: <system-hint>Your answer could not be read: there is no JSON"),
        "{asked:?}"
    );
    assert!(asked[4].contains("fields are missing: `vote`; there are `thought`, `speak`"), "{asked:?}");
    assert!(asked[5].starts_with("System system: Respond a JSON"), "{asked:?}");

    let state = bob.snapshot().await.unwrap();
    let reply = &state.context[1].msg;
    assert_eq!(reply.usage, Some(Usage::new(30, 15)), "three calls were paid for");
    bob.reply("Sure?").await.unwrap();
    let asked = shown(&model.requests()[3]).join("\n");
    assert!(!asked.contains("I vote for Eve.") && !asked.contains("could not be read"), "{asked}");
}

#[tokio::test]
async fn when_all_tries_failed_the_reply_fails_with_the_answer_at_hand() {
    let model = ScriptedModel::new([say("no"), say("no"), say("never")]);
    let bob = DictDialogAgent::new("Bob", model).max_retries(2);
    let error = bob.reply("Who?").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(
        error.message().starts_with("`Bob` gave no answer that can be read, and was asked 3 times"),
        "{error}"
    );
    assert!(error.message().contains(".max_retries(..)") && !error.message().contains("never"), "{error}");
    let source = error.source().and_then(|it| it.downcast_ref::<ParseError>()).unwrap();
    assert_eq!((source.raw(), source.fault()), ("never", &ParseFault::NoJson));
    let state = bob.snapshot().await.unwrap();
    assert!(matches!(state.context[1].msg.finish, Some(Finish::Failed(_))) && state.open.is_none());
}

#[tokio::test]
async fn a_fault_handler_decides_what_a_last_failed_answer_means() {
    let model = ScriptedModel::new([say("Eve, I say"), say("Eve, I say"), say("")]);
    let bob = DictDialogAgent::new("Bob", model).parser(villager()).max_retries(0).fault_handler(
        |answer, error| match answer.split_once(',') {
            Some((vote, _)) => Ok(json!({"thought": "", "speak": answer, "vote": vote})),
            None => Err(Error::new(ErrorKind::Exhausted, format!("nobody knows: {error}"))),
        },
    );
    let said = bob.reply("Who?").await.unwrap();
    assert_eq!((said.text().as_str(), &said.metadata["vote"]), ("Eve, I say", &json!("Eve")));
    bob.reply("Who?").await.unwrap();
    assert_eq!(bob.reply("Who?").await.unwrap_err().kind(), ErrorKind::Exhausted);
}

#[tokio::test]
async fn an_answer_that_was_cut_is_not_taken_though_it_can_be_read() {
    let whole = fenced(&answer());
    let model = ScriptedModel::new([whole.clone().finish(FinishReason::Length), whole]);
    let bob = DictDialogAgent::new("Bob", model.clone()).parser(villager());
    assert_eq!(bob.reply("Who?").await.unwrap().text(), "It is Eve.");
    assert!(shown(&model.requests()[1])[2].contains("it was cut by the limit of tokens: write less"));
}

#[tokio::test]
async fn a_request_for_output_gets_the_fields_that_its_schema_names_and_no_others() {
    #[derive(serde::Deserialize, schemars::JsonSchema, Debug, PartialEq)]
    struct Vote {
        vote: String,
    }
    let model = ScriptedModel::new([
        fenced(&json!({"thought": "hm", "speak": "It is 3.", "vote": 3})),
        fenced(&answer()),
    ]);
    let bob = DictDialogAgent::new("Bob", model.clone()).parser(villager());
    let vote: Vote = bob.reply("Vote.").typed().await.unwrap();
    assert_eq!(vote, Vote { vote: "Eve".into() });
    assert!(
        shown(&model.requests()[1])[2].contains("does not fit the schema that was asked for: at `/vote`")
    );
    assert_eq!(bob.snapshot().await.unwrap().context[1].msg.output, Some(json!({"vote": "Eve"})));
}

#[tokio::test]
async fn a_clone_with_another_parser_is_the_same_agent_in_the_same_conversation() {
    let tagged = MultiTaggedContentParser::new([TaggedContent::new("vote", "<v>", "whom", "</v>")]);
    let model = ScriptedModel::new([fenced(&answer()), say("<v>Eve</v>"), say("42")]);
    let bob = DictDialogAgent::new("Bob", model.clone()).parser(villager());
    bob.reply("Who?").await.unwrap();
    let voted = bob.clone().parser(tagged.keys_to_content("vote")).reply("Vote.").await.unwrap();
    assert_eq!(voted.text(), "Eve");
    let number = parser_fn("A number.", |text| {
        text.parse::<u64>().map(Value::from).map_err(|_| ParseError::new("no number", text))
    });
    let said = bob.clone().parser(number).reply("How many?").await.unwrap();
    assert_eq!((said.text().as_str(), said.output), ("42", Some(json!(42))));
    let asked = shown(&model.requests()[2]);
    assert!(
        asked.iter().any(|line| line.contains("She blinked."))
            && asked.last().unwrap().ends_with("A number.")
    );
    assert_eq!(bob.snapshot().await.unwrap().context.len(), 6);
}

#[tokio::test]
async fn one_without_memory_answers_only_what_it_heard_since() {
    let model = ScriptedModel::new([fenced(&answer()), fenced(&answer())]);
    let bob = DictDialogAgent::new("Bob", model.clone()).parser(villager()).use_memory(false);
    bob.reply("Who?").await.unwrap();
    bob.observe_msg("Alice", "I am scared.").await;
    bob.reply("Sure?").await.unwrap();
    let asked = shown(&model.requests()[1]);
    assert_eq!(asked[..2], ["Assistant Alice: I am scared.", "User user: Sure?"], "{asked:?}");
    assert_eq!(asked.len(), 3);
}

trait Tell {
    async fn observe_msg(&self, name: &str, text: &str);
}

impl Tell for DictDialogAgent {
    async fn observe_msg(&self, name: &str, text: &str) {
        agentscope_core::Agent::observe(self, vec![Msg::assistant(name, text).into()]).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_heard_while_it_answers_is_known_at_the_next_try() {
    let (begun, goes) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (told, waits, count) = (Arc::clone(&begun), Arc::clone(&goes), Arc::new(AtomicUsize::new(0)));
    let model = model_fn(ModelCard::new("slow"), move |req: ModelRequest| {
        let (told, waits, nth) =
            (Arc::clone(&told), Arc::clone(&waits), count.fetch_add(1, Ordering::SeqCst));
        async move {
            if nth == 0 {
                told.notify_one();
                waits.notified().await;
                return Ok("not yet".to_owned());
            }
            let heard = format!("{:?}", req.messages).contains("Hurry!");
            Ok(json!({"heard": heard}).to_string())
        }
    });
    let bob = DictDialogAgent::new("Bob", model);
    let reply = bob.reply("Well?").start();
    begun.notified().await;
    bob.observe_msg("Alice", "Hurry!").await;
    goes.notify_one();
    assert_eq!(reply.await.unwrap().output, Some(json!({"heard": true})));
}

#[tokio::test]
async fn thoughts_stream_and_stay_and_what_other_agents_remember_is_not_taken_for_ones_own() {
    let line = Line::new().think("Let me see.").say(answer().to_string());
    let bob = DictDialogAgent::new("Bob", ScriptedModel::new([line])).parser(villager());
    let said = bob.reply("Who?").await.unwrap();
    assert!(matches!(&said.content[0], ContentBlock::Thinking { thinking, .. } if thinking == "Let me see."));
    let model = ScriptedModel::new([fenced(&answer())]);
    DictDialogAgent::new("Alice", model.clone()).parser(villager()).reply(said).await.unwrap();
    assert_eq!(
        shown(&model.requests()[0])[0],
        "Assistant Bob: It is Eve.",
        "the whole message was passed on"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_and_an_interrupt_end_it_at_once() {
    let slow = || fenced(&answer()).every(Duration::from_secs(1));
    let bob = DictDialogAgent::new("Bob", ScriptedModel::new([slow(), slow(), fenced(&answer())]));
    let error = bob.reply("Who?").deadline(Duration::from_millis(1500)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let stop = Interrupt::new();
    let reply = bob.reply("Who?").interrupt(&stop).start();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stop.trigger(Reason::User(None));
    assert_eq!(reply.await.unwrap().finish, Some(Finish::Interrupted));
    assert_eq!(bob.reply("Who?").await.unwrap().output, Some(answer()));
}

#[tokio::test]
async fn after_a_crash_it_asks_again() {
    let store = MemoryStore::new();
    let chat = SessionKey::new("game");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let hangs = model_fn(ModelCard::new("hangs"), |_| async {
        std::future::pending::<agentscope_core::Result<String>>().await
    });
    let before = DictDialogAgent::new("Bob", hangs).store(store.clone()).session(chat.clone());
    let reply = runtime.spawn(async move {
        let mut stream = before.reply("Who?").stream();
        while let Some(event) = stream.next().await {
            if matches!(event.unwrap().kind, EventKind::ModelStart { .. }) {
                return stream.detach();
            }
        }
        panic!("no model was asked");
    });
    let _kept = reply.await.unwrap();
    runtime.shutdown_background();
    let model = ScriptedModel::new([fenced(&answer())]);
    let after = DictDialogAgent::new("Bob", model.clone()).parser(villager()).store(store).session(chat);
    let said = after.reply(Input::Continue).await.unwrap();
    assert_eq!(said.text(), "It is Eve.");
    assert_eq!(shown(&model.requests()[0])[0], "User user: Who?");
}

fn subject(dict: DictDialogAgent) -> Subject {
    let (saved, template) = (dict.clone(), dict.clone());
    Subject::new(dict)
        .snapshot(move || {
            let dict = saved.clone();
            async move { dict.snapshot().await }
        })
        .resume(move |state| subject(template.resumed(state)))
}

#[tokio::test(start_paused = true)]
async fn an_agent_whose_first_answer_is_never_read_keeps_the_laws_of_agents() {
    agent(|| {
        let model = model_fn(ModelCard::new("rule"), |req: ModelRequest| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let was_told = req.messages.iter().any(|msg| msg.text().contains("could not be read"));
            Ok(if was_told { answer().to_string() } else { "Eve.".to_owned() })
        });
        subject(DictDialogAgent::new("Bob", model).parser(villager()))
    })
    .await;
}

/// The four classes of errors that AgentScope 0.x tells apart, and what meets each of them here.
mod classes {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_reached_is_an_error_that_says_that_trying_again_may_help() {
        let away = Error::new(ErrorKind::Unavailable, "the provider is away: try again later");
        let model = ScriptedModel::new([fail(away), fenced(&answer())]);
        let bob = DictDialogAgent::new("Bob", model);
        let error = bob.reply("Who?").await.unwrap_err();
        assert!(error.is_retryable(), "layers around the model try again on that: {error}");
        assert_eq!(bob.reply("Who?").await.unwrap().output, Some(answer()));
    }

    #[tokio::test]
    async fn what_a_rule_can_mend_is_mended_without_asking_again() {
        let broken = answer().to_string().replace('}', ",}");
        let model = ScriptedModel::new([say(format!("Sure:\n```json\n{broken}\n"))]);
        let bob = DictDialogAgent::new("Bob", model.clone());
        assert_eq!(bob.reply("Who?").await.unwrap().output, Some(answer()));
        assert_eq!(model.requests().len(), 1);
    }

    #[tokio::test]
    async fn what_the_model_can_mend_is_told_to_it() {
        let model = ScriptedModel::new([say("Eve."), fenced(&answer())]);
        assert_eq!(DictDialogAgent::new("Bob", model).reply("Who?").await.unwrap().output, Some(answer()));
    }

    #[tokio::test]
    async fn what_nobody_can_mend_is_a_typed_error_at_once() {
        let wrong = Error::new(ErrorKind::Unauthorized, "the key is wrong: set OPENAI_API_KEY");
        let model = ScriptedModel::new([fail(wrong)]);
        let error = DictDialogAgent::new("Bob", model.clone()).reply("Who?").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.is_retryable(), model.requests().len()),
            (ErrorKind::Unauthorized, false, 1)
        );
    }
}

#[tokio::test]
async fn an_agent_that_asks_it_as_a_tool_hears_what_it_says_alone() {
    let bob = DictDialogAgent::new("Bob", ScriptedModel::new([fenced(&answer())])).parser(villager());
    let model = ScriptedModel::new([
        agentscope_core::testing::call("c1", "Bob", json!({"task": "Who?"})),
        say("Bob says that it is Eve."),
    ]);
    let reply = ReActAgent::new("Host", model).agent(bob).reply("Go on.").await.unwrap();
    assert_eq!(crate::support::results(&reply)[0].2, "It is Eve.");
}
