//! The Gate: what stands beside the actuator and refuses any output older than the newest it has seen.
//!
//! Authority is not effect: an output may leave an old primary just before it is stopped and arrive after its
//! successor's. Only the receiver can tell, and this is all it needs: two numbers, compared as a pair.

use crate::Cut;
use bytemuck::{Pod, Zeroable};

/// What an output carries: the cut that it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
#[repr(transparent)]
pub struct Token(pub Cut);

/// One decision of the Gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// When, in the caller's clock.
    pub at: u64,
    /// What came.
    pub token: Token,
    /// The newest seen before it.
    pub newest: Token,
}

impl Decision {
    /// Whether the output may act.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.token >= self.newest
    }
}

/// How many decisions the Gate's own log keeps.
pub const LOG: usize = 64;

/// Refuses outputs older than the newest seen, and logs every decision. No allocation, no clock; one thread.
#[derive(Clone, Debug)]
pub struct Gate {
    newest: Token,
    log: [Decision; LOG],
    decided: u64,
    refused: u64,
}

impl Default for Gate {
    fn default() -> Self {
        Self { newest: Token::default(), log: [Decision::default(); LOG], decided: 0, refused: 0 }
    }
}

impl Gate {
    /// Whether an output with this token may act. The same token twice may: outputs are states, not pulses.
    #[must_use]
    pub fn check(&mut self, token: Token, at: u64) -> bool {
        let decision = Decision { at, token, newest: self.newest };
        self.log[(self.decided % LOG as u64) as usize] = decision;
        self.decided += 1;
        self.newest = self.newest.max(token);
        self.refused += u64::from(!decision.accepted());
        decision.accepted()
    }

    /// The newest token seen.
    #[must_use]
    pub fn newest(&self) -> Token {
        self.newest
    }

    /// Decisions taken, and how many of them were refusals.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.decided, self.refused)
    }

    /// The last decisions, oldest first.
    pub fn log(&self) -> impl Iterator<Item = &Decision> {
        let kept = self.decided.min(LOG as u64);
        (self.decided - kept..self.decided).map(|i| &self.log[(i % LOG as u64) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;

    fn token(counter: u32, cycle: u64) -> Token {
        Token(Cut { epoch: Epoch::new(counter, 1, 0), cycle })
    }

    #[test]
    fn an_older_epoch_never_passes_whatever_its_cycle() {
        let mut gate = Gate::default();
        assert!(gate.check(token(1, 10), 0));
        assert!(gate.check(token(1, 10), 1));
        assert!(!gate.check(token(1, 9), 2));
        assert!(gate.check(token(2, 9), 3));
        assert!(!gate.check(token(1, 999), 4));
        assert_eq!(gate.counts(), (5, 2));
        assert_eq!(gate.newest(), token(2, 9));
        assert_eq!(
            gate.log().filter(|d| !d.accepted()).map(|d| d.at).collect::<alloc::vec::Vec<_>>(),
            [2, 4]
        );
    }

    #[test]
    fn the_log_keeps_the_newest() {
        let mut gate = Gate::default();
        for i in 0..200 {
            assert!(gate.check(token(1, i), i));
        }
        assert_eq!(
            gate.log().map(|d| d.at).collect::<alloc::vec::Vec<_>>(),
            (136..200).collect::<alloc::vec::Vec<_>>()
        );
    }
}
