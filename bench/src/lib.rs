//! Benchmarks of Mirror: what a mirrored cycle costs, always beside a floor measured in the same run.
//!
//! Contract: nothing here asserts a time. What is compared is measured alternately in one run, and told as a ratio of
//! medians; README.md has the method. Workloads are deterministic, and every set of parameters also runs once as a
//! test, so that none can rot.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`workload`] | which lines a cycle changes, and to what |
//! | [`memory`] | regions and frames in plain memory, without a network |
//! | [`floor`] | what the capture is measured against: reading both copies and nothing else |
//! | [`bare`] | what a cycle is measured against: the same bytes through the same kind of socket and nothing else |
//! | [`micro`] | the single steps of a cycle, for criterion |
//! | [`capture`] | Diff beside its floor |
//! | [`cycle`] | commit at the primary to cut at the standby, beside its floor |
//! | [`loss`] | the same when frames are lost, in simulation and on sockets |
//! | [`join`], [`whole`], [`slow`] | a standby that joins; a whole region at once; a standby that is slow, stopped or gone |
//! | [`pair`] | what these share: two processes, nodes of any size |
//! | [`stats`] | medians and how sure they are |
//! | [`report`] | JSON, table and Markdown of a result |
//! | [`machine`] | facts, pinning, clock |

pub mod bare;
pub mod capture;
pub mod columns;
pub mod cycle;
pub mod error;
pub mod floor;
pub mod join;
pub mod loss;
pub mod machine;
pub mod memory;
pub mod micro;
pub mod pair;
pub mod report;
pub mod slow;
pub mod stats;
pub mod whole;
pub mod workload;
