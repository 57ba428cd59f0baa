//! Of `agentscope-tool`: programs, presets, limits.

use super::{Mutant, TOOL};

const GROUP: &str = "crates/agentscope-tool/src/process/group.rs";
const PRESET: &str = "crates/agentscope-tool/src/adapt/preset.rs";
const TIME_LIMIT: &str = "crates/agentscope-tool/src/adapt/time_limit.rs";
const OUTPUT_LIMIT: &str = "crates/agentscope-tool/src/adapt/output_limit.rs";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "group-not-killed",
        rule: "law 7",
        says: "only the program itself is killed, not what it has started",
        file: GROUP,
        find: "rustix::process::kill_process_group(id, signal).is_ok()",
        replace: "rustix::process::kill_process(id, signal).is_ok()",
        packages: TOOL,
        tests: &["process::"],
    },
    Mutant {
        name: "group-outlives-its-reader",
        rule: "law 4",
        says: "a program whose stream is dropped goes on",
        file: GROUP,
        find: "    fn drop(&mut self) {\n        self.kill();",
        replace: "    fn drop(&mut self) {\n        let _ = &self;",
        packages: TOOL,
        tests: &["process::"],
    },
    Mutant {
        name: "program-not-interrupted",
        rule: "law 4",
        says: "an interrupt does not end a running program",
        file: "crates/agentscope-tool/src/process.rs",
        find: "() = interrupt.triggered() => End::Interrupted,",
        replace: "() = interrupt.triggered(), if limit.is_zero() => End::Interrupted,",
        packages: TOOL,
        tests: &["process::an_interrupt"],
    },
    Mutant {
        name: "program-output-without-limit",
        rule: "law 7",
        says: "all that a program writes is kept in the memory",
        file: "crates/agentscope-tool/src/process/capture.rs",
        find: "if self.tail.len() > 2 * self.tail_limit() {",
        replace: "if self.tail.len() > 2_000 * self.tail_limit() {",
        packages: TOOL,
        tests: &["capture::"],
    },
    Mutant {
        name: "preset-overridden",
        rule: "presets",
        says: "a model overrides a preset argument",
        file: PRESET,
        find: "        if input.contains_key(argument.as_str()) {\n            \
               return refused(format!(\"`{}` has no argument `{argument}`: leave it out\", spec.name));\n        }\n        \
               input.insert(argument.to_string(), self.value.clone());",
        replace: "        input.entry(argument.to_string()).or_insert_with(|| self.value.clone());",
        packages: TOOL,
        tests: &["preset"],
    },
    Mutant {
        name: "preset-shown",
        rule: "presets",
        says: "a model sees a preset argument",
        file: PRESET,
        find: "    hide(Arc::make_mut(&mut spec_mut.input_schema), &argument);",
        replace: "    let _ = (spec_mut, hide);",
        packages: TOOL,
        tests: &["preset"],
    },
    Mutant {
        name: "time-limit-not-applied",
        rule: "law 7",
        says: "a time limit does not shorten a longer one of the tool's own",
        file: TIME_LIMIT,
        find: "let limit = limit.min(own);",
        replace: "let limit = limit.max(own);",
        packages: TOOL,
        tests: &["adapt::"],
    },
    Mutant {
        name: "tool-dropped-at-once",
        rule: "law 4",
        says: "a tool whose time is over has no time to end by itself",
        file: TIME_LIMIT,
        find: "let last = Instant::now() + GRACE;",
        replace: "let last = Instant::now() + GRACE * 0;",
        packages: TOOL,
        tests: &["adapt::"],
    },
    Mutant {
        name: "spill-without-limit",
        rule: "law 7",
        says: "output that goes to a file is held in the memory without a limit",
        file: OUTPUT_LIMIT,
        find: "self.limit.spilled.saturating_sub(self.whole.len())",
        replace: "usize::MAX.min(self.limit.spilled * 1_000).saturating_sub(self.whole.len())",
        packages: TOOL,
        tests: &["adapt::"],
    },
    Mutant {
        name: "cut-not-told",
        rule: "law 7",
        says: "output is cut without a trace",
        file: OUTPUT_LIMIT,
        find: "        if missing > 0 {\n            let whereabouts",
        replace: "        if missing > usize::MAX / 2 {\n            let whereabouts",
        packages: TOOL,
        tests: &["adapt::"],
    },
    Mutant {
        name: "root-left",
        rule: "workspace",
        says: "a file outside of the workspace's directory is written",
        file: "crates/agentscope-tool/src/disk.rs",
        find: "Ok(settled) if settled.starts_with(&root) => Ok(settled),",
        replace: "Ok(settled) if settled.starts_with(&root) || true => Ok(settled),",
        packages: TOOL,
        tests: &["workspace::", "files::"],
    },
];
