//! Which lines a cycle changes, and to what.
//!
//! Contract: deterministic. A workload of `dirty` bytes changes exactly `dirty / 64` lines, each cycle the same ones,
//! each to a value that no earlier cycle gave it; the first of them, line 0, is the [`Stamp`]'s. So whoever holds a
//! cut can check every dirty line of it ([`Workload::is_whole`]).

use mirror_core::LINE;

/// Where the dirty lines lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Every n-th line of the region: each dirty line is a run of its own. The worst case of a dirty size.
    Scattered,
    /// Side by side from line 0 on: one run.
    Contiguous,
}

/// The lines that every cycle changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Bytes of the region, whole lines.
    pub region: usize,
    /// Bytes that a cycle dirties, whole lines, at least one.
    pub dirty: usize,
    /// Where they lie.
    pub spread: Spread,
}

impl Workload {
    /// # Panics
    /// If a size is not whole lines, or more is dirty than there is.
    #[must_use]
    pub fn new(region: usize, dirty: usize, spread: Spread) -> Self {
        assert!(region.is_multiple_of(LINE) && dirty.is_multiple_of(LINE), "{region} / {dirty}: whole lines");
        assert!(LINE <= dirty && dirty <= region, "{dirty} dirty bytes of {region}");
        Self { region, dirty, spread }
    }

    /// The dirty lines, ascending; the first is line 0.
    pub fn lines(&self) -> impl Iterator<Item = usize> + use<> {
        let (lines, dirty) = (self.region / LINE, self.dirty / LINE);
        let spread = self.spread;
        (0..dirty).map(move |i| match spread {
            Spread::Scattered => i * lines / dirty,
            Spread::Contiguous => i,
        })
    }

    /// Changes all dirty lines but line 0: hands each change (where, which bytes) to `write`.
    #[inline]
    pub fn step(&self, cycle: u64, mut write: impl FnMut(usize, &[u8])) {
        for line in self.lines().skip(1) {
            write(line * LINE + 8 * (line % 8), &value(cycle, line).to_ne_bytes());
        }
    }

    /// Changes all dirty lines of `state`, line 0 too.
    pub fn step_all(&self, cycle: u64, state: &mut [u8]) {
        Stamp { at: cycle, cycle, last: 0 }.write(state);
        self.step(cycle, |at, bytes| state[at..][..bytes.len()].copy_from_slice(bytes));
    }

    /// Whether every dirty line of `state` is that of `cycle`.
    #[must_use]
    pub fn is_whole(&self, cycle: u64, state: &[u8]) -> bool {
        Stamp::read(state).cycle == cycle
            && self
                .lines()
                .skip(1)
                .all(|line| state[line * LINE + 8 * (line % 8)..][..8] == value(cycle, line).to_ne_bytes())
    }
}

fn value(cycle: u64, line: usize) -> u64 {
    (cycle << 32 | line as u64) ^ 0x9E37_79B9_7F4A_7C15
}

/// What line 0 tells the other side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When the state was ready, nanoseconds of `CLOCK_MONOTONIC`.
    pub at: u64,
    /// Counts cycles, one at a time, never 0.
    pub cycle: u64,
    /// Not 0: no cycle follows in this slice.
    pub last: u64,
}

impl Stamp {
    /// Bytes of a stamp.
    pub const BYTES: usize = 24;

    /// As it stands at the start of a state or of a message.
    #[must_use]
    #[inline]
    pub fn bytes(self) -> [u8; Self::BYTES] {
        bytemuck::cast([self.at, self.cycle, self.last])
    }

    /// Writes it to the start of `state`.
    #[inline]
    pub fn write(self, state: &mut [u8]) {
        state[..Self::BYTES].copy_from_slice(&self.bytes());
    }

    /// Reads it from the start of `state`.
    #[must_use]
    #[inline]
    pub fn read(state: &[u8]) -> Self {
        let word = |i: usize| u64::from_ne_bytes(state[i * 8..][..8].try_into().expect("eight bytes"));
        Self { at: word(0), cycle: word(1), last: word(2) }
    }
}

/// `64KiB`, `1MiB`, `64B`.
#[must_use]
pub fn size_name(bytes: usize) -> String {
    match bytes {
        b if b >= 1 << 20 && b.is_multiple_of(1 << 20) => format!("{}MiB", b >> 20),
        b if b >= 1 << 10 && b.is_multiple_of(1 << 10) => format!("{}KiB", b >> 10),
        b => format!("{b}B"),
    }
}

/// The inverse of [`size_name`]; a bare number is bytes.
///
/// # Errors
/// Says what it would understand.
pub fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        other => return Err(format!("unknown unit {other:?}: use B, KiB or MiB, as in 64KiB")),
    };
    let number: usize = digits.parse().map_err(|e| format!("{text:?} is no size ({e}): write 64KiB"))?;
    number.checked_mul(unit).ok_or_else(|| format!("{text:?} is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dirties_as_many_lines_as_it_says() {
        for spread in [Spread::Scattered, Spread::Contiguous] {
            for (region, dirty) in [(4096, 64), (4096, 4096), (65_536, 1024), (65_536, 16_384)] {
                let work = Workload::new(region, dirty, spread);
                let lines: Vec<usize> = work.lines().collect();
                assert!(
                    lines.is_sorted_by(|a, b| a < b)
                        && lines[0] == 0
                        && lines[lines.len() - 1] < region / LINE
                );
                let mut state = vec![0; region];
                work.step_all(1, &mut state);
                let before = state.clone();
                work.step_all(2, &mut state);
                let changed = state.chunks(LINE).zip(before.chunks(LINE)).filter(|(a, b)| a != b).count();
                assert_eq!(changed * LINE, dirty);
                assert!(work.is_whole(2, &state) && !work.is_whole(1, &state));
            }
        }
    }

    #[test]
    fn sizes_have_one_name() {
        for (bytes, name) in
            [(64, "64B"), (1024, "1KiB"), (65_536, "64KiB"), (1 << 20, "1MiB"), (1536, "1536B")]
        {
            assert_eq!(size_name(bytes), name);
            assert_eq!(parse_size(name), Ok(bytes));
        }
        assert!(parse_size("64 apples").is_err());
    }
}
