//! Chat by the API of Gemini.

mod contents;
mod decode;
mod encode;
mod part;
mod schema;
mod wire;

use crate::{
    conversation::{ImagesOfResults, Manners},
    http::{
        Ask, Auth, Counting, Decode, Format, Peer, Service, Settings, http_chat_model, with_path, written,
    },
};
use agentscope_core::Result;
use agentscope_net::Url;
use decode::Decoder;
use encode::{Body, THINKING};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

http_chat_model! {
    /// A chat model behind the API of Gemini: text, thoughts, tools, images, sounds, films and PDF files.
    ///
    /// The key is that of GEMINI_API_KEY or GOOGLE_API_KEY, the address that of GEMINI_BASE_URL or
    /// `https://generativelanguage.googleapis.com/v1beta`; its spec is `gemini:gemini-2.5-flash`.
    ///
    /// * Files of the web are fetched and put into the request, but for films of YouTube and what was uploaded to Gemini's
    ///   Files API, whose addresses it knows. What lies in a tool's result is shown within the result to Gemini 3 and later, and
    ///   after the results of the round to others.
    /// * A thought's signature is kept as `thought_signature` of the block that it came with, and goes back with it.
    /// * Schemas of tools and of structured output go as JSON Schema, without the keywords that Gemini refuses; an agent
    ///   holds arguments and output to the whole schema in any case.
    /// * Structured output is Gemini's own from Gemini 3 on. Earlier ones refuse it beside tools, so that it goes by a tool.
    /// * [`body`](Self::body) and [`ModelOptions::extra`](agentscope_core::ModelOptions) put fields beside `contents`, such as
    ///   `safetySettings`. Those within `generationConfig` and `toolConfig` are merged with what is there, as in
    ///   `.body("generationConfig", json!({"topK": 40}))`, and those of `tools` come behind the tools that are there, as in
    ///   `.body("tools", json!([{"googleSearch": {}}]))`.
    ///
    /// [`count_tokens`](agentscope_core::ChatModel::count_tokens) has Gemini count them.
    ///
    /// It asks again where that may help, as [`OpenAIChatModel`](crate::OpenAIChatModel) does; so it does where Gemini says that the
    /// model has written a call that nobody can read (`MALFORMED_FUNCTION_CALL`).
    ///
    /// Cloning it is cheap and gives the same model. Errors: [`ErrorKind::Unauthorized`] for a missing or wrong key,
    /// [`ErrorKind::RateLimited`] with the wait that Gemini asks for, [`ErrorKind::Exhausted`] for the quota of a day,
    /// [`ErrorKind::Refused`] for a prompt that it blocks, and those of [`OpenAIChatModel`](crate::OpenAIChatModel).
    ///
    /// ```
    /// use agentscope_core::ChatModel;
    /// use agentscope_model::GeminiChatModel;
    ///
    /// let model = GeminiChatModel::new("gemini-2.5-flash").api_key("AI..").thinking_budget(1024);
    /// assert_eq!(model.card().spec, "gemini:gemini-2.5-flash");
    /// ```
    ///
    /// [`ErrorKind::Unauthorized`]: agentscope_core::ErrorKind::Unauthorized
    /// [`ErrorKind::RateLimited`]: agentscope_core::ErrorKind::RateLimited
    /// [`ErrorKind::Exhausted`]: agentscope_core::ErrorKind::Exhausted
    /// [`ErrorKind::Refused`]: agentscope_core::ErrorKind::Refused
    GeminiChatModel
}

impl GeminiChatModel {
    /// A model of Gemini, such as `gemini-2.5-flash`.
    pub fn new(model: impl Into<String>) -> Self {
        let model = model.into();
        let model = model.strip_prefix("models/").unwrap_or(&model).to_owned();
        let series = Series::of(&model);
        let settings = Settings::new(Arc::new(Gemini(series)), model, |card| {
            card.output_schema = true;
            if series != Series::Other {
                card.input_types =
                    ["image/*", "audio/*", "video/*", "application/pdf"].map(str::to_owned).to_vec();
            }
        });
        // Others can be held to a schema too, but not beside tools.
        Self(Arc::new(settings)).describe(|card| card.output_schema &= series == Series::New)
    }

    /// Most tokens to think: 0 for none, -1 as many as the model likes. The thoughts are told, as far as Gemini tells them.
    #[must_use]
    pub fn thinking_budget(self, tokens: i64) -> Self {
        self.thinking("thinkingBudget", json!(tokens), tokens != 0)
    }

    /// How much to think, from Gemini 3 on: `minimal`, `low`, `medium` or `high`. The thoughts are told, as far as Gemini tells
    /// them.
    #[must_use]
    pub fn thinking_level(self, level: impl Into<String>) -> Self {
        self.thinking("thinkingLevel", Value::String(level.into()), true)
    }

    /// A prompt that Gemini has cached already, such as `cachedContents/abc`. It has the system message and the tools in it, so that
    /// neither is sent beside it; Gemini refuses them.
    #[must_use]
    pub fn cached_content(self, name: impl Into<String>) -> Self {
        self.body("cachedContent", name.into())
    }

    /// Kept apart from the user's own fields, with which it is merged.
    fn thinking(self, field: &str, value: Value, told: bool) -> Self {
        self.body(THINKING, json!({field: value, "includeThoughts": told}))
    }
}

/// Which models differ in what they take.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Series {
    /// Up to Gemini 2.5.
    Old,
    /// From Gemini 3 on: images in a tool's result, JSON beside tools, and a signature that each call has to have.
    New,
    /// Others that are served here, such as Gemma.
    Other,
}

impl Series {
    fn of(model: &str) -> Self {
        let Some(name) = model.strip_prefix("gemini-") else { return Self::Other };
        let version = name.split('-').find(|part| part.starts_with(|it: char| it.is_ascii_digit()));
        // Those without a number, such as `gemini-flash-latest`, are the latest.
        if version.is_some_and(|version| version.starts_with(['1', '2'])) { Self::Old } else { Self::New }
    }
}

/// The wire format.
#[derive(Debug)]
struct Gemini(Series);

pub(crate) static SERVICE: Service = Service {
    name: "gemini",
    keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    needs_key: true,
    auth: Auth::Header("x-goog-api-key"),
    base_url: "https://generativelanguage.googleapis.com/v1beta",
    base_url_variable: "GEMINI_BASE_URL",
    api: "Gemini's API",
    place: "which mostly ends with /v1beta",
    example: "https://generativelanguage.googleapis.com/v1beta",
};

static NEW: Manners = Manners {
    shown: [true; 4],
    images: &["image/heic", "image/heif", "image/jpeg", "image/png", "image/webp"],
    image_limit: usize::MAX,
    inlined: [true; 4],
    has,
    system_anywhere: false,
    media_in_order: true,
    images_of_results: ImagesOfResults::InPlace,
};

static OLD: Manners = Manners { images_of_results: ImagesOfResults::Promoted, ..NEW };

/// Whether Gemini knows what lies at an address.
fn has(url: &str) -> bool {
    const KNOWN: [&str; 6] = [
        "https://generativelanguage.googleapis.com/",
        "https://www.youtube.com/",
        "https://youtube.com/",
        "https://m.youtube.com/",
        "https://youtu.be/",
        "gs://",
    ];
    KNOWN.iter().any(|known| url.starts_with(known))
}

impl Format for Gemini {
    fn service(&self) -> &'static Service {
        &SERVICE
    }

    fn manners(&self) -> &'static Manners {
        if self.0 == Series::New { &NEW } else { &OLD }
    }

    fn address(&self, base: Url, model: &str, stream: bool) -> Url {
        let mut url = method(base, model, if stream { "streamGenerateContent" } else { "generateContent" });
        if stream && !url.query_pairs().any(|(name, _)| name == "alt") {
            url.query_pairs_mut().append_pair("alt", "sse");
        }
        url
    }

    fn encode(&self, ask: &Ask<'_>) -> Result<Vec<u8>> {
        written(ask, &Body::of(ask, self.0))
    }

    fn counting(&self, base: Url, model: &str) -> Option<Counting> {
        Some(Counting { url: method(base, model, "countTokens"), field: "totalTokens" })
    }

    fn encode_counted(&self, ask: &Ask<'_>) -> Result<Vec<u8>> {
        let model = named(ask.model());
        written(ask, &Counted { generate_content_request: Request { model, body: Body::of(ask, self.0) } })
    }

    fn decoder(&self, peer: Peer, _: &Ask<'_>) -> Box<dyn Decode> {
        Box::new(Decoder::new(peer))
    }
}

/// The address of a method of a model.
fn method(base: Url, model: &str, method: &str) -> Url {
    with_path(base, &format!("/{}:{method}", named(model)))
}

/// The model with the folder that it is in.
fn named(model: &str) -> String {
    if model.contains('/') { model.to_owned() } else { format!("models/{model}") }
}

/// A request whose tokens are counted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted<'a> {
    generate_content_request: Request<'a>,
}

#[derive(Serialize)]
struct Request<'a> {
    model: String,
    #[serde(flatten)]
    body: Body<'a>,
}

#[cfg(test)]
mod tests;
