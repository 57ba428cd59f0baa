//! What a request says, in words that are the same for all formats.

use serde_json::Value;

/// A conversation, and what is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) model: String,
    /// The system's turn first, results of tools one turn each.
    pub(crate) turns: Vec<Turn>,
    /// Names and schemas.
    pub(crate) tools: Vec<(String, Value)>,
    /// What the answer shall obey.
    pub(crate) schema: Option<Value>,
    /// The tool that must be called.
    pub(crate) forced: Option<String>,
    /// What is said of the choice of tools: `auto`, `any`, `none`; empty where nothing is.
    pub(crate) choice: String,
}

/// What one says in one go.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Turn {
    /// `system`, `user`, `assistant` or `tool`.
    pub(crate) role: String,
    pub(crate) parts: Vec<Bit>,
}

/// A part of a turn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bit {
    Text(String),
    /// A thought that came back, with its signature.
    Thought(String, String),
    Call {
        id: String,
        name: String,
        arguments: Value,
    },
    /// Of the call of this id, or of this name where the format has no ids.
    Result {
        id: String,
        text: String,
    },
    /// Such as `image/png, 68 bytes` or `image https://a.org/b.png`.
    Media(String),
}

impl Heard {
    pub(crate) fn turn(&mut self, role: &str, parts: Vec<Bit>) {
        self.turns.push(Turn { role: role.to_owned(), parts });
    }

    /// Says how tools are chosen: `auto`, `any`, `none`, or a tool's name.
    pub(crate) fn choose(&mut self, choice: &str, forced: Option<&str>) {
        self.choice = match choice {
            "required" | "any" | "ANY" => "any",
            "none" | "NONE" => "none",
            "auto" | "AUTO" => "auto",
            _ => "",
        }
        .to_owned();
        self.forced = forced.map(str::to_owned);
        if forced.is_some() {
            self.choice = "any".to_owned();
        }
    }
}

impl Turn {
    /// Its words, and those of results.
    pub(crate) fn text(&self) -> String {
        let words = self.parts.iter().filter_map(|part| match part {
            Bit::Text(text) | Bit::Result { text, .. } => Some(text.as_str()),
            _ => None,
        });
        words.collect()
    }

    /// Its media, in their order.
    pub(crate) fn media(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .filter_map(|part| if let Bit::Media(media) = part { Some(media.as_str()) } else { None })
    }

    /// The names and arguments of its calls.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.parts.iter().filter_map(|part| match part {
            Bit::Call { name, arguments, .. } => Some((name.as_str(), arguments)),
            _ => None,
        })
    }
}

pub(super) fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The elements of a list, none where it is no list.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The words of content that is a text or a list of parts.
pub(super) fn words(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        parts => list(parts).map(|part| string(&part["text"])).collect(),
    }
}

/// Arguments that are a text of JSON.
pub(super) fn arguments(text: &Value) -> Value {
    serde_json::from_str(string(text)).unwrap_or_default()
}

/// Media of base64.
pub(super) fn inline(kind: &str, base64: &str) -> Bit {
    let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
    Bit::Media(format!("{kind}, {} bytes", (base64.len() * 3 / 4).saturating_sub(padding)))
}

/// Media of this kind at a URL, which may carry it itself.
pub(super) fn at(kind: &str, url: &str) -> Bit {
    match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((kind, base64)) => inline(kind, base64),
        None => Bit::Media(format!("{kind} {url}")),
    }
}

/// Whether it is base64 with its padding, of one byte at least.
pub(super) fn is_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    !data.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - data.len() <= 2
        && data.bytes().all(plain)
}

/// What kind of image the base64 begins as.
pub(super) fn sniff(base64: &str) -> &'static str {
    let kinds =
        [("iVBOR", "image/png"), ("/9j/", "image/jpeg"), ("R0lG", "image/gif"), ("UklG", "image/webp")];
    kinds.iter().find(|(start, _)| base64.starts_with(start)).map_or("", |(_, kind)| kind)
}
