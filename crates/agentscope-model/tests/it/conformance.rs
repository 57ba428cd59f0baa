//! All chat models against one server that speaks all of their formats, streamed and whole.
//!
//! [`ALL`] is the table: what differs from model to model is a column of it, and where a provider cannot do a thing, the reason
//! stands in its place. The files beside this one ask all models the same and hold each to its row, in both directions: what a
//! row says is missing must be missing.

mod agents;
mod cells;
mod faults;
mod media;
mod pairs;
mod requests;
mod stage;
mod talk;
mod tools;

use agentscope_core::ChatModel;
use agentscope_model::{
    AnthropicChatModel, DashScopeChatModel, GeminiChatModel, OllamaChatModel, OpenAIChatModel,
    OpenAIResponseModel, PostApiChatModel, Provider,
};
use cells::{
    Can::{No, Yes},
    Choice::{Left, Offered, Told},
    Refusal, Row,
    Schema::{Native, Tool, Words},
    Shown::{Fetched, InWords, Sent},
    Thoughts::{NotBack, Plain, Signed},
};
use serde_json::json;
use stage::Set;
use std::sync::Arc;

const UNSEEN: &str = "nobody knows whether this model sees: `.input_types(..)` tells";
const THINKS: &str = "models of OpenAI that think refuse it";
const NOT_TAKEN: &str = "the provider does not take it";
const NOT_COUNTED: &str = "the provider does not count them apart";

/// OpenAI's chat as most servers speak it.
const CHAT: Row = Row {
    name: "chat",
    make: |at, set| chat(Provider::Other, "scripted", at, set),
    key: "authorization",
    streams: Yes,
    tools: Yes,
    ids: Yes,
    thoughts: NotBack("the API has no place for them"),
    choices: [Told, Told, Told],
    schema: Tool("not every server holds a model to a schema"),
    //      image,  on the web, sound, film, PDF
    media: [Sent, Sent, Sent, Sent, InWords(NOT_TAKEN)],
    results: InWords(UNSEEN),
    cached: Yes,
    thinking: Yes,
    written: No(NOT_COUNTED),
    filter: Yes,
    refusal: Refusal::Said,
    //        max_tokens,    temperature,    top_p,    stop,    seed
    options: [Ok("/max_tokens"), Ok("/temperature"), Ok("/top_p"), Ok("/stop"), Ok("/seed")],
    field: ("top_k", "7", "/top_k"),
};

const MAX_COMPLETION: [Result<&str, &str>; 5] =
    [Ok("/max_completion_tokens"), Ok("/temperature"), Ok("/top_p"), Ok("/stop"), Ok("/seed")];
const ONLY_IMAGES: [cells::Shown; 5] =
    [Sent, Sent, InWords(NOT_TAKEN), InWords(NOT_TAKEN), InWords(NOT_TAKEN)];
const ONLY_WORDS: [cells::Shown; 5] =
    [InWords(NOT_TAKEN), InWords(NOT_TAKEN), InWords(NOT_TAKEN), InWords(NOT_TAKEN), InWords(NOT_TAKEN)];

pub(crate) const ALL: &[Row] = &[
    CHAT,
    Row {
        name: "openai",
        make: |at, set| chat(Provider::OpenAi, "gpt-4o", at, set),
        schema: Native,
        media: [Sent, Sent, Sent, InWords(NOT_TAKEN), Sent],
        results: Sent,
        options: MAX_COMPLETION,
        ..CHAT
    },
    Row {
        name: "azure",
        make: |at, set| {
            let at = format!("{at}?api-version=2024-10-21");
            set.on(OpenAIChatModel::of(Provider::Azure, "my-gpt").base_url(at))
        },
        key: "api-key",
        schema: Native,
        media: [Sent, Sent, Sent, InWords(NOT_TAKEN), Sent],
        options: MAX_COMPLETION,
        ..CHAT
    },
    Row { name: "dashscope", make: |at, set| chat(Provider::DashScope, "qwen-max", at, set), ..CHAT },
    Row {
        name: "deepseek",
        make: |at, set| chat(Provider::DeepSeek, "deepseek-reasoner", at, set),
        thoughts: Plain,
        media: ONLY_WORDS,
        ..CHAT
    },
    Row {
        name: "moonshot",
        make: |at, set| chat(Provider::Moonshot, "kimi-k2", at, set),
        thoughts: Plain,
        media: [Sent, Sent, InWords(NOT_TAKEN), Sent, InWords(NOT_TAKEN)],
        ..CHAT
    },
    Row {
        name: "xai",
        make: |at, set| chat(Provider::Xai, "grok-4", at, set),
        schema: Native,
        media: ONLY_IMAGES,
        options: MAX_COMPLETION,
        ..CHAT
    },
    Row {
        name: "zhipu",
        make: |at, set| chat(Provider::Zhipu, "glm-4.6", at, set),
        choices: [Offered, Left("the API only knows `auto`"), Left("the API only knows `auto`")],
        media: [Sent, Sent, InWords(NOT_TAKEN), Sent, InWords(NOT_TAKEN)],
        ..CHAT
    },
    Row { name: "yi", make: |at, set| chat(Provider::Yi, "yi-large", at, set), media: ONLY_IMAGES, ..CHAT },
    Row {
        name: "huggingface",
        make: |at, set| chat(Provider::HuggingFace, "Qwen/Qwen3-8B", at, set),
        media: ONLY_IMAGES,
        ..CHAT
    },
    Row {
        name: "modelscope",
        make: |at, set| chat(Provider::ModelScope, "Qwen/Qwen3-8B", at, set),
        media: [Sent, Sent, InWords(NOT_TAKEN), Sent, InWords(NOT_TAKEN)],
        ..CHAT
    },
    Row {
        name: "ollama, compatible",
        make: |at, set| chat(Provider::Ollama, "qwen3", at, set),
        schema: Native,
        media: [Sent, Fetched, InWords(NOT_TAKEN), InWords(NOT_TAKEN), InWords(NOT_TAKEN)],
        ..CHAT
    },
    Row {
        name: "vllm",
        make: |at, set| chat(Provider::Vllm, "Qwen/Qwen3-8B", at, set),
        schema: Native,
        ..CHAT
    },
    Row {
        name: "fastchat",
        make: |at, set| chat(Provider::FastChat, "vicuna-7b", at, set),
        media: ONLY_IMAGES,
        ..CHAT
    },
    Row {
        name: "responses",
        make: |at, set| {
            let model = OpenAIResponseModel::new("gpt-5").effort("low").summary("auto");
            set.on(model.base_url(format!("{at}/v1")))
        },
        thoughts: Signed,
        schema: Native,
        media: [Sent, Sent, InWords(NOT_TAKEN), InWords(NOT_TAKEN), Sent],
        results: Sent,
        options: [
            Ok("/max_output_tokens"),
            Err(THINKS),
            Err(THINKS),
            Err("the API has no texts before which to stop"),
            Err("the API has no seed"),
        ],
        field: ("metadata", r#"{"job":"7"}"#, "/metadata"),
        ..CHAT
    },
    ANTHROPIC,
    Row {
        name: "anthropic, thinking",
        make: |at, set| set.on(AnthropicChatModel::new("claude-sonnet-4-5").thinking(2000).base_url(at)),
        options: [
            Ok("/max_tokens"),
            Err("it must not be told while it thinks"),
            Err("a model that thinks takes none below 0.95"),
            Ok("/stop_sequences"),
            Err("the API has no seed"),
        ],
        ..ANTHROPIC
    },
    GEMINI,
    Row {
        name: "gemini 3",
        make: |at, set| set.on(GeminiChatModel::new("gemini-3-pro").base_url(format!("{at}/v1beta"))),
        schema: Native,
        ..GEMINI
    },
    Row {
        name: "ollama",
        make: |at, set| set.on(OllamaChatModel::new("qwen3-vl").base_url(at)),
        ids: Yes,
        thoughts: Plain,
        choices: [Offered, Left("it cannot be told to call a tool"), Offered],
        schema: Native,
        media: [Sent, Fetched, InWords(NOT_TAKEN), InWords(NOT_TAKEN), InWords(NOT_TAKEN)],
        results: Sent,
        cached: No(NOT_COUNTED),
        thinking: No(NOT_COUNTED),
        filter: No("there is no filter"),
        options: [
            Ok("/options/num_predict"),
            Ok("/options/temperature"),
            Ok("/options/top_p"),
            Ok("/options/stop"),
            Ok("/options/seed"),
        ],
        field: ("keep_alive", "\"7m\"", "/keep_alive"),
        ..CHAT
    },
    DASHSCOPE,
    Row {
        name: "dashscope-native, multimodal",
        make: |at, set| set.on(DashScopeChatModel::new("qwen3-vl-plus").base_url(format!("{at}/api/v1"))),
        media: [Sent, Sent, Sent, Sent, InWords(NOT_TAKEN)],
        results: Sent,
        ..DASHSCOPE
    },
    POST_API,
    Row {
        name: "post_api, with tools",
        make: |at, set| {
            let template =
                json!({"messages": "{{messages}}", "tools": "{{tools}}", "limit": "{{max_tokens}}"});
            let model = PostApiChatModel::new(format!("{at}/generate")).template(template);
            set.on(under_data(model))
        },
        tools: Yes,
        choices: [Offered, Left("nothing in the template tells it"), Offered],
        schema: Tool("the template has no place for a schema"),
        options: [Ok("/limit"), Err(NO_PLACE), Err(NO_PLACE), Err(NO_PLACE), Err(NO_PLACE)],
        ..POST_API
    },
];

const ANTHROPIC: Row = Row {
    name: "anthropic",
    make: |at, set| set.on(AnthropicChatModel::new("claude-sonnet-4-5").base_url(at)),
    key: "x-api-key",
    thoughts: Signed,
    schema: Native,
    media: [Sent, Sent, InWords(NOT_TAKEN), InWords(NOT_TAKEN), Sent],
    results: Sent,
    written: Yes,
    refusal: Refusal::Error,
    options: [
        Ok("/max_tokens"),
        Ok("/temperature"),
        Err("no model since Claude 4 takes both"),
        Ok("/stop_sequences"),
        Err("the API has no seed"),
    ],
    field: ("metadata", r#"{"user_id":"7"}"#, "/metadata"),
    ..CHAT
};

const GEMINI: Row = Row {
    name: "gemini",
    make: |at, set| {
        let model = GeminiChatModel::new("gemini-2.5-flash").thinking_budget(1024);
        set.on(model.base_url(format!("{at}/v1beta")))
    },
    key: "x-goog-api-key",
    ids: No("Gemini tells calls apart by their order"),
    thoughts: Signed,
    schema: Tool("Gemini 2.5 refuses a schema beside tools"),
    media: [Sent, Fetched, Sent, Sent, Sent],
    results: Sent,
    refusal: Refusal::Filtered,
    options: [
        Ok("/generationConfig/maxOutputTokens"),
        Ok("/generationConfig/temperature"),
        Ok("/generationConfig/topP"),
        Ok("/generationConfig/stopSequences"),
        Ok("/generationConfig/seed"),
    ],
    field: ("labels", r#"{"job":"7"}"#, "/labels"),
    ..CHAT
};

const DASHSCOPE: Row = Row {
    name: "dashscope-native",
    make: |at, set| set.on(DashScopeChatModel::new("qwen-plus").base_url(format!("{at}/api/v1"))),
    choices: [Told, Left("the API knows only calls of one tool that is named"), Told],
    media: ONLY_WORDS,
    options: [
        Ok("/parameters/max_tokens"),
        Ok("/parameters/temperature"),
        Ok("/parameters/top_p"),
        Ok("/parameters/stop"),
        Ok("/parameters/seed"),
    ],
    field: ("top_k", "7", "/parameters/top_k"),
    ..CHAT
};

const NO_PLACE: &str = "the template has no place for it";

/// A service of somebody's own, which answers OpenAI's JSON under `data.response`.
const POST_API: Row = Row {
    name: "post_api",
    make: |at, set| set.on(under_data(PostApiChatModel::new(format!("{at}/generate")))),
    streams: No("this server answers as a whole"),
    tools: No("the template has no place for tools"),
    choices: [Offered, Left("nothing in the template tells it"), Left("nothing in the template tells it")],
    schema: Words("the template has no place for tools or a schema"),
    cached: No("`.usage_at(..)` names what was read and written"),
    thinking: No("`.usage_at(..)` names what was read and written"),
    refusal: Refusal::NotRead("`.text_at(..)` names where the words are, and there are none"),
    options: [Err(NO_PLACE), Err(NO_PLACE), Err(NO_PLACE), Err(NO_PLACE), Err(NO_PLACE)],
    field: ("top_k", "7", "/top_k"),
    ..CHAT
};

fn chat(provider: Provider, model: &str, at: &str, set: &Set) -> Arc<dyn ChatModel> {
    set.on(OpenAIChatModel::of(provider, model).base_url(format!("{at}/v1")))
}

fn under_data(model: PostApiChatModel) -> PostApiChatModel {
    model
        .thinking_at("data.response.choices[0].message.reasoning_content")
        .tool_calls_at("data.response.choices[0].message.tool_calls")
        .finish_at("data.response.choices[0].finish_reason")
        .usage_at("data.response.usage.prompt_tokens", "data.response.usage.completion_tokens")
}
