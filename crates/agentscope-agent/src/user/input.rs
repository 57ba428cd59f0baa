//! What a person is asked, what they answer, and through what.

use agentscope_core::{AgentId, BoxFuture, ContentBlock, Context, Msg, Name, Result};
use futures_util::FutureExt;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::{future::Future, sync::Arc};

/// Through what a person is asked: a terminal, a web page, a test.
///
/// [`Terminal`](crate::Terminal), [`user_channel`](crate::user_channel) and [`user_fn`] are such ways.
///
/// ```
/// use agentscope_agent::{Answer, Question, UserAgent, UserInput};
/// use agentscope_core::{AgentExt, BoxFuture, Context, Result};
///
/// /// A person who agrees with everybody.
/// struct Agreeable;
///
/// impl UserInput for Agreeable {
///     fn ask(&self, question: Question, _cx: Context) -> BoxFuture<'_, Result<Answer>> {
///         let said = question.messages.last().map(|msg| msg.text()).unwrap_or_default();
///         Box::pin(async move { Ok(Answer::from(format!("Quite so: {said}"))) })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let bob = UserAgent::new("Bob", Agreeable);
/// assert_eq!(bob.reply("It rains.").await?.text(), "Quite so: It rains.");
/// # Ok(()) }
/// ```
pub trait UserInput: Send + Sync + 'static {
    /// Asks, and waits for the answer.
    ///
    /// It is dropped when the reply is interrupted or its deadline passes. Whoever sees the person's own wish to stop, such as a
    /// Ctrl-C, triggers the interrupt of `cx`.
    ///
    /// # Errors
    /// [`agentscope_core::ErrorKind::Unavailable`] where nobody is there to answer.
    fn ask(&self, question: Question, cx: Context) -> BoxFuture<'_, Result<Answer>>;
}

impl<I: UserInput + ?Sized> UserInput for Arc<I> {
    fn ask(&self, question: Question, cx: Context) -> BoxFuture<'_, Result<Answer>> {
        (**self).ask(question, cx)
    }
}

/// What a person is asked: plain data, that a web page can show.
///
/// ```
/// use agentscope_agent::{Question, UserAgent, user_fn};
/// use agentscope_core::AgentExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let bob = UserAgent::new("Bob", user_fn(|question: Question| async move {
///     assert_eq!((question.name.as_str(), question.attempt), ("Bob", 1));
///     let shown = serde_json::to_string(&question).unwrap();
///     assert_eq!(serde_json::from_str::<Question>(&shown).unwrap(), question);
///     Ok(question.messages[0].text())
/// }));
/// assert_eq!(bob.reply("Coffee?").await?.text(), "Coffee?");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Question {
    /// Tells it from all others. It is the same when a reply that a crash cut off is taken up again and asks again.
    pub id: String,
    /// Which person.
    pub agent: AgentId,
    /// What they are called.
    pub name: Name,
    /// In which of their conversations; empty where there is only one.
    #[serde(default)]
    pub session: Name,
    /// What was said to them since they were asked last: only what leaves an agent, see [`Msg::spoken`]. At a further try, the
    /// same again.
    pub messages: Vec<Arc<Msg>>,
    /// The JSON schema of the structured output that is wanted; [`Form`](crate::Form) asks for it line by line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Arc<Value>>,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// What was wrong with the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
}

/// What a person answers: words and media and, where the question has a schema, structured output.
///
/// ```
/// use agentscope_agent::Answer;
/// use agentscope_core::ContentBlock;
/// use serde_json::json;
///
/// let answer = Answer::from("Like this one.").with(ContentBlock::url("https://example.org/cat.png"));
/// let from_a_page: Answer = serde_json::from_value(json!({"content": [
///     {"type": "text", "text": "Like this one."},
///     {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.png"}},
/// ]}))?;
/// assert_eq!(answer, from_a_page);
/// assert_eq!(Answer::output(json!({"stars": 5})).output, Some(json!({"stars": 5})));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Answer {
    /// Text and media; nothing else is taken.
    pub content: Vec<ContentBlock>,
    /// The structured output; it may be `null`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub output: Option<Value>,
}

/// A field that is there, even if it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Answer {
    /// Structured output, without words.
    pub fn output(output: impl Into<Value>) -> Self {
        Self { content: Vec::new(), output: Some(output.into()) }
    }

    /// Adds a block.
    #[must_use]
    pub fn with(mut self, block: impl Into<ContentBlock>) -> Self {
        self.content.push(block.into());
        self
    }
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self::default().with(ContentBlock::text(text))
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self::default().with(ContentBlock::text(text))
    }
}

impl From<Vec<ContentBlock>> for Answer {
    fn from(content: Vec<ContentBlock>) -> Self {
        Self { content, output: None }
    }
}

/// A person by a function from what they are asked to what they answer: for tests, and for what is asked elsewhere.
///
/// ```
/// use agentscope_agent::{UserAgent, user_fn};
/// use agentscope_core::{AgentExt, Role};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let bob = UserAgent::new("Bob", user_fn(|_question| async { Ok("Tea, please.") }));
/// let reply = bob.reply("What would you like?").await?;
/// assert_eq!((reply.text().as_str(), reply.role), ("Tea, please.", Role::User));
/// # Ok(()) }
/// ```
pub fn user_fn<F, Fut, A>(answer: F) -> impl UserInput
where
    F: Fn(Question) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<A>> + Send + 'static,
    A: Into<Answer>,
{
    FnInput(Box::new(move |question| answer(question).map(|answer| answer.map(Into::into)).boxed()))
}

struct FnInput(Box<dyn Fn(Question) -> BoxFuture<'static, Result<Answer>> + Send + Sync>);

impl UserInput for FnInput {
    fn ask(&self, question: Question, _cx: Context) -> BoxFuture<'_, Result<Answer>> {
        (self.0)(question)
    }
}
