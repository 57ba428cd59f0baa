//! AgentScope.
