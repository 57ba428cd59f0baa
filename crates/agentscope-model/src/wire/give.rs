//! What is given away of an answer whose provider numbers its blocks.

use super::Shape;
use agentscope_core::{CallId, ModelDelta, Name};
use std::{borrow::Cow, collections::VecDeque};

/// What stands for a thought that is not shown, but has to be sent back.
pub(crate) const UNSHOWN: &str = "[a thought that is not shown]";

/// Gives away what is added to a block, which has a number once something of it was given away.
pub(crate) struct Give<'a> {
    /// The number of the next block.
    pub(crate) next: &'a mut u32,
    pub(crate) block: &'a mut Option<u32>,
    pub(crate) out: &'a mut VecDeque<ModelDelta>,
}

/// A call that is being written.
pub(crate) struct Call {
    id: CallId,
    pub(crate) name: Name,
    /// Arguments that came whole, until others come in pieces.
    whole: Option<String>,
    /// How deep the arguments are nested, to know whether they are whole.
    shape: Shape,
}

impl Call {
    pub(crate) fn new(id: &str, name: &str, whole: Option<String>) -> Self {
        Self { id: id.into(), name: name.into(), whole, shape: Shape::default() }
    }

    /// Whether some of its arguments were given away.
    pub(crate) fn has_begun(&self) -> bool {
        self.shape.has_begun()
    }

    /// Whether its arguments end where they have to.
    pub(crate) fn is_whole(&self) -> bool {
        self.shape.is_whole()
    }
}

impl Give<'_> {
    fn block(&mut self) -> u32 {
        *self.block.get_or_insert_with(|| {
            *self.next += 1;
            *self.next - 1
        })
    }

    pub(crate) fn text(&mut self, delta: Cow<'_, str>) {
        if !delta.is_empty() {
            let block = self.block();
            self.out.push_back(ModelDelta::Text { block, delta: delta.into_owned() });
        }
    }

    pub(crate) fn thinking(&mut self, delta: Cow<'_, str>) {
        if !delta.is_empty() {
            let block = self.block();
            self.out.push_back(ModelDelta::Thinking { block, delta: delta.into_owned() });
        }
    }

    /// A field of a thought that has to be sent back, with something to be seen where the thought is not.
    pub(crate) fn sign(&mut self, key: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        if self.block.is_none() {
            self.thinking(UNSHOWN.into());
        }
        self.extra(key, value);
    }

    /// A field of a block of which something was given away.
    pub(crate) fn extra(&mut self, key: &str, value: &str) {
        if let Some(block) = *self.block {
            self.out.push_back(ModelDelta::Extra { block, key: key.to_owned(), value: value.into() });
        }
    }

    /// A piece of a call's arguments; an empty one says that it is called.
    pub(crate) fn call(&mut self, call: &mut Call, delta: String) {
        if !delta.is_empty() {
            call.whole = None;
        }
        call.shape.add(&delta);
        let (id, name) = (call.id.clone(), call.name.clone());
        let block = self.block();
        self.out.push_back(ModelDelta::ToolCall { block, id, name, delta });
    }

    /// The arguments that came whole, unless others came in pieces.
    pub(crate) fn rest_of(&mut self, call: &mut Call) {
        if let Some(whole) = call.whole.take() {
            self.call(call, whole);
        }
    }
}
