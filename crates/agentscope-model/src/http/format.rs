//! A wire format: how a request is written, and how an answer is read. Both are pure functions of what they are given.

use super::{fault::Peer, media::Inlined, service::Service};
use crate::{conversation::Manners, post_api::PostApi};
use agentscope_core::{Error, ErrorKind, Map, ModelCard, ModelDelta, ModelRequest, Result};
use agentscope_net::Url;
use serde::ser::SerializeMap;
use serde_json::Value;
use std::{borrow::Cow, collections::VecDeque, fmt};

/// The wire format of an API.
pub(crate) trait Format: fmt::Debug + Send + Sync + 'static {
    /// Who serves it, unless the user says otherwise.
    fn service(&self) -> &'static Service;

    /// How a conversation is put to it.
    fn manners(&self) -> &'static Manners;

    /// The address of its method under a base URL, whose path ends without a slash.
    fn address(&self, base: Url, model: &str, stream: bool) -> Url;

    /// Headers that each request has, beside that with the key.
    fn headers(&self, _stream: bool) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// How the pieces of a stream are told apart.
    fn framing(&self) -> Framing {
        Framing::Events
    }

    /// Whether its own settings are such that a request can be sent.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what has to be corrected.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Itself, if it is that one: its settings are changed after they are shared.
    fn as_post_api(&self) -> Option<&PostApi> {
        None
    }

    /// The body of a request.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is nothing to answer.
    fn encode(&self, ask: &Ask<'_>) -> Result<Vec<u8>>;

    /// Whether it sends thoughts back with what seals them, which only who made them can check.
    fn seals_thoughts(&self) -> bool {
        false
    }

    /// How it counts the tokens of a request; `None` where it does not.
    fn counting(&self, _base: Url, _model: &str) -> Option<Counting> {
        None
    }

    /// The body of a request to count the tokens of `ask`.
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode).
    fn encode_counted(&self, ask: &Ask<'_>) -> Result<Vec<u8>> {
        self.encode(ask)
    }

    /// An error with what else a user of this API can do about it.
    fn advised(&self, error: Error, _model: &str) -> Error {
        error
    }

    /// Reads the answer to `ask` that `peer` gives.
    fn decoder(&self, peer: Peer, ask: &Ask<'_>) -> Box<dyn Decode>;
}

/// How a provider counts the tokens of a request.
#[derive(Clone)]
pub(crate) struct Counting {
    /// The address of the method.
    pub(crate) url: Url,
    /// The field of its answer that has the sum.
    pub(crate) field: &'static str,
}

/// How the pieces of a stream are told apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Events,
    /// One JSON text a line.
    Lines,
}

/// An answer that is being read: a state machine over frames, which gives away at once what it has seen.
pub(crate) trait Decode: Send + Sync {
    /// A frame of a stream: the name of the event, empty where it has none, and its data.
    ///
    /// # Errors
    /// What the server reports in the stream; [`ErrorKind::Protocol`] for what is no piece of an
    /// answer.
    fn frame(&mut self, event: &[u8], data: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()>;

    /// A whole answer that was not streamed.
    ///
    /// # Errors
    /// What the server reports; [`ErrorKind::Protocol`] for what is no answer.
    fn whole(&mut self, body: &[u8], out: &mut VecDeque<ModelDelta>) -> Result<()>;

    /// The stream has ended.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the answer is not complete.
    fn end(&mut self, out: &mut VecDeque<ModelDelta>) -> Result<()>;

    /// Whether the model has said why it stopped; only the usage may still come.
    fn is_finished(&self) -> bool;

    /// Whether the answer is complete: what may follow is of no interest.
    fn is_ended(&self) -> bool;
}

/// What is asked: a request, and what has to be known beside it to write it down.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) req: &'a ModelRequest,
    pub(crate) card: &'a ModelCard,
    pub(crate) manners: &'a Manners,
    /// Fields of the model that each of its requests has; those of the request come before them.
    pub(crate) extra: &'a Map,
    /// The files of the messages, read already.
    pub(crate) media: &'a Inlined,
    pub(crate) stream: bool,
    /// It is asked at the provider's own address, and not at that of someone who speaks alike.
    pub(crate) at_home: bool,
    /// The server is known not to let itself be told which tool to call.
    pub(crate) free_choice: bool,
    /// The server is known to refuse the thoughts of conversations that were begun elsewhere.
    pub(crate) without_thoughts: bool,
}

impl<'a> Ask<'a> {
    /// The model, as the provider calls it.
    pub(crate) fn model(&self) -> &'a str {
        &self.card.name
    }

    /// Whether the model is known to be shown images, so that those of a tool may be put before it.
    pub(crate) fn sees(&self) -> bool {
        self.card.input_types.iter().any(|it| it.starts_with("image/"))
    }

    /// A field that was asked for by name, by the request or by the model.
    pub(crate) fn extra(&self, key: &str) -> Option<&'a Value> {
        self.req.options.extra.get(key).or_else(|| self.extra.get(key))
    }

    /// Writes a field, unless it was asked for by name.
    pub(crate) fn put<M: SerializeMap>(
        &self,
        map: &mut M,
        key: &'static str,
        value: &(impl serde::Serialize + ?Sized),
    ) -> Result<(), M::Error> {
        if self.extra(key).is_some() { Ok(()) } else { map.serialize_entry(key, value) }
    }

    /// Writes the fields that were asked for by name: those of the request, then those of the model. `null` takes a field out.
    pub(crate) fn put_extras<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.put_extras_but(map, &[])
    }

    /// The same without some fields, which the format has written in a way of its own.
    pub(crate) fn put_extras_but<M: SerializeMap>(&self, map: &mut M, but: &[&str]) -> Result<(), M::Error> {
        let own = &self.req.options.extra;
        let extras = own.iter().chain(self.extra.iter().filter(|(key, _)| !own.contains_key(*key)));
        for (key, value) in extras.filter(|(key, value)| !value.is_null() && !but.contains(&key.as_str())) {
            map.serialize_entry(key, value)?;
        }
        Ok(())
    }

    /// An object that would be there, with the fields that were asked for by its name put in, and those within them.
    pub(crate) fn merged(&self, key: &str, mut own: Value) -> Value {
        for extra in [self.extra.get(key), self.req.options.extra.get(key)].into_iter().flatten() {
            merge(&mut own, extra);
        }
        own
    }

    /// A tool's name as most providers take it: 1 to 64 of `a-zA-Z0-9_-`. One that a model has made up may be another, and a
    /// server that minds would refuse each request from then on.
    pub(crate) fn tool_name<'b>(&self, name: &'b str) -> Cow<'b, str> {
        let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
        let is_one = (1..=64).contains(&name.len()) && name.chars().all(fits);
        if is_one || self.req.tools.iter().any(|tool| *tool.name == *name) {
            return Cow::Borrowed(name);
        }
        if name.is_empty() {
            return Cow::Borrowed("_");
        }
        name.chars().take(64).map(|it| if fits(it) { it } else { '_' }).collect()
    }
}

/// Puts the fields of an object into another one; `null` takes one out.
fn merge(into: &mut Value, from: &Value) {
    let (Value::Object(fields), Value::Object(more)) = (&mut *into, from) else {
        into.clone_from(from);
        return;
    };
    for (key, value) in more {
        if value.is_null() {
            fields.shift_remove(key);
        } else {
            merge(fields.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// The bytes of a body.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it cannot be written.
pub(crate) fn written(ask: &Ask<'_>, body: &impl serde::Serialize) -> Result<Vec<u8>> {
    // Most messages are short; room for them spares most of the copies of a growing buffer.
    let mut bytes = Vec::with_capacity(256 + 256 * ask.req.messages.len());
    serde_json::to_writer(&mut bytes, body).map_err(not_written)?;
    Ok(bytes)
}

/// The error of a body that cannot be written.
#[cold]
pub(crate) fn not_written(error: serde_json::Error) -> Error {
    let message = format!("the request cannot be written as JSON: {error}");
    Error::new(ErrorKind::InvalidInput, message)
}
