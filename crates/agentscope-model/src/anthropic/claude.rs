//! What the versions of Claude take, as their provider's documentation has it.

/// A version of Claude, told by the name of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Claude {
    /// Such as 4.5.
    Version(u32, u32),
    /// One of its names, without a number.
    Unnumbered,
    /// Another model, behind an API that is compatible.
    Other,
}

impl Claude {
    /// Reads `claude-3-5-sonnet-20241022`, `claude-opus-4-1@20250805`, `us.anthropic.claude-sonnet-4-5-20250929-v1:0`, ..
    pub(super) fn of(model: &str) -> Self {
        let Some((_, name)) = model.split_once("claude-") else { return Self::Other };
        // Dates have eight digits.
        let number = |part: &str| (part.len() <= 2).then(|| part.parse().ok()).flatten();
        let mut parts = name.split(['-', '.', '@', ':']).skip_while(|part| number(part).is_none());
        match parts.next().and_then(number) {
            Some(major) => Self::Version(major, parts.next().and_then(number).unwrap_or(0)),
            None => Self::Unnumbered,
        }
    }

    pub(super) fn is_known(self) -> bool {
        self.since(3, 0)
    }

    /// Whether it can be held to a JSON schema.
    pub(super) fn takes_schemas(self) -> bool {
        self.since(4, 5)
    }

    /// Whether it decides by itself how much it thinks.
    pub(super) fn thinks_as_it_likes(self) -> bool {
        self.since(4, 6)
    }

    /// Whether it can be told how to draw its words.
    pub(super) fn takes_temperature(self) -> bool {
        !self.since(4, 7)
    }

    /// Most tokens that it writes, where nothing else is said: the API wants a number, and refuses one that the model cannot.
    pub(super) fn max_tokens(self) -> u64 {
        match self {
            Self::Version(4.., _) | Self::Unnumbered => 32_000,
            Self::Version(3, 5..) | Self::Other => 8_192,
            Self::Version(..) => 4_096,
        }
    }

    fn since(self, major: u32, minor: u32) -> bool {
        match self {
            Self::Version(own, own_minor) => (own, own_minor) >= (major, minor),
            Self::Unnumbered => true, // the newest have names alone
            Self::Other => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_version() {
        for (name, claude) in [
            ("claude-3-5-sonnet-20241022", Claude::Version(3, 5)),
            ("claude-3-haiku-20240307", Claude::Version(3, 0)),
            ("claude-opus-4-20250514", Claude::Version(4, 0)),
            ("claude-opus-4-1@20250805", Claude::Version(4, 1)),
            ("claude-sonnet-4-5", Claude::Version(4, 5)),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Claude::Version(4, 5)),
            ("anthropic/claude-opus-4.6", Claude::Version(4, 6)),
            ("claude-sonnet-5", Claude::Version(5, 0)),
            ("claude-mythos-preview", Claude::Unnumbered),
            ("claude-2.1", Claude::Version(2, 1)),
            ("claude-instant-1", Claude::Version(1, 0)),
            ("kimi-k2", Claude::Other),
        ] {
            assert_eq!(Claude::of(name), claude, "{name}");
        }
        assert!(
            Claude::of("claude-sonnet-4-5").takes_schemas() && !Claude::of("claude-opus-4-1").takes_schemas()
        );
    }
}
