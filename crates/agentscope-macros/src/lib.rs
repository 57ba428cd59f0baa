#![doc = include_str!("../README.md")]

mod attributes;
mod errors;
mod expand;
mod function;
mod options;
mod parameter;

use function::Function;
use options::Options;
use proc_macro::TokenStream;
use quote::quote;

/// Makes a documented function a tool. See the [crate].
#[proc_macro_attribute]
pub fn tool(options: TokenStream, item: TokenStream) -> TokenStream {
    written(options, item, &quote!(::agentscope))
}

/// Makes a documented function a tool, for those who use `agentscope-core` without the facade, which has it as
/// `agentscope_core::tool`. See the [crate].
#[proc_macro_attribute]
pub fn core_tool(options: TokenStream, item: TokenStream) -> TokenStream {
    written(options, item, &quote!(::agentscope_core))
}

fn written(options: TokenStream, item: TokenStream, root: &proc_macro2::TokenStream) -> TokenStream {
    let function = match syn::parse::<Function>(item) {
        Ok(function) => function,
        Err(error) => return error.into_compile_error().into(),
    };
    let result = Options::parse(options.into(), &function);
    expand::tool(function, result, root).into()
}
