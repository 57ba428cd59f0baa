//! A conversation as providers know it: turns of a user and an assistant, or a text with names where several speak. Each wire
//! format writes these turns down in its own way.

mod history;
mod ids;
mod part;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use ids::{CallIds, IdForm};
pub(crate) use part::{Part, Place, arguments, joined, unseen_file};

use crate::http::Ask;
use agentscope_core::{ContentBlock, ModelRequest, Msg, Role, ToolCall, ToolResult};
use history::History;
use std::{borrow::Cow, collections::VecDeque};

/// What the model is told of a call whose result is not in the conversation. Providers refuse a call without one.
const NO_RESULT: &str = "The result of this call is not known.";

/// In which ways providers differ in how a conversation is put to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// It is shown images, sounds, films and files, in this order.
    pub(crate) shown: [bool; 4],
    /// The types of images that it reads; others are told in words.
    pub(crate) images: &'static [&'static str],
    /// Most characters of an image's base64; one that is larger is told in words.
    pub(crate) image_limit: usize,
    /// It cannot fetch these from the web, in the same order: they are put into the request.
    pub(crate) inlined: [bool; 4],
    /// It has this address at hand, whatever it can fetch: a file that was uploaded to it.
    pub(crate) has: fn(&str) -> bool,
    /// System messages may stand anywhere; elsewhere, all but the first are words of a user.
    pub(crate) system_anywhere: bool,
    /// In a text with names, files stand where they were shown, and not behind it.
    pub(crate) media_in_order: bool,
    pub(crate) images_of_results: ImagesOfResults,
}

/// How a model comes to see the images of a tool's result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ImagesOfResults {
    /// It does not.
    Told,
    /// In the result.
    InPlace,
    /// In words of a user, when all results of the round are there: parallel results must not be torn apart. Only for models
    /// that are known to see.
    Promoted,
}

impl Manners {
    /// The images that browsers show as well: those of OpenAI and Anthropic.
    pub(crate) const WEB_IMAGES: &[&str] = &["image/gif", "image/jpeg", "image/png", "image/webp"];

    /// The ways of a server of which nothing is known. Its images are those that some provider reads; vectors are read by none.
    pub(crate) const COMMON: Self = Self {
        shown: [true, true, true, false],
        images: &[
            "image/bmp",
            "image/gif",
            "image/heic",
            "image/heif",
            "image/jpeg",
            "image/png",
            "image/tiff",
            "image/webp",
        ],
        image_limit: usize::MAX,
        inlined: [false, true, false, true],
        has: |_| false,
        system_anywhere: false,
        media_in_order: false,
        images_of_results: ImagesOfResults::Promoted,
    };
}

/// One turn of a conversation.
pub(crate) enum Turn<'a> {
    /// How to behave.
    System { name: Option<&'a str>, content: Content<'a> },
    /// What someone else said, or is told to the model.
    User { name: Option<&'a str>, content: Content<'a> },
    /// What the model said, with its thoughts and calls.
    Assistant { name: Option<&'a str>, blocks: &'a [ContentBlock] },
    /// The results of the calls of the turn before: of all of them.
    Results(Vec<Answered<'a>>),
}

/// What a user or the system says.
pub(crate) enum Content<'a> {
    Blocks(&'a [ContentBlock]),
    Parts(Vec<Part<'a>>),
}

impl<'a> Content<'a> {
    /// The parts that the provider is shown.
    pub(crate) fn into_parts(self, ask: &Ask<'a>) -> Vec<Part<'a>> {
        match self {
            Self::Blocks(blocks) => blocks.iter().filter_map(|block| Part::of(ask, block)).collect(),
            Self::Parts(parts) => parts,
        }
    }
}

/// What came of a call.
pub(crate) struct Answered<'a> {
    pub(crate) id: &'a str,
    /// The tool.
    pub(crate) name: &'a str,
    /// The result in words.
    pub(crate) text: Cow<'a, str>,
    /// The result itself, where there is one.
    pub(crate) result: Option<&'a ToolResult>,
}

/// The results in the order of their calls; they come in that in which the tools ended.
pub(crate) fn in_order<'a>(calls: &[&str], results: Vec<Answered<'a>>) -> Vec<Answered<'a>> {
    let mut results: Vec<_> = results.into_iter().map(Some).collect();
    let of_calls = calls
        .iter()
        .filter_map(|id| results.iter_mut().find(|it| it.as_ref().is_some_and(|it| it.id == *id))?.take());
    let mut ordered: Vec<_> = of_calls.collect();
    ordered.extend(results.into_iter().flatten());
    ordered
}

impl<'a> Answered<'a> {
    /// The result with its images in place; its words alone, as one text, where it has none that are shown.
    pub(crate) fn parts(&self, ask: &Ask<'a>) -> Vec<Part<'a>> {
        let parts = self.result.map(|result| history::result_parts(ask, result)).unwrap_or_default();
        if parts.is_empty() { vec![Part::Text(self.text.clone())] } else { parts }
    }

    /// The images of the result that are shown, as words of a user; nothing if it has none.
    pub(crate) fn images(&self, ask: &Ask<'a>) -> Vec<Part<'a>> {
        let mut images = Vec::new();
        if let Some(result) = self.result.filter(|_| ask.sees()) {
            history::promote(ask, result, &mut images);
        }
        images
    }
}

/// Writes turns down.
pub(crate) trait WriteTurns<'a> {
    type Error;

    fn turn(&mut self, turn: Turn<'a>) -> Result<(), Self::Error>;
}

/// Tells the turns of a request to `writer`, in order. Each call has its result, each result its call.
pub(crate) fn write_turns<'a, W: WriteTurns<'a>>(ask: &Ask<'a>, writer: &mut W) -> Result<(), W::Error> {
    let history = history::is_wanted(ask.req).then(History::default);
    let mut walk = Walk {
        writer,
        ask: *ask,
        history,
        open: VecDeque::new(),
        results: Vec::new(),
        promoted: Vec::new(),
        begun: false,
    };
    for (at, msg) in ask.req.messages.iter().enumerate() {
        walk.message(msg, at == 0)?;
    }
    walk.flush()
}

/// What the model is told that called a tool without need, and what is told in errors where a request has nothing to say.
pub(crate) const NOTHING_TO_SAY: &str =
    "it has no message with words, media or a tool's result: give at least one";

struct Walk<'a, 'w, W> {
    writer: &'w mut W,
    ask: Ask<'a>,
    /// What was said since the last tool call, where it is told as one text.
    history: Option<History<'a>>,
    /// The calls that have no result yet.
    open: VecDeque<&'a ToolCall>,
    /// The results that are there.
    results: Vec<Answered<'a>>,
    /// The images of results, which are shown when all results of the round are there.
    promoted: Vec<Part<'a>>,
    /// Something was said already.
    begun: bool,
}

impl<'a, W: WriteTurns<'a>> Walk<'a, '_, W> {
    /// A message: runs of what was said, and results, hints and what was heard in between.
    fn message(&mut self, msg: &'a Msg, first: bool) -> Result<(), W::Error> {
        let mut rest = msg.content.as_slice();
        while let Some((head, tail)) = rest.split_first() {
            match head {
                ContentBlock::ToolResult(result) => self.result(result)?,
                ContentBlock::Hint { text, .. } => self.hint(text)?,
                ContentBlock::Heard(heard) => self.message(heard, false)?,
                _ => {
                    let end = rest.iter().position(is_border).unwrap_or(rest.len());
                    let (said, after) = rest.split_at(end);
                    self.said(msg, said, first)?;
                    rest = after;
                    continue;
                }
            }
            rest = tail;
        }
        Ok(())
    }

    fn said(&mut self, msg: &'a Msg, blocks: &'a [ContentBlock], first: bool) -> Result<(), W::Error> {
        let own = is_own(self.ask.req, msg);
        let calls = blocks.iter().any(|block| matches!(block, ContentBlock::ToolCall(_)));
        match (&mut self.history, msg.role) {
            (_, Role::System) if first => {}
            (Some(_), _) if calls => {}
            (Some(history), _) => {
                history.add(&self.ask, &msg.name, blocks, own);
                return self.settle();
            }
            _ => {}
        }
        self.flush()?;
        // The one text with names needs no names beside it, but for who calls.
        let name = (self.history.is_none() || calls).then_some(&*msg.name);
        let turn = match msg.role {
            _ if calls => Turn::Assistant { name, blocks }, // nobody else may call a tool
            Role::System if (first && !self.begun) || self.ask.manners.system_anywhere => {
                Turn::System { name, content: Content::Blocks(blocks) }
            }
            Role::Assistant if own => Turn::Assistant { name, blocks },
            _ => Turn::User { name, content: Content::Blocks(blocks) },
        };
        self.put(turn)?;
        if calls {
            self.open.extend(blocks.iter().filter_map(|block| match block {
                ContentBlock::ToolCall(call) => Some(call),
                _ => None,
            }));
        }
        Ok(())
    }

    /// A hint is shown as words of the user.
    fn hint(&mut self, text: &'a str) -> Result<(), W::Error> {
        if text.is_empty() {
            return Ok(());
        }
        if let Some(history) = &mut self.history {
            history.say("user", text);
            return self.settle();
        }
        self.user(vec![Part::Text(text.into())], Some("user"))
    }

    fn result(&mut self, result: &'a ToolResult) -> Result<(), W::Error> {
        let called = self.open.iter().position(|call| call.id == result.id);
        let text = history::result_text(&self.ask, result);
        let Some(at) = called else {
            // Its call was left out of the conversation: providers refuse a result alone.
            let text =
                format!("<system-info>A tool, {}, had this result:\n{text}</system-info>", result.name);
            if let Some(history) = &mut self.history {
                history.say("system", text);
                return Ok(());
            }
            return self.user(vec![Part::Text(text.into())], None);
        };
        self.open.remove(at);
        self.results.push(Answered { id: &result.id, name: &result.name, text, result: Some(result) });
        if self.ask.manners.images_of_results == ImagesOfResults::Promoted && self.ask.sees() {
            history::promote(&self.ask, result, &mut self.promoted);
        }
        if self.open.is_empty() { self.settle() } else { Ok(()) }
    }

    fn user(&mut self, parts: Vec<Part<'a>>, name: Option<&'a str>) -> Result<(), W::Error> {
        self.settle()?;
        self.put(Turn::User { name, content: Content::Parts(parts) })
    }

    fn put(&mut self, turn: Turn<'a>) -> Result<(), W::Error> {
        self.begun = true;
        self.writer.turn(turn)
    }

    /// Ends a round of calls, because its results are there or something else is said now: those that are still open get one.
    fn settle(&mut self) -> Result<(), W::Error> {
        while let Some(call) = self.open.pop_front() {
            let text = NO_RESULT.into();
            self.results.push(Answered { id: &call.id, name: &call.name, text, result: None });
        }
        if !self.results.is_empty() {
            let results = std::mem::take(&mut self.results);
            self.put(Turn::Results(results))?;
        }
        if self.promoted.is_empty() {
            return Ok(());
        }
        let content = Content::Parts(std::mem::take(&mut self.promoted));
        self.put(Turn::User { name: Some("user"), content })
    }

    /// Puts down what is said so far as one text.
    fn flush(&mut self) -> Result<(), W::Error> {
        self.settle()?;
        match self.history.as_mut().and_then(History::take) {
            Some(parts) => self.put(Turn::User { name: None, content: Content::Parts(parts) }),
            None => Ok(()),
        }
    }
}

/// Whether a message was said by who shall answer.
pub(crate) fn is_own(req: &ModelRequest, msg: &Msg) -> bool {
    msg.role == Role::Assistant && (req.speaker.is_empty() || msg.name == req.speaker)
}

fn is_border(block: &ContentBlock) -> bool {
    matches!(block, ContentBlock::ToolResult(_) | ContentBlock::Hint { .. } | ContentBlock::Heard(_))
}
