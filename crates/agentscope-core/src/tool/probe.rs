//! How `#[tool]` finds out what a function returns, which it cannot see.
//!
//! `(&&&&&probe(&value)).kind()` calls the method of the implementation that needs the fewest dereferences and whose
//! bounds hold, so the implementation on the most references is the preferred one (autoref specialization, as in
//! <https://github.com/dtolnay/case-studies/tree/master/autoref-specialization>). It works where the type is known,
//! therefore in the code that `#[tool]` writes, not in a generic function.

use super::{
    ToolChunk,
    output::{IntoToolOutput, failure, json, told},
};
use crate::error::{Error, ErrorKind, Result};
use serde::Serialize;
use std::{error::Error as StdError, fmt::Display, marker::PhantomData};

pub struct Probe<T>(PhantomData<fn() -> T>);

/// Asks about the type of `value`.
pub fn probe<T>(_: &T) -> Probe<T> {
    Probe(PhantomData)
}

/// Whether the value is a `Result`, and what is known of its error.
pub trait Fallible {
    /// What splits it into success and failure.
    type Way;
    /// The way for this type.
    fn fallible(&self) -> Self::Way;
}

/// What to make of the value.
pub trait Kind {
    /// What makes it chunks.
    type Way;
    /// The way for this type.
    fn kind(&self) -> Self::Way;
}

/// What no type is, so that the compiler says what is missing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a tool",
    label = "this is neither words nor blocks, and it neither serializes nor displays",
    note = "implement `serde::Serialize` (the model gets JSON), `Display` (it gets the text) or `IntoToolOutput`",
    note = "return a stream as `impl Stream<Item = ..>`"
)]
pub trait Readable {
    /// Cannot be called.
    fn read(self) -> Result<Vec<ToolChunk>>;
}

macro_rules! ways {
    ($trait:ident::$method:ident: $([$($generics:tt)*] $probe:ty => $way:ident;)*) => {$(
        pub struct $way;
        impl<$($generics)*> $trait for $probe {
            type Way = $way;
            fn $method(&self) -> $way {
                $way
            }
        }
    )*};
}

ways! { Fallible::fallible:
    [T, E: Into<Box<dyn StdError + Send + Sync>>] &&&Probe<Result<T, E>> => Caused;
    [T, E: AsRef<dyn StdError>] &&Probe<Result<T, E>> => CausedHere; // a `Box<dyn Error>` that cannot leave its thread
    [T, E] &Probe<Result<T, E>> => Said;
    [T] Probe<T> => Infallible;
}

impl Caused {
    pub fn split<T, E: Into<Box<dyn StdError + Send + Sync>>>(self, result: Result<T, E>) -> Result<T> {
        result.map_err(failure)
    }
}

impl CausedHere {
    pub fn split<T, E: AsRef<dyn StdError>>(self, result: Result<T, E>) -> Result<T> {
        result.map_err(|error| Error::new(ErrorKind::Tool, told(error.as_ref())))
    }
}

impl Said {
    pub fn split<T, E: Display>(self, result: Result<T, E>) -> Result<T> {
        result.map_err(|error| Error::new(ErrorKind::Tool, error.to_string()))
    }
}

impl Infallible {
    pub fn split<T>(self, value: T) -> Result<T> {
        Ok(value)
    }
}

ways! { Kind::kind:
    [] &&&&&Probe<Vec<ToolChunk>> => Chunks;
    [] &&&&Probe<ToolChunk> => Chunk;
    [T: IntoToolOutput] &&&Probe<T> => Output;
    [T: Display] &&Probe<T> => Text;
    [T: Serialize] &Probe<T> => Json;
    [T] Probe<T> => Unknown;
}

/// Each way makes chunks of a whole output, and of an item of a stream.
macro_rules! chunks {
    ($($way:ident [$($bounds:tt)*] $value:ident: $ty:ty => $whole:expr;)*) => {$(
        impl $way {
            pub fn whole<$($bounds)*>(self, $value: $ty) -> Result<Vec<ToolChunk>> {
                $whole
            }
            pub fn item<$($bounds)*>(self, $value: $ty) -> Result<Vec<ToolChunk>> {
                self.whole($value)
            }
        }
    )*};
}

chunks! {
    Chunks [] chunks: Vec<ToolChunk> => Ok(chunks);
    Chunk [] chunk: ToolChunk => Ok(vec![chunk]);
    Output [T: IntoToolOutput] output: T => Ok(vec![output.into_tool_output()?.into()]);
    Text [T: Display] value: T => Ok(vec![ToolChunk::text(value.to_string())]);
    Unknown [T: Readable] output: T => output.read();
}

impl Json {
    pub fn whole<T: Serialize>(self, value: T) -> Result<Vec<ToolChunk>> {
        Ok(vec![ToolChunk::text(json(&value)?)])
    }
    /// A line for each, because words join the words before them.
    pub fn item<T: Serialize>(self, value: T) -> Result<Vec<ToolChunk>> {
        Ok(vec![ToolChunk::text(json(&value)? + "\n")])
    }
}
