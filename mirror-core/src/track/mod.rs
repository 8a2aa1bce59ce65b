//! Finding what changed: one small trait, several trackers behind it.
//!
//! Contract: `capture` takes every line whose bytes differ from the image and that the tracker can know of, each
//! once, in ascending order, and nothing outside the region. What a tracker cannot see is said in its own docs.

mod diff;
mod marked;

pub use diff::Diff;
pub use marked::Marked;

use crate::region::Recorder;

/// Finds the lines that a commit has to publish. Belongs to the loop's thread; never allocates after construction.
pub trait Tracker: Send {
    /// For people: `diff`, `marked`.
    fn name(&self) -> &'static str;

    /// The caller wrote `bytes` bytes from offset `at` on. What lies outside the region is ignored.
    fn mark(&mut self, at: usize, bytes: usize);

    /// Puts what changed into the record and begins anew. `live` and `image` have the same length, whole lines.
    fn capture(&mut self, live: &[u8], image: &[u8], record: &mut Recorder<'_>);

    /// Forgets all marks: live memory and image are equal again.
    fn reset(&mut self);
}
