//! When the faults are over there is exactly one primary, and everybody else is hot and in step with it.

use super::{Check, Violation};
use crate::sim::node::Node;
use mirror_core::wire::SyncState;

/// Whether everybody is in step: at most `lag` cycles behind.
///
/// # Errors
/// Who is not.
pub fn in_step(nodes: &[Node], lag: u64) -> Check {
    let broken = |what| Err(Violation { checker: "convergence", what });
    let mut states = vec![];
    for node in nodes {
        match &node.up {
            Some(up) => states.push((node.place, up.member.state(), up.region.cut())),
            None => return broken(format!("node {} does not run", node.place + 1)),
        }
    }
    let primaries: Vec<_> = states.iter().filter(|(_, state, _)| *state == SyncState::Primary).collect();
    let [(_, _, lead)] = primaries[..] else {
        return broken(format!("{} primaries: {}", primaries.len(), show(&states)));
    };
    let follows = |(_, state, cut): &(usize, SyncState, mirror_core::Cut)| match state {
        SyncState::Primary => true,
        SyncState::Hot => cut.epoch == lead.epoch && cut.cycle + lag >= lead.cycle,
        SyncState::Cold | SyncState::Joining => false,
    };
    if states.iter().all(follows) { Ok(()) } else { broken(format!("not in step: {}", show(&states))) }
}

fn show(states: &[(usize, SyncState, mirror_core::Cut)]) -> String {
    let one = |(place, state, cut): &(usize, SyncState, mirror_core::Cut)| {
        format!("node {} is {state} at {cut}", place + 1)
    };
    states.iter().map(one).collect::<Vec<_>>().join(", ")
}
