//! From a configuration to its model.

use super::{
    api::Api,
    entry::{Details, ModelConfig, first_of},
    fields::named,
};
#[cfg(any(feature = "embedding", feature = "image"))]
use crate::json_call::Endpoint;
use crate::{
    AnthropicChatModel, Budget, DashScopeChatModel, GeminiChatModel, Monitor, OllamaChatModel,
    OpenAIChatModel, OpenAIResponseModel, PostApiChatModel, Provider, RetryPolicy,
    http::{Access, HttpChatModel, Settings},
    keys::{Environment, is_placeholder, key_fault, key_hint},
};
#[cfg(feature = "embedding")]
use agentscope_core::Embedder;
#[cfg(feature = "image")]
use agentscope_core::ImageModel;
use agentscope_core::{
    BoxFuture, ChatModel, Context, Error, ErrorKind, Map, ModelCard, ModelOptions, ModelRequest, ModelStream,
    Result, Secret, Transcript,
};
use agentscope_net::{Url, shown};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::sync::Arc;

/// The chat model of a configuration. `spec` is the line that named it, if one did; `monitor` counts what it costs, if that is
/// limited.
pub(super) fn chat(
    config: &ModelConfig,
    spec: Option<&str>,
    monitor: &Monitor,
    environment: &Environment,
) -> Result<Arc<dyn ChatModel>> {
    let connection = Connection::of(config, environment)?;
    let mut model = model_of(config, &connection);
    connect(Arc::make_mut(&mut model), config, connection, environment);
    model.check()?;
    let model = Configured::new(HttpChatModel(model), config, spec);
    let Some(budget) = config.budget else { return Ok(Arc::new(model)) };
    let Some(price) = model.card.price else {
        let message = format!(
            "`budget` cannot be kept, because nobody knows what the model `{}` costs: say it in a file of model cards that \
             AGENTSCOPE_MODEL_CARDS names (a model that costs nothing has the price 0), or leave `budget` out",
            config.model_name
        );
        return Err(Error::new(ErrorKind::InvalidInput, message));
    };
    monitor.limit(Budget::money(budget, price.currency)).map_err(|error| error.context("`budget`"))?;
    Ok(Arc::new(monitor.meter(model)))
}

/// The embedder of a configuration.
#[cfg(feature = "embedding")]
pub(super) fn embedder(config: &ModelConfig, environment: &Environment) -> Result<Arc<dyn Embedder>> {
    use crate::{
        DashScopeMultiModalEmbedding, DashScopeTextEmbedding, GeminiTextEmbedding, OllamaTextEmbedding,
        OpenAITextEmbedding,
    };
    let connection = checked(config, environment)?;
    let (name, url) = (config.model_name.as_str(), config.base_url.as_deref());
    let is_elsewhere = url.is_some() && !connection.is_own;
    let connect = |endpoint: &mut Endpoint| endpoint_of(endpoint, config, connection, environment);
    let fields = &config.options.extra;
    match config.api {
        Api::DashScope if DashScopeMultiModalEmbedding::is_one(name) => {
            DashScopeMultiModalEmbedding::new(name).configured(connect, url, fields)
        }
        Api::DashScope => DashScopeTextEmbedding::new(name).configured(connect, url, fields),
        Api::Gemini => GeminiTextEmbedding::new(name).configured(connect, url, fields),
        Api::Ollama => {
            OllamaTextEmbedding::new(name).configured(connect, url, &of_ollama(config, fields.clone()))
        }
        Api::OpenAi if is_elsewhere => {
            OpenAITextEmbedding::compatible(url.unwrap_or_default(), name).configured(connect, url, fields)
        }
        Api::OpenAi => OpenAITextEmbedding::new(name).configured(connect, url, fields),
        Api::ZhipuAi => OpenAITextEmbedding::of(Provider::Zhipu, name).configured(connect, url, fields),
        _ => Err(not_here(config, "openai_embedding")),
    }
}

/// The model that draws of a configuration.
#[cfg(feature = "image")]
pub(super) fn image(config: &ModelConfig, environment: &Environment) -> Result<Arc<dyn ImageModel>> {
    use crate::{DashScopeImageModel, OpenAIImageModel};
    let connection = checked(config, environment)?;
    let (name, url) = (config.model_name.as_str(), config.base_url.as_deref());
    let is_elsewhere = url.is_some() && !connection.is_own;
    let connect = |endpoint: &mut Endpoint| endpoint_of(endpoint, config, connection, environment);
    let model = match config.api {
        Api::DashScopeNative => DashScopeImageModel::new(name).connected(connect).checked()?,
        Api::OpenAi if is_elsewhere => {
            OpenAIImageModel::compatible(url.unwrap_or_default(), name).connected(connect).checked()?
        }
        Api::OpenAi => OpenAIImageModel::new(name).connected(connect).checked()?,
        _ => return Err(not_here(config, "openai_dall_e")),
    };
    Ok(Arc::new(super::drawing::Drawing::new(model, config)))
}

/// Where a model is reached that is no chat model.
#[cfg(any(feature = "embedding", feature = "image"))]
fn checked(config: &ModelConfig, environment: &Environment) -> Result<Connection> {
    if config.budget.is_some() {
        let message = "a `budget` is kept by chat models only: leave it out";
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    Connection::of(config, environment)
}

#[cfg(any(feature = "embedding", feature = "image"))]
fn not_here(config: &ModelConfig, instead: &str) -> Error {
    let message = format!(
        "models of the type `{}` are not part of this version: use one that speaks the API of OpenAI, such as `{instead}` with a \
         `base_url`",
        config.model_type
    );
    Error::new(ErrorKind::InvalidInput, message)
}

/// Puts in what the entry says of the connection.
#[cfg(any(feature = "embedding", feature = "image"))]
fn endpoint_of(
    endpoint: &mut Endpoint,
    config: &ModelConfig,
    connection: Connection,
    environment: &Environment,
) {
    endpoint.change(|access| reach(access, config, connection, environment));
    if let Some(retries) = config.max_retries {
        endpoint.retry = endpoint.retry.clone().retries(retries);
    }
    endpoint.timeout = config.timeout.unwrap_or(endpoint.timeout);
}

/// The fields of a request to Ollama, whose options are an object of their own.
fn of_ollama(config: &ModelConfig, options: Map) -> Map {
    let Details::Ollama { keep_alive } = &config.details else { return options };
    let mut fields = Map::new();
    if !options.is_empty() {
        fields.insert("options".to_owned(), Value::Object(options));
    }
    fields.extend(keep_alive.iter().map(|time| ("keep_alive".to_owned(), time.clone())));
    fields
}

/// The model as it is without the entry's further fields.
fn model_of(config: &ModelConfig, connection: &Connection) -> Arc<Settings> {
    let name = config.model_name.as_str();
    let chat = |provider| OpenAIChatModel::of(provider, name).0;
    match config.api {
        // Who else is behind an address may refuse what only the provider itself takes.
        Api::OpenAi if connection.base_url.is_some() && !connection.is_own => chat(Provider::Other),
        Api::OpenAi => chat(Provider::OpenAi),
        Api::Azure => chat(Provider::Azure),
        Api::DashScope => chat(Provider::DashScope),
        Api::DeepSeek => chat(Provider::DeepSeek),
        Api::Moonshot => chat(Provider::Moonshot),
        Api::Xai => chat(Provider::Xai),
        Api::Vllm => chat(Provider::Vllm),
        Api::FastChat => chat(Provider::FastChat),
        Api::HuggingFace => chat(Provider::HuggingFace),
        Api::ModelScope => chat(Provider::ModelScope),
        Api::ZhipuAi => chat(Provider::Zhipu),
        Api::Yi => chat(Provider::Yi),
        Api::Responses => OpenAIResponseModel::new(name).0,
        // A prompt that is continued by the model's template is a conversation of one message.
        Api::Ollama | Api::OllamaGenerate => OllamaChatModel::new(name).0,
        Api::Gemini => GeminiChatModel::new(name).0,
        Api::Anthropic => AnthropicChatModel::new(name).0,
        Api::DashScopeNative => DashScopeChatModel::new(name).0,
        Api::PostApi => post_api(config),
    }
}

/// An address that takes JSON and gives JSON, as 0.x asks it.
fn post_api(config: &ModelConfig) -> Arc<Settings> {
    let model =
        PostApiChatModel::new(config.base_url.clone().unwrap_or_default()).named(config.model_name.as_str());
    let Details::PostApi { json_args, messages_key, retry_interval, auth } = &config.details else {
        return model.0;
    };
    let mut template = json_args.clone();
    template.insert(messages_key.clone(), "{{messages}}".into());
    let patience = RetryPolicy::default().backoff(*retry_interval, *retry_interval * 8);
    let model = model.template(Value::Object(template)).retry(patience);
    match auth {
        Some((user, password)) => {
            let both = STANDARD.encode(format!("{user}:{}", password.expose()));
            model.header("Authorization", format!("Basic {both}")).0
        }
        None => model.0,
    }
}

/// Puts the entry's further fields in.
fn connect(settings: &mut Settings, config: &ModelConfig, connection: Connection, environment: &Environment) {
    reach(&mut settings.access, config, connection, environment);
    settings.forget_price();
    settings.stream = config.stream.unwrap_or(settings.stream);
    if let Some(retries) = config.max_retries {
        settings.retry = settings.retry.clone().retries(retries);
    }
    settings.first_byte_timeout = config.timeout.unwrap_or(settings.first_byte_timeout);
    if let Details::Ollama { .. } = &config.details {
        let window = config.options.extra.get("num_ctx").and_then(Value::as_u64);
        let card = Arc::make_mut(&mut settings.card);
        card.context_size = window.unwrap_or(card.context_size);
        settings.extra.extend(of_ollama(config, config.options.extra.clone()));
    }
}

/// Puts in what the entry says of the address and the key.
fn reach(access: &mut Access, config: &ModelConfig, connection: Connection, environment: &Environment) {
    let service = access.service;
    let mut query = config.query.clone();
    if let Details::Azure { api_version: Some(version) } = &config.details {
        query.push(("api-version".to_owned(), version.as_str().into()));
    }
    let url = connection.base_url.or_else(|| {
        let default = || environment.value(service.base_url_variable).unwrap_or(service.base_url);
        (!query.is_empty()).then(|| default().to_owned())
    });
    match url.map(|url| with_query(url, &query)) {
        Some(url) if connection.is_own => access.base_url = url,
        // A key of the environment is the provider's, and goes to no other address.
        Some(url) => access.set_base_url(url),
        None => {}
    }
    if let Some(key) = connection.key {
        access.set_key(key);
    }
    if let Some(organization) = connection.organization {
        access.headers.push(("OpenAI-Organization".to_owned(), organization.into()));
    }
    access.headers.extend(config.headers.iter().cloned());
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
        let is_own = config.base_url.as_deref().is_none_or(|url| match config.api {
            Api::Azure => is_of_azure(url, environment.value(access.base_url_variable)),
            _ => access.hosts.is_empty() || is_own(url, access.hosts),
        });
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
        let of_variable = || {
            let names = ["OPENAI_ORGANIZATION", "OPENAI_ORG_ID"];
            let asked = is_own && !moved && matches!(config.api, Api::OpenAi | Api::Responses);
            names.into_iter().find_map(|it| environment.value(it)).filter(|_| asked).map(str::to_owned)
        };
        let base_url = config.base_url.clone();
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

/// Whether an address is one of Azure, or of the server that its variable names.
fn is_of_azure(url: &str, endpoint: Option<&str>) -> bool {
    const HOSTS: [&str; 3] = [".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"];
    let Ok(url) = url.trim().parse::<Url>() else { return false };
    let same =
        endpoint.and_then(|it| it.trim().parse::<Url>().ok()).is_some_and(|it| it.origin() == url.origin());
    let is_azure = |host: &str| HOSTS.iter().any(|it| host.ends_with(it));
    same || (url.scheme() == "https" && url.port().is_none() && url.host_str().is_some_and(is_azure))
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
        let mut options = config.options.clone();
        if config.api == Api::OllamaGenerate {
            options.transcript = Transcript::Always;
        }
        if let Details::Ollama { .. } = &config.details {
            options.extra = Map::new(); // they are among its options
        }
        Self { model, card, options }
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
