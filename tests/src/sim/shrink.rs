//! From a failing run to a smaller one that breaks the same promise.

use super::options::Options;
use super::run::{Failure, Stats};

/// Options that are switched off one by one, those that explain most first.
const FAULTS: &[&str] = &[
    "partition_ppm",
    "host_crash_ppm",
    "reboot_ppm",
    "crash_ppm",
    "crash_in_commit_ppm",
    "stall_ppm",
    "stall_in_cycle_ppm",
    "burst_ppm",
    "loss_ppm",
    "late_ppm",
    "again_ppm",
    "double_ppm",
    "damage_ppm",
    "truncate_ppm",
    "refuse_ppm",
    "abandon_ppm",
    "stranger_ppm",
    "read_ppm",
    "drift_ppm",
    "jitter",
    "wake",
    "tail",
    "marked",
    "rots",
    "observers",
];

/// Options that are made smaller, and how small they can be.
const SIZES: &[(&str, u64)] =
    &[("nodes", 2), ("cycles", 1), ("lines", 1), ("dirty_lines", 1), ("late_periods", 1)];

/// Runs a seed with options.
pub type Runner<'a> = &'a dyn Fn(u64, &Options) -> Result<Stats, Box<Failure>>;

/// The smallest failure of the same promise that `tries` runs of `run` find.
#[must_use]
pub fn shrink(failure: &Failure, mut tries: usize, run: Runner<'_>) -> Failure {
    let mut best = failure.clone();
    loop {
        let before = best.options;
        for candidate in candidates(&before) {
            let Some(left) = tries.checked_sub(1) else { return best };
            tries = left;
            // Combined with what was already accepted in this round.
            let mut options = best.options;
            let known = options.set_all(&candidate).is_ok();
            let grown = options.fields().iter().zip(best.options.fields()).any(|(a, b)| a.1 > b.1);
            if !known || grown || options == best.options {
                continue;
            }
            if let Err(smaller) = run(best.seed, &options)
                && smaller.violation.checker == best.violation.checker
            {
                best = *smaller;
            }
        }
        if best.options == before {
            return best;
        }
    }
}

fn candidates(options: &Options) -> Vec<String> {
    let value = |name: &str| options.fields().into_iter().find(|(n, _)| *n == name).map_or(0, |(_, v)| v);
    let off = FAULTS.iter().filter(|name| value(name) > 0).map(|name| format!("{name}=0"));
    let smaller = SIZES.iter().flat_map(|&(name, least)| {
        let now = value(name);
        let steps = [least, now / 4, now / 2, now * 3 / 4, now.saturating_sub(1)];
        steps.into_iter().filter(move |&n| n >= least && n < now).map(move |n| format!("{name}={n}"))
    });
    off.chain(smaller).collect()
}
