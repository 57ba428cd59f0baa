//! What is said in the parentheses of `#[tool(..)]`.

use crate::{errors::Errors, function::Function};
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, ExprLit, Lit, LitStr, Meta, Token, parse::Parser, punctuated::Punctuated, spanned::Spanned};

const KNOWN: &str = "name, description, read_only, idempotent, parallel, external, timeout, slots";

/// Longest name that the model providers take.
const NAME_LIMIT: usize = 64;

pub(crate) struct Options {
    pub(crate) name: String,
    pub(crate) description: Option<Expr>,
    pub(crate) read_only: bool,
    pub(crate) idempotent: bool,
    pub(crate) parallel: Option<bool>,
    pub(crate) external: bool,
    /// In milliseconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) slots: Vec<LitStr>,
}

impl Options {
    /// The options as far as they could be read, and what is wrong with them.
    pub(crate) fn parse(tokens: TokenStream, function: &Function) -> (Self, syn::Result<()>) {
        let mut options = Self {
            name: function.plain_name(),
            description: None,
            read_only: false,
            idempotent: false,
            parallel: None,
            external: false,
            timeout: None,
            slots: Vec::new(),
        };
        let mut errors = Errors::default();
        match Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens) {
            Ok(metas) => {
                for (at, meta) in metas.iter().enumerate() {
                    if metas.iter().take(at).any(|other| word(other) == word(meta)) {
                        errors.at(meta, format!("`{}` is given twice: keep one", word(meta)));
                    } else if let Err(error) = options.set(meta) {
                        errors.push(error);
                    }
                }
                if !metas.iter().any(|meta| meta.path().is_ident("name")) {
                    let advice = "give it another one: `#[tool(name = \"..\")]`";
                    if let Err(error) = check_name(&options.name, &function.sig.ident, advice) {
                        errors.push(error);
                    }
                }
            }
            Err(error) => errors.push(syn::Error::new(
                error.span(),
                format!(
                    "`#[tool(..)]` takes words such as `read_only` and `timeout = \"30s\"`: it knows {KNOWN}"
                ),
            )),
        }
        (options, errors.or(()))
    }

    fn set(&mut self, meta: &Meta) -> syn::Result<()> {
        match word(meta).as_str() {
            "name" => {
                let name = text(meta, "a string: `name = \"get_weather\"`")?;
                check_name(&name.value(), &name, "change it")?;
                self.name = name.value();
            }
            "description" => {
                let Meta::NameValue(value) = meta else {
                    return Err(wrong(meta, "a string: `description = \"Tells the weather.\"`"));
                };
                self.description = Some(value.value.clone());
            }
            "read_only" => self.read_only = flag(meta)?,
            "idempotent" => self.idempotent = flag(meta)?,
            "external" => self.external = flag(meta)?,
            "parallel" => self.parallel = Some(flag(meta)?),
            "timeout" => self.timeout = Some(milliseconds(meta)?),
            "slots" => {
                let wanted = "names: `slots(\"plan\", \"todo\")`";
                let Meta::List(list) = meta else { return Err(wrong(meta, wanted)) };
                let names = list
                    .parse_args_with(Punctuated::<LitStr, Token![,]>::parse_terminated)
                    .map_err(|error| syn::Error::new(error.span(), format!("`slots` takes {wanted}")))?;
                self.slots = names.into_iter().collect();
            }
            other => {
                let message = format!("`#[tool]` does not know `{other}`: it knows {KNOWN}");
                return Err(syn::Error::new_spanned(meta.path(), message));
            }
        }
        Ok(())
    }
}

fn word(meta: &Meta) -> String {
    meta.path().to_token_stream().to_string()
}

fn wrong(meta: &Meta, wanted: &str) -> syn::Error {
    let message = format!("`{}` takes {wanted}", word(meta));
    match meta {
        Meta::NameValue(value) => syn::Error::new_spanned(&value.value, message),
        other => syn::Error::new_spanned(other, message),
    }
}

fn literal(meta: &Meta) -> Option<&Lit> {
    match meta {
        Meta::NameValue(value) => match &value.value {
            Expr::Lit(ExprLit { lit, .. }) => Some(lit),
            _ => None,
        },
        _ => None,
    }
}

fn text(meta: &Meta, wanted: &str) -> syn::Result<LitStr> {
    match literal(meta) {
        Some(Lit::Str(text)) => Ok(text.clone()),
        _ => Err(wrong(meta, wanted)),
    }
}

/// Alone it is true.
fn flag(meta: &Meta) -> syn::Result<bool> {
    match (meta, literal(meta)) {
        (Meta::Path(_), _) => Ok(true),
        (_, Some(Lit::Bool(value))) => Ok(value.value),
        _ => Err(wrong(meta, "`true` or `false`")),
    }
}

fn milliseconds(meta: &Meta) -> syn::Result<u64> {
    const WANTED: &str =
        "a time that is not zero: `\"30s\"`, `\"500ms\"`, `\"2m\"`, `\"1h\"`, or whole seconds";
    let time = match literal(meta) {
        Some(Lit::Int(seconds)) => {
            seconds.base10_parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1_000))
        }
        Some(Lit::Str(text)) => read_time(&text.value()),
        _ => None,
    };
    time.filter(|time| *time > 0).ok_or_else(|| wrong(meta, WANTED))
}

fn read_time(text: &str) -> Option<u64> {
    let unit_at = text.find(|it: char| !it.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

fn check_name(name: &str, place: &impl Spanned, advice: &str) -> syn::Result<()> {
    let fits = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    if (1..=NAME_LIMIT).contains(&name.len()) && name.chars().all(fits) {
        return Ok(());
    }
    let message = format!(
        "models take 1 to {NAME_LIMIT} of the characters `A-Z a-z 0-9 _ -` as a tool's name, which `{name}` is not: \
         {advice}"
    );
    Err(syn::Error::new(place.span(), message))
}
