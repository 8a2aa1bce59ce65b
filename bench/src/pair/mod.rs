//! Two processes on `lo`, a primary and a standby, each on a core of its own: what the benchmarks of recovery share.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`second`] | the second process, and the line to it |
//! | [`setup`] | how the nodes are configured; the budget enters here |
//! | [`node`] | a node of any size of state |
//! | [`lead`] | leading cycles, and what their commits took |
//! | [`follow`] | a second process that does nothing but follow, well or badly |

pub mod follow;
pub mod lead;
pub mod node;
pub mod second;
pub mod setup;

use crate::machine::{self, Machine};
use serde_json::{Value, json};

/// Takes the core and the priority of the primary. Call it after the second process was started, which would inherit the one
/// core. Gives facts for the report and settings.
#[must_use]
pub fn settle(mut facts: Machine) -> (Machine, Value) {
    let pinned = machine::pin(0).is_some();
    let priority = machine::go_first();
    facts.clock_ns = machine::clock_cost();
    let settings = json!({
        "period_us": setup::PERIOD / 1000, "interface": "lo", "wait": "spin", "pinned": pinned, "priority": priority,
    });
    (facts, settings)
}

/// As [`settle`], for the second process; the kernel kills it when the first ends.
pub fn settle_second() {
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    machine::pin(1);
    machine::go_first();
}
