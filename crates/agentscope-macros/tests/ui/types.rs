use agentscope_core::{Result, tool};

struct Opaque;

/// Gives what nobody can read.
#[tool]
async fn output() -> Result<Opaque> {
    Ok(Opaque)
}

/// Fails with what nobody can read.
#[tool]
async fn failure() -> Result<(), Opaque> {
    Err(Opaque)
}

fn main() {}
