//! What stands in the table.

use super::stage::Set;
use agentscope_core::ChatModel;
use std::sync::Arc;

/// A model, and in which ways it differs from others.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The model behind a server at `http://127.0.0.1:PORT`, with what all of them are set to.
    pub(super) make: fn(&str, &Set) -> Arc<dyn ChatModel>,
    /// The header that has its key.
    pub(super) key: &'static str,
    pub(super) streams: Can,
    pub(super) tools: Can,
    /// Calls and results have ids on the wire.
    pub(super) ids: Can,
    /// What it thought before it called a tool.
    pub(super) thoughts: Thoughts,
    /// How it is told to call no tool, any, and one that is named.
    pub(super) choices: [Choice; 3],
    /// How it comes to structured output.
    pub(super) schema: Schema,
    /// An image, one on the web, a sound, a film, a PDF file.
    pub(super) media: [Shown; 5],
    /// An image in a tool's result.
    pub(super) results: Shown,
    /// Tokens from the cache, those of thoughts, and those put into the cache are counted.
    pub(super) cached: Can,
    pub(super) thinking: Can,
    pub(super) written: Can,
    /// An answer that a filter cut off says so.
    pub(super) filter: Can,
    /// What becomes of words in place of an answer.
    pub(super) refusal: Refusal,
    /// Where in the body these stand: max_tokens, temperature, top_p, stop, seed; or why they do not.
    pub(super) options: [Result<&'static str, &'static str>; 5],
    /// A further field, its value as JSON, and where it stands in the body.
    pub(super) field: (&'static str, &'static str, &'static str),
}

/// Whether the provider can do it, or why not.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Can {
    Yes,
    No(&'static str),
}

impl Can {
    pub(crate) fn yes(self) -> bool {
        matches!(self, Self::Yes)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Thoughts {
    /// They go back as they came, with what the provider signed them by.
    Signed,
    /// They go back as words.
    Plain,
    /// They are shown to people, and do not go back.
    NotBack(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// The provider is told.
    Told,
    /// It is offered only the tools that it may call.
    Offered,
    /// It is left to the model.
    Left(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Schema {
    /// The provider holds the model to it.
    Native,
    /// The model calls a tool.
    Tool(&'static str),
    /// The model is asked for it in words.
    Words(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown {
    /// It is sent.
    Sent,
    /// It is fetched from the web, and sent.
    Fetched,
    /// The model is told of it in words.
    InWords(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// They are the answer's words.
    Said,
    /// They are an error.
    Error,
    /// The answer ends as one that a filter held back.
    Filtered,
    /// Nobody sees them.
    NotRead(&'static str),
}

impl Row {
    /// Why something is not as with others.
    fn reasons(&self) -> Vec<&'static str> {
        let can = [self.streams, self.tools, self.ids, self.cached, self.thinking, self.written, self.filter];
        let can = can.into_iter().filter_map(|can| if let Can::No(why) = can { Some(why) } else { None });
        let choices = self.choices.into_iter();
        let choices = choices.filter_map(|it| if let Choice::Left(why) = it { Some(why) } else { None });
        let shown = self.media.into_iter().chain([self.results]);
        let shown = shown.filter_map(|it| if let Shown::InWords(why) = it { Some(why) } else { None });
        let options = self.options.into_iter().filter_map(Result::err);
        let mut reasons: Vec<_> = can.chain(choices).chain(shown).chain(options).collect();
        if let Thoughts::NotBack(why) = self.thoughts {
            reasons.push(why);
        }
        if let Schema::Tool(why) | Schema::Words(why) = self.schema {
            reasons.push(why);
        }
        if let Refusal::NotRead(why) = self.refusal {
            reasons.push(why);
        }
        reasons
    }
}

#[test]
fn whatever_a_model_lacks_has_its_reason() {
    for row in super::ALL {
        for why in row.reasons() {
            assert!(why.split(' ').count() > 3 && !why.ends_with('.'), "{}: {why:?}", row.name);
        }
    }
    let mut names: Vec<_> = super::ALL.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), super::ALL.len(), "each has a row of its own");
}
