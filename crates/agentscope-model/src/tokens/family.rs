//! Whose model it is, by its name.

/// Who makes a model, as far as its tokens go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Models of OpenAI whose images are cut into tiles of 512 pixels: what the image costs, and each tile.
    Tiles {
        base: u64,
        tile: u64,
    },
    /// Models of OpenAI whose images are cut into patches of 32 pixels, each of which costs so many hundredths of a token.
    Patches {
        hundredths: u64,
    },
    Anthropic,
    Gemini,
    /// Qwen's models that see, with a token for each square of so many pixels.
    Qwen {
        square: u32,
    },
    Other,
}

/// By <https://platform.openai.com/docs/guides/images-vision#calculating-costs>; the longest beginning of a name that fits.
const OPENAI: [(&str, Family); 19] = [
    ("gpt-4.1-mini", Family::Patches { hundredths: 162 }),
    ("gpt-4.1-nano", Family::Patches { hundredths: 246 }),
    ("gpt-5-mini", Family::Patches { hundredths: 162 }),
    ("gpt-5-nano", Family::Patches { hundredths: 246 }),
    ("o4-mini", Family::Patches { hundredths: 172 }),
    ("gpt-4o-mini", Family::Tiles { base: 2833, tile: 5667 }),
    ("gpt-4o", FOUR),
    ("chatgpt-4o", FOUR),
    ("gpt-4.1", FOUR),
    ("gpt-4.5", FOUR),
    ("gpt-4", FOUR),
    ("gpt-3.5", FOUR),
    ("gpt-35", FOUR),
    ("gpt-5", Family::Tiles { base: 70, tile: 140 }),
    ("gpt-oss", FOUR),
    ("o1", REASONING),
    ("o3", REASONING),
    ("o4", REASONING),
    ("computer-use-preview", Family::Tiles { base: 65, tile: 129 }),
];

const FOUR: Family = Family::Tiles { base: 85, tile: 170 };
const REASONING: Family = Family::Tiles { base: 75, tile: 150 };

impl Family {
    /// By the name of a model, with or without who serves it before it, such as `openai/gpt-4o`.
    pub(super) fn of(model: &str) -> Self {
        let name = bare(model);
        let known =
            OPENAI.iter().filter(|(start, _)| begins(name, start)).max_by_key(|(start, _)| start.len());
        match name {
            _ if let Some((_, family)) = known => *family,
            _ if name.starts_with("claude") => Self::Anthropic,
            _ if name.starts_with("gemini") => Self::Gemini,
            _ if name.starts_with("qwen3") => Self::Qwen { square: 32 },
            _ if ["qwen", "qvq", "qwq"].iter().any(|it| name.starts_with(it)) => Self::Qwen { square: 28 },
            _ => Self::Other,
        }
    }

    /// Whether what a model thought is sent back to it.
    pub(super) fn keeps_thoughts(self) -> bool {
        !matches!(self, Self::Tiles { .. } | Self::Patches { .. } | Self::Qwen { .. })
    }
}

/// The name without who serves it, and without what a fine-tuned model has around it.
pub(super) fn bare(model: &str) -> &str {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.strip_prefix("ft:").unwrap_or(name);
    name.split(':').next().unwrap_or(name)
}

/// Whether a name begins with this word: `o1-mini` begins with `o1`, and `o100` does not.
fn begins(name: &str, start: &str) -> bool {
    let rest = name.strip_prefix(start);
    rest.is_some_and(|rest| !rest.starts_with(|it: char| it.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_told_by_the_longest_name_that_fits() {
        for (name, family) in [
            ("gpt-4o", FOUR),
            ("gpt-4o-2024-08-06", FOUR),
            ("openai/gpt-4o-mini-2024-07-18", Family::Tiles { base: 2833, tile: 5667 }),
            ("ft:gpt-4o-mini-2024-07-18:acme::a", Family::Tiles { base: 2833, tile: 5667 }),
            ("gpt-4.1", FOUR),
            ("gpt-4.1-mini", Family::Patches { hundredths: 162 }),
            ("gpt-4.1-nano-2025-04-14", Family::Patches { hundredths: 246 }),
            ("gpt-5", Family::Tiles { base: 70, tile: 140 }),
            ("gpt-5-mini", Family::Patches { hundredths: 162 }),
            ("o1", REASONING),
            ("o3-pro", REASONING),
            ("o4-mini", Family::Patches { hundredths: 172 }),
            ("o100", Family::Other),
            ("claude-sonnet-4-5", Family::Anthropic),
            ("gemini-2.5-pro", Family::Gemini),
            ("Qwen/qwen2.5-vl-7b", Family::Qwen { square: 28 }),
            ("qwen3-vl-plus", Family::Qwen { square: 32 }),
            ("llama3", Family::Other),
        ] {
            assert_eq!(Family::of(name), family, "{name}");
        }
    }
}
