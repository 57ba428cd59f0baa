//! What is written in the place of the function.
//!
//! A unit struct has the function's name; everything else is inside `const _`, where the function itself shadows the
//! struct as a value, so that its body may call itself and use its own name for a variable. Locals are hygienic
//! (`mixed_site`) and have names that no item has, since a pattern sees the items around it: a tool may be called `output`.

use crate::{
    attributes::Placed,
    errors::Errors,
    function::Function,
    options::Options,
    parameter::{Kind, Parameter, is_ours},
};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Attribute, FnArg, Pat, PatIdent, ReturnType, Signature, Visibility, ext::IdentExt, spanned::Spanned,
};

/// The tool, or the errors and something that stands for the tool, so that nothing else is reported for it.
pub(crate) fn tool(
    function: Function,
    (options, read): (Options, syn::Result<()>),
    root: &TokenStream,
) -> TokenStream {
    let mut errors = Errors::default();
    if let Err(error) = read {
        errors.push(error);
    }
    let parameters = match function.check(&options) {
        Ok(parameters) => parameters,
        Err(error) => {
            errors.push(error);
            Vec::new()
        }
    };
    match errors.or(()) {
        Ok(()) => Expansion::new(function, options, parameters, root).tokens(),
        Err(error) => {
            let (error, stand_in) = (error.into_compile_error(), stand_in(&function, root));
            quote!(#error #stand_in)
        }
    }
}

fn stand_in(function: &Function, root: &TokenStream) -> Option<TokenStream> {
    if function.sig.receiver().is_some() {
        return None; // it stands in an `impl`, which takes no structs
    }
    let (vis, name) = (&function.vis, &function.sig.ident);
    Some(quote! {
        #[allow(non_camel_case_types, missing_docs, dead_code, unreachable_pub)]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #name;
        const _: () = {
            impl #root::Tool for #name {
                fn spec(&self) -> ::std::sync::Arc<#root::ToolSpec> { ::core::default::Default::default() }
                fn call(&self, _: #root::ToolRequest, _: #root::Context) -> #root::ToolStream {
                    #root::__private::external("")
                }
            }
        };
    })
}

struct Expansion<'a> {
    root: &'a TokenStream,
    private: TokenStream,
    arguments: Ident,
    placed: Placed,
    vis: Visibility,
    sig: Signature,
    body: Option<TokenStream>,
    blocks: bool,
    streams: bool,
    options: Options,
    parameters: Vec<Parameter>,
}

impl<'a> Expansion<'a> {
    fn new(function: Function, options: Options, parameters: Vec<Parameter>, root: &'a TokenStream) -> Self {
        let (blocks, streams) = (function.blocks(), function.streams());
        let Function { attrs, vis, sig, body } = function;
        Self {
            root,
            private: quote!(#root::__private),
            arguments: format_ident!("__AgentscopeArguments", span = Span::call_site()),
            placed: Placed::new(attrs),
            vis,
            sig,
            body: body.map(|body| quote!(#body)),
            blocks,
            streams,
            options,
            parameters,
        }
    }

    fn tokens(&self) -> TokenStream {
        let (vis, name) = (&self.vis, &self.sig.ident);
        let Placed { all, on_struct, .. } = &self.placed;
        let silent = !on_struct.iter().any(|attr| attr.path().is_ident("doc"));
        let description = self.options.description.as_ref().filter(|_| silent).map(|it| quote!(#[doc = #it]));
        let (arguments, function, implementation) =
            (self.arguments(), self.function(), self.implementation());
        quote! {
            #(#all)*
            #(#on_struct)*
            #description
            #[allow(non_camel_case_types)]
            #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
            #vis struct #name;

            #(#all)*
            const _: () = {
                #arguments
                #function
                #implementation
            };
        }
    }

    /// The arguments as a type that is read from JSON.
    fn arguments(&self) -> TokenStream {
        let Self { private, arguments, .. } = self;
        let (serde, schemars) = (path(&quote!(#private::serde)), path(&quote!(#private::schemars)));
        let mut deny = Some(quote!(, deny_unknown_fields)); // which serde does not support beside `flatten`
        let (mut fields, mut defaults) = (Vec::new(), Vec::new());
        for parameter in &self.parameters {
            if let Some(argument) = parameter.argument() {
                deny = deny.filter(|_| !argument.is_flat());
                let (field, default) = argument.field(&parameter.ident, private);
                fields.push(field);
                defaults.extend(default);
            }
        }
        quote! {
            #(#defaults)*

            #[allow(dead_code)]
            #[derive(#private::serde::Deserialize, #private::schemars::JsonSchema)]
            #[serde(crate = #serde, expecting = "an object of arguments" #deny)]
            #[schemars(crate = #schemars)]
            struct #arguments { #(#fields),* }
        }
    }

    /// The function as it was written, and `run`, by which it is reached from outside.
    fn function(&self) -> Option<TokenStream> {
        let body = self.body.as_ref()?;
        let (vis, name, on_function) = (&self.vis, &self.sig.ident, &self.placed.on_function);
        let mut inner = self.sig.clone();
        let mut outer = self.sig.clone();
        outer.ident = Ident::new("run", name.span());
        let mut passed = Vec::new();
        for ((inner, outer), parameter) in
            inner.inputs.iter_mut().zip(&mut outer.inputs).zip(&self.parameters)
        {
            let (FnArg::Typed(inner), FnArg::Typed(outer)) = (inner, outer) else { continue };
            inner.attrs.retain(|attr| !is_ours(attr));
            outer.attrs.clear();
            let ident = hygienic(&parameter.ident);
            *outer.pat = Pat::Ident(PatIdent {
                attrs: Vec::new(),
                by_ref: None,
                mutability: None,
                ident: ident.clone(),
                subpat: None,
            });
            passed.push(ident);
        }
        let wait = self.sig.asyncness.map(|_| quote!(.await));
        let levels: Vec<&Attribute> =
            on_function.iter().filter(|attr| attr.path().is_ident("allow")).collect();
        let doc = format!("The function `{}` itself, for tests and for other code.", name.unraw());
        Some(quote! {
            #(#on_function)*
            #inner #body

            #[allow(deprecated)]
            impl #name {
                #[doc = #doc]
                #(#levels)*
                #[allow(clippy::all, clippy::pedantic, unreachable_pub)]
                #vis #outer { #name(#(#passed),*) #wait }
            }
        })
    }

    fn implementation(&self) -> TokenStream {
        let Self { root, private, .. } = self;
        let name = &self.sig.ident;
        let (spec, call) = (self.spec(), self.call());
        quote_spanned! {Span::mixed_site()=>
            #[allow(deprecated, unused_imports, clippy::all, clippy::pedantic)]
            impl #root::Tool for #name {
                fn spec(&self) -> ::std::sync::Arc<#root::ToolSpec> {
                    static SPEC: ::std::sync::LazyLock<::std::sync::Arc<#root::ToolSpec>> =
                        ::std::sync::LazyLock::new(|| ::std::sync::Arc::new(#spec));
                    ::std::sync::Arc::clone(&SPEC)
                }

                fn call(&self, __req: #root::ToolRequest, __cx: #root::Context) -> #root::ToolStream {
                    use #private::{Fallible as _, Kind as _};
                    #call
                }
            }
        }
    }

    fn spec(&self) -> TokenStream {
        let Self { root, private, arguments, options, .. } = self;
        let Options { name, slots, .. } = options;
        let description = match &options.description {
            Some(description) => quote!(#description),
            None => {
                let docs = crate::attributes::docs(&self.placed.on_struct);
                quote!(#private::description(&[#(#docs),*]))
            }
        };
        let read_only = options.read_only.then(|| quote!(.read_only()));
        let idempotent = options.idempotent.then(|| quote!(.idempotent()));
        let external = options.external.then(|| quote!(.external()));
        let parallel = options.parallel.map(|parallel| quote!(.parallel(#parallel)));
        let timeout =
            options.timeout.map(|limit| quote!(.timeout(::core::time::Duration::from_millis(#limit))));
        quote! {
            #root::ToolSpec::new(#name, #description, #root::schema_of::<#arguments>())
                #read_only #idempotent #external #parallel #timeout #(.slot(#slots))*
        }
    }

    /// The body of `Tool::call`, in which `__req` and `__cx` are known.
    fn call(&self) -> TokenStream {
        let Self { private, arguments, .. } = self;
        let (name, tool) = (&self.sig.ident, &self.options.name);
        if self.body.is_none() {
            return quote!(#private::external(#tool));
        }
        let fields = self.parameters.iter().filter(|it| it.argument().is_some()).map(|it| {
            let (field, local) = (&it.ident, hygienic(&it.ident));
            quote!(#field: #local)
        });
        let local = |word| Ident::new(word, Span::mixed_site());
        let (req, cx) = (local("__req"), local("__cx"));
        let passed = self.parameters.iter().map(|it| {
            let ident = match it.kind {
                Kind::Argument(_) => hygienic(&it.ident),
                Kind::Context => cx.clone(),
                Kind::Request => req.clone(),
            };
            if it.borrowed { quote!(&#ident) } else { quote!(#ident) }
        });
        let wait = self.sig.asyncness.map(|_| quote!(.await));
        // Where the type of the output does not fit, that is said of the type.
        let at = match &self.sig.output {
            ReturnType::Type(_, ty) => ty.span().resolved_at(Span::mixed_site()),
            ReturnType::Default => Span::mixed_site(),
        };
        // Not in a block of its own, because a stream may borrow what is read here.
        let output = quote_spanned! {at=>
            let #arguments { #(#fields),* } = #private::arguments(#tool, &#req.input)?;
            let __output = #name::run(#(#passed),*) #wait;
            let __output = (&&&&#private::probe(&__output)).fallible().split(__output)?;
        };
        if self.streams {
            quote_spanned! {at=>
                #private::streaming(move |__out| async move {
                    #output
                    let mut __items = ::core::pin::pin!(__output);
                    while let ::core::option::Option::Some(__item) = #private::next(&mut __items).await {
                        let __item = (&&&&#private::probe(&__item)).fallible().split(__item)?;
                        let __chunks = (&&&&&#private::probe(&__item)).kind().item(__item)?;
                        __out.send(__chunks).await;
                    }
                    ::core::result::Result::Ok(())
                })
            }
        } else {
            let chunks = quote_spanned! {at=>
                #output
                (&&&&&#private::probe(&__output)).kind().whole(__output)
            };
            if self.blocks {
                quote_spanned!(at=> #private::blocking(__cx, move |__cx| { #chunks }))
            } else {
                quote_spanned!(at=> #private::waiting(async move { #chunks }))
            }
        }
    }
}

/// A local of this name, which hides no item of the same name, such as the function.
fn hygienic(ident: &Ident) -> Ident {
    let mut local = ident.clone();
    local.set_span(ident.span().resolved_at(Span::mixed_site()));
    local
}

/// A path as the attributes of serde and schemars take it.
fn path(tokens: &TokenStream) -> String {
    tokens.to_string().replace(' ', "")
}
