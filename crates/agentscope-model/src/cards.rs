//! What is known of models: how much they take, what they can, what they cost.

mod read;

use agentscope_core::{Error, ErrorKind, ModelCard, Price, Result};
use serde_json::Value;
use std::{
    cmp::Reverse,
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::Path,
    sync::{Arc, OnceLock},
};

/// The variable that names a file of model cards.
const VARIABLE: &str = "AGENTSCOPE_MODEL_CARDS";

/// The field of a card for the most tokens that the model writes.
const MAX_OUTPUT: &str = "max_output";

/// What comes with this version.
const BUILTIN: &str = include_str!("../data/models.json");

/// Words that a provider puts behind the name of a model of the same kind, besides dates.
const SUFFIXES: [&str; 3] = ["latest", "preview", "exp"];

/// Data of models, by their provider: the ones that come with this version, and those of your own files.
///
/// A card tells how many tokens fit (`context_size`), the media that the model takes and gives, whether it calls tools, can be held
/// to a JSON schema and thinks, and what it costs. Further fields are `max_input` and `max_output` in tokens, `thinking`, and
/// where that stands, and when it was read there (`source`, `date`). What is not known for sure is left out: a price that depends
/// on the time of the day, on thinking, or on several steps of length is. Prices are those of text.
///
/// Models find theirs by themselves: `OpenAIChatModel::new("gpt-4o")` has a card with all of it. A price that comes with this version
/// holds at the provider's own address alone; one of your own file anywhere.
///
/// A file has a list of models for each provider, by its name in a spec; `other` is any server that is named by its address. Fields that a file leaves out are those of the model that was known before:
///
/// ```
/// use agentscope_model::ModelCards;
///
/// # fn main() -> agentscope_core::Result<()> {
/// let ours = r#"{
///   "openai": [{"model": "gpt-4o", "price": {"input": 2.0, "cached": 1.0, "output": 8.0}}],
///   "vllm": [{"model": "Qwen/Qwen3-*", "context_size": 32768, "price": {"input": 0, "output": 0}}]
/// }"#;
/// let cards = ModelCards::builtin().extended_with_json("ours", ours)?;
/// let card = cards.lookup("openai", "gpt-4o-2024-08-06").unwrap();
/// assert_eq!((card.context_size, card.price.unwrap().input), (128_000, 2.0));
/// assert_eq!(cards.lookup("vllm", "Qwen/Qwen3-8B").unwrap().context_size, 32_768);
/// assert!(cards.lookup("deepseek", "deepseek-v3").is_none(), "DashScope's is another");
///
/// let error = cards.extended_with_json("ours", r#"{"openai": [{"model": "gpt-7", "contex_size": 1}]}"#).unwrap_err();
/// assert_eq!(error.message(), "model cards of ours: openai, entry 1 `gpt-7`: a card has no field `contex_size`: did you mean \
///                              `context_size`?");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ModelCards {
    /// Longest names first.
    providers: BTreeMap<String, Vec<Arc<Entry>>>,
}

/// What a file says of a model.
#[derive(Clone, Debug, Default, PartialEq)]
struct Entry {
    /// The name, and also the beginning of names if it ends with `*`.
    model: String,
    context_size: Option<u64>,
    max_input: Option<u64>,
    max_output: Option<u64>,
    input_types: Option<Vec<String>>,
    output_types: Option<Vec<String>>,
    tools: Option<bool>,
    output_schema: Option<bool>,
    thinking: Option<bool>,
    price: Option<Price>,
    source: Option<String>,
    date: Option<String>,
}

/// The model cards of this program: those that come with this version, and those of the file that AGENTSCOPE_MODEL_CARDS names.
/// They are read once.
///
/// # Errors
/// Those of [`ModelCards::extended_with`], for that file.
pub fn cards() -> Result<&'static ModelCards> {
    static CARDS: OnceLock<Result<ModelCards>> = OnceLock::new();
    CARDS.get_or_init(|| of_program(env::var_os(VARIABLE))).as_ref().map_err(Error::clone)
}

fn of_program(path: Option<OsString>) -> Result<ModelCards> {
    match path.filter(|path| !path.is_empty()) {
        Some(path) => ModelCards::builtin().extended_with(path).map_err(|error| error.context(VARIABLE)),
        None => Ok(ModelCards::builtin().clone()),
    }
}

/// Puts what is known of a model into its card; of the rest stays what was assumed. A file that cannot be read is passed over:
/// whoever can tell so calls [`cards`].
pub(crate) fn describe(card: &mut ModelCard, provider: &str) {
    cards().unwrap_or_else(|_| ModelCards::builtin()).describe(card, provider);
}

/// Whether the price on a card is the one that comes with this version, and not one of your own.
pub(crate) fn has_builtin_price(card: &ModelCard, provider: &str) -> bool {
    let builtin = ModelCards::builtin().lookup(provider, &card.name).and_then(|it| it.price);
    card.price.is_some() && card.price == builtin
}

/// Most tokens that a model writes, where that is known.
pub(crate) fn max_output(card: &ModelCard) -> Option<u64> {
    card.extra.get(MAX_OUTPUT).and_then(Value::as_u64)
}

impl ModelCards {
    /// Those that come with this version, for `openai`, `anthropic`, `gemini`, `dashscope`, `deepseek`, `moonshot` and `xai`.
    pub fn builtin() -> &'static Self {
        static CARDS: OnceLock<ModelCards> = OnceLock::new();
        CARDS.get_or_init(|| Self::default().extended_with_json("this version", BUILTIN).unwrap_or_default())
    }

    /// These and those of a JSON file, which come first. It is read at once, so do it when the program starts.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] and others if the file cannot be read; [`ErrorKind::InvalidInput`], with file, entry and field,
    /// if it is not as it should be.
    pub fn extended_with(&self, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let json = std::fs::read_to_string(path)
            .map_err(|error| Error::from(error).context(format!("model cards of {}", path.display())))?;
        self.extended_with_json(&path.display().to_string(), &json)
    }

    /// These and those of a JSON text, which errors call `name`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`], with entry and field, if it is not as it should be.
    pub fn extended_with_json(&self, name: &str, json: &str) -> Result<Self> {
        let read = read::file(json).map_err(|problem| {
            Error::new(ErrorKind::InvalidInput, format!("model cards of {name}: {problem}"))
        })?;
        let mut cards = self.clone();
        for (provider, entries) in read {
            let known = cards.providers.entry(provider).or_default();
            for entry in entries {
                match known.iter_mut().find(|old| old.model == entry.model) {
                    Some(old) => *old = Arc::new(entry.over(old)),
                    None => known.push(Arc::new(entry)),
                }
            }
            known.sort_by_key(|entry| (Reverse(entry.stem().len()), entry.model.ends_with('*')));
        }
        Ok(cards)
    }

    /// What is known of the model that this provider calls so. A name with a date or a word such as `latest` behind it is that of
    /// the model itself, if it has no card of its own; of several the longest counts.
    ///
    /// `responses` and `azure` know the models of `openai` (Azure's without a price), `dashscope-native` those of `dashscope`.
    pub fn lookup(&self, provider: &str, model: &str) -> Option<ModelCard> {
        let mut card = ModelCard::new(model);
        card.spec = format!("{provider}:{model}");
        self.describe(&mut card, provider).then_some(card)
    }

    /// Puts in what is known of the model that a card names; whether anything is.
    fn describe(&self, card: &mut ModelCard, provider: &str) -> bool {
        let (also, same_price) = match provider {
            "responses" => (Some("openai"), true),
            "azure" => (Some("openai"), false),
            "dashscope-native" => (Some("dashscope"), true),
            _ => (None, true),
        };
        let model = card.name.as_str();
        let find = |provider: &str| self.providers.get(provider)?.iter().find(|entry| entry.is_of(model));
        let found = match find(provider) {
            Some(entry) => Some((entry, true)),
            None => also.and_then(find).map(|entry| (entry, same_price)),
        };
        let Some((entry, same_price)) = found else { return false };
        entry.describe(card, same_price);
        true
    }

    /// All that are known, as provider and model.
    pub fn models(&self) -> impl Iterator<Item = (&str, &str)> {
        self.providers.iter().flat_map(|(provider, entries)| {
            entries.iter().map(move |entry| (provider.as_str(), entry.model.as_str()))
        })
    }
}

impl Entry {
    fn stem(&self) -> &str {
        self.model.trim_end_matches('*')
    }

    fn is_of(&self, model: &str) -> bool {
        match model.strip_prefix(self.stem()) {
            Some(rest) => rest.is_empty() || self.model.ends_with('*') || is_dated(rest),
            None => false,
        }
    }

    /// This one, and what it leaves out as `old` says.
    fn over(self, old: &Self) -> Self {
        let old = old.clone();
        Self {
            model: self.model,
            context_size: self.context_size.or(old.context_size),
            max_input: self.max_input.or(old.max_input),
            max_output: self.max_output.or(old.max_output),
            input_types: self.input_types.or(old.input_types),
            output_types: self.output_types.or(old.output_types),
            tools: self.tools.or(old.tools),
            output_schema: self.output_schema.or(old.output_schema),
            thinking: self.thinking.or(old.thinking),
            price: self.price.or(old.price),
            source: self.source.or(old.source),
            date: self.date.or(old.date),
        }
    }

    fn describe(&self, card: &mut ModelCard, same_price: bool) {
        card.context_size = self.context_size.unwrap_or(card.context_size);
        if let Some(types) = &self.input_types {
            card.input_types.clone_from(types);
        }
        if let Some(types) = &self.output_types {
            card.output_types.clone_from(types);
        }
        card.tools = self.tools.unwrap_or(card.tools);
        card.output_schema = self.output_schema.unwrap_or(card.output_schema);
        card.price = self.price.filter(|_| same_price).or(card.price);
        for (key, tokens) in [("max_input", self.max_input), (MAX_OUTPUT, self.max_output)] {
            tokens.into_iter().for_each(|tokens| card.extra.set(key, tokens));
        }
        self.thinking.into_iter().for_each(|thinking| card.extra.set("thinking", thinking));
        for (key, text) in [("source", &self.source), ("date", &self.date)] {
            text.iter().for_each(|text| card.extra.set(key, text.as_str()));
        }
    }
}

/// Whether a name goes on with a date or a word for a state, such as `-2024-08-06`, `-0613`, `-001`, `-latest` or
/// `-preview-05-20`; not with a number that makes it another model, such as the `-5` of `claude-sonnet-4-5`.
fn is_dated(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix(['-', '@']) else { return false };
    rest.split('-').enumerate().all(|(at, part)| {
        let digits = if at == 0 { 3 } else { 2 };
        SUFFIXES.contains(&part) || part.len() >= digits && part.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests;
