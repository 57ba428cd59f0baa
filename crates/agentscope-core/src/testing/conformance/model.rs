//! What every [`ChatModel`] has to do.

use super::{broken, in_time, require};
use crate::{
    context::Context,
    error::Result,
    id::{CallId, Name},
    message::Msg,
    model::{ChatModel, ModelDelta, ModelRequest},
};
use futures_util::StreamExt;
use std::sync::Arc;

/// How many calls are made at the same time.
const AT_ONCE: usize = 4;

/// After how many pieces an answer is dropped, at most.
const DROPS: usize = 8;

/// Runs the suite of a model. `make` gives a model that answers at least sixteen requests with words.
///
/// It holds the model to this: its card has a name; asking does nothing before the answer is polled; blocks are numbered from 0
/// in the order in which they begin and stay of one kind, and a call keeps its id and its name; an answer ends with exactly one
/// `Finish`, after which only `Usage` may come; an answer can be dropped at any piece and asked again; answers at the same time
/// are independent; more messages are more tokens.
///
/// ```
/// use agentscope_core::{ModelCard, model_fn, testing::conformance};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// conformance::chat_model(|| Arc::new(model_fn(ModelCard::new("yes"), |_| async { Ok("yes") }))).await;
/// # }
/// ```
///
/// # Panics
/// With the law that the model breaks.
pub async fn chat_model(make: impl Fn() -> Arc<dyn ChatModel>) {
    require(!make().card().name.is_empty(), "the card of a model has a name", || "it is empty".to_owned());
    more_messages_are_more_tokens(&*make()).await;

    let model = make();
    drop(model.call(request("Say: not polled."), Context::new()));
    is_whole(&answer(&*model).await);
    for pieces in 0..DROPS {
        if dropped_after(&*model, pieces).await {
            break;
        }
    }
    is_whole(&answer(&*model).await);

    let model = make();
    let answers = futures_util::future::join_all((0..AT_ONCE).map(|_| answer(&*model))).await;
    answers.iter().for_each(|answer| is_whole(answer));
}

fn request(text: &str) -> ModelRequest {
    ModelRequest { speaker: "Friday".into(), ..ModelRequest::new([Msg::user(text)]) }
}

async fn more_messages_are_more_tokens(model: &dyn ChatModel) {
    const LAW: &str = "the estimate of tokens grows with the messages";
    let words = "The quick brown fox jumps over the lazy dog. ".repeat(20);
    let sizes: Vec<u64> =
        (0..4).map(|n| model.estimate_tokens(&ModelRequest::new(vec![Msg::user(&*words); n]))).collect();
    require(sizes.is_sorted_by(|fewer, more| fewer < more), LAW, || format!("for 0 to 3 it is {sizes:?}"));
}

async fn answer(model: &dyn ChatModel) -> Vec<ModelDelta> {
    const LAW: &str = "a model answers a request in words";
    let cx = Context::new();
    let stream = model.call(request("Say hello in one short sentence."), cx.clone());
    let answer: Vec<Result<ModelDelta>> = in_time(LAW, cx.scope(stream.collect())).await;
    let piece =
        |piece: Result<_>| piece.unwrap_or_else(|error| broken(LAW, format_args!("it says: {error}")));
    answer.into_iter().map(piece).collect()
}

/// Takes so many pieces and drops the rest; says whether there was no rest.
async fn dropped_after(model: &dyn ChatModel, pieces: usize) -> bool {
    let cx = Context::new();
    let mut stream = model.call(request("Count to ten."), cx.clone());
    let take = async {
        for _ in 0..pieces {
            if stream.next().await.is_none() {
                return true;
            }
        }
        false
    };
    in_time("a model answers piece by piece", cx.scope(take)).await
}

/// What a block is, as its first piece tells.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Text,
    Thinking,
    Call(CallId, Name),
    Media(String),
}

fn is_whole(answer: &[ModelDelta]) {
    let mut blocks: Vec<Kind> = Vec::new();
    let mut finished = 0;
    for delta in answer {
        let over = finished > 0 && !matches!(delta, ModelDelta::Usage(_) | ModelDelta::Finish { .. });
        require(!over, "after the finish of an answer only usage comes", || format!("there is {delta:?}"));
        match delta {
            ModelDelta::Text { block, .. } => continues(&mut blocks, *block, Kind::Text),
            ModelDelta::Thinking { block, .. } => continues(&mut blocks, *block, Kind::Thinking),
            ModelDelta::ToolCall { block, id, name, .. } => {
                continues(&mut blocks, *block, Kind::Call(id.clone(), name.clone()));
            }
            ModelDelta::Media { block, media_type, delta } => {
                require(delta.len() % 4 == 0, "each piece of media is base64 by itself", || {
                    format!("one has {} characters", delta.len())
                });
                continues(&mut blocks, *block, Kind::Media(media_type.clone()));
            }
            ModelDelta::Extra { block, key, .. } => {
                require((*block as usize) < blocks.len(), "a further field names a block that began", || {
                    format!("`{key}` names block {block} of {}", blocks.len())
                });
            }
            ModelDelta::Usage(_) => {}
            ModelDelta::Finish { .. } => finished += 1,
        }
    }
    require(finished == 1, "an answer has exactly one finish", || {
        format!("there are {finished} in {answer:?}")
    });
    require(blocks.contains(&Kind::Text), "a model answers a request in words", || {
        format!("it said {answer:?}")
    });
}

fn continues(blocks: &mut Vec<Kind>, block: u32, kind: Kind) {
    match blocks.get(block as usize) {
        Some(begun) => {
            require(*begun == kind, "a block stays of one kind, and a call keeps its id and its name", || {
                format!("block {block} began as {begun:?} and goes on as {kind:?}")
            })
        }
        None => {
            require(
                block as usize == blocks.len(),
                "blocks are numbered from 0 in the order in which they begin",
                || format!("block {block} begins after {} others", blocks.len()),
            );
            blocks.push(kind);
        }
    }
}
