//! The model: a plain byte vector for every cut ever committed.

use super::checkers::Violation;
use super::clock::Nanos;
use mirror_core::{Cut, Epoch, LINE};
use std::collections::BTreeMap;

/// One committed cut.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The region, whole lines.
    pub bytes: Vec<u8>,
    /// The cut that its reign began from.
    pub base: Cut,
    /// Control time.
    pub plant: u64,
    /// The node that committed it, by its place.
    pub by: usize,
    /// True time of the commit.
    pub at: Nanos,
}

/// Every cut, by its name.
#[derive(Debug)]
pub struct History(BTreeMap<Cut, Entry>);

impl History {
    /// Before the first commit.
    #[must_use]
    pub fn new(lines: u64) -> Self {
        let bytes = vec![0; lines as usize * LINE];
        let nothing = Entry { bytes, base: Cut::NONE, plant: 0, by: usize::MAX, at: 0 };
        Self(BTreeMap::from([(Cut::NONE, nothing)]))
    }

    /// What was committed as `cut`.
    #[must_use]
    pub fn get(&self, cut: Cut) -> Option<&Entry> {
        self.0.get(&cut)
    }

    /// Adds a commit.
    ///
    /// # Errors
    /// Cut unique: nothing else may ever have been committed under that name.
    pub fn commit(&mut self, cut: Cut, entry: Entry) -> Result<(), Violation> {
        match self.0.insert(cut, entry) {
            None => Ok(()),
            Some(before) => {
                let what = format!("{cut} was already committed by node {}", before.by + 1);
                Err(Violation { checker: "unique", what })
            }
        }
    }

    /// The commits of a reign, oldest first.
    pub fn reign(&self, epoch: Epoch) -> impl DoubleEndedIterator<Item = (u64, &Entry)> {
        let range = Cut { epoch, cycle: 0 }..=Cut { epoch, cycle: u64::MAX };
        self.0.range(range).map(|(cut, entry)| (cut.cycle, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_given_once() {
        let mut history = History::new(1);
        let cut = Cut { epoch: Epoch::new(1, 1, 1), cycle: 1 };
        let entry = Entry { bytes: vec![1; LINE], base: Cut::NONE, plant: 1, by: 0, at: 1 };
        assert_eq!(history.commit(cut, entry.clone()), Ok(()));
        assert!(history.commit(cut, entry).is_err_and(|v| v.checker == "unique"));
    }
}
