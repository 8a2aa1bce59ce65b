//! Everything that a run can be told, in one struct of numbers.
//!
//! Contract: [`Options::from_seed`] draws a configuration in which most faults are absent and few are strong (a swarm), so
//! that every seed explores a corner of its own. Times are in nanoseconds, chances in parts per million. Displayed as
//! `name=value,..`, which [`Options::set_all`] reads back.

use super::rng::Rng;
use mirror_core::Run;
use mirror_core::wire::frames_needed;
use std::fmt;

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The options of a run.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Options { $($(#[$doc])* pub $name: u64,)* }

        impl Options {
            /// Names and values.
            #[must_use]
            pub fn fields(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            fn set(&mut self, name: &str, value: u64) -> bool {
                match name {
                    $(stringify!($name) => self.$name = value,)*
                    _ => return false,
                }
                true
            }
        }
    };
}

options! {
    /// Nodes, 2 to 5.
    nodes,
    /// Lines of the region.
    lines,
    /// Bytes that the state is short of whole lines.
    tail,
    /// Periods with faults; quiet ones follow.
    cycles,
    /// Period of the control loop.
    period,
    /// After so many periods without a primary the first in rank takes over.
    silence,
    /// For so many periods a starting node listens.
    patience,
    /// Periods between two status frames.
    status_every,
    /// Bytes of a frame.
    frame,
    /// 1: `Marked` finds what changed, 0: `Diff` does.
    marked,
    /// Records of the region: cycles that can be sent again.
    records,
    /// Cycles that a leader may know of and lack.
    max_age,
    /// Frames of a cycle that a commit sends at most.
    send,
    /// 1: cycles of several frames are followed by their parity.
    parity,
    /// 1: lines of earlier cycles ride along.
    repeats,
    /// What a cycle writes: see [`Dirty`].
    dirty,
    /// Lines that a cycle writes at most, in the kinds `Few` and `Bursts`.
    dirty_lines,
    /// Least time from one node to another.
    latency,
    /// Most time on top of it.
    jitter,
    /// A node looks at its inbox this long after a frame came at the latest.
    wake,
    /// Frames that a node takes at most before it looks at its clock.
    listen,
    /// Time that a node takes for these.
    turn,
    /// Frames that wait for a node at most.
    inbox,
    /// How much clocks run apart, at most.
    drift_ppm,
    /// Frames lost.
    loss_ppm,
    /// Frames that begin a burst of losses.
    burst_ppm,
    /// Frames in such a burst, at most.
    burst_frames,
    /// Frames that come twice.
    double_ppm,
    /// Frames that come again much later.
    again_ppm,
    /// Frames that are late.
    late_ppm,
    /// How late they, and those that come again, can be, in periods.
    late_periods,
    /// Frames damaged.
    damage_ppm,
    /// Frames cut short.
    truncate_ppm,
    /// Frames that the sender's link does not take, by commit.
    refuse_ppm,
    /// Partitions, by period.
    partition_ppm,
    /// Of these, those in one direction only.
    one_way_ppm,
    /// Periods that one lasts at most.
    partition_periods,
    /// Crashes, by node and period, between cycles.
    crash_ppm,
    /// Crashes in the middle of a cycle, by commit.
    crash_in_commit_ppm,
    /// Crashes that lose the memory.
    host_crash_ppm,
    /// Crashes after which the memory is of another boot.
    reboot_ppm,
    /// Periods until a crashed node is back at most.
    restart_periods,
    /// Stalls, by node and period.
    stall_ppm,
    /// Stalls between step and commit, by commit.
    stall_in_cycle_ppm,
    /// Periods that one lasts at most.
    stall_periods,
    /// Cycles given up.
    abandon_ppm,
    /// Frames of strangers, by period.
    stranger_ppm,
    /// Another process reads the region, by cut.
    read_ppm,
    /// Times that a standby's memory is altered behind its back, one after the other, when the faults are over.
    rots,
    /// Observers, 0 to 2.
    observers,
}

/// What a cycle writes, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dirty {
    /// Nothing, but for a line now and then.
    Hardly,
    /// Some lines.
    Few,
    /// Every line.
    All,
    /// Mostly nothing, sometimes a run of lines.
    Bursts,
}

/// Work of a run, in lines times cycles, that keeps it at milliseconds.
const MOST_WORK: u64 = 60_000;

impl Options {
    /// The configuration of this seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::fork(seed, "options", 0);
        let r = &mut rng;
        let lines = match r.below(20) {
            0 => r.range(300, 2000),
            1..5 => r.range(40, 300),
            _ => r.log_range(1, 40),
        };
        let silence = r.range(3, 10);
        let mut o = Self {
            nodes: r.pick(&[2, 2, 2, 3, 3, 3, 4, 5]),
            lines,
            tail: if r.chance(500_000) { r.below(64) } else { 0 },
            cycles: r.range(40, 400).min((MOST_WORK / lines).max(20)),
            period: r.pick(&[100_000, 1_000_000, 10_000_000]),
            silence,
            patience: silence * r.range(2, 4),
            status_every: r.range(2, 20),
            frame: r.pick(&[512, 600, 1472, 1472, 9000]),
            marked: r.below(2),
            records: 2 + r.below(7),
            max_age: r.below(3),
            parity: r.below(2),
            repeats: r.below(2),
            send: r.pick(&[1_000_000, 1_000_000, 1_000_000, 20, 5, 2]),
            dirty: r.pick(&[0, 1, 1, 1, 2, 3, 3]),
            dirty_lines: r.log_range(1, lines),
            inbox: 4096,
            listen: 256,
            read_ppm: r.pick(&[0, 200_000, 1_000_000]),
            ..Self::default()
        };
        // A node can hear a whole region in an eighth of a period, and its inbox holds one.
        let frames = o.full_frames() + 2 * o.nodes;
        o.turn = o.period / (8 * frames);
        if r.chance(200_000) {
            o.listen = r.range(1, 8);
        }
        if r.chance(300_000) {
            o.inbox = frames + r.range(0, 8);
        }
        o.latency = r.range(1, o.period / 4);
        o.jitter = r.log_range(0, o.period / 4);
        o.wake = r.log_range(0, o.period / 8);
        o.drift_ppm = if r.chance(500_000) { r.range(0, 10_000) } else { 0 };
        o.draw_network(r);
        o.draw_nodes(r);
        o.observers = Rng::fork(seed, "observers", 0).pick(&[0, 1, 2]);
        // What is altered at a standby may reach an observer before it is found: nothing to check it by.
        if o.observers == 0 {
            o.draw_rot(&mut Rng::fork(seed, "rot", 0));
        }
        o
    }

    /// In one run of eight, if a lap of the slices is not much longer than the run.
    fn draw_rot(&mut self, r: &mut Rng) {
        let short = self.lines <= 100 && self.full_frames().div_ceil(self.send) <= 4;
        self.rots = if r.chance(125_000) && short { r.range(1, 4) } else { 0 };
    }

    fn draw_network(&mut self, r: &mut Rng) {
        let mut some = |low, high| if r.chance(250_000) { r.log_range(low, high) } else { 0 };
        self.loss_ppm = some(100, 200_000);
        self.burst_ppm = some(100, 20_000);
        self.double_ppm = some(1000, 300_000);
        self.again_ppm = some(1000, 200_000);
        self.late_ppm = some(1000, 100_000);
        self.damage_ppm = some(1000, 100_000);
        self.truncate_ppm = some(1000, 100_000);
        self.refuse_ppm = some(1000, 100_000);
        self.partition_ppm = some(1000, 50_000);
        self.stranger_ppm = some(10_000, 1_000_000);
        self.burst_frames = r.range(2, 30);
        self.late_periods = r.log_range(1, 100);
        self.one_way_ppm = r.pick(&[0, 500_000, 1_000_000]);
        self.partition_periods = r.log_range(1, 40);
    }

    fn draw_nodes(&mut self, r: &mut Rng) {
        let mut some = |low, high| if r.chance(300_000) { r.log_range(low, high) } else { 0 };
        self.crash_ppm = some(1000, 20_000);
        self.crash_in_commit_ppm = some(2000, 50_000);
        self.stall_ppm = some(1000, 30_000);
        self.stall_in_cycle_ppm = some(1000, 30_000);
        self.abandon_ppm = some(10_000, 300_000);
        self.host_crash_ppm = r.pick(&[0, 0, 300_000, 1_000_000]);
        self.reboot_ppm = r.pick(&[0, 0, 0, 200_000]);
        self.restart_periods = r.log_range(1, 60);
        self.stall_periods = r.log_range(1, 40);
    }

    /// Frames that carry the whole region.
    #[must_use]
    pub fn full_frames(&self) -> u64 {
        frames_needed(&[Run { start: 0, count: self.lines as u32 }], self.frame as usize).into()
    }

    /// What a cycle writes.
    #[must_use]
    pub fn dirty(&self) -> Dirty {
        match self.dirty {
            0 => Dirty::Hardly,
            1 => Dirty::Few,
            2 => Dirty::All,
            _ => Dirty::Bursts,
        }
    }

    /// Size of the state.
    #[must_use]
    pub fn state_bytes(&self) -> usize {
        (self.lines * 64 - self.tail.min(63)) as usize
    }

    /// Changes options by `name=value,..`.
    ///
    /// # Errors
    /// The part that is not an option with a number.
    pub fn set_all(&mut self, text: &str) -> Result<(), String> {
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let known = part
                .split_once('=')
                .and_then(|(name, value)| Some((name, value.parse().ok()?)))
                .is_some_and(|(name, value)| self.set(name, value));
            if !known {
                return Err(format!("`{part}` is not an option with a number"));
            }
        }
        Ok(())
    }

    /// What differs from `other`, as [`set_all`](Self::set_all) reads it.
    #[must_use]
    pub fn difference(&self, other: &Self) -> String {
        let pairs = self.fields().into_iter().zip(other.fields());
        let parts = pairs.filter(|(a, b)| a != b).map(|((name, value), _)| format!("{name}={value}"));
        parts.collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.difference(&Self { nodes: u64::MAX, ..Self::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn what_is_shown_can_be_read_back() {
        for seed in 0..200 {
            let options = Options::from_seed(seed);
            let mut again = Options::default();
            again.set_all(&options.to_string()).unwrap();
            assert_eq!(again, options);
        }
        assert!(Options::default().set_all("nodes=2,what=3").is_err());
    }
}
