//! A run from a seed: faults first, then quiet until everybody is in step.

use super::checkers::{Check, Violation};
use super::cluster::Cluster;
use super::expect::Expect;
use super::options::Options;
use super::trace::Trace;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// For so many periods in a row everybody must be in step at the end.
const IN_STEP: u64 = 12;

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened in a run, or in many.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats { $($(#[$doc])* pub $name: u64,)* }

        impl Stats {
            /// Adds another run's.
            pub fn add(&mut self, other: &Self) {
                $(self.$name = self.$name.wrapping_add(other.$name);)*
            }
        }

        impl fmt::Display for Stats {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let all = [$((stringify!($name), self.$name),)*];
                let words = all.iter().filter(|(name, _)| *name != "hash");
                let words: Vec<String> = words.map(|(name, n)| format!("{n} {name}")).collect();
                f.write_str(&words.join(", "))
            }
        }
    };
}

stats! {
    /// Periods of true time.
    periods,
    /// Cycles committed.
    commits,
    /// Commits that made no cut, because the last was still leaving.
    open,
    /// Cuts applied by standbys.
    cuts,
    /// Frames heard.
    heard,
    /// Reigns begun.
    takeovers,
    /// Reigns ended by a newer epoch.
    fenced,
    /// Crashes.
    crashes,
    /// Stalls.
    stalls,
    /// Frames that found an inbox full.
    overflows,
    /// Cuts exposed by observers.
    watched,
    /// Frames that standbys sent observers.
    served,
    /// Restarts of observers.
    reopened,
    /// Groups that all refused to lead and were started by an operator's word.
    operators,
    /// Lines of standbys altered behind their backs.
    altered,
    /// Of these, found by the standby and repaired; the others were overwritten before.
    repaired,
    /// Hash of the trace; of many runs, the sum.
    hash,
}

/// A broken promise, and how to see it again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The options, drawn from the seed or changed since.
    pub options: Options,
    /// When, in true time.
    pub at: u64,
    /// What.
    pub violation: Violation,
}

impl Failure {
    /// Arguments that replay it: `--seed N`, and the options that differ from the seed's own.
    #[must_use]
    pub fn replay(&self) -> String {
        let changed = self.options.difference(&Options::from_seed(self.seed));
        let with = if changed.is_empty() { String::new() } else { format!(" --with {changed}") };
        format!("--seed {}{with}", self.seed)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { checker, what } = &self.violation;
        write!(f, "seed {}: {checker}: {what} (at {} ns)", self.seed, self.at)?;
        write!(f, "\n  options: {}\n  replay: cargo xtask soak {}", self.options, self.replay())
    }
}

/// Runs a seed with its own options.
///
/// # Errors
/// The first promise that was broken.
pub fn run(seed: u64) -> Result<Stats, Box<Failure>> {
    run_with(seed, Options::from_seed(seed), Trace::default())
}

/// Runs a seed with other options, and with what is expected of them.
///
/// # Errors
/// As [`run`].
pub fn run_with(seed: u64, options: Options, trace: Trace) -> Result<Stats, Box<Failure>> {
    run_expecting(seed, options, Expect::records(&options), trace)
}

/// Runs a seed with other options and expectations.
///
/// # Errors
/// As [`run`].
pub fn run_expecting(
    seed: u64,
    options: Options,
    expect: Expect,
    trace: Trace,
) -> Result<Stats, Box<Failure>> {
    let mut cluster = Cluster::new(seed, options, expect, trace);
    let result = quietly(|| drive(&mut cluster));
    cluster.stats.hash = cluster.trace.hash();
    match result {
        Ok(()) => Ok(cluster.stats),
        Err(violation) => Err(Box::new(Failure { seed, options, at: cluster.now, violation })),
    }
}

fn drive(cluster: &mut Cluster) -> Check {
    cluster.run(cluster.options.cycles * cluster.options.period, u64::MAX)?;
    cluster.calm()?;
    let until = cluster.now + cluster.longest_way() + 3 * cluster.expect.settle + cluster.expect.watched;
    cluster.run(until, IN_STEP)?;
    cluster.in_step()?;
    cluster.watchers_in_step()?;
    for _ in 0..cluster.options.rots {
        cluster.rot()?;
        let until = cluster.now + 3 * cluster.expect.settle;
        cluster.run(until, IN_STEP)?;
        cluster.in_step()?;
    }
    Ok(())
}

thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });

/// A panic is a broken promise like any other, and is not printed.
fn quietly(run: impl FnOnce() -> Check) -> Check {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word");
        Err(Violation { checker: "panic", what: text.to_owned() })
    })
}
