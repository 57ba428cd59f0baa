//! What a tool may return, and what of it reaches the model.

use crate::{
    error::{Error, ErrorKind, Result},
    message::{ContentBlock, Media, Msg},
};
use serde::Serialize;
use std::{error::Error as StdError, fmt};

/// What a tool may return: words, blocks, media, anything that serializes or displays (see `#[tool]`), or a `Result` of
/// these.
///
/// ```
/// use agentscope_core::{IntoToolOutput, Media};
/// assert!(Media::url("chart.png").into_tool_output().unwrap()[0].media().is_some());
/// ```
pub trait IntoToolOutput: Send {
    /// The blocks for the model.
    ///
    /// # Errors
    /// What the tool says went wrong.
    fn into_tool_output(self) -> Result<Vec<ContentBlock>>;
}

impl IntoToolOutput for () {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![ContentBlock::text("done")])
    }
}

impl IntoToolOutput for String {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![ContentBlock::text(self)])
    }
}

impl IntoToolOutput for &str {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![ContentBlock::text(self)])
    }
}

impl IntoToolOutput for ContentBlock {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![self])
    }
}

impl IntoToolOutput for Vec<ContentBlock> {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(self)
    }
}

impl IntoToolOutput for Media {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![self.into()])
    }
}

impl IntoToolOutput for Vec<Media> {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(self.into_iter().map(ContentBlock::from).collect())
    }
}

/// What the message says: the answer of another agent without its thoughts and its tools.
impl IntoToolOutput for Msg {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(self.spoken().content)
    }
}

impl<T: IntoToolOutput, E: Into<Box<dyn StdError + Send + Sync>> + Send> IntoToolOutput
    for std::result::Result<T, E>
{
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        self.map_err(failure)?.into_tool_output()
    }
}

/// Output that displays, as its text.
///
/// ```
/// use agentscope_core::{IntoToolOutput, Plain};
/// assert_eq!(Plain(17 * 23).into_tool_output().unwrap(), vec!["391".into()]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Plain<T>(pub T);

impl<T: fmt::Display + Send> IntoToolOutput for Plain<T> {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![ContentBlock::text(self.0.to_string())])
    }
}

/// Output that serializes, as JSON.
///
/// ```
/// use agentscope_core::{IntoToolOutput, Serialized};
/// assert_eq!(Serialized(vec![1, 2]).into_tool_output().unwrap(), vec!["[1,2]".into()]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Serialized<T>(pub T);

impl<T: Serialize + Send> IntoToolOutput for Serialized<T> {
    fn into_tool_output(self) -> Result<Vec<ContentBlock>> {
        Ok(vec![ContentBlock::text(json(&self.0)?)])
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(ErrorKind::Tool, format!("the output is no JSON: {error}")).with_source(error)
    })
}

/// The error of a tool. Its message tells the causes too, because the message is what the model reads; its kind is that of
/// the nearest [`Error`] among `source` and its causes.
pub(super) fn failure(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    let source = match source.into().downcast::<Error>() {
        Ok(error) if error.source().is_none() => return *error,
        Ok(error) => error,
        Err(source) => source,
    };
    let kind = causes(&*source).find_map(|cause| cause.downcast_ref::<Error>()).cloned();
    let error = Error::new(kind.as_ref().map_or(ErrorKind::Tool, Error::kind), told(&*source));
    let error = match kind.and_then(|known| known.retry_after()) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    };
    error.with_source(source)
}

/// The text of an error and of its causes. A cause that the text has told is not told again.
pub(super) fn told(error: &(dyn StdError + 'static)) -> String {
    causes(error).fold(String::new(), |mut text, cause| {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
        text
    })
}

/// The error itself and what caused it, nearest first.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
