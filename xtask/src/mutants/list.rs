//! The mutants: for each rule of the laws, a change that breaks it.

mod agent;
mod core;
mod hub;
mod layers;
mod model;
mod tool;

/// From the root, where the list is.
pub(super) const PLACE: &str = "xtask/src/mutants/list";

/// A rule broken on purpose: a text that is once in a file, and what stands there instead.
#[derive(Debug, PartialEq)]
pub(super) struct Mutant {
    pub(super) name: &'static str,
    /// The law of the design, or what else is promised.
    pub(super) rule: &'static str,
    /// What was changed, in words.
    pub(super) says: &'static str,
    /// From the root.
    pub(super) file: &'static str,
    pub(super) find: &'static str,
    pub(super) replace: &'static str,
    /// Whose tests have to catch it. Cargo builds only these: the fewer, the quicker.
    pub(super) packages: &'static [&'static str],
    /// Parts of the names of the tests to run, so that a mutant that hangs does not hang in all of them; none for all tests.
    pub(super) tests: &'static [&'static str],
}

/// The packages whose tests know the core from inside.
const CORE: &[&str] = &["agentscope-core"];
/// The packages whose tests run a whole agent.
const AGENT: &[&str] = &["agentscope-agent"];
const TOOL: &[&str] = &["agentscope-tool"];

/// All of them, those of one crate beside each other: cargo builds least that way.
pub(super) fn all() -> Vec<&'static Mutant> {
    [
        core::CONVERSATION,
        core::EVENTS,
        core::REQUESTS,
        agent::MUTANTS,
        hub::MUTANTS,
        tool::MUTANTS,
        model::MUTANTS,
        layers::MUTANTS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
pub(super) const EXAMPLE: Mutant = Mutant {
    name: "limitless",
    rule: "law 7",
    says: "the limit is not applied",
    file: "src/queue.rs",
    find: "len > LIMIT",
    replace: "false",
    packages: &["a"],
    tests: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_once() {
        let mut names: Vec<_> = all().iter().map(|mutant| mutant.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
