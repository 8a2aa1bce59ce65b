//! A state that certifies itself: whoever holds its bytes can say which cycle they are, and that no byte is of another.
//!
//! Contract: [`Plant::step`] turns the state of cycle `c` into that of `c + 1`, and every byte but the writer's is a function of
//! the cycle alone. So [`Plant::check`] needs no history: a lost line, a line too new and a line of another reign all
//! show. The line of the header changes every cycle; of the others each changes once in `EVERY` cycles.

use bytemuck::{Pod, Zeroable};

/// Words in a line.
const LINE_WORDS: usize = 8;

/// The state: one line of header and `WORDS` words, of which a line changes once in `EVERY` cycles.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Plant<const WORDS: usize, const EVERY: u64> {
    /// The number of the last step.
    pub cycle: u64,
    /// Who ran it.
    pub writer: u64,
    /// Of the header.
    sum: u64,
    spare: [u64; 5],
    words: [u64; WORDS],
}

// SAFETY: words only, so no padding, no pointers, and any bytes are valid.
unsafe impl<const WORDS: usize, const EVERY: u64> Zeroable for Plant<WORDS, EVERY> {}
// SAFETY: as above.
unsafe impl<const WORDS: usize, const EVERY: u64> Pod for Plant<WORDS, EVERY> {}

/// 1 KiB, all of it changing in four cycles.
pub type Tiny = Plant<120, 4>;
/// 8 KiB, all of it changing in four cycles.
pub type Small = Plant<1016, 4>;
/// 16 KiB, half of it changing in a cycle, in lines that part two others: every cycle is eight frames of 1472 bytes.
pub type Busy = Plant<2040, 2>;
/// 256 KiB, a few lines of which change in a cycle: its full cycle is hundreds of frames, an ordinary one a single frame.
pub type Large = Plant<32_760, 1024>;

impl<const WORDS: usize, const EVERY: u64> Plant<WORDS, EVERY> {
    /// Runs the next step.
    pub fn step(&mut self, writer: u64) {
        let cycle = self.cycle + 1;
        (self.cycle, self.writer) = (cycle, writer);
        for line in Self::changing(cycle) {
            for at in line * LINE_WORDS..(line + 1) * LINE_WORDS {
                self.words[at] = mix(at as u64, cycle);
            }
        }
        self.sum = self.sum();
    }

    /// The lines, counted behind the header, that cycle `cycle` changes.
    pub fn changing(cycle: u64) -> impl Iterator<Item = usize> {
        ((cycle % EVERY) as usize..WORDS / LINE_WORDS).step_by(EVERY as usize)
    }

    /// The cycle that these bytes are the state of.
    ///
    /// # Errors
    /// In words, what is wrong with them.
    pub fn check(&self) -> Result<u64, String> {
        let cycle = self.cycle;
        for (at, &word) in self.words.iter().enumerate() {
            let line = (at / LINE_WORDS) as u64;
            // The last cycle that wrote the line; 0: none did.
            let wrote = cycle.saturating_sub((cycle + EVERY - line % EVERY) % EVERY);
            let wanted = if wrote == 0 { 0 } else { mix(at as u64, wrote) };
            if word != wanted {
                return Err(format!(
                    "cycle {cycle}, word {at}: {word:x} instead of {wanted:x} of cycle {wrote}"
                ));
            }
        }
        if cycle > 0 && (self.sum != self.sum() || self.spare != [0; 5]) {
            return Err(format!("cycle {cycle}: the header is of two cycles"));
        }
        Ok(cycle)
    }

    /// Checks bytes that may lie anywhere.
    ///
    /// # Errors
    /// As [`check`](Self::check); also if there are too few bytes.
    pub fn check_bytes(bytes: &[u8]) -> Result<u64, String> {
        let bytes = bytes.get(..size_of::<Self>()).ok_or_else(|| format!("{} bytes", bytes.len()))?;
        let mut plant = Box::new(Self::zeroed());
        bytemuck::bytes_of_mut(&mut *plant).copy_from_slice(bytes);
        plant.check()
    }

    /// The words need none: each is known.
    fn sum(&self) -> u64 {
        mix(self.cycle, self.writer)
    }
}

/// Differs in every byte, as far as that can be, from word to word and from cycle to cycle.
fn mix(at: u64, cycle: u64) -> u64 {
    let mut x = (at << 40 ^ cycle).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (x ^ x >> 32) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cycle_checks_and_no_mixture_does() {
        let mut plant = Tiny::zeroed();
        assert_eq!(plant.check(), Ok(0));
        for cycle in 1..=20 {
            let before = plant;
            plant.step(7);
            assert_eq!(plant.check(), Ok(cycle));
            // Any one line of the cycle before in the place of this one's, if it differs, shows.
            let (old, new) = (bytemuck::bytes_of(&before), bytemuck::bytes_of(&plant));
            let mut mixtures = 0;
            for line in (0..new.len()).step_by(64) {
                let mut mixed = new.to_vec();
                mixed[line..line + 64].copy_from_slice(&old[line..line + 64]);
                if mixed != new {
                    mixtures += 1;
                    assert!(Tiny::check_bytes(&mixed).is_err(), "cycle {cycle}, line {}", line / 64);
                }
            }
            assert!(mixtures > 1);
        }
    }
}
