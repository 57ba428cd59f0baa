//! An agent that moves: its configuration, its state, and what the place offers make it again.

use agentscope_core::{
    Agent, AgentCard, AgentExt, AgentState, BoxFuture, ChatModel, ContentBlock, Context, ErrorKind,
    EventKind, EventStream, Finish, Host, Mailbox, ModelCard, ModelRequest, Msg, Opened, Place, ReplyRequest,
    Result, model_fn,
};
use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Answers what its model says to the whole conversation.
#[derive(Clone)]
struct Talker {
    card: AgentCard,
    model: Arc<dyn ChatModel>,
    mailbox: Mailbox,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Config {
    name: String,
    model: String,
}

impl Agent for Talker {
    fn card(&self) -> &AgentCard {
        &self.card
    }
    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        let this = self.clone();
        EventStream::spawn(cx, move |sink, cx| async move {
            let Opened::Turn(mut turn) = this.mailbox.open(&this.card.name, req, 0, &cx, sink).await? else {
                return Ok(());
            };
            let request = ModelRequest::new(turn.state().view().messages().to_vec());
            let answer: Vec<_> = this.model.call(request, cx.clone()).collect().await;
            let block = ContentBlock::text(format!("{} pieces", answer.len()));
            turn.emit(EventKind::Block { block });
            turn.end(Finish::Completed, None).await
        })
    }
    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        self.mailbox.observe(msgs)
    }
}

impl Place for Talker {
    const TYPE: &'static str = "talker";
    type Config = Config;

    fn config(&self) -> Result<Config> {
        Ok(Config { name: self.card.name.to_string(), model: self.model.card().name.to_string() })
    }
    fn snapshot(&self) -> BoxFuture<'_, Result<AgentState>> {
        Box::pin(self.mailbox.snapshot())
    }
    fn create(config: Config, state: AgentState, host: Host) -> BoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            let model = host.find_model(&config.model)?;
            Ok(Self { card: AgentCard::new(config.name), model, mailbox: Mailbox::resumed(state) })
        })
    }
}

#[tokio::test]
async fn an_agent_goes_on_elsewhere_from_its_configuration_and_its_state() -> Result<()> {
    let parrot = || model_fn(ModelCard::new("parrot"), |_| async { Ok("hello") });
    let here = Talker { card: AgentCard::new("Talker"), model: Arc::new(parrot()), mailbox: Mailbox::new() };
    here.reply("one").await?;
    let luggage = serde_json::to_string(&(here.config()?, here.snapshot().await?))?;

    let (config, state): (Config, AgentState) = serde_json::from_str(&luggage)?;
    let there = Talker::create(config, state, Host::new().model(parrot())).await?;
    there.reply("two").await?;
    let said: Vec<String> = there.snapshot().await?.messages().map(|msg| msg.text()).collect();
    assert_eq!(said, ["one", "2 pieces", "two", "2 pieces"]);

    let nowhere = Talker::create(here.config()?, AgentState::default(), Host::new()).await;
    let error = nowhere
        .err()
        .ok_or("a model was found that nobody offered")
        .map_err(|text| agentscope_core::Error::new(ErrorKind::Internal, text))?;
    assert!(error.kind() == ErrorKind::NotFound && error.message().contains("`parrot`"), "{error}");
    Ok(())
}
