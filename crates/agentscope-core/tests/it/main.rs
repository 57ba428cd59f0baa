//! The integration tests: the laws, each by its name.

mod link;
