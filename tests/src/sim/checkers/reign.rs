//! One primary per epoch; none beyond its fence; no accusation by who was itself stalled; control time only grows.

use super::{Check, ensure};
use crate::sim::clock::Nanos;
use mirror_core::{Cut, Epoch};
use std::collections::BTreeMap;

const NAME: &str = "reign";

/// Who leads under which epoch.
#[derive(Debug, Default)]
pub struct Reigns {
    owners: BTreeMap<Epoch, (usize, Cut)>,
}

impl Reigns {
    /// Node `place` takes over, `listened` after it was last absent. `silence` is what T1 asks for.
    ///
    /// # Errors
    /// It was absent, or the epoch is another's.
    pub fn began(
        &mut self,
        place: usize,
        (epoch, base): (Epoch, Cut),
        (listened, silence): (Nanos, Nanos),
    ) -> Check {
        let id = place + 1;
        ensure(listened >= silence, NAME, || {
            format!("node {id} was itself stalled and accused {listened} ns later, {silence} are asked for")
        })?;
        ensure(self.owners.insert(epoch, (place, base)).is_none(), NAME, || {
            format!("node {id} leads under {epoch}, under which there was a reign before")
        })
    }

    /// Node `place`, which knows of epoch `seen`, commits `cut`; control time goes from `before` to `plant`.
    ///
    /// # Errors
    /// The epoch is not its own, or not the newest that it knows of.
    pub fn commits(&self, place: usize, cut: Cut, seen: Epoch, (before, plant): (u64, u64)) -> Check {
        let id = place + 1;
        ensure(self.owners.get(&cut.epoch).is_some_and(|owner| owner.0 == place), NAME, || {
            format!("node {id} commits {cut}, an epoch that it does not lead")
        })?;
        ensure(cut.epoch == seen, NAME, || format!("node {id} commits {cut} although it knows of {seen}"))?;
        ensure(plant > before, NAME, || {
            format!("node {id} commits {cut}: control time from {before} to {plant}")
        })
    }

    /// A primary that committed nothing for `quiet` may have been succeeded: it does not act.
    ///
    /// # Errors
    /// It says that it may.
    pub fn acts(place: usize, may_act: bool, quiet: Nanos, silence: Nanos) -> Check {
        ensure(!may_act || quiet < silence, NAME, || {
            format!(
                "node {} may act after {quiet} ns without a word, {silence} are enough to be succeeded",
                place + 1
            )
        })
    }
}
