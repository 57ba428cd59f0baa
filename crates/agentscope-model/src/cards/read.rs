//! Reading a file of model cards. What is wrong is told with its place, because people write these files by hand.

use super::Entry;
use crate::nearest::nearest;
use agentscope_core::{Currency, Error, LongPrice, Map, Price};
use serde_json::Value;

/// What is wrong, and where.
type Read<T> = Result<T, String>;

const CARD: [&str; 12] = [
    "model",
    "context_size",
    "max_input",
    "max_output",
    "input_types",
    "output_types",
    "tools",
    "output_schema",
    "thinking",
    "price",
    "source",
    "date",
];
const PRICE: [&str; 6] = ["input", "cached", "cache_write", "output", "currency", "long"];
const LONG: [&str; 5] = ["above", "input", "cached", "cache_write", "output"];

pub(super) fn file(json: &str) -> Read<Vec<(String, Vec<Entry>)>> {
    let value: Value = serde_json::from_str(json).map_err(|error| format!("no JSON: {error}"))?;
    let Value::Object(providers) = value else {
        return Err("an object is needed, with a list of models for each provider".to_owned());
    };
    let mut read = Vec::new();
    for (provider, models) in providers {
        let Value::Array(models) = models else {
            return Err(format!("{provider}: a list of models is needed, not {}", kind(&models)));
        };
        let entries = models.iter().enumerate().map(|(at, model)| {
            entry(model).map_err(|problem| {
                let name = model.get("model").and_then(Value::as_str);
                let name = name.map_or_else(String::new, |name| format!(" `{name}`"));
                format!("{provider}, entry {}{name}: {problem}", at + 1)
            })
        });
        read.push((provider.clone(), entries.collect::<Read<_>>()?));
    }
    Ok(read)
}

fn entry(value: &Value) -> Read<Entry> {
    let fields = Fields::of(value, "a card", &CARD)?;
    let model = fields.text("model")?.ok_or("a card needs the field `model`")?;
    if model.trim_end_matches('*').is_empty() {
        return Err(
            "the field `model` is empty: name a model, or the beginning of names and a `*`".to_owned()
        );
    }
    Ok(Entry {
        model,
        context_size: fields.tokens("context_size")?,
        max_input: fields.tokens("max_input")?,
        max_output: fields.tokens("max_output")?,
        input_types: fields.types("input_types")?,
        output_types: fields.types("output_types")?,
        tools: fields.flag("tools")?,
        output_schema: fields.flag("output_schema")?,
        thinking: fields.flag("thinking")?,
        price: fields.get("price").map(price).transpose().map_err(|problem| format!("price: {problem}"))?,
        source: fields.text("source")?,
        date: fields.text("date")?,
    })
}

fn price(value: &Value) -> Read<Price> {
    let fields = Fields::of(value, "a price", &PRICE)?;
    let currency = match fields.text("currency")? {
        Some(currency) => currency.parse().map_err(|error: Error| error.message().to_owned())?,
        None => Currency::default(),
    };
    Ok(Price {
        input: fields.needed("input")?,
        cached: fields.amount("cached")?.unwrap_or_default(),
        cache_write: fields.amount("cache_write")?.unwrap_or_default(),
        output: fields.needed("output")?,
        currency,
        long: fields.get("long").map(long).transpose().map_err(|problem| format!("long: {problem}"))?,
    })
}

fn long(value: &Value) -> Read<LongPrice> {
    let fields = Fields::of(value, "a price of long requests", &LONG)?;
    Ok(LongPrice {
        above: fields.tokens("above")?.ok_or("the field `above` is missing: say from how many tokens on")?,
        input: fields.needed("input")?,
        cached: fields.amount("cached")?.unwrap_or_default(),
        cache_write: fields.amount("cache_write")?.unwrap_or_default(),
        output: fields.needed("output")?,
    })
}

/// The fields of an object, all of which are known.
struct Fields<'a>(&'a Map);

impl<'a> Fields<'a> {
    fn of(value: &'a Value, what: &str, known: &[&str]) -> Read<Self> {
        let Value::Object(fields) = value else {
            return Err(format!("{what} is an object, not {}", kind(value)));
        };
        match fields.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => {
                let meant = match nearest(key, known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it has {}", known.join(", ")),
                };
                Err(format!("{what} has no field `{key}`: {meant}"))
            }
            None => Ok(Self(fields)),
        }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn read<T>(&self, key: &str, what: &str, read: impl Fn(&Value) -> Option<T>) -> Read<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(format!("the field `{key}` is {what}, not {}", shown(value))),
        }
    }

    fn text(&self, key: &str) -> Read<Option<String>> {
        self.read(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    fn flag(&self, key: &str) -> Read<Option<bool>> {
        self.read(key, "true or false", Value::as_bool)
    }

    fn tokens(&self, key: &str) -> Read<Option<u64>> {
        self.read(key, "a number of tokens above 0", |value| value.as_u64().filter(|tokens| *tokens > 0))
    }

    fn amount(&self, key: &str) -> Read<Option<f64>> {
        let what = "what a million tokens cost, 0 or more";
        self.read(key, what, |value| value.as_f64().filter(|amount| *amount >= 0.0))
    }

    fn needed(&self, key: &str) -> Read<f64> {
        self.amount(key)?
            .ok_or_else(|| format!("the field `{key}` is missing: say what a million tokens cost"))
    }

    fn types(&self, key: &str) -> Read<Option<Vec<String>>> {
        self.read(key, "a list of media types such as \"image/*\"", |value| {
            let media = |value: &Value| value.as_str().filter(|it| it.contains('/')).map(str::to_owned);
            value.as_array()?.iter().map(media).collect()
        })
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The value itself where it is short.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => kind(value).to_owned(),
        value => value.to_string().chars().take(40).collect(),
    }
}
