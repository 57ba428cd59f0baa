//! How many tests passed, failed and were skipped, read from the closing lines of the programs that ran them.

use std::{
    fmt,
    ops::{Add, AddAssign},
};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl Totals {
    /// Reads nextest's `Summary [   0.003s] 3 tests run: 2 passed (1 slow), 1 timed out, 4 skipped`.
    pub(super) fn of_nextest(line: &str) -> Option<Self> {
        // It is indented so; other text of that kind is what a failed test has written.
        let (_, text) = line.strip_prefix("     Summary [")?.split_once(" run: ")?;
        let mut totals = Self::default();
        for (count, what) in counts(text) {
            match what.as_str() {
                "passed" => totals.passed += count,
                "skipped" => totals.skipped += count,
                // `failed`, `exec failed`, `timed out`, and whatever way to fail comes next.
                _ => totals.failed += count,
            }
        }
        Some(totals)
    }

    /// Reads libtest's `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished
    /// in 0.00s`.
    pub(super) fn of_libtest(line: &str) -> Option<Self> {
        let (_, text) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut totals = Self::default();
        for (count, what) in counts(text) {
            match what.as_str() {
                "passed" => totals.passed += count,
                "failed" => totals.failed += count,
                "ignored" | "filtered out" => totals.skipped += count,
                _ => {}
            }
        }
        Some(totals)
    }
}

/// The parts `N WHAT` of a list; what stands in parentheses only details the count before it.
fn counts(list: &str) -> Vec<(u64, String)> {
    let mut depth = 0_u32;
    let outside = |letter: &char| match letter {
        '(' => {
            depth += 1;
            false
        }
        ')' => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    };
    let list: String = list.chars().filter(outside).collect();
    let part = |part: &str| {
        let (count, what) = part.trim().split_once(' ')?;
        Some((count.parse().ok()?, what.trim().to_owned()))
    };
    list.split([',', ';']).filter_map(part).collect()
}

impl Add for Totals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(formatter, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(passed: u64, failed: u64, skipped: u64) -> Option<Totals> {
        Some(Totals { passed, failed, skipped })
    }

    /// Lines of cargo-nextest 0.9.143.
    #[test]
    fn nextest_closes_with_a_summary() {
        for (line, expected) in [
            (
                "     Summary [   6.113s] 6 tests run: 3 passed (1 slow, 1 flaky), 2 failed, 1 timed out, 1 skipped\n",
                totals(3, 3, 1),
            ),
            ("     Summary [   6.011s] 1 test run: 0 passed, 1 timed out, 6 skipped", totals(0, 1, 6)),
            ("     Summary [   0.000s] 0 tests run: 0 passed, 7 skipped", totals(0, 0, 7)),
            ("     Summary [   0.080s] 2/6 tests run: 1 passed, 1 failed, 1 skipped", totals(1, 1, 1)),
            ("   FLAKY 2/2 [   0.005s] (2/6) probe tests::flaky", None),
            ("         Summary [ 9s] 9 tests run: 9 passed", None),
            ("    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 6 filtered out", None),
        ] {
            assert_eq!(Totals::of_nextest(line), expected, "{line}");
        }
    }

    /// Lines of rustc 1.95.
    #[test]
    fn libtest_closes_with_a_result() {
        for (line, expected) in [
            (
                "test result: FAILED. 2 passed; 2 failed; 1 ignored; 0 measured; 2 filtered out; finished in 1.57s\n",
                totals(2, 2, 3),
            ),
            (
                "test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                totals(1, 0, 1),
            ),
            ("test tests::good ... ok", None),
            ("    test result: ok. 1 passed; 0 failed", None),
        ] {
            assert_eq!(Totals::of_libtest(line), expected, "{line}");
        }
    }

    #[test]
    fn the_closing_line_is_as_promised() {
        assert_eq!(totals(118, 2, 3).unwrap().to_string(), "118 passed, 2 failed, 3 skipped");
    }
}
