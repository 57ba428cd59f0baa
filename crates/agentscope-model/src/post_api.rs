//! Any HTTP endpoint that takes JSON and gives JSON: what is sent is a template, where the words are is a path.

mod decode;
mod path;
mod template;

use crate::{
    conversation::Manners,
    http::{Ask, Decode, Format, Framing, Peer, Service, Settings, http_chat_model, written},
};
use agentscope_core::{Name, Result};
use agentscope_net::Url;
use path::Path;
use serde_json::{Value, json};
use std::sync::Arc;
use template::Template;

http_chat_model! {
    /// A model behind any HTTP endpoint that takes JSON by POST, as the `post_api` of AgentScope 0.x: a template says what is
    /// sent, and paths say where in the answer the words are.
    ///
    /// A text of the template that is nothing but `{{NAME}}` becomes that value; within a longer text the value is put in as
    /// text. What a request leaves open is left out, with its field. There are:
    ///
    /// | placeholder | value |
    /// | --- | --- |
    /// | `messages` | the conversation as OpenAI's chat has it |
    /// | `prompt` | the conversation as one text |
    /// | `system` | the first system message |
    /// | `last` | the last words of a user |
    /// | `tools` | the tools that may be called, as OpenAI's chat has them |
    /// | `schema` | the JSON schema that the answer has to obey |
    /// | `model`, `temperature`, `top_p`, `max_tokens`, `stop`, `seed`, `stream` | what their names say |
    ///
    /// Paths are such as `choices[0].message.content`. An answer without what a path names is an error that tells what it has.
    /// Other errors are those of [`OpenAIChatModel`](crate::OpenAIChatModel).
    ///
    /// ```
    /// use agentscope_model::PostApiChatModel;
    /// use serde_json::json;
    ///
    /// let model = PostApiChatModel::new("http://localhost:8000/generate")
    ///     .template(json!({"inputs": "{{prompt}}", "parameters": {"max_new_tokens": "{{max_tokens}}"}}))
    ///     .text_at("[0].generated_text")
    ///     .header("X-Token", "..");
    /// ```
    PostApiChatModel
}

impl PostApiChatModel {
    /// A model behind this address, to which requests are posted as it is. Without further settings it is sent
    /// `{"messages": ..}`, and its words are looked for where OpenAI's chat and the servers of AgentScope 0.x have them. The
    /// answer is taken as a whole.
    pub fn new(url: impl Into<String>) -> Self {
        let url = url.into();
        let name = url.parse().ok().and_then(|url: Url| url.host_str().map(Name::from)).unwrap_or_default();
        let settings = Settings::new(Arc::new(PostApi::default()), String::new(), |_| {});
        Self(Arc::new(settings))
            .base_url(url)
            .stream(false)
            .describe(|card| {
                card.spec = String::new();
                card.tools = false;
            })
            .named(name)
    }

    /// The model, where the template wants to name it; else it is called after its host.
    #[must_use]
    pub fn named(self, model: impl Into<Name>) -> Self {
        self.describe(|card| card.name = model.into())
    }

    fn format(self, change: impl FnOnce(&mut PostApi)) -> Self {
        self.change(|settings| {
            let mut format = settings.format.as_post_api().cloned().unwrap_or_default();
            change(&mut format);
            let card = Arc::make_mut(&mut settings.card);
            card.tools = format.template.has("tools");
            card.output_schema = format.template.has("schema");
            settings.format = Arc::new(format);
        })
    }

    /// What is sent, see above.
    #[must_use]
    pub fn template(self, template: Value) -> Self {
        self.format(|format| format.template = Template::of(template))
    }

    /// Where the words are.
    #[must_use]
    pub fn text_at(self, path: &str) -> Self {
        self.format(|format| format.text = vec![Path::of(path)])
    }

    /// Where the thoughts are, if there are any.
    #[must_use]
    pub fn thinking_at(self, path: &str) -> Self {
        self.format(|format| format.thinking = Some(Path::of(path)))
    }

    /// Where calls of tools are: a list as OpenAI's chat has it, or of objects with `name` and `arguments`
    /// (`choices[0].message.tool_calls`).
    #[must_use]
    pub fn tool_calls_at(self, path: &str) -> Self {
        self.format(|format| format.tool_calls = Path::of(path))
    }

    /// Where the reason stands why it stopped (`choices[0].finish_reason`).
    #[must_use]
    pub fn finish_at(self, path: &str) -> Self {
        self.format(|format| format.finish = Path::of(path))
    }

    /// Where the counts of tokens are that were read and written (`usage.prompt_tokens`, `usage.completion_tokens`).
    #[must_use]
    pub fn usage_at(self, input: &str, output: &str) -> Self {
        self.format(|format| format.usage = (Path::of(input), Path::of(output)))
    }

    /// Where the server says what went wrong, under the status of a success (`error`).
    #[must_use]
    pub fn error_at(self, path: &str) -> Self {
        self.format(|format| format.error = Path::of(path))
    }

    /// The answer is a stream of server-sent events, each of them JSON, with more words at [`text_at`](Self::text_at).
    #[must_use]
    pub fn events(self) -> Self {
        self.format(|format| format.framing = Framing::Events).stream(true)
    }

    /// The answer is a stream of lines, each of them JSON, with more words at [`text_at`](Self::text_at).
    #[must_use]
    pub fn lines(self) -> Self {
        self.format(|format| format.framing = Framing::Lines).stream(true)
    }

    /// Each piece of a stream has all words so far, not only more of them.
    #[must_use]
    pub fn cumulative(self) -> Self {
        self.format(|format| format.cumulative = true)
    }
}

static SERVICE: Service = Service {
    name: "post_api",
    keys: &[],
    api: "what the template and the paths say",
    place: "to which requests are posted as it is",
    example: "http://localhost:8000/generate",
    ..Service::COMMON
};

static MANNERS: Manners = Manners::COMMON;

/// The wire format.
#[derive(Clone, Debug)]
pub(crate) struct PostApi {
    template: Template,
    /// The first that leads to words.
    text: Vec<Path>,
    thinking: Option<Path>,
    tool_calls: Path,
    finish: Path,
    usage: (Path, Path),
    error: Path,
    framing: Framing,
    cumulative: bool,
}

impl Default for PostApi {
    fn default() -> Self {
        let paths = [
            "choices[0].message.content",
            "choices[0].delta.content",
            "data.response.choices[0].message.content",
        ];
        Self {
            template: Template::of(json!({"messages": "{{messages}}"})),
            text: paths.into_iter().map(Path::of).collect(),
            thinking: None,
            tool_calls: Path::of("choices[0].message.tool_calls"),
            finish: Path::of("choices[0].finish_reason"),
            usage: (Path::of("usage.prompt_tokens"), Path::of("usage.completion_tokens")),
            error: Path::of("error"),
            framing: Framing::Events,
            cumulative: false,
        }
    }
}

impl Format for PostApi {
    fn service(&self) -> &'static Service {
        &SERVICE
    }

    fn manners(&self) -> &'static Manners {
        &MANNERS
    }

    fn address(&self, base: Url, _: &str, _: bool) -> Url {
        base
    }

    fn framing(&self) -> Framing {
        self.framing
    }

    fn check(&self) -> Result<()> {
        self.template.check()
    }

    fn encode(&self, ask: &Ask<'_>) -> Result<Vec<u8>> {
        self.template.check()?;
        written(ask, &self.template.filled(ask)?)
    }

    fn decoder(&self, peer: Peer, _: &Ask<'_>) -> Box<dyn Decode> {
        Box::new(decode::Decoder::new(self.clone(), peer))
    }

    fn as_post_api(&self) -> Option<&PostApi> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
