//! Failures without processes: the real plant beside its twin, tick by tick, with the controller taken away for some ticks.
//!
//! Hot: the outputs are held for N ticks, then the last state carries on with dt = N + 1 periods. Cold: they are held for N
//! ticks, then a blank state starts.

use super::state::DemoState;
use super::world::{Bump, Twin, World};
use super::{PERIOD_NS, control};

/// Who takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A standby with the state of the last cycle.
    Hot,
    /// A standby one cycle older than the outputs the plant holds.
    Older,
    /// A fresh process.
    Cold,
    /// Nobody.
    Nobody,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The largest deviations from the twin.
    pub bump: Bump,
    /// The tick after the failure at which the axis was lost.
    pub lost: Option<u64>,
}

/// A failure at the twin's tick: `missed` ticks without a controller, then `kind`, watched for `watch` ticks in all.
#[must_use]
pub fn failure(twin: &Twin, missed: u64, kind: Kind, watch: u64) -> Outcome {
    let mut twin = twin.clone();
    let mut state = twin.state.clone();
    let mut due = missed + 1;
    if kind == Kind::Older {
        // The plant has the outputs of the cycle that the standby never saw.
        twin.step();
        due += 1;
    }
    let mut world = twin.world.clone();
    let mut held = twin.state.out;
    if kind == Kind::Cold {
        (*state, due) = (DemoState::cold(), 1);
    }
    let mut outcome = Outcome { bump: Bump::default(), lost: None };
    for tick in 0..watch {
        let inp = world.sense(twin.tick);
        world.step(&held);
        if tick >= missed && kind != Kind::Nobody {
            state.inp = inp;
            control::advance(&mut state, due * PERIOD_NS);
            due = 1;
            held = state.out;
        }
        twin.step();
        note(&mut outcome, tick, &world, &twin);
    }
    outcome
}

fn note(outcome: &mut Outcome, tick: u64, world: &World, twin: &Twin) {
    outcome.bump = outcome.bump.or(Bump::between(world, &twin.world));
    if outcome.lost.is_none() && world.axis().lost() {
        outcome.lost = Some(tick + 1);
    }
}

#[cfg(test)]
#[path = "offline_tests.rs"]
mod tests;
