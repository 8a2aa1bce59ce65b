//! What alters a standby's memory behind its back is found within the bound that the standby gives, and repaired.

use super::{Check, ensure};
use crate::sim::history::Entry;
use crate::sim::node::Running;
use mirror_core::region::Counter;
use mirror_core::wire::SyncState;
use mirror_core::{Cut, LINE};

const NAME: &str = "rot";

/// A line of a standby that is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoiled {
    /// Whose.
    pub place: usize,
    /// Which.
    pub line: usize,
    /// The cut held then.
    pub cut: Cut,
    /// It is a line of that very cycle, as if its record had been spoiled before it was applied.
    pub fresh: bool,
    /// Differences found and repaired before.
    pub before: [u64; 2],
}

/// Differences found, and repaired.
#[must_use]
pub fn counts(node: &Running) -> [u64; 2] {
    [Counter::DifferencesFound, Counter::DifferencesRepaired].map(|counter| node.region.counter(counter))
}

impl Spoiled {
    /// Looks at the node, which is to hold `entry`. Says whether the line is right again.
    ///
    /// # Errors
    /// The node says that the line is proven, or has it gone although it was found and not repaired; or a difference was found
    /// where there is none.
    pub fn look(&self, node: &Running, entry: &Entry) -> Result<bool, super::Violation> {
        let Self { place, line, cut, fresh, before } = *self;
        let id = place + 1;
        let bytes = line * LINE..(line + 1) * LINE;
        let differs = |copy: &[u8]| copy[bytes.clone()] != entry.bytes[bytes.clone()];
        let settled = node.is_settled();
        let spoiled = differs(node.region.image()) || settled && differs(node.region.live());
        let [found, repaired] = [counts(node)[0] - before[0], counts(node)[1] - before[1]];
        ensure(found <= 1 && repaired <= found, NAME, || {
            format!("node {id} found {found} differences and repaired {repaired}, there was one")
        })?;
        if found > 0 && repaired == 0 {
            ensure(node.member.state() == SyncState::Joining, NAME, || {
                format!("node {id} found line {line} different and is {}", node.member.state())
            })?;
            return Ok(false);
        }
        if !spoiled {
            return Ok(settled);
        }
        ensure(repaired == 0, NAME, || format!("node {id} says that it repaired line {line}, and did not"))?;
        let held = node.region.cut();
        let proven = node.member.proven(&node.region).map(|proof| held.cycle - proof.cycles);
        ensure(proven.is_none_or(|proven| proven <= cut.cycle), NAME, || {
            format!("node {id} says that all is proven as of {proven:?}, line {line} was altered at {cut}")
        })?;
        ensure(!fresh || held.cycle <= cut.cycle + 1, NAME, || {
            format!("node {id} holds {held}, and has not found that line {line} of {cut} was spoiled")
        })?;
        Ok(false)
    }
}

/// A line that was altered at `spoiled.cut` is right again by now, `cycle`, if that is a lap of `slices` later.
///
/// # Errors
/// It is not.
pub fn in_time(spoiled: &Spoiled, cycle: u64, slices: u64) -> Check {
    let Spoiled { place, line, cut, .. } = spoiled;
    ensure(cycle <= cut.cycle + slices + 2, NAME, || {
        format!("node {} has not found by {cycle} that line {line} was altered at {cut}", place + 1)
    })
}
