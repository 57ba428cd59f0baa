//! A parameter of a tool: an argument that the model gives, or something that the agent passes on.

use crate::attributes::{contains, docs, has, is_silent};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Attribute, Expr, ExprLit, Lit, Meta, Pat, PatType, Path, PathArguments, Type, ext::IdentExt, parse_quote,
    spanned::Spanned,
};

pub(crate) struct Parameter {
    /// Its name in the function; made up for `_`.
    pub(crate) ident: Ident,
    /// Whether the function takes a reference to it.
    pub(crate) borrowed: bool,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Argument(Box<Argument>),
    Context,
    Request,
}

/// An argument that the model gives.
pub(crate) struct Argument {
    /// The type that is read from JSON.
    ty: Type,
    /// Its description; empty where an attribute of schemars gives one.
    docs: Vec<Expr>,
    /// Attributes of serde and schemars.
    attrs: Vec<Attribute>,
    default: Option<Default>,
}

enum Default {
    OfType,
    Value(Expr),
}

impl Parameter {
    pub(crate) fn read(typed: &PatType) -> syn::Result<Self> {
        let (borrowed, bare) = match &*typed.ty {
            Type::Reference(reference) => (true, &*reference.elem),
            other => (false, other),
        };
        let service = match last_name(bare).as_deref() {
            Some("Context") => Some(Kind::Context),
            Some("ToolRequest") => Some(Kind::Request),
            _ => None,
        };
        if let Some(cfg) = typed.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            return Err(syn::Error::new_spanned(
                cfg,
                "a tool has one schema: put `#[cfg]` on the function, and write two of them",
            ));
        }
        let ident = match &*typed.pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => pat.ident.clone(),
            Pat::Wild(_) if matches!(service, Some(Kind::Context)) => Ident::new("_cx", Span::mixed_site()),
            Pat::Wild(_) if service.is_some() => Ident::new("_req", Span::mixed_site()),
            other => {
                return Err(syn::Error::new_spanned(
                    other,
                    "give this parameter a name, which the model is told, and take it apart in the body",
                ));
            }
        };
        if let (true, Type::Reference(reference)) = (borrowed, &*typed.ty)
            && let Some(place) =
                reference.mutability.map(|it| it.span()).or(reference.lifetime.as_ref().map(Spanned::span))
        {
            return Err(syn::Error::new(
                place,
                "a tool may borrow its parameters only for the call: write `&` alone, or take the value",
            ));
        }
        let kind = match service {
            Some(service) => service,
            None => Kind::Argument(Box::new(Argument::read(&ident, borrowed, bare, &typed.attrs)?)),
        };
        Ok(Self { ident, borrowed, kind })
    }

    pub(crate) fn argument(&self) -> Option<&Argument> {
        match &self.kind {
            Kind::Argument(argument) => Some(argument),
            Kind::Context | Kind::Request => None,
        }
    }
}

impl Argument {
    fn read(ident: &Ident, borrowed: bool, bare: &Type, attrs: &[Attribute]) -> syn::Result<Self> {
        if contains(bare, |token| token == "impl") {
            return Err(syn::Error::new_spanned(
                bare,
                "a tool's schema needs one type here: name it instead of `impl Trait`",
            ));
        }
        if contains(bare, |token| token == "&") {
            return Err(syn::Error::new_spanned(
                bare,
                "arguments are made from JSON, so what is inside must be owned: such as `Option<String>`",
            ));
        }
        let mut docs = docs(attrs);
        if has(attrs, "schemars", "description") {
            docs.clear();
        } else if is_silent(&docs) {
            return Err(syn::Error::new_spanned(
                ident,
                format!(
                    "say what `{ident}` is: the model is told by a doc comment, so write `/// ..` before the parameter"
                ),
            ));
        }
        let mut default = None;
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("tool")) {
            default = Some(read_default(attr)?);
        }
        let passed = |attr: &&Attribute| attr.path().is_ident("serde") || attr.path().is_ident("schemars");
        Ok(Self {
            ty: if borrowed { owned(bare) } else { bare.clone() },
            docs,
            attrs: attrs.iter().filter(passed).cloned().collect(),
            default,
        })
    }

    /// Whether its fields are the tool's arguments, by `#[serde(flatten)]`.
    pub(crate) fn is_flat(&self) -> bool {
        has(&self.attrs, "serde", "flatten")
    }

    /// The field `ident` of the arguments, and the function that gives its default.
    pub(crate) fn field(&self, ident: &Ident, private: &TokenStream) -> (TokenStream, Option<TokenStream>) {
        let Self { ty, docs, attrs, default } = self;
        let described = (!docs.is_empty())
            .then(|| quote!(#[schemars(description = #private::description(&[#(#docs),*]))]));
        let (default, function) = match default {
            None => (None, None),
            Some(Default::OfType) => (Some(quote!(#[serde(default)])), None),
            Some(Default::Value(value)) => {
                let name = format_ident!("__agentscope_default_{}", ident.unraw());
                let path = name.to_string();
                // Text need not say `.into()`.
                let value = match value {
                    Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => {
                        quote_spanned!(value.span()=> ::core::convert::Into::into(#value))
                    }
                    other => quote!(#other),
                };
                (
                    Some(quote!(#[serde(default = #path)])),
                    Some(quote!(#[allow(clippy::all, clippy::pedantic)] fn #name() -> #ty { #value })),
                )
            }
        };
        (quote!(#described #(#attrs)* #default #ident: #ty), function)
    }
}

/// Whether the attribute of a parameter is for us or for the derived arguments, and so not for the function.
pub(crate) fn is_ours(attr: &Attribute) -> bool {
    ["doc", "serde", "schemars", "tool"].iter().any(|name| attr.path().is_ident(name))
}

fn read_default(attr: &Attribute) -> syn::Result<Default> {
    match attr.parse_args::<Meta>() {
        Ok(Meta::Path(path)) if path.is_ident("default") => Ok(Default::OfType),
        Ok(Meta::NameValue(value)) if value.path.is_ident("default") => Ok(Default::Value(value.value)),
        _ => Err(syn::Error::new_spanned(
            attr,
            "a parameter takes `#[tool(default)]` or `#[tool(default = 3)]`; all else is said by `#[serde(..)]` and \
             `#[schemars(..)]`",
        )),
    }
}

/// What is read from JSON where the function takes a reference to `bare`.
fn owned(bare: &Type) -> Type {
    match bare {
        Type::Slice(slice) => {
            let item = &slice.elem;
            parse_quote!(::std::vec::Vec<#item>)
        }
        other => match last_name(other).as_deref() {
            Some("str") => parse_quote!(::std::string::String),
            Some("Path") => parse_quote!(::std::path::PathBuf),
            _ => other.clone(),
        },
    }
}

/// The last word of a path without arguments.
fn last_name(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    let Path { segments, .. } = &path.path;
    let last = segments.last()?;
    matches!(last.arguments, PathArguments::None).then(|| last.ident.to_string())
}
