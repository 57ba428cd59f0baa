use agentscope_core::tool;

/// Many.
#[tool(readonly, name = "no spaces", timeout = "soon", parallel = "yes", idempotent, idempotent, slots = "plan")]
async fn many() {}

/// Zero.
#[tool(timeout = 0, description("x"), name = 3)]
async fn zero() {}

/// Not ASCII.
#[tool]
async fn größe() {}

/// No option.
#[tool("x")]
async fn literal() {}

fn main() {}
