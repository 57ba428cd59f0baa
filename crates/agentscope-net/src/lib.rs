//! The HTTP client of AgentScope's crates.
