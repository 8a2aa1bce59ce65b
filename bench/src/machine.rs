//! The machine: facts for the report, pinning, the clock, the same for all that is compared.

use mirror::clock;
use rustix::process::{Pid, Signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;
use std::io;
use std::process::Command;

/// What a reader of the figures should know.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Runs under a hypervisor.
    pub virtual_machine: bool,
    /// Release of the kernel.
    pub kernel: String,
    /// The instructions that Diff uses here.
    pub diff: &'static str,
    /// Median cost of reading the clock.
    pub clock_ns: u64,
    /// Processes that wanted a core when the run began, averaged over a minute.
    pub load: f64,
}

/// Looks.
#[must_use]
pub fn facts() -> Machine {
    use mirror_core::Tracker;
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").trim().to_owned()
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Machine {
        cpu: field("model name"),
        cores: cores().len(),
        virtual_machine: field("flags").split(' ').any(|flag| flag == "hypervisor"),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        diff: mirror_core::track::Diff::new().name(),
        clock_ns: clock_cost(),
        load: load.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0),
    }
}

/// Median time between two readings of the clock one after the other, nanoseconds.
#[must_use]
pub fn clock_cost() -> u64 {
    let mut costs: Vec<u64> = (0..1001)
        .map(|_| {
            let t = clock::now();
            clock::now() - t
        })
        .collect();
    median(&mut costs)
}

/// The cores that this process may use.
#[must_use]
pub fn cores() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else { return vec![0] };
    (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect()
}

/// Pins this thread to the core for `side` (0: sends, 1: receives), where there are at least two. Says which.
///
/// The last two cores: interrupts tend to go to the first.
pub fn pin(side: usize) -> Option<usize> {
    let cores = cores();
    let core = *cores.get(cores.len().checked_sub(2)? + side)?;
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).ok().map(|()| core)
}

/// The cores that a process may use, kept from before it pinned itself.
#[derive(Debug)]
pub struct Affinity(CpuSet);

/// Those of this process.
///
/// # Errors
/// What the kernel says.
pub fn affinity() -> io::Result<Affinity> {
    Ok(Affinity(sched_getaffinity(None)?))
}

impl Affinity {
    /// Does something that must not inherit the pinning of this thread, such as starting a process.
    pub fn during<T>(&self, what: impl FnOnce() -> T) -> T {
        let pinned = sched_getaffinity(None).ok().filter(|_| sched_setaffinity(None, &self.0).is_ok());
        let done = what();
        if let Some(pinned) = pinned {
            // It was in force before.
            let _ = sched_setaffinity(None, &pinned);
        }
        done
    }
}

/// Set for a process that was started by [`in_own_session`].
const SESSION: &str = "MIRROR_BENCH_SESSION";

/// Lets this program run again, as the same command in a session of its own, and gives its exit status; or `None` in that
/// one. So the priority that [`go_first`] takes is that session's alone and ends with it.
///
/// # Errors
/// The program could not be started.
pub fn in_own_session() -> io::Result<Option<i32>> {
    if std::env::var_os(SESSION).is_some() {
        // It leaves the terminal's signals behind, so it ends with its parent.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        rustix::process::setsid()?;
        return Ok(None);
    }
    let program = std::env::current_exe()?;
    let status = Command::new(program).args(std::env::args_os().skip(1)).env(SESSION, "1").status()?;
    Ok(Some(status.code().unwrap_or(1)))
}

/// Takes the highest priority of ordinary processes (a real-time one would be throttled while it spins), for this
/// process and, if it leads one, for its session: where sessions are scheduled as groups, a process's own value counts
/// within its session only. Says what was had.
pub fn go_first() -> &'static str {
    let nice = rustix::process::setpriority_process(None::<Pid>, -20).is_ok();
    let leads = rustix::process::getsid(None).is_ok_and(|session| session == rustix::process::getpid());
    match (nice, leads && std::fs::write("/proc/self/autogroup", "-20").is_ok()) {
        (true, true) => "nice -20, its session too",
        (true, false) => "nice -20",
        (false, _) => "default",
    }
}

/// The middle value; of none: the least.
pub fn median<T: Copy + PartialOrd + Default>(values: &mut [T]) -> T {
    values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied().unwrap_or_default()
}
