//! Bare cycles on a small region, for a process that is run one instruction at a time, and their history.

use mirror_core::region::{CutInfo, Identity};
use mirror_core::track::Diff;
use mirror_core::{Cut, Epoch, LINE, Layout, Region};

use crate::plant::Tiny;
use bytemuck::Zeroable;

/// Cycles run between the two stops: one for each of the two places of a cut, and one that reuses the first.
pub const CYCLES: u64 = 3;

/// The owner; the layout is filled in by whoever needs it.
pub const WHO: Identity =
    Identity { layout: Layout::from_parts(0, 0, [0; 40]), group: 1, node: 1, process: 1, boot: 1 };

/// The lines that a cycle changes, by number.
pub type Lines = Vec<(u32, [u8; LINE])>;

/// What cycle `cycle` commits.
#[must_use]
pub fn info(cycle: u64) -> CutInfo {
    let cut = Cut { epoch: Epoch::new(1, 1, 1), cycle };
    CutInfo { cut, base: Cut::NONE, plant: cycle * 10, at: cycle * 100 }
}

/// A primary's cycle.
pub fn commit(region: &mut Region, tracker: &mut Diff, cycle: u64) {
    bytemuck::from_bytes_mut::<Tiny>(region.live_mut()).step(1);
    region.capture(tracker, cycle);
    region.seal(&info(cycle));
    region.settle(false);
}

/// A standby's cycle.
pub fn apply(region: &mut Region, lines: &Lines, cycle: u64) {
    let mut record = region.record(cycle);
    for (line, bytes) in lines {
        record.push(*line, bytes);
    }
    region.seal(&info(cycle));
    region.settle(true);
}

/// The state after cycle 0, 1, ... [`CYCLES`].
#[must_use]
pub fn history() -> Vec<Vec<u8>> {
    let mut plant = Tiny::zeroed();
    let mut states = vec![bytemuck::bytes_of(&plant).to_vec()];
    for _ in 0..CYCLES {
        plant.step(1);
        states.push(bytemuck::bytes_of(&plant).to_vec());
    }
    states
}

/// What each cycle changes.
#[must_use]
pub fn cycles() -> Vec<Lines> {
    let history = history();
    let changed = |pair: &[Vec<u8>]| {
        let lines = pair[0].chunks(LINE).zip(pair[1].chunks(LINE)).enumerate();
        lines
            .filter(|(_, (before, after))| before != after)
            .map(|(line, (_, after))| (line as u32, after.try_into().expect("whole lines")))
            .collect()
    };
    history.windows(2).map(changed).collect()
}

/// Lets the parent trace this process, and stops: what follows is run one instruction at a time.
pub fn trace_me() {
    // SAFETY: the request takes no further argument.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
    stop();
}

/// Stops: nothing further is of interest.
pub fn stop() {
    // SAFETY: no handler is installed for it, so nothing of this process runs.
    unsafe { libc::raise(libc::SIGSTOP) };
}
