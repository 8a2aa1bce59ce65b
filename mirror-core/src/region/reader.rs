//! Reading a region from another process, while its owner commits.
//!
//! Contract: the image is read as a standby without a network would. A copy is whole, exactly one cut, or the call
//! says that the owner was faster. The owner never notices.
//!
//! Why a successful copy is not a mixture: the owner stores `open = g + 1` and fences (release) before it touches the image for
//! generation `g + 1`. The reader loads `done = g` (acquire), copies, fences (acquire), and loads `open`. Had it seen a
//! single word of generation `g + 1`, it would also see `open >= g + 1`. Lines copied in a failed attempt may be torn;
//! each of them carries a stamp newer than the cut held, because stamps only grow within a reign, so the next attempt
//! copies it again. Across reigns everything is copied.

use super::attach::layout_of;
use super::header::{CutInfo, Header, MAGIC, Phase};
use super::map::{Map, PAGE};
use super::telemetry::{Counter, Events, counter_word};
use crate::layout::Layout;
use crate::line::LINE;
use crate::planted::{self, Bug};
use crate::wire::SyncState;
use crate::{Cut, Epoch};
use alloc::boxed::Box;
use alloc::vec;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use core::sync::atomic::{AtomicU64, fence};

/// How often a read is tried before it gives up: a reader that the owner overtakes this often in a row is too slow.
const TRIES: usize = 64;

/// Why a region cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not a region, or too short to be the one that it says it is.
    #[error("not a region of this version: {bytes} bytes, beginning with {magic:016x}")]
    NotARegion {
        /// Bytes mapped.
        bytes: usize,
        /// The first word.
        magic: u64,
    },
    /// The owner stands in the middle of a commit, for good if it is dead.
    #[error(
        "the owner stopped in the middle of a commit: its next start finishes it, and then the region can be read"
    )]
    Unfinished,
    /// The owner commits faster than the image can be copied.
    #[error("overtaken {TRIES} times in a row by the owner's commits: read less often, or on a faster core")]
    Overtaken,
}

/// A view of a region that another process owns.
#[derive(Debug)]
pub struct Reader {
    base: NonNull<u8>,
    map: Map,
    held: Cut,
    copy: Box<[u8]>,
}

// SAFETY: the mapping is only read, through atomics; nothing is tied to a thread.
unsafe impl Send for Reader {}

impl Reader {
    /// Looks at the region at `base`.
    ///
    /// # Safety
    /// `base .. base + bytes` is mapped and readable for as long as the reader is used, does not shrink, and begins at
    /// a page.
    ///
    /// # Errors
    /// [`ReadError::NotARegion`].
    pub unsafe fn attach(base: NonNull<u8>, bytes: usize) -> Result<Self, ReadError> {
        if bytes < PAGE || !base.addr().get().is_multiple_of(PAGE) {
            return Err(ReadError::NotARegion { bytes, magic: 0 });
        }
        // SAFETY: the page is mapped (contract) and made of atomics.
        let header: &Header = unsafe { base.cast().as_ref() };
        let magic = header.magic.load(Acquire);
        let [state_bytes, records] =
            [&header.state_bytes, &header.records].map(|word| word.load(Relaxed) as usize);
        let map = Map::new(state_bytes, records).ok().filter(|map| map.total <= bytes);
        match map {
            Some(map) if magic == MAGIC => {
                Ok(Self { base, map, held: Cut::NONE, copy: vec![0; map.bytes()].into_boxed_slice() })
            }
            _ => Err(ReadError::NotARegion { bytes, magic }),
        }
    }

    fn header(&self) -> &Header {
        // SAFETY: checked by `attach`; atomics only.
        unsafe { self.base.cast().as_ref() }
    }

    fn words(&self, at: usize, words: usize) -> &[AtomicU64] {
        debug_assert!(at.is_multiple_of(8) && at + words * 8 <= self.map.total);
        // SAFETY: inside the mapping (the map was checked against its size), 8-aligned, and atomics may be shared.
        unsafe { core::slice::from_raw_parts(self.base.add(at).as_ptr().cast(), words) }
    }

    /// The layout of the state.
    #[must_use]
    pub fn layout(&self) -> Layout {
        layout_of(self.header())
    }

    /// Offsets and sizes.
    #[must_use]
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// Process id of the owner, or of the last one.
    #[must_use]
    pub fn owner(&self) -> u32 {
        self.header().owner.load(Relaxed) as u32
    }

    /// What the owner is doing right now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.header().phase.0.load(Relaxed) {
            1 => Phase::Step,
            2 => Phase::Commit,
            3 => Phase::Apply,
            _ => Phase::Idle,
        }
    }

    /// How much of the state the owner holds, or that it leads; `None` before it first said so.
    #[must_use]
    pub fn state(&self) -> Option<SyncState> {
        SyncState::from_number(self.header().state.0.load(Relaxed) as u8)
    }

    /// The greatest epoch that the owner ever heard of or led.
    #[must_use]
    pub fn epoch_seen(&self) -> Epoch {
        Epoch(self.header().epoch_seen.load(Relaxed))
    }

    /// The last finished cut, without its bytes. Fields read while a commit runs may belong to two cuts; [`read`](Self::read)
    /// gives one.
    #[must_use]
    pub fn peek(&self) -> CutInfo {
        let header = self.header();
        header.cuts[(header.done.0.load(Acquire) % 2) as usize].load()
    }

    /// Value of a counter.
    #[must_use]
    pub fn counter(&self, counter: Counter) -> u64 {
        counter_word(self.words(self.map.telemetry, PAGE / 8), counter).load(Relaxed)
    }

    /// The event log, newest last.
    #[must_use]
    pub fn events(&self) -> Events<'_> {
        Events::new(
            self.words(self.map.telemetry + PAGE, Events::WORDS),
            self.header().events_written.load(Acquire),
        )
    }

    /// Copies the last finished cut, or what changed since the last call. Gives the cut and the state's bytes.
    ///
    /// # Errors
    /// [`ReadError::Overtaken`]; the next call starts where this one stopped.
    pub fn read(&mut self) -> Result<(CutInfo, &[u8]), ReadError> {
        let began = self.header().open.0.load(Relaxed);
        for _ in 0..TRIES {
            let header = self.header();
            let done = header.done.0.load(Acquire);
            let info = header.cuts[(done % 2) as usize].load();
            let same_reign = info.cut.epoch == self.held.epoch || planted::is(Bug::ReaderAcrossReigns);
            let since = same_reign.then_some(self.held.cycle);
            for line in 0..self.map.lines {
                let stamp = self.words(self.map.stamps + line * 8, 1)[0].load(Relaxed);
                if since.is_none_or(|since| stamp > since) {
                    let mut bytes = [0; LINE];
                    for (to, from) in
                        bytes.chunks_exact_mut(8).zip(self.words(self.map.image + line * LINE, LINE / 8))
                    {
                        to.copy_from_slice(&from.load(Relaxed).to_ne_bytes());
                    }
                    self.copy[line * LINE..][..LINE].copy_from_slice(&bytes);
                }
            }
            fence(Acquire);
            if self.header().open.0.load(Relaxed) == done {
                self.held = info.cut;
                return Ok((info, &self.copy[..self.map.state_bytes]));
            }
            // Torn lines of another reign could carry any stamp: only within the held reign does the next try skip.
            if since.is_none() {
                self.held = Cut::NONE;
            }
        }
        let standing =
            self.header().open.0.load(Relaxed) == began && self.header().done.0.load(Relaxed) != began;
        Err(if standing { ReadError::Unfinished } else { ReadError::Overtaken })
    }
}
