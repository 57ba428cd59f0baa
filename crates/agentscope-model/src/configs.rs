//! Models by the JSON configurations of AgentScope 0.x.

mod api;
mod build;
#[cfg(feature = "image")]
mod drawing;
mod entry;
mod fields;
mod generate;
mod shape;

pub use api::{Api, Purpose};
pub use entry::{Details, ModelConfig};

use crate::{
    Monitor, cards,
    keys::{Environment, looks_like_key},
    nearest::nearest,
};
#[cfg(feature = "embedding")]
use agentscope_core::Embedder;
#[cfg(feature = "image")]
use agentscope_core::ImageModel;
use agentscope_core::{ChatModel, Error, ErrorKind, Result, config};
use fields::{named as told, type_of};
use serde_json::Value;
use std::{collections::HashMap, fmt, path::Path, sync::Arc};

/// The variable that names a file of configurations.
const VARIABLE: &str = "AGENTSCOPE_MODEL_CONFIGS";

/// Most problems that one error tells (20).
const PROBLEMS: usize = 20;

/// Models by name, from the JSON that AgentScope 0.x takes as `model_configs`: one object, or a list of them.
///
/// All is read and checked at once, and one error tells all that is wrong, with file, entry and field. A key is looked for in its
/// variable only when a model is asked for, so that a file may have entries for more providers than are used.
///
/// ```
/// use agentscope_model::Configs;
///
/// let configs = Configs::from_json(
///     r#"[
///         {
///             "config_name": "local",                          # `#` and `//` begin a comment
///             "model_type": "openai_chat",
///             "model_name": "Qwen/Qwen3-8B",
///             "client_args": {"base_url": "http://localhost:8000/v1"},
///             "generate_args": {"temperature": 0.5},
///         }
///     ]"#,
/// )?;
/// assert_eq!(configs.chat("local")?.card().name, "Qwen/Qwen3-8B");
///
/// let error = configs.chat("locl").err().unwrap();
/// assert_eq!(error.message(), "no configuration is named `locl` (do you mean `local`?): there is `local`");
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Configs {
    entries: Vec<Entry>,
    names: HashMap<String, usize>,
}

#[derive(Clone)]
struct Entry {
    config: Arc<ModelConfig>,
    origin: Origin,
    /// Counts what the models of the entry cost, where it has a budget.
    monitor: Monitor,
}

/// Where an entry was read.
#[derive(Clone)]
struct Origin {
    file: Option<Arc<str>>,
    /// Its number in a list, from 1.
    number: Option<usize>,
}

impl Configs {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The configurations of a file: a JSON object or a list of objects, in UTF-8, up to 16 MiB. Comments (`#`, `//`, `/* */`) and a
    /// comma before a closing bracket are allowed. It blocks while it reads.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such file, [`ErrorKind::Unauthorized`] if it may not be read, and
    /// [`ErrorKind::InvalidInput`] if it is no JSON (with line and column) or its configurations have faults (with entry and
    /// field).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let value = config::read_json(path)?;
        Self::read(value, Some(path.display().to_string().into()))
    }

    /// The file that AGENTSCOPE_MODEL_CONFIGS names, as [`load`](Self::load) reads it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the variable is not set; those of [`load`](Self::load).
    pub fn from_env() -> Result<Self> {
        Self::of_variable("")
    }

    /// `or` is what else can be done where there is none.
    fn of_variable(or: &str) -> Result<Self> {
        match std::env::var_os(VARIABLE).filter(|it| !it.is_empty()) {
            Some(path) => Self::load(Path::new(&path)).map_err(|error| error.context(VARIABLE)),
            None => {
                let message =
                    format!("no file of configurations is named: set {VARIABLE} to the path of one{or}");
                Err(Error::new(ErrorKind::NotFound, message))
            }
        }
    }

    /// The configurations of a text, as [`load`](Self::load) reads those of a file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] as those of [`load`](Self::load).
    pub fn from_json(text: &str) -> Result<Self> {
        let value = config::parse_json(text.as_bytes());
        Self::read(value.map_err(|error| error.context("the model configurations"))?, None)
    }

    /// The configurations of a JSON value: an object, or a list of objects.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is neither or has faults, with entry and field.
    ///
    /// ```
    /// use agentscope_model::Configs;
    /// use serde_json::json;
    ///
    /// let wrong = json!({"config_name": "a", "model_type": "openai_chat", "generate_args": {"temperature": "0.5"}});
    /// assert_eq!(
    ///     Configs::from_value(wrong).unwrap_err().message(),
    ///     "the model configurations, entry `a`: `temperature` of `generate_args` must be a number from 0 to 2, and is a text: \
    ///      write it without quotation marks"
    /// );
    /// ```
    pub fn from_value(value: Value) -> Result<Self> {
        Self::read(value, None)
    }

    /// With a further configuration.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it has faults; [`ErrorKind::Conflict`] if its name is taken.
    #[expect(clippy::should_implement_trait, reason = "configurations are put together here, and no numbers")]
    pub fn add(self, config: Value) -> Result<Self> {
        self.merge(Self::from_value(config)?)
    }

    /// With all configurations of `other`.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if both have one of the same name.
    pub fn merge(mut self, other: Self) -> Result<Self> {
        let mut taken = Vec::new();
        for entry in other.entries {
            let name = entry.config.config_name.clone();
            let place = entry.origin.place(Some(&name));
            if let Err(other) = self.put(entry) {
                taken.push(taken_by(&place, &other.place(None)));
            }
        }
        match taken.is_empty() {
            true => Ok(self),
            false => Err(Error::new(ErrorKind::Conflict, taken.join("\n"))),
        }
    }

    /// The names, in the order in which they were read.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.iter().map(|it| it.config.config_name.as_str())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The configuration of a name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub fn config(&self, name: &str) -> Result<&ModelConfig> {
        self.entry(name).map(|it| &*it.config)
    }

    /// The chat model of a name. A key that the entry does not have comes from the variable of its provider.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such configuration, [`ErrorKind::InvalidInput`] if it is of no chat model,
    /// [`ErrorKind::Unauthorized`] if a key is missing, or is seen to be that of another provider. Those of [`cards`], for the file
    /// that AGENTSCOPE_MODEL_CARDS names.
    ///
    /// With a `budget`, the model is [metered](crate::Monitor): what it has cost is shared by all models that were made of the entry,
    /// and a call beyond the budget fails with [`ErrorKind::Exhausted`]. A model whose price nobody knows cannot have one
    /// ([`ErrorKind::InvalidInput`]).
    pub fn chat(&self, name: &str) -> Result<Arc<dyn ChatModel>> {
        self.chat_of(name, None)
    }

    fn chat_of(&self, name: &str, spec: Option<&str>) -> Result<Arc<dyn ChatModel>> {
        self.build(name, Purpose::Chat, |Entry { config, monitor, .. }, environment| {
            build::chat(config, spec, monitor, environment)
        })
    }

    /// The embedder of a name. A key that the entry does not have comes from the variable of its provider.
    ///
    /// # Errors
    /// As for [`chat`](Self::chat); [`ErrorKind::InvalidInput`] for an entry with a `budget`, which only chat models keep.
    #[cfg(feature = "embedding")]
    pub fn embedder(&self, name: &str) -> Result<Arc<dyn Embedder>> {
        self.build(name, Purpose::Embedding, |entry, environment| build::embedder(&entry.config, environment))
    }

    /// The model that draws of a name. A key that the entry does not have comes from the variable of its provider. The `n` and `size`
    /// of the entry count where a request asks for one picture, and for no size.
    ///
    /// With `save_local`, pictures are kept as files in the folder `images` of the working directory. One that cannot be kept stays as
    /// it came, and has a field `save_error` that says why: it was paid for.
    ///
    /// # Errors
    /// As for [`embedder`](Self::embedder).
    #[cfg(feature = "image")]
    pub fn image(&self, name: &str) -> Result<Arc<dyn ImageModel>> {
        self.build(name, Purpose::Image, |entry, environment| build::image(&entry.config, environment))
    }

    /// What `make` makes of the configuration of a name, which must be for `purpose`.
    fn build<M>(
        &self,
        name: &str,
        purpose: Purpose,
        make: impl FnOnce(&Entry, &Environment) -> Result<M>,
    ) -> Result<M> {
        let entry = self.entry(name)?;
        let Entry { config, origin, .. } = entry;
        let place = || origin.place(Some(&config.config_name));
        if config.purpose != purpose {
            let (is, model_type) = (config.purpose, config.model_type);
            let message = format!(
                "{}: its type `{model_type}` is for {is} and not for {purpose}: name another configuration, or change its type",
                place()
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        cards()?;
        make(entry, &Environment::of_process()).map_err(|error| error.context(place()))
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        let found = self.names.get(name).and_then(|at| self.entries.get(*at));
        found.ok_or_else(|| {
            let names: Vec<_> = self.names().take(PROBLEMS).map(told).collect();
            let there_are = match (names.as_slice(), self.len().saturating_sub(names.len())) {
                ([], _) => "there are none yet, load a file of them".to_owned(),
                ([only], _) => format!("there is {only}"),
                (_, 0) => format!("there are {}", names.join(", ")),
                (_, more) => format!("there are {} and {more} more", names.join(", ")),
            };
            let hint = nearest(name, self.names()).map(|it| format!(" (do you mean {}?)", told(it)));
            let hint = hint.unwrap_or_default();
            let message = format!("no configuration is named {}{hint}: {there_are}", told(name));
            Error::new(ErrorKind::NotFound, message)
        })
    }

    fn read(value: Value, file: Option<Arc<str>>) -> Result<Self> {
        let whole = Origin { file: file.clone(), number: None }.whole();
        let entries = match value {
            Value::Array(entries) => {
                entries.into_iter().enumerate().map(|(at, it)| (Some(at + 1), it)).collect()
            }
            value @ Value::Object(_) => vec![(None, value)],
            other => {
                let message = format!(
                    "{whole}: configurations are an object or a list of objects, and this is {}",
                    type_of(&other)
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
        };
        let (mut read, mut problems) = (Self::new(), Vec::new());
        for (number, value) in entries {
            read.take(value, Origin { file: file.clone(), number }, &mut problems);
        }
        match problems.is_empty() {
            true => Ok(read),
            false => Err(Error::new(ErrorKind::InvalidInput, all(&problems, &whole))),
        }
    }

    fn take(&mut self, value: Value, origin: Origin, problems: &mut Vec<String>) {
        let Value::Object(object) = value else {
            problems.push(format!("{} must be an object, and is {}", origin.entry(None), type_of(&value)));
            return;
        };
        let name = object.get("config_name").and_then(Value::as_str).map(str::to_owned);
        let mut found = Vec::new();
        let config = ModelConfig::read(object, &mut found);
        let place = origin.entry(name.as_deref());
        problems.extend(found.into_iter().map(|problem| format!("{place}: {problem}")));
        if let Some(config) = config.filter(|it| !it.config_name.is_empty())
            && let Err(other) = self.put(Entry { config: Arc::new(config), origin, monitor: Monitor::new() })
        {
            problems.push(taken_by(&place, &other.entry(None)));
        }
    }

    /// Puts an entry in, or says where one of its name was read.
    fn put(&mut self, entry: Entry) -> Result<(), Origin> {
        let name = &entry.config.config_name;
        if let Some(other) = self.names.get(name).and_then(|at| self.entries.get(*at)) {
            return Err(other.origin.clone());
        }
        self.names.insert(name.clone(), self.entries.len());
        self.entries.push(entry);
        Ok(())
    }
}

fn taken_by(place: &str, other: &str) -> String {
    format!("{place}: its `config_name` is that of {other} already: rename one of them")
}

/// Names alone.
impl fmt::Debug for Configs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names().map(|it| if looks_like_key(it) { "***" } else { it })).finish()
    }
}

impl Origin {
    /// What was read, for sentences.
    fn whole(&self) -> String {
        match &self.file {
            Some(file) => format!("`{file}`"),
            None => "the model configurations".to_owned(),
        }
    }

    /// The entry, which may have a name, within what was read.
    fn entry(&self, name: Option<&str>) -> String {
        match (self.number, name.filter(|it| !it.trim().is_empty()).map(told)) {
            (Some(number), Some(name)) => format!("entry {number} ({name})"),
            (Some(number), None) => format!("entry {number}"),
            (None, Some(name)) => format!("entry {name}"),
            (None, None) => "the entry".to_owned(),
        }
    }

    fn place(&self, name: Option<&str>) -> String {
        format!("{}, {}", self.whole(), self.entry(name))
    }
}

/// All problems of what was read as one message, a line each.
fn all(problems: &[String], whole: &str) -> String {
    if let [only] = problems {
        return format!("{whole}, {only}");
    }
    let shown = problems.iter().take(PROBLEMS).map(|problem| format!("\n  {problem}"));
    let more = problems.len().saturating_sub(PROBLEMS);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    format!("{whole}: {} faults{}{more}", problems.len(), shown.collect::<String>())
}

/// The configurations that a spec `config:NAME` or `config:PATH#NAME` means, and the name.
fn of_spec(named: &str) -> Result<(Configs, &str)> {
    Ok(match named.split_once('#') {
        Some((path, name)) => (Configs::load(path)?, name),
        None => (Configs::of_variable(", or write `config:PATH#NAME`")?, named),
    })
}

/// The chat model of a spec `config:NAME`; `spec` is the whole line.
pub(crate) fn chat_named(named: &str, spec: &str) -> Result<Arc<dyn ChatModel>> {
    let (configs, name) = of_spec(named)?;
    configs.chat_of(name, Some(spec))
}

/// The embedder of a spec `config:NAME`.
#[cfg(feature = "embedding")]
pub(crate) fn embedder_named(named: &str) -> Result<Arc<dyn Embedder>> {
    let (configs, name) = of_spec(named)?;
    configs.embedder(name)
}

/// The model that draws of a spec `config:NAME`.
#[cfg(feature = "image")]
pub(crate) fn image_named(named: &str) -> Result<Arc<dyn ImageModel>> {
    let (configs, name) = of_spec(named)?;
    configs.image(name)
}
