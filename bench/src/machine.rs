//! The machine: facts for the report, pinning, the clock, the same for all that is compared.

use mirror::clock;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

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

/// Goes before the neighbours on its core for as long as it lives, if it may.
#[derive(Debug)]
pub struct First {
    /// What was had, in words.
    pub how: &'static str,
}

const AUTOGROUP: &str = "/proc/self/autogroup";

impl First {
    /// Takes the highest priority of ordinary processes. (A real-time one would be throttled while it spins.)
    #[must_use]
    pub fn go() -> Self {
        let nice = rustix::process::setpriority_process(None::<Pid>, -20).is_ok();
        // Where sessions are scheduled as groups, a process's own value counts within its session only.
        let group = std::fs::write(AUTOGROUP, "-20").is_ok();
        let how = match (nice, group) {
            (true, true) => "nice -20, its session too",
            (true, false) => "nice -20",
            (false, _) => "default",
        };
        Self { how }
    }
}

impl Drop for First {
    fn drop(&mut self) {
        // The session's other processes had no part in this. A failure leaves it as it is.
        let _ = rustix::process::setpriority_process(None::<Pid>, 0);
        let _ = std::fs::write(AUTOGROUP, "0");
    }
}

/// The middle value; of none: the least.
pub fn median<T: Copy + PartialOrd + Default>(values: &mut [T]) -> T {
    values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied().unwrap_or_default()
}
