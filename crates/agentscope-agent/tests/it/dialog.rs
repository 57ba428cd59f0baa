//! Agents that talk and agents that draw.

use agentscope_agent::{DialogAgent, TextToImageAgent};
use agentscope_core::{
    Agent, AgentExt, AgentState, ContentBlock, Context, Error, ErrorKind, EventKind, Finish, ImageModel,
    ImageRequest, Images, Media, MemoryStore, ModelCard, ModelRequest, Msg, Result, ScriptedModel, Usage,
    model_fn,
    testing::{
        conformance::{Subject, agent},
        say,
    },
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

fn texts(request: &ModelRequest) -> Vec<String> {
    request.messages.iter().map(|msg| msg.text()).collect()
}

#[tokio::test]
async fn a_dialog_has_a_prompt_a_memory_and_streams() {
    let model = ScriptedModel::new([say("Hello, Alice."), say("You are Alice.")]);
    let friday = DialogAgent::new("Friday", model.clone()).prompt("Be brief.").store(MemoryStore::new());
    friday.observe(vec![Msg::user("psst").into()]).await.unwrap();
    friday.reply("I am Alice.").await.unwrap();
    let mut deltas = 0;
    let mut stream = friday.reply("Who am I?").stream();
    while let Some(event) = stream.next().await {
        deltas += usize::from(matches!(event.unwrap().kind, EventKind::TextDelta { .. }));
    }
    assert!(deltas > 0);
    assert_eq!(
        texts(&model.requests()[1]),
        ["Be brief.", "psst", "I am Alice.", "Hello, Alice.", "Who am I?"]
    );
    assert!(model.requests()[0].tools.is_empty());
}

#[tokio::test]
async fn a_dialog_without_memory_answers_only_what_it_heard_since() {
    let model = ScriptedModel::new([say("Hello."), say("Yes."), say("No.")]);
    let friday = DialogAgent::new("Friday", model.clone()).prompt("Be brief.").use_memory(false);
    friday.reply("one").await.unwrap();
    friday.observe(vec![Msg::assistant("Bob", "two").into()]).await.unwrap();
    friday.reply("three").await.unwrap();
    friday.reply("four").await.unwrap();
    assert_eq!(texts(&model.requests()[1]), ["Be brief.", "two", "three"]);
    assert_eq!(texts(&model.requests()[2]), ["Be brief.", "four"]);
}

#[tokio::test]
async fn a_dialog_gives_structured_output_too() {
    let mut card = ModelCard::new("plain");
    card.tools = false;
    let model = ScriptedModel::new([say("[1, 2,]")]).with_card(card);
    let list: Vec<u8> = DialogAgent::new("Friday", model).reply("Count.").typed().await.unwrap();
    assert_eq!(list, [1, 2]);
}

fn dialog_subject(dialog: DialogAgent) -> Subject {
    let (saved, template) = (dialog.clone(), dialog.clone());
    Subject::new(dialog)
        .snapshot(move || {
            let dialog = saved.clone();
            async move { dialog.snapshot().await }
        })
        .resume(move |state: AgentState| dialog_subject(template.resumed(state)))
}

#[tokio::test(start_paused = true)]
async fn a_dialog_keeps_the_laws_of_agents_with_and_without_memory() {
    for use_memory in [true, false] {
        agent(|| {
            let model = model_fn(ModelCard::new("rule"), |_| async {
                tokio::time::sleep(Duration::from_millis(2)).await;
                Ok("hello")
            });
            dialog_subject(DialogAgent::new("Friday", model).use_memory(use_memory))
        })
        .await;
    }
}

/// Draws dots, slowly, and keeps what it was asked.
#[derive(Clone)]
struct Dots {
    card: ModelCard,
    asked: Arc<Mutex<Vec<ImageRequest>>>,
    error: Option<Error>,
    takes: Duration,
}

impl Dots {
    fn new() -> Self {
        let (card, asked) = (ModelCard::new("dots"), Arc::default());
        Self { card, asked, error: None, takes: Duration::from_millis(2) }
    }

    fn asked(&self) -> Vec<ImageRequest> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl ImageModel for Dots {
    fn card(&self) -> &ModelCard {
        &self.card
    }
    async fn generate(&self, req: ImageRequest, _: Context) -> Result<Images> {
        let count = req.count;
        self.asked.lock().unwrap().push(req);
        tokio::time::sleep(self.takes).await;
        match &self.error {
            Some(error) => Err(error.clone()),
            None => Ok(Images::new((0..count).map(|_| Media::base64("image/png", "iVBORw0KGgo=")))
                .with_usage(Usage::new(7, 1))),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_since_the_last_reply_is_what_is_drawn() {
    let dots = Dots::new();
    let painter =
        TextToImageAgent::new("Painter", dots.clone()).size(64, 32).count(2).extra("quality", "low");
    painter.observe(vec![Msg::assistant("Alice", "a lighthouse").into()]).await.unwrap();
    let drawn = painter.reply("at night").await.unwrap();
    assert_eq!((drawn.content.len(), drawn.usage), (2, Some(Usage::new(7, 1))));
    assert!(drawn.content.iter().all(|block| matches!(block, ContentBlock::Image(_))));
    painter.reply(Msg::user("the same").url("https://example.org/a.png")).await.unwrap();
    let asked = dots.asked();
    assert_eq!(
        asked[0],
        ImageRequest::new("a lighthouse\nat night").size(64, 32).count(2).extra("quality", "low")
    );
    assert_eq!((asked[1].prompt.as_str(), asked[1].images.len()), ("the same", 0), "it takes no pictures");

    let mut takes = Dots::new();
    takes.card.input_types = vec!["image/*".into()];
    let painter = TextToImageAgent::new("Painter", takes.clone()).prompt("In oil.");
    painter.reply(Msg::user("the same").url("https://example.org/a.png")).await.unwrap();
    assert_eq!(takes.asked()[0], ImageRequest::new("In oil.\nthe same").image("https://example.org/a.png"));
}

#[tokio::test(start_paused = true)]
async fn a_painter_that_is_told_nothing_or_whose_model_fails_or_hangs_says_so() {
    let error = TextToImageAgent::new("Painter", Dots::new()).reply(()).await.unwrap_err();
    assert_eq!(error.message(), "`Painter` was not told what to draw: say it in words");
    let refused = Dots { error: Some(Error::new(ErrorKind::Refused, "no dots")), ..Dots::new() };
    let painter = TextToImageAgent::new("Painter", refused);
    assert_eq!(painter.reply("a dot").await.unwrap_err().kind(), ErrorKind::Refused);
    assert!(matches!(painter.snapshot().await.unwrap().context[1].msg.finish, Some(Finish::Failed(_))));
    let hangs = Dots { takes: Duration::from_secs(3600), ..Dots::new() };
    let error = TextToImageAgent::new("Painter", hangs).reply("a dot").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("600 s") && error.message().contains(".model_timeout(..)"), "{error}");
}

fn painter_subject(painter: TextToImageAgent) -> Subject {
    let (saved, template) = (painter.clone(), painter.clone());
    Subject::new(painter)
        .snapshot(move || {
            let painter = saved.clone();
            async move { painter.snapshot().await }
        })
        .resume(move |state: AgentState| painter_subject(template.resumed(state)))
}

#[tokio::test(start_paused = true)]
async fn a_painter_keeps_the_laws_of_agents() {
    agent(|| painter_subject(TextToImageAgent::new("Painter", Dots::new()))).await;
}
