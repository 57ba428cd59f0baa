//! The fields that differ from type to type: those of a service with a key, of LiteLLM, of Ollama, of a plain address.

use super::{
    api::{Api, Purpose, Shape, of_litellm},
    entry::{Details, ModelConfig, first_of},
    fields::{Fields, named, why_no_url},
    generate::{generation, ollama_options, sampling},
};
use agentscope_core::Secret;
use serde_json::Value;
use std::time::Duration;

/// Most times that a request is sent again (100).
const RETRIES: u64 = 100;

/// What may stand beside `generate_args` as well as in it.
const SAMPLING: [&str; 5] = ["temperature", "top_p", "max_tokens", "seed", "stop"];

impl ModelConfig {
    /// Reads the fields of a shape.
    pub(super) fn shape(&mut self, shape: Shape, fields: &mut Fields<'_>) {
        match shape {
            Shape::Service => self.service(fields),
            Shape::LiteLlm => self.litellm(fields),
            Shape::Ollama => self.ollama(fields),
            Shape::PostApi => self.post_api(fields),
        }
    }

    fn service(&mut self, fields: &mut Fields<'_>) {
        self.api_key = fields.secret("api_key");
        if matches!(self.api, Api::OpenAi | Api::Responses) {
            self.organization = fields.text("organization");
        }
        if self.api == Api::Azure {
            self.details = Details::Azure { api_version: fields.text("api_version") };
        }
        if matches!(self.api, Api::DashScope | Api::DashScopeNative) {
            // The templates of 0.0.2 have it, and nothing ever read it.
            fields.without_effect("messages_key");
        }
        self.base_url = fields.url("base_url");
        self.headers = fields.headers("headers");
        fields.alias("client_kwargs", "client_args");
        if let Some(client) = fields.inner("client_args") {
            self.client(client);
        }
        self.generate(fields);
    }

    fn litellm(&mut self, fields: &mut Fields<'_>) {
        match of_litellm(&self.model_name) {
            Some((api, model)) => (self.api, self.model_name) = (api, model.to_owned()),
            None => {
                let problem = format!(
                    "`model_name` {} is no model of LiteLLM that is known here: write PROVIDER/MODEL with one of openai, azure, \
                     anthropic, gemini, ollama, deepseek, moonshot, xai, dashscope, hosted_vllm, huggingface, zai, or use another \
                     `model_type`",
                    named(&self.model_name)
                );
                fields.problem(problem);
            }
        }
        // What LiteLLM takes with each call.
        fields.lift(
            "generate_args",
            &["api_key", "api_base", "base_url", "api_version", "num_retries", "timeout"],
        );
        fields.alias("api_base", "base_url");
        let api_version = fields.text("api_version");
        if self.api == Api::Azure {
            self.details = Details::Azure { api_version };
        }
        self.api_key = fields.secret("api_key");
        self.base_url = fields.url("base_url");
        self.headers = fields.headers("headers");
        self.max_retries = fields.whole("num_retries", 0..=RETRIES).map(small);
        self.timeout = fields.timeout("timeout");
        self.generate(fields);
    }

    fn ollama(&mut self, fields: &mut Fields<'_>) {
        self.api_key = fields.secret("api_key");
        fields.alias("base_url", "host");
        self.base_url = fields.text("host").map(|host| ollama_host(&host));
        if let Some(why) = self.base_url.as_deref().and_then(why_no_url) {
            fields.problem(format!("`host` is no address ({why}): give one such as http://localhost:11434"));
        }
        self.headers = fields.headers("headers");
        self.timeout = fields.timeout("timeout");
        let wanted = "a time such as \"5m\", or a whole number of seconds";
        let keep_alive = fields.value("keep_alive", wanted, is_keep_alive);
        self.details = Details::Ollama { keep_alive };
        if let Some(options) = fields.inner("options") {
            self.options = ollama_options(options);
        }
    }

    fn post_api(&mut self, fields: &mut Fields<'_>) {
        if fields.must("api_url", "the address to which requests are sent, such as https://host:8000/path") {
            self.base_url = fields.url("api_url");
        }
        self.headers = fields.headers("headers");
        self.timeout = fields.timeout("timeout");
        // 0.x counts all tries, also the first.
        self.max_retries =
            fields.whole("max_retries", 1..=RETRIES).map(|tries| small(tries.saturating_sub(1)));
        let retry_interval = fields.number("retry_interval", 0.0..=86_400.0).unwrap_or(1.0);
        let json_args = fields.object("json_args").unwrap_or_default();
        let messages_key = fields.text("messages_key").unwrap_or_else(|| "messages".to_owned());
        let named = json_args.get("model").or(json_args.get("model_name"));
        if self.model_name == self.config_name
            && let Some(name) = named.and_then(Value::as_str)
        {
            self.model_name = name.to_owned();
        }
        let mut auth = None;
        if let Some(mut post) = fields.inner("post_args") {
            self.query = post.texts("params");
            self.headers.extend(post.headers("headers"));
            self.timeout = post.timeout("timeout").or(self.timeout);
            let wanted = "a list of two texts, user and password";
            auth = post
                .value("auth", wanted, |it| user_and_password(it).is_some())
                .as_ref()
                .and_then(user_and_password);
            for field in ["json", "data", "files", "stream"] {
                post.refused(
                    field,
                    "is made of the messages and of `json_args`: put fields of the body there",
                );
            }
            for field in ["verify", "cert"] {
                post.refused(field, "cannot be set here: let SSL_CERT_FILE name the certificates to trust");
            }
            post.refused("proxies", "cannot be set here: set HTTPS_PROXY or HTTP_PROXY");
            post.refused(
                "allow_redirects",
                "cannot be set here: give the address that it redirects to as `api_url`",
            );
            post.refused("cookies", "cannot be set here: give a header `Cookie`");
            post.end();
        }
        let retry_interval = Duration::try_from_secs_f64(retry_interval).unwrap_or_default();
        self.details = Details::PostApi { json_args, messages_key, retry_interval, auth };
    }

    /// What 0.x hands to the client of a provider's library.
    fn client(&mut self, mut client: Fields<'_>) {
        client.alias("azure_endpoint", "base_url");
        client.alias("custom_headers", "default_headers");
        let both = |field: &str| {
            format!("`{field}` is in the entry and in its `client_args`: leave one of them out")
        };
        let key = client.secret("api_key");
        if !put(&mut self.api_key, key) {
            client.problem(both("api_key"));
        }
        let url = client.url("base_url");
        if !put(&mut self.base_url, url) {
            client.problem(both("base_url"));
        }
        if matches!(self.api, Api::OpenAi | Api::Responses | Api::Azure) {
            let organization = client.text("organization");
            if !put(&mut self.organization, organization) {
                client.problem(both("organization"));
            }
            let project = client.secret("project");
            self.headers.extend(project.map(|it| ("OpenAI-Project".to_owned(), it)));
        }
        if let Details::Azure { api_version } = &mut self.details {
            let version = client.text("api_version");
            if !put(api_version, version) {
                client.problem(both("api_version"));
            }
        }
        self.timeout = client.timeout("timeout");
        self.max_retries = client.whole("max_retries", 0..=RETRIES).map(small);
        self.headers.extend(client.headers("default_headers"));
        self.query = client.texts("default_query");
        client.refused("http_client", "is for Python alone: leave it out");
        client.end();
    }

    fn generate(&mut self, fields: &mut Fields<'_>) {
        fields.alias("generate_kwargs", "generate_args");
        let hottest = match self.api {
            Api::Anthropic | Api::ZhipuAi => 1.0,
            _ => 2.0,
        };
        let beside: Vec<_> = match self.purpose {
            Purpose::Chat => {
                let named = SAMPLING.into_iter().filter(|it| fields.has(it)).collect();
                self.options = sampling(fields, hottest);
                named
            }
            _ => Vec::new(),
        };
        let Some(arguments) = fields.inner("generate_args") else { return };
        let twice: Vec<_> = beside.into_iter().filter(|it| arguments.has(it)).collect();
        let generation = generation(arguments, self.purpose, hottest);
        for field in twice {
            fields.problem(format!(
                "`{field}` is in the entry and in its `generate_args`: leave one of them out"
            ));
        }
        self.options = first_of(generation.options, &self.options);
        self.stream = generation.stream.or(self.stream);
        self.headers.extend(generation.headers);
        self.query.extend(generation.query);
        self.timeout = generation.timeout.or(self.timeout);
    }
}

/// Puts a value where none is yet; says whether that is so, or there was nothing to put.
fn put<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    match (&place, value) {
        (_, None) => true,
        (Some(_), Some(_)) => false,
        (None, value) => {
            *place = value;
            true
        }
    }
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn user_and_password(value: &Value) -> Option<(String, Secret)> {
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(user), Value::String(password)]) => {
            Some((user.clone(), Secret::from(password.as_str())))
        }
        _ => None,
    }
}

/// The address of an Ollama server, whose library takes a host or a port as well.
fn ollama_host(host: &str) -> String {
    let host = host.trim();
    if host.contains("://") {
        return host.to_owned();
    }
    let (authority, path) = host.split_at(host.find('/').unwrap_or(host.len()));
    let authority =
        if authority.starts_with(':') { format!("localhost{authority}") } else { authority.to_owned() };
    let bare =
        authority.strip_prefix('[').map_or(authority.as_str(), |it| it.split(']').nth(1).unwrap_or_default());
    let port = if bare.contains(':') { "" } else { ":11434" };
    format!("http://{authority}{port}{path}")
}

/// A number of seconds, or a duration as Go writes it: `5m`, `1h30m`, `-1`.
fn is_keep_alive(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return value.is_i64() || value.is_u64() };
    let text = text.trim().trim_start_matches(['-', '+']);
    if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
        return true;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let number = rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(number);
        let unit = ["ns", "us", "µs", "ms", "s", "m", "h"].into_iter().find(|unit| {
            behind
                .strip_prefix(unit)
                .is_some_and(|it| it.is_empty() || it.starts_with(|it: char| it.is_ascii_digit()))
        });
        let Some(unit) = unit.filter(|_| digits.parse::<f64>().is_ok()) else { return false };
        rest = behind.strip_prefix(unit).unwrap_or_default();
    }
    !text.is_empty()
}
