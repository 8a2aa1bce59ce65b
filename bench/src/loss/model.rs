//! What each cycle wrote, so that every cut that is exposed can be checked.
//!
//! Contract: a cut is whole when every line that was written since the cut before holds its newest value that is not newer than
//! the cut. (The other lines are the simulation's to compare.)

use super::case::{Case, LINES, Where};
use mirror_core::LINE;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Cycles that are remembered.
const REMEMBERED: usize = 512;

/// The steps of a run.
#[derive(Debug)]
pub struct Model {
    rng: ChaCha8Rng,
    place: Where,
    count: usize,
    steps: VecDeque<(u64, Vec<u32>)>,
    /// By line, the last draw or check that met it.
    met: Vec<u64>,
    draws: u64,
}

impl Model {
    /// For this case.
    #[must_use]
    pub fn new(case: &Case, seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            place: case.place,
            count: case.lines(),
            steps: VecDeque::new(),
            // One more, so that every line has a next one.
            met: vec![0; LINES + 1],
            draws: 0,
        }
    }

    /// Runs the step of `cycle` on `state`, and tells `mark` each line that it wrote.
    pub fn step(&mut self, cycle: u64, state: &mut [u8], mut mark: impl FnMut(usize)) {
        let mut lines = match self.steps.len() {
            REMEMBERED => self.steps.pop_front().map(|step| step.1).unwrap_or_default(),
            _ => Vec::with_capacity(self.count),
        };
        lines.clear();
        self.draws += 1;
        while lines.len() < self.count {
            let line = match self.place {
                Where::Hot => lines.len(),
                Where::Random => self.rng.random_range(0..LINES),
            };
            if self.place == Where::Random {
                // No two side by side: each is a run of its own, so a frame holds the same number each cycle.
                let around = [line.saturating_sub(1), line, line + 1];
                if around.iter().any(|&line| self.met[line] == self.draws) {
                    continue;
                }
                self.met[line] = self.draws;
            }
            lines.push(line as u32);
        }
        for &line in &lines {
            let line = line as usize;
            state[line * LINE..][..8].copy_from_slice(&value(cycle, line));
            mark(line);
        }
        self.steps.push_back((cycle, lines));
    }

    /// Whether `state`, held at `cycle`, has what the cycles after `from` wrote, and nothing newer.
    pub fn is_whole(&mut self, from: u64, cycle: u64, state: &[u8]) -> bool {
        self.draws += 1;
        let newest_first = self.steps.iter().rev().skip_while(|step| step.0 > cycle);
        for (written, lines) in newest_first.take_while(|step| step.0 > from) {
            for &line in lines {
                let line = line as usize;
                if self.met[line] != self.draws && state[line * LINE..][..8] != value(*written, line) {
                    return false;
                }
                self.met[line] = self.draws;
            }
        }
        true
    }
}

fn value(cycle: u64, line: usize) -> [u8; 8] {
    ((cycle << 20 | line as u64) ^ 0x9E37_79B9_7F4A_7C15).to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::weather::CALM;

    #[test]
    fn a_mixture_is_no_whole_cut() {
        for place in [Where::Random, Where::Hot] {
            let case = Case { size: crate::loss::case::Size::Frames(2), place, weather: CALM };
            let mut model = Model::new(&case, 1);
            let mut state = vec![0; LINES * LINE];
            let mut written = vec![];
            for cycle in 1..=3 {
                written.clear();
                model.step(cycle, &mut state, |line| written.push(line));
                assert_eq!(written.len(), case.lines());
                assert!(model.is_whole(0, cycle, &state));
            }
            state[written[1] * LINE] ^= 1;
            assert!(!model.is_whole(0, 3, &state), "a line is older or newer than it should be");
        }
    }
}
