//! Memory that something alters behind its owner's back.
//!
//! Contract: only a hot standby's, only when the faults are over, one line at a time: so whoever leads leads from what was committed, and
//! the history stays true. What a successor makes of memory that is not yet found out is the risk that the bound names.

use super::checkers::rot::{Spoiled, counts, in_time};
use super::checkers::{Check, Violation};
use super::cluster::Cluster;
use super::rng::Rng;
use mirror_core::wire::SyncState;
use mirror_core::{Cut, LINE};

/// What is altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Image,
    Live,
    Both,
    /// Both, of a line of the cycle that was just applied: as if its record had been spoiled before.
    Fresh,
}

/// What is altered next, and what is.
#[derive(Debug)]
pub(super) struct Rot {
    rng: Rng,
    wanted: Option<Kind>,
    spoiled: Option<Spoiled>,
}

impl Rot {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: Rng::fork(seed, "spoil", 0), wanted: None, spoiled: None }
    }

    /// The line of node `place` that is altered.
    pub(super) fn line(&self, place: usize) -> Option<usize> {
        self.spoiled.filter(|spoiled| spoiled.place == place).map(|spoiled| spoiled.line)
    }
}

impl Cluster {
    /// Alters a line of the standby that exposes a cut next, and runs until it is right again.
    ///
    /// # Errors
    /// The promise that was broken: that it is, within the bound.
    pub fn rot(&mut self) -> Check {
        self.rot.wanted = Some(self.rot.rng.pick(&[Kind::Image, Kind::Live, Kind::Both, Kind::Fresh]));
        let o = self.options;
        // A step that changes a line comes one day; then a lap, of cycles that may leave in several commits, and a sweep.
        let patience = (200 + 8 * o.lines) * o.full_frames().div_ceil(o.send) * o.period;
        let until = self.now + patience + 3 * self.expect.settle;
        while self.rot.wanted.is_some() || self.rot.spoiled.is_some() {
            if self.now >= until {
                let what = format!("{:?} is not right again", self.rot);
                return Err(Violation { checker: "rot", what });
            }
            self.run(self.now + o.period, u64::MAX)?;
        }
        Ok(())
    }

    /// Node `place` went from `held` to a new cut, and has not looked at it yet.
    pub(super) fn spoil(&mut self, place: usize, held: Cut) {
        let (Some(kind), node) = (self.rot.wanted, &mut self.nodes[place]) else { return };
        let Some(up) = &node.up else { return };
        let cut = up.region.cut();
        let follows = Cut { cycle: held.cycle + 1, ..held } == cut;
        if !follows || up.member.state() != SyncState::Hot {
            return;
        }
        let line = match (kind, self.history.get(held), self.history.get(cut)) {
            (Kind::Fresh, Some(before), Some(after)) => {
                let lines = before.bytes.chunks(LINE).zip(after.bytes.chunks(LINE)).enumerate();
                let changed: Vec<usize> = lines.filter(|(_, (a, b))| a != b).map(|(line, _)| line).collect();
                if changed.is_empty() {
                    return;
                }
                self.rot.rng.pick(&changed)
            }
            _ => self.rot.rng.below(self.options.lines) as usize,
        };
        let (map, before) = (*up.region.map(), counts(up));
        let at = line * LINE + self.rot.rng.below(LINE as u64) as usize;
        let bit = self.rot.rng.below(8) as u32;
        if kind != Kind::Live {
            node.alter(map.image + at, bit);
        }
        if kind != Kind::Image {
            node.alter(map.live + at, bit);
        }
        self.rot.wanted = None;
        self.rot.spoiled = Some(Spoiled { place, line, cut, fresh: kind == Kind::Fresh, before });
        self.stats.altered += 1;
        self.trace.note(
            self.now,
            [22, place as u64, at as u64, u64::from(bit)],
            format_args!("node {}: {kind:?}, bit {bit} of byte {at} flips", place + 1),
        );
    }

    /// Looks at the line of node `place` that is altered, if one is.
    pub(super) fn look_at_rot(&mut self, place: usize) -> Check {
        let Some(spoiled) = self.rot.spoiled.filter(|spoiled| spoiled.place == place) else { return Ok(()) };
        // The member leaves hot and is swept: nobody may expect it to be in step meanwhile.
        (self.peace.any, self.peace.outage) = (self.now, self.now);
        let Some(up) = &self.nodes[place].up else { return Ok(()) };
        let Some(entry) = self.history.get(up.region.cut()) else { return Ok(()) };
        if spoiled.look(up, entry)? {
            self.stats.repaired += counts(up)[1] - spoiled.before[1];
            self.rot.spoiled = None;
            return Ok(());
        }
        in_time(&spoiled, up.region.cut().cycle, self.options.lines.div_ceil(4))
    }
}
