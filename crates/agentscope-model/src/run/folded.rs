//! The pieces of an answer, as the blocks of a message.

use agentscope_core::{ContentBlock, FinishReason, Media, ModelDelta, Source, ToolCall, Usage};

/// What came of an answer so far.
#[derive(Default)]
pub(super) struct Folded {
    /// With the number that the model gave to each.
    blocks: Vec<(u32, ContentBlock)>,
    pub(super) usage: Option<Usage>,
    pub(super) finish: Option<FinishReason>,
}

impl Folded {
    pub(super) fn add(&mut self, delta: &ModelDelta) {
        match delta {
            ModelDelta::Text { block, delta } => match self.find(*block, ContentBlock::is_text) {
                Some(ContentBlock::Text { text, .. }) => text.push_str(delta),
                _ => self.begin(*block, ContentBlock::text(delta)),
            },
            ModelDelta::Thinking { block, delta } => {
                match self.find(*block, |it| matches!(it, ContentBlock::Thinking { .. })) {
                    Some(ContentBlock::Thinking { thinking, .. }) => thinking.push_str(delta),
                    _ => self.begin(*block, ContentBlock::thinking(delta)),
                }
            }
            ModelDelta::ToolCall { block, id, name, delta } => {
                match self.find(*block, |it| matches!(it, ContentBlock::ToolCall(_))) {
                    Some(ContentBlock::ToolCall(call)) => call.input.push_str(delta),
                    _ => self.begin(*block, ToolCall::new(id.clone(), name.clone(), delta.clone()).into()),
                }
            }
            ModelDelta::Media { block, media_type, delta } => {
                match self.find(*block, |it| it.media().is_some()) {
                    Some(
                        ContentBlock::Image(Media { source: Source::Base64 { data, .. }, .. })
                        | ContentBlock::Audio(Media { source: Source::Base64 { data, .. }, .. })
                        | ContentBlock::Video(Media { source: Source::Base64 { data, .. }, .. })
                        | ContentBlock::File(Media { source: Source::Base64 { data, .. }, .. }),
                    ) => data.push_str(delta),
                    _ => self.begin(*block, Media::base64(media_type, delta).into()),
                }
            }
            ModelDelta::Extra { block, key, value } => {
                if let Some(extra) = self.find(*block, |_| true).and_then(ContentBlock::extra_mut) {
                    extra.set(key, value.clone());
                }
            }
            ModelDelta::Usage(usage) => self.usage = Some(*usage),
            ModelDelta::Finish { reason } => self.finish = Some(reason.clone()),
            _ => {}
        }
    }

    pub(super) fn into_content(self) -> Vec<ContentBlock> {
        self.blocks.into_iter().map(|(_, block)| block).collect()
    }

    fn find(&mut self, number: u32, is_it: impl Fn(&ContentBlock) -> bool) -> Option<&mut ContentBlock> {
        let found = self.blocks.iter_mut().rfind(|(known, block)| *known == number && is_it(block));
        found.map(|(_, block)| block)
    }

    fn begin(&mut self, number: u32, block: ContentBlock) {
        self.blocks.push((number, block));
    }
}
