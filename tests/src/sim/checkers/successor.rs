//! The successor stands on a committed cut, of a reign that ended, and not far behind its end.

use super::{Check, ensure};
use crate::sim::clock::Nanos;
use crate::sim::history::{Entry, History};
use mirror_core::takeover::{Cause, Takeover};
use mirror_core::wire::SyncState;
use mirror_core::{Cut, Epoch};

const NAME: &str = "successor";

/// What was known of the successor when it took over.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Who.
    pub place: usize,
    /// What it says.
    pub takeover: &'a Takeover,
    /// The newest epoch that it had heard of.
    pub seen: Epoch,
    /// What it was.
    pub state: SyncState,
    /// When a frame to it was last lost or late.
    pub disturbed: Nanos,
    /// What was sent before then has reached it, if it was not lost.
    pub reached: Nanos,
    /// The newest cycle of which a sound frame was given to it.
    pub newest: Cut,
}

/// `max_age`: how many cycles it may know of and lack, the newest not counted. `behind`: how many cycles the successor may be behind if no frame to it was lost; `down`: whether a node does not run.
///
/// # Errors
/// What was wrong.
pub fn took_over(
    history: &History,
    claim: &Claim<'_>,
    (max_age, behind): (u64, u64),
    down: impl Fn(usize) -> bool,
) -> Check {
    let Claim { place, takeover, seen, state, disturbed, reached, newest } = *claim;
    let (id, cut) = (place + 1, takeover.cut);
    let Some(base) = history.get(cut) else {
        return ensure(false, NAME, || format!("node {id} succeeds from {cut}, which nobody committed"));
    };
    ensure(takeover.epoch > cut.epoch && takeover.epoch > seen, NAME, || {
        format!("node {id} leads under {}, it knew of {seen} and held {cut}", takeover.epoch)
    })?;
    ensure(takeover.cause == Cause::Start || state == SyncState::Hot, NAME, || {
        format!("node {id} succeeds from {cut}, and was {state}")
    })?;
    let lacks = newest.epoch == cut.epoch && newest.cycle > cut.cycle + 1 + max_age;
    ensure(takeover.cause == Cause::Start || !lacks, NAME, || {
        format!("node {id} succeeds from {cut}, and had heard of {newest}")
    })?;
    // It has followed that reign, and nothing newer, from this cut on without a loss, and the primary is dead.
    let knows = takeover.cause == Cause::Silence && seen == cut.epoch && disturbed < base.at;
    let sent = |(_, entry): &(u64, &Entry)| entry.at <= reached;
    let Some((last, entry)) = history.reign(cut.epoch).rev().find(sent) else { return Ok(()) };
    if !knows || entry.by == place || !down(entry.by) {
        return Ok(());
    }
    ensure(last <= cut.cycle + behind, NAME, || {
        format!("node {id} lost no frame and succeeds from {cut}, the dead primary had committed {last}")
    })
}
