//! From a configuration to its model.

use super::{
    api::Api,
    entry::{ModelConfig, first_of},
    fields::named,
};
use crate::{
    OpenAIChatModel, Provider,
    keys::{Environment, is_placeholder, key_fault, key_hint},
};
use agentscope_core::{
    BoxFuture, ChatModel, Context, Error, ErrorKind, ModelCard, ModelOptions, ModelRequest, ModelStream,
    Result, Secret,
};
use agentscope_net::{Url, shown};
use std::sync::Arc;

/// Where Zhipu AI and Yi serve the API of OpenAI.
const ZHIPUAI: &str = "https://open.bigmodel.cn/api/paas/v4";
const YI: &str = "https://api.lingyiwanwu.com/v1";

/// The chat model of a configuration. `spec` is the line that named it, if one did.
pub(super) fn chat(
    config: &ModelConfig,
    spec: Option<&str>,
    environment: &Environment,
) -> Result<Arc<dyn ChatModel>> {
    let provider = match config.api {
        Api::OpenAi => Provider::OpenAi,
        Api::DashScope => Provider::DashScope,
        Api::DeepSeek => Provider::DeepSeek,
        Api::Moonshot => Provider::Moonshot,
        Api::Vllm => Provider::Vllm,
        Api::ZhipuAi | Api::Yi => Provider::Other,
        Api::Responses
        | Api::Azure
        | Api::DashScopeNative
        | Api::Anthropic
        | Api::Gemini
        | Api::Ollama
        | Api::OllamaGenerate
        | Api::Xai
        | Api::FastChat
        | Api::HuggingFace
        | Api::ModelScope
        | Api::PostApi => {
            let message = format!(
                "models of the type `{}` are not part of this version: use one that speaks the API of OpenAI, such as \
                 `openai_chat` with a `base_url`",
                config.model_type
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
    };
    let model = openai(config, provider, environment)?;
    Ok(Arc::new(Configured::new(model, config, spec)))
}

/// A model by the API of OpenAI.
fn openai(config: &ModelConfig, provider: Provider, environment: &Environment) -> Result<OpenAIChatModel> {
    let connection = Connection::of(config, environment)?;
    let model = config.model_name.as_str();
    let url = connection.base_url.map(|url| with_query(url, &config.query));
    let url = url.or_else(|| {
        let default =
            || environment.value(provider.ways().base_url_variable).unwrap_or(provider.ways().base_url);
        (!config.query.is_empty()).then(|| with_query(default().to_owned(), &config.query))
    });
    let mut model = match (&url, connection.is_own) {
        // Who else is behind an address may refuse what only the provider itself takes.
        (Some(url), false) if provider == Provider::OpenAi => {
            OpenAIChatModel::of(Provider::Other, model).at(url)
        }
        (Some(url), _) if provider == Provider::Other => OpenAIChatModel::of(provider, model).at(url),
        // A key of the environment is the provider's, and goes to no other address.
        (Some(url), false) => OpenAIChatModel::of(provider, model).base_url(url),
        (Some(url), true) => OpenAIChatModel::of(provider, model).at(url),
        (None, _) => OpenAIChatModel::of(provider, model),
    };
    if let Some(key) = connection.key {
        model = model.api_key(key);
    }
    if let Some(organization) = connection.organization {
        model = model.header("OpenAI-Organization", organization);
    }
    for (name, value) in &config.headers {
        model = model.header(name, value.clone());
    }
    if let Some(stream) = config.stream {
        model = model.stream(stream);
    }
    if let Some(retries) = config.max_retries {
        model = model.retries(retries);
    }
    if let Some(timeout) = config.timeout {
        model = model.first_byte_timeout(timeout);
    }
    model.check()?;
    Ok(model)
}

/// Where a configured model is reached, and as whom.
struct Connection {
    base_url: Option<String>,
    /// The address is the provider's own.
    is_own: bool,
    key: Option<Secret>,
    organization: Option<String>,
}

impl Connection {
    /// What the entry says, and the environment where it says nothing.
    fn of(config: &ModelConfig, environment: &Environment) -> Result<Self> {
        let access = config.api.access();
        // Servers that everyone runs for themselves have no address of the provider.
        let is_own =
            access.hosts.is_empty() || config.base_url.as_deref().is_none_or(|url| is_own(url, access.hosts));
        let moved =
            is_own && config.base_url.is_none() && environment.value(access.base_url_variable).is_some();
        let unauthorized = |message: String| Err(Error::new(ErrorKind::Unauthorized, message));
        let found = access.keys.iter().find_map(|name| Some((*name, environment.value(name)?)));
        let variable = access.keys.first().copied().unwrap_or_default();
        let key = match (&config.api_key, found.filter(|_| is_own)) {
            (Some(key), _) => {
                if is_placeholder(key.expose()) {
                    return unauthorized(match variable {
                        "" => "`api_key` is a placeholder: put a key in its place".to_owned(),
                        name => format!(
                            "`api_key` is a placeholder: put a key in its place, or leave it out and set {name}"
                        ),
                    });
                }
                if is_own
                    && !moved
                    && let Some(fault) = key_fault(variable, key.expose())
                {
                    return unauthorized(format!("`api_key` {fault}"));
                }
                Some(key.clone())
            }
            (None, Some((name, key))) => {
                if !moved && let Some(fault) = key_fault(name, key) {
                    return unauthorized(format!("the value of {name} {fault}"));
                }
                Some(Secret::from(key))
            }
            (None, None) if access.needs_key && is_own && !moved => {
                let hint = key_hint(variable, environment).map(|it| format!(" ({it})")).unwrap_or_default();
                let message = format!(
                    "model `{}` needs {variable}: set it, or write `api_key`{hint}",
                    config.model_name
                );
                return unauthorized(message);
            }
            (None, None) => None,
        };
        if let Some((name, _)) = config.headers.iter().find(|(_, value)| is_placeholder(value.expose())) {
            return unauthorized(format!(
                "the header {} has a placeholder: put a value in its place",
                named(name)
            ));
        }
        let base_url = config.base_url.clone().or_else(|| {
            let default = match config.api {
                Api::ZhipuAi => ZHIPUAI,
                Api::Yi => YI,
                _ => return None,
            };
            Some(environment.value(access.base_url_variable).unwrap_or(default).to_owned())
        });
        let of_variable = || {
            let names = ["OPENAI_ORGANIZATION", "OPENAI_ORG_ID"];
            let asked = is_own && !moved && matches!(config.api, Api::OpenAi | Api::Responses);
            names.into_iter().find_map(|it| environment.value(it)).filter(|_| asked).map(str::to_owned)
        };
        Ok(Self { base_url, is_own, key, organization: config.organization.clone().or_else(of_variable) })
    }
}

/// An address with further parameters.
fn with_query(url: String, query: &[(String, Secret)]) -> String {
    match url.trim().parse::<Url>() {
        Ok(mut parsed) if !query.is_empty() => {
            parsed.query_pairs_mut().extend_pairs(query.iter().map(|(name, value)| (name, value.expose())));
            parsed.into()
        }
        _ => url,
    }
}

/// Whether an address is one of the provider, to which a key of its variable may go.
fn is_own(url: &str, hosts: &[&str]) -> bool {
    let url = url.trim().parse::<Url>().ok().filter(|url| url.scheme() == "https");
    url.is_some_and(|url| url.port().is_none() && url.host_str().is_some_and(|host| hosts.contains(&host)))
}

/// A model with the options of its configuration, which are used where a request says nothing.
struct Configured<M> {
    model: M,
    card: ModelCard,
    options: ModelOptions,
}

impl<M: ChatModel> Configured<M> {
    fn new(model: M, config: &ModelConfig, spec: Option<&str>) -> Self {
        let mut card = model.card().clone();
        if let Some(tokens) = config.max_length {
            card.context_size = tokens;
        }
        match (spec, &config.base_url) {
            (Some(spec), _) => spec.clone_into(&mut card.spec),
            (None, Some(url)) => card.spec = format!("{}#{}", shown(url), config.model_name),
            (None, None) => {}
        }
        Self { model, card, options: config.options.clone() }
    }

    fn filled(&self, mut req: ModelRequest) -> ModelRequest {
        req.options = first_of(std::mem::take(&mut req.options), &self.options);
        req
    }
}

impl<M: ChatModel> ChatModel for Configured<M> {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn call(&self, req: ModelRequest, cx: Context) -> ModelStream {
        self.model.call(self.filled(req), cx)
    }

    fn estimate_tokens(&self, req: &ModelRequest) -> u64 {
        self.model.estimate_tokens(req)
    }

    fn count_tokens<'a>(&'a self, req: &'a ModelRequest) -> BoxFuture<'a, Result<u64>> {
        self.model.count_tokens(req)
    }
}

#[cfg(test)]
mod tests;
