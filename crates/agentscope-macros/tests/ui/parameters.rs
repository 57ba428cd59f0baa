use agentscope_core::tool;

/// Patterns.
#[tool]
async fn patterns(/** Two. */ (a, b): (u8, u8), /** Any. */ _: u8) -> u8 {
    a + b
}

/// Types.
#[tool]
async fn types(
    /// Any.
    any: impl ToString,
    /// Inside.
    inside: Option<&str>,
    /// To change.
    changed: &mut String,
    /// For ever.
    for_ever: &'static str,
) {
}

/// Contexts.
#[tool]
async fn contexts(one: agentscope_core::Context, two: &agentscope_core::Context) {}

/// Attributes.
#[tool]
async fn attributes(
    /// Not everywhere.
    #[cfg(unix)]
    somewhere: u8,
    /// Misspelled.
    #[tool(defualt = 3)]
    misspelled: u8,
) {
}

fn main() {}
