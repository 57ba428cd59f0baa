//! The files, and the decoders that read them.

use super::super::{
    Framing, Inlined, Settings,
    fault::{Key, Refusal, Server, wait_in},
    sse::Frames,
    testing::{Read, read},
};
use crate::{
    AnthropicChatModel, DashScopeChatModel, GeminiChatModel, OllamaChatModel, OpenAIChatModel,
    OpenAIResponseModel,
};
use agentscope_core::{Error, FinishReason, ModelRequest, Result};
use std::{
    collections::VecDeque,
    fs,
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime},
};

/// A format with all that it is held to.
pub(super) struct Wire {
    pub(super) name: &'static str,
    pub(super) expected: &'static str,
    pub(super) fixtures: Vec<Fixture>,
    settings: Arc<Settings>,
}

/// An answer from a file.
pub(super) struct Fixture {
    /// Its path among the fixtures.
    pub(super) name: String,
    /// 0 where the server closed the connection without a word.
    status: u16,
    retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
    stream: bool,
}

/// All formats, read once.
pub(super) fn wires() -> &'static [Wire] {
    static WIRES: LazyLock<Vec<Wire>> = LazyLock::new(|| {
        macro_rules! wire {
            ($name:literal, $model:ident, $($folder:literal),+) => {
                Wire {
                    name: $name,
                    expected: include_str!(concat!("../../../tests/fixtures/expected/", $name, ".json")),
                    fixtures: {
                        let mut fixtures: Vec<_> = [$($folder),+].into_iter().flat_map(folder).collect();
                        fixtures.sort_by(|one, other| one.name.cmp(&other.name));
                        fixtures
                    },
                    settings: $model::new("m").0,
                }
            };
        }
        vec![
            wire!("openai", OpenAIChatModel, "recorded", "recorded/azure"),
            wire!("responses", OpenAIResponseModel, "recorded/responses", "reference/responses"),
            wire!("anthropic", AnthropicChatModel, "recorded/anthropic", "reference/anthropic"),
            wire!("gemini", GeminiChatModel, "recorded/gemini", "reference/gemini"),
            wire!("ollama", OllamaChatModel, "recorded/ollama", "reference/ollama"),
            wire!("dashscope", DashScopeChatModel, "reference/dashscope"),
        ]
    });
    &WIRES
}

/// The answers in a folder, of which there are some.
fn folder(folder: &str) -> Vec<Fixture> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files = fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().path());
    let fixtures: Vec<_> = files
        .filter(|path| {
            let ending = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
            ["http", "sse", "json", "ndjson"].contains(&ending)
        })
        .map(|path| {
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            Fixture::new(name, fs::read(&path).unwrap())
        })
        .collect();
    assert!(!fixtures.is_empty(), "there is nothing in {folder}");
    fixtures
}

impl Fixture {
    fn new(name: String, bytes: Vec<u8>) -> Self {
        let stream = ["-stream.", "-stream-usage.", ".sse"].iter().any(|it| name.contains(it));
        if !name.ends_with(".http") {
            return Self { name, status: 200, retry_after: None, body: bytes, stream };
        }
        let head = memchr::memmem::find(&bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        let (head, body) = bytes.split_at(head);
        let head = String::from_utf8_lossy(head).to_lowercase();
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let status = head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
        let is_chunked = header("transfer-encoding").is_some_and(|it| it.trim() == "chunked");
        let body = if is_chunked { joined(body) } else { body.to_vec() };
        let retry_after = wait_in(header, SystemTime::now());
        Self { name, status, retry_after, body, stream }
    }

    /// Whether the server says that it has answered.
    pub(super) fn is_success(&self) -> bool {
        matches!(self.status, 0 | 200)
    }

    pub(super) fn with(&self, body: Vec<u8>) -> Self {
        Self {
            name: self.name.clone(),
            status: self.status,
            retry_after: self.retry_after,
            body,
            stream: self.stream,
        }
    }
}

/// A body without the sizes of its chunks.
fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = memchr::memmem::find(chunked, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&chunked[..end]).unwrap().trim(), 16).unwrap();
        let rest = &chunked[end + 2..];
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        chunked = rest.get(size + 2..).unwrap_or_default();
    }
    body
}

impl Wire {
    /// What the answer says that comes in these pieces, as the engine reads it.
    ///
    /// # Panics
    /// Where it is an answer without an end, or half a call is taken for a whole one.
    pub(super) fn answer(&self, fixture: &Fixture, pieces: &[&[u8]]) -> Result<Read> {
        if !fixture.is_success() {
            return Err(self.refused(fixture, &pieces.concat()));
        }
        let mut settings = Settings::clone(&self.settings);
        settings.stream = fixture.stream;
        if fixture.name.contains("accumulated") {
            settings.extra.insert("incremental_output".to_owned(), false.into());
        }
        let (req, media) = (ModelRequest::default(), Inlined::default());
        let mut reader = settings.reader("the server".into(), &settings.ask(&req, &media, false));
        let mut out = VecDeque::new();
        for piece in pieces {
            reader.feed(piece, &mut out)?;
        }
        reader.end(&mut out)?;
        let read = read(out.into());
        assert!(read.finish.is_some(), "{}: an answer without an end", fixture.name);
        let is_half = |text: &str| {
            text.trim_start().starts_with(['{', '['])
                && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|it| it.is_eof())
        };
        if read.finish == Some(FinishReason::Stop) {
            assert!(
                !read.calls.iter().any(|call| is_half(&call.3)),
                "{}: half a call: {read:?}",
                fixture.name
            );
        }
        Ok(read)
    }

    fn refused(&self, fixture: &Fixture, body: &[u8]) -> Error {
        let service = self.settings.format.service();
        let server =
            Server { service, asked: "the conversation", model: "m", address: "the server", key: Key::Sent };
        let Fixture { status, retry_after, .. } = *fixture;
        server.refused(&Refusal { status, retry_after, location: None, body })
    }

    /// How the body is taken apart, where it is a stream.
    pub(super) fn framing(&self, fixture: &Fixture) -> Option<Framing> {
        let framing = self.settings.format.framing();
        let is_stream = match framing {
            Framing::Events => Frames::may_begin_with(fixture.body.trim_ascii_start()),
            Framing::Lines => fixture.stream,
        };
        (fixture.is_success() && is_stream && !fixture.body.is_empty()).then_some(framing)
    }
}
