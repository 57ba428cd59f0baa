//! The function on which `#[tool]` stands.

use crate::{
    attributes,
    errors::Errors,
    options::Options,
    parameter::{Kind, Parameter},
};
use proc_macro2::{Delimiter, Group, TokenTree};
use syn::{
    Attribute, FnArg, GenericArgument, PathArguments, ReturnType, Signature, Token, Type, TypeParamBound,
    Visibility,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

/// A function; its body is not looked into.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// Missing in what is run elsewhere, which ends with a semicolon.
    pub(crate) body: Option<Group>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse().map_err(|mut error: syn::Error| {
            if !contains_fn(input) {
                error = syn::Error::new(error.span(), "`#[tool]` stands on a function: `async fn` or `fn`");
            }
            error
        })?;
        if input.parse::<Option<Token![;]>>()?.is_some() {
            return Ok(Self { attrs, vis, sig, body: None });
        }
        match input.parse()? {
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
                Ok(Self { attrs, vis, sig, body: Some(body) })
            }
            other => Err(syn::Error::new(other.span(), "expected the body of the function")),
        }
    }
}

fn contains_fn(input: ParseStream<'_>) -> bool {
    input.fork().parse::<proc_macro2::TokenStream>().is_ok_and(|rest| {
        rest.into_iter().take(6).any(|token| matches!(&token, TokenTree::Ident(word) if word == "fn"))
    })
}

impl Function {
    /// The name without the `r#` that a keyword needs.
    pub(crate) fn plain_name(&self) -> String {
        self.sig.ident.unraw().to_string()
    }

    /// Checks the function and reads its parameters.
    pub(crate) fn check(&self, options: &Options) -> syn::Result<Vec<Parameter>> {
        let mut errors = Errors::default();
        if options.description.is_none() && attributes::is_silent(&attributes::docs(&self.attrs)) {
            errors.at(
                &self.sig.ident,
                format!(
                    "say what `{}` does: a model chooses a tool by its doc comment, so write `/// ..` above the function",
                    self.sig.ident
                ),
            );
        }
        self.check_signature(&mut errors);
        match (&self.body, options.external) {
            (None, false) => errors.at(
                &self.sig.ident,
                "a tool needs a body; if whoever reads the events runs it, say `#[tool(external)]`",
            ),
            (Some(body), true) => errors.push(syn::Error::new(
                body.span_open(),
                "an external tool is not run here, so it has no body: end the function with `;`",
            )),
            _ => {}
        }
        let mut parameters: Vec<Parameter> = Vec::new();
        for input in &self.sig.inputs {
            match input {
                FnArg::Receiver(receiver) => errors.at(
                    receiver,
                    "a tool is a free function, without `self`: move it out of the `impl`, or implement \
                     `TypedTool` for a tool that holds something",
                ),
                FnArg::Typed(typed) => match Parameter::read(typed) {
                    Ok(parameter) => {
                        let same = |other: &Parameter| other.kind.is_same_service(&parameter.kind);
                        if parameters.iter().any(same) {
                            errors.at(typed, "a tool gets only one of these: drop this parameter");
                        }
                        parameters.push(parameter);
                    }
                    Err(error) => errors.push(error),
                },
            }
        }
        errors.or(parameters)
    }

    fn check_signature(&self, errors: &mut Errors) {
        let sig = &self.sig;
        if !sig.generics.params.is_empty() {
            errors.at(
                &sig.generics,
                "a tool has no generics and no lifetimes, because its schema is one: name the types, and take `String` \
                 or `&str` for text",
            );
        }
        if let Some(clause) = &sig.generics.where_clause {
            errors.at(clause, "a tool has no generics, so drop the `where` clause");
        }
        if let Some(variadic) = &sig.variadic {
            errors.at(variadic, "a tool has no variable number of parameters: take a `Vec`");
        }
        if let Some(unsafety) = &sig.unsafety {
            errors.at(unsafety, "a model calls a tool with whatever it likes, so a tool cannot be `unsafe`");
        }
        if let Some(abi) = &sig.abi {
            errors.at(abi, "a tool is a Rust function: drop the `extern`");
        }
    }

    /// Whether it returns a stream, as far as its signature shows it.
    pub(crate) fn streams(&self) -> bool {
        match &self.sig.output {
            ReturnType::Type(_, ty) => is_stream(ty),
            ReturnType::Default => false,
        }
    }

    /// Whether it runs on the pool for work that blocks.
    pub(crate) fn blocks(&self) -> bool {
        self.sig.asyncness.is_none() && !self.streams()
    }
}

/// Whether `ty` is `impl Stream`, a named stream of ours or of futures, or a `Result` or pinned box of one.
fn is_stream(ty: &Type) -> bool {
    let named = |bound: &TypeParamBound| matches!(bound, TypeParamBound::Trait(it) if it.path.segments.last().is_some_and(|it| it.ident == "Stream"));
    match ty {
        Type::ImplTrait(ty) => ty.bounds.iter().any(named),
        Type::TraitObject(ty) => ty.bounds.iter().any(named),
        Type::Paren(ty) => is_stream(&ty.elem),
        Type::Group(ty) => is_stream(&ty.elem),
        Type::Path(ty) => ty.path.segments.last().is_some_and(|last| {
            let around = ["Result", "Pin", "Box"].iter().any(|name| last.ident == name);
            let named = ["ToolStream", "BoxStream"].iter().any(|name| last.ident == name);
            named
                || around
                    && matches!(&last.arguments, PathArguments::AngleBracketed(arguments)
                        if matches!(arguments.args.first(), Some(GenericArgument::Type(ty)) if is_stream(ty)))
        }),
        _ => false,
    }
}

impl Kind {
    /// Both are the same thing that is no argument, such as the context.
    fn is_same_service(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Context, Self::Context) | (Self::Request, Self::Request))
    }
}
