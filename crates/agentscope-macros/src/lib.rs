#![doc = include_str!("../README.md")]

use proc_macro::TokenStream;

/// See the crate.
#[proc_macro_attribute]
pub fn tool(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// See the crate; for users of `agentscope-core` alone.
#[proc_macro_attribute]
pub fn core_tool(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}
