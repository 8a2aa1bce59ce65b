//! Reads counts out of what the test runners print, and skips out of the skip log.

use std::ops::AddAssign;

/// How many tests came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Something that was not run, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// Sums the summary lines in `output`: those of `cargo nextest run` if there are any, else those of `cargo test`.
/// nextest repeats what a failed test printed, and that ends with a summary line of the other kind.
pub(crate) fn of_runner(output: &str) -> Counts {
    let mut libtest = Counts::default();
    let mut nextest = None::<Counts>;
    for line in output.lines() {
        let line = without_colour(line);
        let line = line.trim();
        if let Some(result) = line.strip_prefix("test result: ") {
            // ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s
            let (_, figures) = result.split_once(". ").unwrap_or(("", result));
            libtest += figures_of(figures.split("; "));
        } else if line.starts_with("Summary [") {
            // Summary [   0.015s] 5 tests run: 4 passed (1 slow, 1 leaky), 1 failed, 2 skipped
            if let Some((_, figures)) = line.split_once(" run: ") {
                *nextest.get_or_insert_default() += figures_of(without_parentheses(figures).split(", "));
            }
        }
    }
    nextest.unwrap_or(libtest)
}

/// Sums figures such as `3 passed`. "filtered out" and "measured" are not tests that were meant to run.
fn figures_of<'a>(figures: impl Iterator<Item = &'a str>) -> Counts {
    let mut counts = Counts::default();
    for figure in figures {
        let Some((number, what)) = figure.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match what.trim() {
            "passed" => counts.passed += number,
            "failed" | "timed out" | "exec failed" => counts.failed += number,
            "ignored" | "skipped" => counts.skipped += number,
            _ => {}
        }
    }
    counts
}

/// The tests that `cargo test` lists as ignored, doctests marked so among them. nextest only counts them.
pub(crate) fn ignored(output: &str) -> Vec<Skip> {
    output
        .lines()
        .filter_map(|line| {
            let line = without_colour(line);
            let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
            let reason = result.strip_prefix("ignored")?.trim_start_matches(", ").trim();
            let reason = if reason.is_empty() { "marked to be ignored" } else { reason };
            Some(Skip { name: name.to_owned(), reason: reason.to_owned() })
        })
        .collect()
}

/// Reads the skip log: lines `skipped: <name>: <reason>`. Other lines are not skips.
pub(crate) fn of_skip_log(log: &str) -> Vec<Skip> {
    log.lines()
        .filter_map(|line| {
            let (name, reason) = line.trim().strip_prefix("skipped: ")?.split_once(": ")?;
            Some(Skip { name: name.to_owned(), reason: reason.to_owned() })
        })
        .collect()
}

/// `text` without terminal escape sequences of the form ESC [ ... letter.
fn without_colour(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().skip(1).find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_test_sums_every_binary() {
        let output = "\
running 3 tests
test a ... ok
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out; finished in 0.01s
     Running tests/x.rs
test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s
";
        assert_eq!(of_runner(output), Counts { passed: 5, failed: 4, skipped: 1 });
    }

    #[test]
    fn nextest_summary_with_every_word() {
        let output = "     Summary [  10.215s] 9/10 tests run: 5 passed (2 slow, 1 leaky), 2 failed, \
                      1 exec failed, 1 timed out (1 slow), 3 skipped\n";
        assert_eq!(of_runner(output), Counts { passed: 5, failed: 4, skipped: 3 });
    }

    #[test]
    fn nextest_repeats_the_output_of_a_failed_test() {
        let output = "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 2 filtered out\n     \
                      Summary [   1.152s] 22 tests run: 21 passed (1 leaky), 1 failed, 0 skipped\n";
        assert_eq!(of_runner(output), Counts { passed: 21, failed: 1, skipped: 0 });
    }

    #[test]
    fn nextest_summary_in_colour() {
        let output = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.015s] \u{1b}[1m1\u{1b}[0m test run: \
                      \u{1b}[1m1\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, \u{1b}[1m0\u{1b}[0m \u{1b}[33;1mskipped\u{1b}[0m";
        assert_eq!(of_runner(output), Counts { passed: 1, failed: 0, skipped: 0 });
    }

    #[test]
    fn what_is_no_summary_counts_nothing() {
        assert_eq!(of_runner("test 3 passed; 1 failed\nSummary: 4 passed\n\u{1b}["), Counts::default());
    }

    #[test]
    fn ignored_tests_are_named() {
        let output =
            "test a::ignored_b ... ok\ntest c.rs - c (line 6) ... ignored\ntest d ... ignored, too slow\n";
        let skip = |name: &str, reason: &str| Skip { name: name.into(), reason: reason.into() };
        assert_eq!(
            ignored(output),
            [skip("c.rs - c (line 6)", "marked to be ignored"), skip("d", "too slow")]
        );
    }

    #[test]
    fn skip_lines() {
        let log = "skipped: xdp::native: no AF_XDP here: EPERM\nnoise\nskipped: no reason given\n";
        assert_eq!(
            of_skip_log(log),
            [Skip { name: "xdp::native".into(), reason: "no AF_XDP here: EPERM".into() }]
        );
    }
}
