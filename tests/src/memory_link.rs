//! A network inside the process: links that carry frames between each other through memory, and lose, double,
//! reorder or spoil them as told.
//!
//! Contract: everything of [`mirror_transport::link`], but for one thing: it allocates when more frames wait than ever
//! did before. It needs no thread and no clock, and one seed decides everything, so a run can be repeated exactly. A
//! member hears the others, not itself. Nothing arrives by waiting, so `wait` returns at once in every mode.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mirror_core::FrameSink;
use mirror_transport::{Link, LinkStats, Nanos};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Frames that wait for one receiver at most; more are dropped and counted, as a kernel does.
const INBOX_FRAMES: usize = 4096;
/// Frames that a link queues before it sends them unasked.
const OUTBOX_FRAMES: usize = 64;

/// What becomes of one frame on its way to one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrive,
    /// It is lost.
    Lose,
    /// It arrives twice.
    Double,
    /// It arrives before that many of the frames that wait for this receiver, the latest ones.
    Overtake(usize),
}

/// One frame on its way to one receiver.
#[derive(Debug)]
pub struct Passage<'a> {
    /// Who sent it, counted from 0 in the order of [`MemoryNet::link`].
    pub from: usize,
    /// Whom it goes to, counted likewise.
    pub to: usize,
    /// Its bytes, which may be changed. This receiver alone sees the change.
    pub frame: &'a mut [u8],
}

/// How often what befalls a frame: probabilities from 0 to 1, drawn for each frame and receiver anew.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// It is lost.
    pub lose: f64,
    /// It arrives twice.
    pub double: f64,
    /// It overtakes up to eight frames that wait for the receiver.
    pub reorder: f64,
    /// One of its bits is changed. Independent of the other three.
    pub corrupt: f64,
}

type Hook = Box<dyn FnMut(Passage<'_>) -> Fate + Send>;

#[derive(Default)]
struct Inbox {
    frames: VecDeque<Vec<u8>>,
    /// Memory of frames that were read, for those to come.
    spare: Vec<Vec<u8>>,
    overruns: u64,
}

struct Hub {
    inboxes: Vec<Inbox>,
    hook: Option<Hook>,
    faults: Faults,
    rng: ChaCha8Rng,
}

/// A network that its links share.
#[derive(Clone)]
pub struct MemoryNet {
    hub: Arc<Mutex<Hub>>,
    frame_bytes: usize,
}

impl fmt::Debug for MemoryNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNet").field("frame_bytes", &self.frame_bytes).finish_non_exhaustive()
    }
}

impl MemoryNet {
    /// A network without members or faults. `seed` decides the faults to come.
    ///
    /// # Panics
    ///
    /// If `frame_bytes` is 0.
    #[must_use]
    pub fn new(frame_bytes: usize, seed: u64) -> Self {
        assert!(frame_bytes > 0, "a frame has at least one byte");
        let hub = Hub {
            inboxes: Vec::new(),
            hook: None,
            faults: Faults::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        };
        Self { hub: Arc::new(Mutex::new(hub)), frame_bytes }
    }

    /// One more member. It hears what is sent from now on.
    #[must_use]
    pub fn link(&self) -> MemoryLink {
        let mut hub = lock(&self.hub);
        hub.inboxes.push(Inbox::default());
        MemoryLink {
            hub: Arc::clone(&self.hub),
            id: hub.inboxes.len() - 1,
            outbox: vec![0; OUTBOX_FRAMES * self.frame_bytes],
            lens: Vec::with_capacity(OUTBOX_FRAMES),
            frame_bytes: self.frame_bytes,
            lent: false,
            stats: LinkStats::default(),
        }
    }

    /// Draws the faults of all frames sent from now on from these, and forgets the hook.
    pub fn set_faults(&self, faults: Faults) {
        let mut hub = lock(&self.hub);
        hub.faults = faults;
        hub.hook = None;
    }

    /// Asks `hook` about every frame and receiver from now on, in the place of the drawn faults.
    pub fn set_hook(&self, hook: impl FnMut(Passage<'_>) -> Fate + Send + 'static) {
        lock(&self.hub).hook = Some(Box::new(hook));
    }
}

/// A member of a [`MemoryNet`].
pub struct MemoryLink {
    hub: Arc<Mutex<Hub>>,
    id: usize,
    outbox: Vec<u8>,
    lens: Vec<usize>,
    frame_bytes: usize,
    lent: bool,
    stats: LinkStats,
}

impl MemoryLink {
    /// This member's number, as [`Passage`] has it.
    #[must_use]
    pub fn id(&self) -> usize {
        self.id
    }
}

impl fmt::Debug for MemoryLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLink").field("id", &self.id).field("stats", &self.stats).finish_non_exhaustive()
    }
}

impl FrameSink for MemoryLink {
    fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    fn lend(&mut self) -> Option<&mut [u8]> {
        if self.lens.len() == OUTBOX_FRAMES {
            self.flush();
        }
        self.lent = true;
        Some(&mut self.outbox[self.lens.len() * self.frame_bytes..][..self.frame_bytes])
    }

    fn push(&mut self, len: usize) {
        if self.lent && len > 0 {
            self.lens.push(len.min(self.frame_bytes));
        }
        self.lent = false;
    }
}

impl Link for MemoryLink {
    fn describe(&self) -> String {
        format!("memory, member {}, frames of {} bytes", self.id, self.frame_bytes)
    }

    fn flush(&mut self) {
        self.lent = false;
        let mut hub = lock(&self.hub);
        for (slot, &len) in self.outbox.chunks_exact(self.frame_bytes).zip(&self.lens) {
            hub.carry(self.id, &slot[..len]);
            self.stats.sent_frames += 1;
            self.stats.sent_bytes += len as u64;
        }
        self.lens.clear();
    }

    fn receive(&mut self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        for received in 0..limit {
            // The lock is not held while the sink runs: it may send.
            let Some(frame) = lock(&self.hub).inboxes[self.id].frames.pop_front() else {
                return received;
            };
            self.stats.received_frames += 1;
            self.stats.received_bytes += frame.len() as u64;
            sink(&frame);
            lock(&self.hub).inboxes[self.id].spare.push(frame);
        }
        limit
    }

    fn wait(&mut self, _until: Nanos) {}

    fn stats(&mut self) -> LinkStats {
        LinkStats { kernel_drops: lock(&self.hub).inboxes[self.id].overruns, ..self.stats }
    }
}

impl Hub {
    /// Takes one frame to every other member.
    fn carry(&mut self, from: usize, frame: &[u8]) {
        for to in (0..self.inboxes.len()).filter(|to| *to != from) {
            let mut copy = self.inboxes[to].spare.pop().unwrap_or_default();
            copy.clear();
            copy.extend_from_slice(frame);
            let fate = match &mut self.hook {
                Some(hook) => hook(Passage { from, to, frame: &mut copy }),
                None => draw(&mut self.rng, &self.faults, &mut copy),
            };
            let inbox = &mut self.inboxes[to];
            match fate {
                Fate::Arrive => inbox.put(copy, 0),
                Fate::Overtake(frames) => inbox.put(copy, frames),
                Fate::Double => {
                    inbox.put(copy.clone(), 0);
                    inbox.put(copy, 0);
                }
                Fate::Lose => inbox.spare.push(copy),
            }
        }
    }
}

impl Inbox {
    fn put(&mut self, frame: Vec<u8>, overtakes: usize) {
        if self.frames.len() == INBOX_FRAMES {
            self.overruns += 1;
            self.spare.push(frame);
        } else {
            self.frames.insert(self.frames.len().saturating_sub(overtakes), frame);
        }
    }
}

fn draw(rng: &mut ChaCha8Rng, faults: &Faults, frame: &mut [u8]) -> Fate {
    if rng.random_bool(faults.corrupt) {
        let bit = rng.random_range(0..frame.len() * 8);
        frame[bit / 8] ^= 1 << (bit % 8);
    }
    // One draw for three exclusive fates.
    let drawn: f64 = rng.random();
    if drawn < faults.lose {
        Fate::Lose
    } else if drawn < faults.lose + faults.double {
        Fate::Double
    } else if drawn < faults.lose + faults.double + faults.reorder {
        Fate::Overtake(rng.random_range(1..=8))
    } else {
        Fate::Arrive
    }
}

/// A test that failed while it held the lock should not hide its own message behind another's.
fn lock(hub: &Mutex<Hub>) -> MutexGuard<'_, Hub> {
    hub.lock().unwrap_or_else(PoisonError::into_inner)
}
