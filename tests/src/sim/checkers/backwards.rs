//! Never backwards: the cuts that one memory holds only grow, and a restart finds what was sealed last.

use super::{Check, ensure};
use mirror_core::Cut;

const NAME: &str = "backwards";

/// What each memory holds.
#[derive(Debug)]
pub struct Backwards {
    held: Vec<Cut>,
}

impl Backwards {
    /// For so many nodes.
    #[must_use]
    pub fn new(nodes: u64) -> Self {
        Self { held: vec![Cut::NONE; nodes as usize] }
    }

    /// The memory of node `place` holds `cut` now.
    ///
    /// # Errors
    /// It held a greater one.
    pub fn exposed(&mut self, place: usize, cut: Cut) -> Check {
        let before = self.held[place];
        self.held[place] = cut;
        ensure(cut >= before, NAME, || format!("node {} went from {before} back to {cut}", place + 1))
    }

    /// The memory of node `place` is new, or of another boot.
    pub fn forget(&mut self, place: usize) {
        self.held[place] = Cut::NONE;
    }

    /// The process of node `place` is back and found `cut`.
    ///
    /// # Errors
    /// Something else was sealed last.
    pub fn restarted(&mut self, place: usize, cut: Cut) -> Check {
        let sealed = self.held[place];
        ensure(cut == sealed, NAME, || format!("node {} found {cut}, it had sealed {sealed}", place + 1))
    }
}
