//! What the step does: state as a function of (epoch, cycle, seed) and of the state before.
//!
//! Contract: the same step on the same bytes gives the same bytes, in a node's live memory and in the model. Every line
//! written carries an accumulation over what stood in it and in one other line, so a mixture of two cuts, once stepped
//! from, never looks right again.

use super::options::{Dirty, Options};
use super::rng::{Rng, mix};
use mirror_core::{Cut, LINE, Run};

/// The step of one cycle.
#[derive(Clone, Debug)]
pub struct Step {
    cut: Cut,
    /// Lines written, ascending, each once.
    lines: Vec<u32>,
}

impl Step {
    /// The step that makes `cut`.
    #[must_use]
    pub fn new(seed: u64, cut: Cut, options: &Options) -> Self {
        let mut rng = Rng::fork(seed ^ mix(cut.epoch.0), "step", cut.cycle);
        let all = options.lines;
        let most = options.dirty_lines.clamp(1, all);
        let mut lines: Vec<u32> = match options.dirty() {
            Dirty::Hardly if rng.chance(900_000) => vec![],
            Dirty::Hardly => vec![rng.below(all) as u32],
            Dirty::All => (0..all as u32).collect(),
            Dirty::Bursts if rng.chance(800_000) => vec![],
            Dirty::Bursts => {
                let count = rng.range(1, most);
                let start = rng.below(all - count + 1);
                (start as u32..(start + count) as u32).collect()
            }
            Dirty::Few => (0..rng.range(1, most)).map(|_| rng.below(all) as u32).collect(),
        };
        lines.sort_unstable();
        lines.dedup();
        Self { cut, lines }
    }

    /// Runs on `state`; `wrote` hears of every range written.
    pub fn run(&self, state: &mut [u8], mut wrote: impl FnMut(usize, usize)) {
        for (number, &line) in self.lines.iter().enumerate() {
            let at = line as usize * LINE;
            let bytes = LINE.min(state.len() - at);
            wrote(at, bytes);
            // Now and then a line is written as it is: marked, but unchanged.
            if mix(self.cut.cycle ^ u64::from(line) << 20).is_multiple_of(16) {
                continue;
            }
            let from = self.lines[(number + 1) % self.lines.len()] as usize * LINE;
            let before = state[at..at + bytes].iter().chain(&state[from..(from + 8).min(state.len())]);
            let mut word = before.fold(self.cut.epoch.0 ^ self.cut.cycle << 1, |h, &b| {
                (h.rotate_left(5) ^ u64::from(b)).wrapping_mul(0x517c_c1b7_2722_0a95)
            });
            for piece in state[at..at + bytes].chunks_mut(8) {
                word = mix(word);
                piece.copy_from_slice(&word.to_le_bytes()[..piece.len()]);
            }
        }
    }

    /// Runs only its first half: a step that a crash cuts short.
    pub fn run_half(&self, state: &mut [u8], wrote: impl FnMut(usize, usize)) {
        let lines = self.lines[..self.lines.len().div_ceil(2)].to_vec();
        Self { cut: self.cut, lines }.run(state, wrote);
    }
}

/// What these write, as runs.
#[must_use]
pub fn all_runs(steps: &[Step]) -> Vec<Run> {
    let mut lines: Vec<u32> = steps.iter().flat_map(|step| step.lines.iter().copied()).collect();
    lines.sort_unstable();
    lines.dedup();
    let mut runs: Vec<Run> = vec![];
    for line in lines {
        match runs.last_mut() {
            Some(last) if last.end() == line => last.count += 1,
            _ => runs.push(Run { start: line, count: 1 }),
        }
    }
    runs
}
