use agentscope_core::tool;

/// Generic.
#[tool]
async fn generic<'a, T: Clone>(/** It. */ it: &'a T) -> String
where
    T: ToString,
{
    it.to_string()
}

/// Foreign.
#[tool]
unsafe extern "C" fn foreign(/** It. */ it: u8) -> u8 {
    it
}

/// Variadic.
#[tool]
fn variadic(/** It. */ it: u8, _: ...) -> u8 {
    it
}

struct Owner;

impl Owner {
    /// A method.
    #[tool]
    async fn method(&self) -> u8 {
        1
    }
}

fn main() {}
