//! Lines that are to ride along with a cycle, collected from the records of the cycles before it.

use crate::Region;

/// Line numbers, ascending, each once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extra {
    lines: [u32; u64::BITS as usize],
    count: usize,
}

impl Default for Extra {
    fn default() -> Self {
        Self { lines: [0; u64::BITS as usize], count: 0 }
    }
}

impl Extra {
    /// The lines.
    pub(crate) fn lines(&self) -> &[u32] {
        &self.lines[..self.count]
    }

    /// Adds the lines that cycle `before` changed itself (`own` of its record) and that neither `cycle` carries nor are here yet.
    /// `false`, and nothing is added: there would be more than `most`.
    pub(crate) fn add(
        &mut self,
        region: &Region,
        cycle: u64,
        (before, own): (u64, u64),
        most: usize,
    ) -> bool {
        let (carried, record) = (region.recorded(cycle), region.recorded(before));
        if record.runs == carried.runs {
            return true; // what a step that writes the same lines every time does
        }
        let lines = record.runs.iter().flat_map(|run| run.start..run.end());
        let owned = lines.enumerate().filter(|(at, _)| *at < 64 && own >> at & 1 == 1).map(|(_, line)| line);
        let (count, kept) = (self.count, self.lines);
        for line in owned {
            let known = carried.runs.iter().any(|run| (run.start..run.end()).contains(&line));
            let Err(place) = self.lines().binary_search(&line) else { continue };
            if known {
                continue;
            }
            if self.count >= most.min(self.lines.len()) {
                (self.count, self.lines) = (count, kept);
                return false;
            }
            self.lines.copy_within(place..self.count, place + 1);
            self.lines[place] = line;
            self.count += 1;
        }
        true
    }
}
