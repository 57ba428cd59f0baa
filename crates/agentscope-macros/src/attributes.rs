//! Reading the attributes of functions and parameters.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token, punctuated::Punctuated};

/// The doc comment, an expression of type `&str` for each `///`; `include_str!(..)` and the like stay as they are.
pub(crate) fn docs(attrs: &[Attribute]) -> Vec<Expr> {
    attrs
        .iter()
        .filter_map(|attr| match &attr.meta {
            Meta::NameValue(doc) if doc.path.is_ident("doc") => Some(doc.value.clone()),
            _ => None,
        })
        .collect()
}

/// Whether a doc comment says nothing.
pub(crate) fn is_silent(docs: &[Expr]) -> bool {
    docs.iter().all(
        |doc| matches!(doc, Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().trim().is_empty()),
    )
}

/// Whether `#[path(.., name, ..)]` or `#[path(.., name = .., ..)]` is among the attributes.
pub(crate) fn has(attrs: &[Attribute], path: &str, name: &str) -> bool {
    attrs.iter().any(|attr| {
        attr.path().is_ident(path)
            && attr
                .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .is_ok_and(|metas| metas.iter().any(|meta| meta.path().is_ident(name)))
    })
}

/// The attributes of a function, by the item of the expansion on which they belong.
pub(crate) struct Placed {
    /// On every item: `cfg`.
    pub(crate) all: Vec<Attribute>,
    /// On the unit struct: the documentation, `deprecated`, and the levels of lints.
    pub(crate) on_struct: Vec<Attribute>,
    /// On the function: the levels of lints, and whatever else was written.
    pub(crate) on_function: Vec<Attribute>,
}

impl Placed {
    pub(crate) fn new(attrs: Vec<Attribute>) -> Self {
        let mut placed = Self { all: Vec::new(), on_struct: Vec::new(), on_function: Vec::new() };
        for attr in attrs {
            match attr.path().get_ident().map(ToString::to_string).as_deref() {
                Some("cfg") => placed.all.push(attr),
                Some("doc" | "deprecated") => placed.on_struct.push(attr),
                Some("allow" | "warn" | "deny" | "forbid") => {
                    placed.on_struct.push(attr.clone());
                    placed.on_function.push(attr);
                }
                _ => placed.on_function.push(attr),
            }
        }
        placed
    }
}

/// Whether a token that `is` tells of is anywhere among `tokens`.
pub(crate) fn contains(tokens: impl ToTokens, is: fn(&str) -> bool) -> bool {
    fn search(tokens: TokenStream, is: fn(&str) -> bool) -> bool {
        tokens.into_iter().any(|token| match token {
            proc_macro2::TokenTree::Group(group) => search(group.stream(), is),
            other => is(&other.to_string()),
        })
    }
    search(tokens.into_token_stream(), is)
}
