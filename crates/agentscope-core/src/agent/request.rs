use super::sugar::RunningReply;
use crate::{
    error::{Error, ErrorKind, Result},
    id::{CallId, Name, ReplyId},
    message::{CallState, ContentBlock, Msg, ToolResult},
};
use futures_util::future::{BoxFuture, Shared};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// What an agent is asked.
///
/// ```
/// use agentscope_core::{Input, ReplyRequest};
/// let req = ReplyRequest::from(Input::from("hi"));
/// let copy: ReplyRequest = serde_json::from_str(&serde_json::to_string(&req)?)?;
/// assert!(matches!(copy.input, Input::Messages(items) if items.len() == 1));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ReplyRequest {
    /// What for.
    pub input: Input,
    /// The JSON schema of the structured output that is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Arc<Value>>,
}

/// What a reply is for.
///
/// ```
/// use agentscope_core::{Decision, Input, Msg};
///
/// assert!(matches!(Input::from(["one", "two"]), Input::Messages(items) if items.len() == 2));
/// assert!(matches!(Input::from(Msg::user("hi").named("Alice")), Input::Messages(_)));
/// assert!(matches!(Input::from(Decision::allow("c1")), Input::Decisions(_)));
/// assert!(matches!(Input::from(()), Input::Continue));
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Input {
    /// Go on: with a reply that is open, or by what was heard.
    #[default]
    Continue,
    /// Answer these. A reply that waits is closed first.
    Messages(Vec<Item>),
    /// Here is what was decided about calls that wait.
    Decisions(Vec<Decision>),
    /// Here are the results of calls that were done outside.
    Results(Vec<ToolResult>),
    /// Close the reply that waits and do not go on.
    Abort,
}

/// A message of a request, or the promise of one.
///
/// ```
/// use agentscope_core::{AgentExt, Item, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
/// assert!(matches!(Item::from("hi"), Item::Msg(_)));
/// assert!(matches!(Item::from(&echo.reply("hi").start()), Item::Pending(_)));
/// # }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Item {
    /// A message.
    Msg(Arc<Msg>),
    /// The reply of another agent, which may still be at work.
    Pending(ReplyRef),
}

/// The promise of a reply, that can be passed on before it is there.
///
/// Its lease keeps the reply going; when the last one is dropped, the reply is interrupted. The lease does not travel: a
/// transport takes it over when it encodes the reference.
///
/// ```
/// use agentscope_core::{AgentExt, Msg, ReplyRef, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
/// let draft = echo.reply("hi").start().reference();
/// let copy: ReplyRef = serde_json::from_str(&serde_json::to_string(&draft)?)?;
/// assert!(copy.reply_id == draft.reply_id && copy.lease.is_none());
/// assert_eq!(echo.reply(draft).await?.text(), "hi");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReplyRef {
    /// The node that has it; `None` for this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Name>,
    /// The reply.
    pub reply_id: ReplyId,
    /// What keeps it going and resolves it in this process.
    #[serde(skip)]
    pub lease: Option<Lease>,
}

/// Keeps a reply going, and knows its message when it is there. Clones share it.
///
/// ```
/// use agentscope_core::{AgentExt, Msg, agent_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let echo = agent_fn("Echo", |msgs, _| async move { Ok(Msg::assistant("Echo", msgs[0].text())) });
/// let lease = echo.reply("hi").start().reference().lease.unwrap();
/// assert_eq!(lease.message().await?.text(), "hi");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Lease(pub(super) Shared<BoxFuture<'static, Result<Arc<Msg>>>>);

impl Lease {
    /// Waits for the message.
    ///
    /// # Errors
    /// What the reply failed with.
    pub async fn message(&self) -> Result<Arc<Msg>> {
        self.0.clone().await
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lease")
    }
}

/// What somebody decided about a call that waits.
///
/// ```
/// use agentscope_core::{Decision, Verdict};
/// let decision = Decision::allow("c1").edited(r#"{"path":"/tmp/x"}"#);
/// assert_eq!(decision.verdict, Verdict::Allow);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decision {
    /// The reply, if it matters that it is still the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_id: Option<ReplyId>,
    /// The call.
    pub call_id: CallId,
    /// Whether it may run.
    pub verdict: Verdict,
    /// The arguments with which it shall run instead, as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Names of tools that need no approval from now on in this conversation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Name>,
    /// Why, in words for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Whether a call may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

impl Decision {
    /// The call may run.
    pub fn allow(call_id: impl Into<CallId>) -> Self {
        Self::new(call_id.into(), Verdict::Allow)
    }

    /// The call may not run.
    pub fn deny(call_id: impl Into<CallId>) -> Self {
        Self::new(call_id.into(), Verdict::Deny)
    }

    fn new(call_id: CallId, verdict: Verdict) -> Self {
        Self { reply_id: None, call_id, verdict, input: None, rules: Vec::new(), note: None }
    }

    /// All calls of `reply` that ask may run, if it is still this reply that waits.
    ///
    /// ```
    /// use agentscope_core::{CallState, Decision, Msg, ToolCall};
    ///
    /// let mut call = ToolCall::new("c1", "act", "{}");
    /// call.state = CallState::Asking;
    /// let reply = Msg::assistant("Friday", "May I?").with(call);
    /// assert_eq!(Decision::allow_all(&reply), [Decision::allow("c1").of_reply(&reply.id)]);
    /// ```
    pub fn allow_all(reply: &Msg) -> Vec<Self> {
        Self::about(reply, Self::allow)
    }

    /// No call of `reply` that asks may run, if it is still this reply that waits.
    pub fn deny_all(reply: &Msg) -> Vec<Self> {
        Self::about(reply, Self::deny)
    }

    fn about(reply: &Msg, decide: fn(CallId) -> Self) -> Vec<Self> {
        let asking = reply.open_calls().filter(|call| call.state == CallState::Asking);
        asking.map(|call| decide(call.id.clone()).of_reply(&reply.id)).collect()
    }

    /// Only for this reply: an error if another one waits.
    #[must_use]
    pub fn of_reply(mut self, reply_id: impl Into<ReplyId>) -> Self {
        self.reply_id = Some(reply_id.into());
        self
    }

    /// With these arguments instead of the model's.
    #[must_use]
    pub fn edited(mut self, input: impl Into<String>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// And `tool` needs no approval from now on in this conversation.
    #[must_use]
    pub fn always(mut self, tool: impl Into<Name>) -> Self {
        self.rules.push(tool.into());
        self
    }

    /// For this reason, which the model is told.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl ReplyRequest {
    /// Whether [`resolve`](Self::resolve) has nothing to do.
    pub(crate) fn is_resolved(&self) -> bool {
        let Input::Messages(items) = &self.input else { return true };
        items.iter().all(|item| matches!(item, Item::Msg(msg) if local_files(msg).next().is_none()))
    }

    /// Waits for the replies that are promised, and looks for the local files that are named.
    ///
    /// # Errors
    /// What a promised reply failed with; [`ErrorKind::NotFound`] for a file that is not there.
    pub async fn resolve(mut self) -> Result<Self> {
        let Input::Messages(items) = &mut self.input else { return Ok(self) };
        for item in items {
            if let Item::Pending(pending) = item {
                *item = Item::Msg(Arc::new(pending.resolve().await?.spoken()));
            }
            if let Item::Msg(msg) = item {
                find_files(msg).await?;
            }
        }
        Ok(self)
    }
}

impl ReplyRef {
    async fn resolve(&self) -> Result<Arc<Msg>> {
        match &self.lease {
            Some(lease) => lease.message().await,
            None => Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "reply `{}` is not in this process: await it where it runs, or pass it to a remote agent",
                    self.reply_id
                ),
            )),
        }
    }
}

fn local_files(msg: &Msg) -> impl Iterator<Item = &str> {
    msg.content.iter().filter_map(ContentBlock::media).filter_map(|media| media.local_path())
}

async fn find_files(msg: &Msg) -> Result<()> {
    for path in local_files(msg) {
        let owned = path.to_owned();
        let found = tokio::task::spawn_blocking(move || std::fs::metadata(owned)).await;
        if let Ok(Err(error)) = found {
            let place =
                std::env::current_dir().map(|dir| format!(" (from {})", dir.display())).unwrap_or_default();
            let message = format!(
                "file `{path}`{place} cannot be read: {error}; give a file that exists or a web address"
            );
            return Err(Error::new(ErrorKind::NotFound, message).with_source(error));
        }
    }
    Ok(())
}

impl From<Input> for ReplyRequest {
    fn from(input: Input) -> Self {
        Self { input, output_schema: None }
    }
}

impl From<()> for Input {
    fn from((): ()) -> Self {
        Self::Continue
    }
}

impl<T: Into<Item>> From<T> for Input {
    fn from(item: T) -> Self {
        Self::Messages(vec![item.into()])
    }
}

impl<T: Into<Item>> From<Vec<T>> for Input {
    fn from(items: Vec<T>) -> Self {
        Self::Messages(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Item>, const N: usize> From<[T; N]> for Input {
    fn from(items: [T; N]) -> Self {
        Self::Messages(items.into_iter().map(Into::into).collect())
    }
}

impl From<Decision> for Input {
    fn from(decision: Decision) -> Self {
        Self::Decisions(vec![decision])
    }
}

impl From<Vec<Decision>> for Input {
    fn from(decisions: Vec<Decision>) -> Self {
        Self::Decisions(decisions)
    }
}

impl From<ToolResult> for Input {
    fn from(result: ToolResult) -> Self {
        Self::Results(vec![result])
    }
}

impl From<Vec<ToolResult>> for Input {
    fn from(results: Vec<ToolResult>) -> Self {
        Self::Results(results)
    }
}

impl From<Msg> for Item {
    fn from(msg: Msg) -> Self {
        Self::Msg(Arc::new(msg))
    }
}

impl From<&Msg> for Item {
    fn from(msg: &Msg) -> Self {
        Self::Msg(Arc::new(msg.clone()))
    }
}

impl From<Arc<Msg>> for Item {
    fn from(msg: Arc<Msg>) -> Self {
        Self::Msg(msg)
    }
}

impl From<&Arc<Msg>> for Item {
    fn from(msg: &Arc<Msg>) -> Self {
        Self::Msg(Arc::clone(msg))
    }
}

impl From<&str> for Item {
    fn from(text: &str) -> Self {
        Msg::user(text).into()
    }
}

impl From<String> for Item {
    fn from(text: String) -> Self {
        Msg::user(text).into()
    }
}

impl From<ReplyRef> for Item {
    fn from(pending: ReplyRef) -> Self {
        Self::Pending(pending)
    }
}

impl From<&RunningReply> for Item {
    fn from(running: &RunningReply) -> Self {
        Self::Pending(running.reference())
    }
}

impl From<RunningReply> for Item {
    fn from(running: RunningReply) -> Self {
        Self::Pending(running.reference())
    }
}
