//! Every frame that a member was given is counted as heard, and under exactly one outcome.

use super::{Check, ensure};
use crate::sim::node::Running;
use mirror_core::region::Counter;

/// `given`: frames given to the members on this memory.
///
/// # Errors
/// The counters do not add up.
pub fn balanced(node: &Running, place: usize, given: u64) -> Check {
    let (heard, outcomes) = (node.region.counter(Counter::FramesHeard), node.sum(Counter::OUTCOMES));
    ensure(heard == given && outcomes == given, "accounting", || {
        format!("node {} was given {given} frames, counts {heard} heard and {outcomes} outcomes", place + 1)
    })
}
