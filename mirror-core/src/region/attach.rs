//! Making a region in memory that somebody mapped, or finding the one that is there.

use super::header::{Header, MAGIC};
use super::map::{MAX_RECORDS, Map, PAGE};
use super::record::Fill;
use super::{CutInfo, Phase, Region, WHOLE, store};
use crate::layout::Layout;
use crate::line::{LINE, Run};
use crate::planted::{self, Bug};
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU64, fence};

/// What the owner of a region says about itself and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The layout of the state.
    pub layout: Layout,
    /// Hash of the group's name.
    pub group: u64,
    /// The member, 1 to 255.
    pub node: u8,
    /// Process id, for messages only.
    pub process: u32,
    /// A number that changes with every boot of the host (half of its boot id).
    pub boot: u64,
}

/// What was found in the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing: the region is new, all zero.
    Nothing,
    /// A committed cut of an earlier owner.
    Cut {
        /// The cut.
        info: CutInfo,
        /// The owner died while it moved the sealed record; the move was done again.
        redone: bool,
        /// Lines of the live memory that differed from the cut (a half-run step) and were returned to it.
        returned: usize,
    },
    /// A region of an earlier boot of this host, whose memory may have been written to disk by halves: cleared, and
    /// treated as new but for the epochs it had seen.
    OtherBoot(CutInfo),
}

/// Why the memory cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// Less memory than the region needs.
    #[error(
        "the mapping has {got} bytes, the region needs {need}: remove the old segment or use another name"
    )]
    Small {
        /// Bytes mapped.
        got: usize,
        /// Bytes needed.
        need: usize,
    },
    /// Not at the start of a page.
    #[error("the mapping begins at {0:#x}, which is not the start of a page")]
    Unaligned(usize),
    /// Something else is stored there.
    #[error("the memory holds something else (it begins with {0:016x}): use another name")]
    Foreign(u64),
    /// A region of another layout.
    #[error(
        "the region holds state of layout {found}, this program has {wanted}: remove the segment, or run the program it belongs to"
    )]
    Layout {
        /// The layout that the region was made for.
        found: Layout,
        /// The layout of this program.
        wanted: Layout,
    },
    /// A region of this layout, made with another number of records.
    #[error(
        "the region has {found} records, this node is configured for {wanted}: set cycle.records to {found}, or remove the segment"
    )]
    Records {
        /// How many it has.
        found: u64,
        /// How many are wanted.
        wanted: u64,
    },
    /// The region belongs to another group or node.
    #[error(
        "the region belongs to node {node} of group {group:016x}, this is node {wanted_node} of {wanted_group:016x}: use another name"
    )]
    Other {
        /// Node that made it.
        node: u64,
        /// Its group.
        group: u64,
        /// This node.
        wanted_node: u64,
        /// This node's group.
        wanted_group: u64,
    },
    /// The two words that seal a commit do not belong together.
    #[error(
        "the region is damaged: sealed commit {open}, finished commit {done}, record of {lines} lines: remove the segment and join again"
    )]
    Damaged {
        /// The last sealed generation.
        open: u64,
        /// The last finished generation.
        done: u64,
        /// Lines that the record claims.
        lines: u64,
    },
}

impl Region {
    /// Takes the memory at `base` as a region: makes a new one if it is all zero, else returns to the last committed
    /// cut of the one that is there. O(region); stamps nothing.
    ///
    /// # Safety
    /// `base .. base + bytes` is mapped, readable and writable for as long as the region is used, shared with other
    /// processes or not; no other owner (in this process or another) uses it meanwhile, which a lock of the mapping's
    /// file ensures; and nothing else in this process refers to it. Memory never initialised as a region is zero.
    ///
    /// # Errors
    /// [`AttachError`]; the memory is then as it was.
    pub unsafe fn attach(
        base: NonNull<u8>,
        bytes: usize,
        map: Map,
        who: &Identity,
    ) -> Result<(Self, Found), AttachError> {
        if !base.addr().get().is_multiple_of(PAGE) {
            return Err(AttachError::Unaligned(base.addr().get()));
        }
        if bytes >= PAGE {
            // SAFETY: the first page is mapped, and made of atomics.
            let header: &Header = unsafe { base.cast().as_ref() };
            let (found, wanted) = (header.records.load(Relaxed), map.records as u64);
            let same = header.magic.load(Acquire) == MAGIC && layout_of(header).hash == who.layout.hash;
            if same && found != wanted {
                return Err(AttachError::Records { found, wanted });
            }
        }
        if bytes < map.total {
            return Err(AttachError::Small { got: bytes, need: map.total });
        }
        let mut region = Region { base, map, fills: [Fill::default(); MAX_RECORDS] };
        let found = match region.header().magic.load(Acquire) {
            0 if region.is_blank() => {
                region.initialise(who);
                Found::Nothing
            }
            MAGIC => region.find(who)?,
            other => return Err(AttachError::Foreign(other)),
        };
        let header = region.header();
        header.owner.store(who.process as u64, Relaxed);
        header.boot.store(who.boot, Relaxed);
        region.set_phase(Phase::Idle);
        Ok((region, found))
    }

    /// Nothing was ever stored here, but perhaps by an owner that died before it had made the region: that one leaves some
    /// of the words in front of `open`.
    fn is_blank(&self) -> bool {
        let from = offset_of!(Header, open);
        let words: &[u64] = bytemuck::cast_slice(self.part(from, self.map.total - from));
        words.chunks(PAGE / 8).all(|page| page.iter().fold(0, |any, word| any | word) == 0)
    }

    fn initialise(&mut self, who: &Identity) {
        let header = self.header();
        header.state_bytes.store(self.map.state_bytes as u64, Relaxed);
        header.total_bytes.store(self.map.total as u64, Relaxed);
        header.records.store(self.map.records as u64, Relaxed);
        header.group.store(who.group, Relaxed);
        header.node.store(who.node as u64, Relaxed);
        let words: [u64; size_of::<Layout>() / 8] = bytemuck::cast(who.layout);
        for (to, from) in header.layout.iter().zip(words) {
            to.store(from, Relaxed);
        }
        header.magic.store(MAGIC, Release);
    }

    fn find(&mut self, who: &Identity) -> Result<Found, AttachError> {
        let header = self.header();
        let found = layout_of(header);
        if found.hash != who.layout.hash || header.total_bytes.load(Relaxed) != self.map.total as u64 {
            return Err(AttachError::Layout { found, wanted: who.layout });
        }
        let (node, group) = (header.node.load(Relaxed), header.group.load(Relaxed));
        if (node, group) != (who.node as u64, who.group) {
            let (wanted_node, wanted_group) = (who.node as u64, who.group);
            return Err(AttachError::Other { node, group, wanted_node, wanted_group });
        }
        let (open, done) = (header.open.0.load(Acquire), header.done.0.load(Acquire));
        if header.boot.load(Relaxed) != who.boot {
            // Pages were written to disk in any order: nothing here belongs together, the seal included.
            header.done.0.store(open, Relaxed);
            let info = self.committed();
            self.clear();
            return Ok(Found::OtherBoot(info));
        }
        let [runs, lines] = [&header.record.0[0], &header.record.0[1]].map(|w| w.load(Relaxed));
        let redone = open != done;
        if redone {
            let fill = Fill { runs: runs as usize, lines: lines as usize };
            let at = self.map.record_of(header.cuts[(open % 2) as usize].load().cut.cycle);
            let whole = [runs, lines] == [WHOLE, WHOLE];
            if open != done.wrapping_add(1) || !(whole || self.record_is_sound(at, fill)) {
                return Err(AttachError::Damaged { open, done, lines });
            }
            if !whole {
                self.fills[at] = if planted::is(Bug::NotRedone) { Fill::default() } else { fill };
            }
            self.settle(false);
        }
        let info = self.committed();
        let returned =
            self.live().chunks(LINE).zip(self.image().chunks(LINE)).filter(|(a, b)| a != b).count();
        if returned > 0 {
            self.roll_back();
        }
        Ok(if info.cut == crate::Cut::NONE { Found::Nothing } else { Found::Cut { info, redone, returned } })
    }

    /// A sealed record was written whole; one that points outside the region was written by something else.
    fn record_is_sound(&self, at: usize, fill: Fill) -> bool {
        if fill.runs > self.map.lines || fill.lines > self.map.lines {
            return false;
        }
        let runs: &[Run] = bytemuck::cast_slice(self.part(self.map.runs(at), fill.runs * size_of::<Run>()));
        let inside = |run: &Run| run.start as u64 + run.count as u64 <= self.map.lines as u64;
        runs.iter().all(inside) && runs.iter().map(|run| run.count as u64).sum::<u64>() == fill.lines as u64
    }

    /// Forgets the state, as one commit of zeros over every line, so that a crash in the middle is no mixture either.
    fn clear(&mut self) {
        let lines = self.map.lines;
        let mut record = self.record(0);
        for line in 0..lines {
            record.push(line as u32, &[0; LINE]);
        }
        self.seal(&CutInfo::default());
        self.settle(true);
        for stamp in self.shared(self.map.stamps, lines) {
            store::word(stamp, 0, Relaxed);
        }
        fence(Release);
    }
}

/// The layout that a region was made for.
pub(super) fn layout_of(header: &Header) -> Layout {
    let load = |word: &AtomicU64| word.load(Relaxed);
    let mut words = [0; size_of::<Layout>() / 8];
    for (to, from) in words.iter_mut().zip(&header.layout) {
        *to = load(from);
    }
    bytemuck::cast(words)
}
