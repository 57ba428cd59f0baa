use agentscope_core::tool;

/// A struct.
#[tool]
struct Weather;

/// Without a body.
#[tool]
async fn bodiless();

/// With one too many.
#[tool(external)]
async fn external() {}

fn main() {}
