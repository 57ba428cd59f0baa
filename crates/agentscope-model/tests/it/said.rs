//! An answer to its end, and what came of it.

use agentscope_core::{
    ChatModel, Context, FinishReason, ModelDelta, ModelRequest, Msg, Result, ToolCall, ToolSpec, Usage,
};
use futures_util::StreamExt;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Longest wait for an answer. Who waits longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// What a model said, whole.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) thoughts: String,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) usage: Option<Usage>,
    pub(crate) finish: FinishReason,
    /// Further fields of blocks, such as signatures.
    pub(crate) extra: Vec<(String, serde_json::Value)>,
}

impl Said {
    /// The calls as pairs of a name and arguments that are JSON.
    pub(crate) fn arguments(&self) -> Vec<(&str, serde_json::Value)> {
        let arguments = |call: &ToolCall| serde_json::from_str(&call.input).unwrap();
        self.calls.iter().map(|call| (&*call.name, arguments(call))).collect()
    }
}

/// Asks and takes the answer apart. Panics where it breaks the laws of an answer, or does not come to an end.
pub(crate) async fn ask(model: &impl ChatModel, req: ModelRequest) -> Result<Said> {
    let answer = async {
        let mut stream = model.call(req, Context::new());
        let mut said = Said::default();
        let mut calls: BTreeMap<u32, ToolCall> = BTreeMap::new();
        let mut finish = None;
        while let Some(delta) = stream.next().await {
            let delta = match delta {
                Ok(delta) => delta,
                Err(error) => {
                    assert!(stream.next().await.is_none(), "something follows the error {error}");
                    assert_eq!(finish, None, "the answer has both an end and the error {error}");
                    return Err(error);
                }
            };
            match delta {
                ModelDelta::Text { delta, .. } => said.text += &delta,
                ModelDelta::Thinking { delta, .. } => said.thoughts += &delta,
                ModelDelta::ToolCall { block, id, name, delta } => {
                    let call = calls.entry(block).or_insert_with(|| ToolCall::new(id, name.clone(), ""));
                    assert_eq!(call.name, name, "a call changes its name");
                    call.input += &delta;
                }
                ModelDelta::Usage(usage) => said.usage = Some(usage),
                ModelDelta::Finish { reason } => assert_eq!(finish.replace(reason), None, "two ends"),
                ModelDelta::Extra { key, value, .. } => said.extra.push((key, value)),
                other => panic!("nobody asked for {other:?}"),
            }
        }
        said.calls = calls.into_values().collect();
        said.finish = finish.expect("the answer has neither an end nor an error");
        Ok(said)
    };
    tokio::time::timeout(LIMIT, answer).await.expect("the answer hangs")
}

/// What a user asks, without a tool.
pub(crate) fn question(words: &str) -> ModelRequest {
    ModelRequest::new([Msg::user(words)])
}

/// The same with a tool for the weather.
pub(crate) fn question_with_tool(words: &str) -> ModelRequest {
    let schema = json!({
        "type": "object",
        "properties": {"location": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["location"],
    });
    let tool = Arc::new(ToolSpec::new("get_weather", "The weather of a place.", schema).read_only());
    let mut req = question(words);
    req.tools = [tool].into();
    req
}

/// The address of a peer, from the variable that `cargo xtask test` and `cargo xtask peers` set. Those skip what needs a peer
/// that is not there; whoever runs cargo alone is told.
pub(crate) fn peer(variable: &str) -> Option<String> {
    let address = std::env::var(variable).ok().filter(|address| !address.is_empty());
    if address.is_none() {
        eprintln!("not run: {variable} is not set, which `cargo xtask peers` does");
    }
    address
}
