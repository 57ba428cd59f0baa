//! The arguments of generation, `generate_args` and Ollama's `options`: what all providers know has a type, the rest is passed on.

use super::{api::Purpose, fields::Fields};
use agentscope_core::{Map, ModelOptions, Secret};
use serde_json::Value;
use std::time::Duration;

/// Fields of providers that are passed on as they are, and whose names are near to others.
const PASSED: [&str; 52] = [
    "audio",
    "best_of",
    "do_sample",
    "enable_search",
    "enable_thinking",
    "format",
    "frequency_penalty",
    "function_call",
    "functions",
    "guided_json",
    "ignore_eos",
    "include_stop_str_in_output",
    "incremental_output",
    "length_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_input_tokens",
    "max_length",
    "max_output_tokens",
    "metadata",
    "min_p",
    "min_tokens",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "quality",
    "reasoning_effort",
    "repetition_penalty",
    "request_id",
    "response_format",
    "result_format",
    "search_options",
    "service_tier",
    "size",
    "skip_special_tokens",
    "stop_sequences",
    "stop_token_ids",
    "store",
    "stream_options",
    "style",
    "thinking",
    "thinking_budget",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "truncate",
    "user",
    "watermark",
];

/// What Ollama calls its options.
const OLLAMA: [&str; 24] = [
    "f16_kv",
    "frequency_penalty",
    "low_vram",
    "main_gpu",
    "min_p",
    "mirostat",
    "mirostat_eta",
    "mirostat_tau",
    "num_batch",
    "num_ctx",
    "num_gpu",
    "num_keep",
    "num_thread",
    "numa",
    "penalize_newline",
    "presence_penalty",
    "repeat_last_n",
    "repeat_penalty",
    "tfs_z",
    "top_k",
    "typical_p",
    "use_mlock",
    "use_mmap",
    "vocab_only",
];

/// How to call a field that is passed on although its name is nearly that of a known one.
const EXTRA_BODY: &str = " If it is really called so, put it into `extra_body`";

/// What can be said of how a model answers, without what is said of the connection.
#[derive(Default)]
pub(super) struct Generation {
    pub(super) options: ModelOptions,
    pub(super) stream: Option<bool>,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) query: Vec<(String, Secret)>,
    pub(super) timeout: Option<Duration>,
}

/// Reads `generate_args`. `hottest` is the highest temperature.
pub(super) fn generation(mut fields: Fields<'_>, purpose: Purpose, hottest: f64) -> Generation {
    let mut read = Generation::default();
    for field in ["messages", "input", "prompt"] {
        fields.refused(field, "is what the model is asked, and no setting: leave it out");
    }
    fields.refused("model", "is given by `model_name` beside `generate_args`: put it there");
    if purpose == Purpose::Chat {
        read.options = sampling(&mut fields, hottest);
        read.stream = fields.flag("stream");
        whole(&mut fields, &mut read.options.extra, "n", 1..=128);
        for penalty in ["presence_penalty", "frequency_penalty"] {
            number(&mut fields, &mut read.options.extra, penalty, -2.0..=2.0);
        }
    } else {
        let (name, most) = match purpose {
            Purpose::Image => ("n", 100),
            _ => ("dimensions", 1 << 20),
        };
        whole(&mut fields, &mut read.options.extra, name, 1..=most);
        if purpose == Purpose::Image {
            let size = fields.value("size", "a text such as \"1024x1024\"", is_size);
            read.options.extra.extend(size.map(|it| ("size".to_owned(), it)));
        }
    }
    read.headers = fields.headers("extra_headers");
    read.query = fields.texts("extra_query");
    read.timeout = fields.timeout("timeout");
    let body = fields.object("extra_body").unwrap_or_default();
    read.options.extra.extend(fields.others(&PASSED, EXTRA_BODY));
    read.options.extra.extend(body);
    read
}

/// Reads Ollama's `options`.
pub(super) fn ollama_options(mut fields: Fields<'_>) -> ModelOptions {
    let mut options = sampling(&mut fields, f64::INFINITY);
    // -1 is without end, -2 as many as fit.
    let tokens =
        fields.value("num_predict", "a whole number from -2", |it| it.as_i64().is_some_and(|it| it >= -2));
    options.extra.extend(tokens.map(|it| ("num_predict".to_owned(), it)));
    whole(&mut fields, &mut options.extra, "num_ctx", 1..=u64::MAX);
    options.extra.extend(fields.others(&OLLAMA, ""));
    options
}

/// What providers agree on of how words are drawn.
pub(super) fn sampling(fields: &mut Fields<'_>, hottest: f64) -> ModelOptions {
    let mut options = ModelOptions::default();
    options.temperature = fields.number("temperature", 0.0..=hottest);
    options.top_p = fields.number("top_p", 0.0..=1.0);
    options.max_tokens = fields.whole("max_tokens", 1..=u64::MAX);
    let seed = fields.value("seed", "a whole number", |it| it.is_i64() || it.is_u64());
    options.seed = seed.as_ref().and_then(Value::as_u64);
    if options.seed.is_none() {
        options.extra.extend(seed.map(|it| ("seed".to_owned(), it)));
    }
    let stop = fields.value("stop", "a text or a list of texts", is_stop);
    options.stop = match stop {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    options
}

fn whole(fields: &mut Fields<'_>, to: &mut Map, name: &'static str, range: std::ops::RangeInclusive<u64>) {
    to.extend(fields.whole(name, range).map(|it| (name.to_owned(), it.into())));
}

fn number(fields: &mut Fields<'_>, to: &mut Map, name: &'static str, range: std::ops::RangeInclusive<f64>) {
    to.extend(fields.number(name, range).map(|it| (name.to_owned(), it.into())));
}

fn is_stop(value: &Value) -> bool {
    let is_text = |it: &Value| it.as_str().is_some_and(|it| !it.is_empty());
    is_text(value) || value.as_array().is_some_and(|it| it.iter().all(is_text))
}

/// `1024x1024`, `1024*1024` or a word such as `auto`.
fn is_size(value: &Value) -> bool {
    let Some(size) = value.as_str() else { return false };
    let is_length = |it: &str| it.parse::<u32>().is_ok_and(|it| it > 0);
    match size.split_once(['x', 'X', '*', '×']) {
        Some((width, height)) => is_length(width.trim()) && is_length(height.trim()),
        None => !size.is_empty() && size.chars().all(|it| it.is_ascii_alphanumeric()),
    }
}
