//! Models for AgentScope agents.
