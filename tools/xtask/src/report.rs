//! Steps, what they came to, and the summary at the end.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::counts::{Counts, Skip};

/// What a step came to.
pub(crate) enum Outcome {
    /// A check that holds.
    Passed,
    /// Something that does not hold, and what.
    Failed(String),
    /// Not run here, and why.
    Skipped(String),
    /// Tests were run.
    Tested(Tested),
}

/// What a test runner came to.
pub(crate) struct Tested {
    /// What it counted.
    pub(crate) counts: Counts,
    /// Those that it names as ignored; already among `counts.skipped`.
    pub(crate) ignored: Vec<Skip>,
    /// Those that skipped themselves, by the skip log; the runner took them for passed.
    pub(crate) skips: Vec<Skip>,
    /// How it ended.
    pub(crate) result: Result<(), String>,
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

/// What has been run so far.
pub(crate) struct Report {
    started: Instant,
    counts: Counts,
    skips: Vec<Skip>,
    /// Name, result in words, time taken.
    steps: Vec<(String, String, Duration)>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), counts: Counts::default(), skips: Vec::new(), steps: Vec::new() }
    }

    /// Runs one step between its headline and its result.
    pub(crate) fn step(&mut self, name: &str, step: impl FnOnce() -> Outcome) {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = step();
        let result = self.add(name, outcome);
        let took = start.elapsed();
        println!("-- {name}: {result} ({:.1} s)", took.as_secs_f64());
        self.steps.push((name.to_owned(), result, took));
    }

    /// Counts an outcome and puts it into words. A step without tests of its own counts as one.
    fn add(&mut self, name: &str, outcome: Outcome) -> String {
        match outcome {
            Outcome::Passed => {
                self.counts.passed += 1;
                "passed".to_owned()
            }
            Outcome::Failed(reason) => {
                self.counts.failed += 1;
                format!("FAILED: {reason}")
            }
            Outcome::Skipped(reason) => {
                self.counts.skipped += 1;
                let result = format!("skipped: {reason}");
                self.skips.push(Skip { name: name.to_owned(), reason });
                result
            }
            Outcome::Tested(Tested { mut counts, ignored, skips, result }) => {
                let own = skips.len() as u64;
                counts.passed = counts.passed.saturating_sub(own);
                counts.skipped += own;
                self.skips.extend(ignored);
                self.skips.extend(skips);
                let words = match result {
                    Ok(()) if counts.failed == 0 => "passed".to_owned(),
                    Ok(()) => "FAILED".to_owned(),
                    Err(reason) => {
                        counts.failed = counts.failed.max(1);
                        format!("FAILED: {reason}")
                    }
                };
                self.counts += counts;
                format!("{words}, {}", in_words(counts))
            }
        }
    }

    /// Prints the summary, its last line `N passed, N failed, N skipped`, and gives the status to exit with.
    pub(crate) fn finish(self) -> ExitCode {
        println!("\n== summary ({:.0} s)", self.started.elapsed().as_secs_f64());
        for (name, result, took) in &self.steps {
            println!("{:>7.1} s  {name}: {result}", took.as_secs_f64());
        }
        let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for skip in &self.skips {
            by_reason.entry(&skip.reason).or_default().push(&skip.name);
        }
        if !by_reason.is_empty() {
            println!("\nskipped, by reason:");
        }
        for (reason, names) in by_reason {
            println!("{:>4} x {}: {reason}", names.len(), names.join(", "));
        }
        println!("\n{}", in_words(self.counts));
        if self.counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn in_words(counts: Counts) -> String {
    format!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts_of(outcome: Outcome) -> Counts {
        let mut report = Report::new();
        report.add("step", outcome);
        report.counts
    }

    #[test]
    fn a_check_counts_as_one() {
        assert_eq!(counts_of(Outcome::Passed), Counts { passed: 1, ..Counts::default() });
        assert_eq!(counts_of(Outcome::Failed("x".into())), Counts { failed: 1, ..Counts::default() });
        assert_eq!(counts_of(Outcome::Skipped("x".into())), Counts { skipped: 1, ..Counts::default() });
    }

    #[test]
    fn a_test_that_skipped_itself_did_not_pass() {
        let counts = Counts { passed: 5, failed: 0, skipped: 1 };
        let one = vec![Skip { name: "a".into(), reason: "b".into() }];
        let tested = Tested { counts, ignored: one.clone(), skips: one, result: Ok(()) };
        assert_eq!(counts_of(Outcome::Tested(tested)), Counts { passed: 4, failed: 0, skipped: 2 });
    }

    #[test]
    fn tests_that_do_not_build_count_as_a_failure() {
        let result = Err("status 101".into());
        let tested = Tested { counts: Counts::default(), ignored: Vec::new(), skips: Vec::new(), result };
        assert_eq!(counts_of(Outcome::Tested(tested)), Counts { failed: 1, ..Counts::default() });
    }
}
