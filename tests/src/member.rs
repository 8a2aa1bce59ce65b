//! A member with its region and a wire of byte vectors: what tests of single frames stand on. Nothing but the core is used,
//! so that the fuzz targets can include this file.

use std::ptr::NonNull;

use mirror_core::region::{Identity, Map, PAGE};
use mirror_core::standby::MaxAge;
use mirror_core::takeover::{MAX_MEMBERS, Settings};
use mirror_core::track::Diff;
use mirror_core::wire::{Ids, SyncState};
use mirror_core::{Cut, FrameSink, LINE, Layout, Member, Region, checksum};

/// Lines of a station's region.
pub const LINES: usize = 100;
/// Largest frame: seven lines.
pub const FRAME: usize = 600;
/// The group that all stations are in.
pub const GROUP: u64 = 1;
/// Silence after which a standby takes over; a station that only hears frames at one instant never sees it.
pub const SILENCE: u64 = 5_000;

/// Takes frames as vectors.
#[derive(Debug)]
pub struct Wire {
    frame: [u8; FRAME],
    /// What was sent, in order.
    pub sent: Vec<Vec<u8>>,
}

impl FrameSink for Wire {
    fn frame_bytes(&self) -> usize {
        FRAME
    }
    fn lend(&mut self) -> Option<&mut [u8]> {
        Some(&mut self.frame)
    }
    fn push(&mut self, len: usize) {
        self.sent.push(self.frame[..len].to_vec());
    }
}

#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Page([u8; PAGE]);

/// One member.
pub struct Station {
    /// Its region.
    pub region: Region,
    /// Its machine.
    pub member: Member,
    /// What it sends.
    pub wire: Wire,
    /// Every cut that it committed, and its bytes.
    pub committed: Vec<(Cut, Vec<u8>)>,
    /// When it last spoke.
    said: u64,
    /// What the region points into: dropped after it, and reached through it alone.
    _memory: Vec<Page>,
}

impl std::fmt::Debug for Station {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Station").field("member", &self.member).finish_non_exhaustive()
    }
}

impl Station {
    /// Node `id`, which begins to listen at time 0.
    ///
    /// # Panics
    /// Never: the sizes are right.
    #[must_use]
    pub fn new(id: u8) -> Self {
        let map = Map::new(LINES * LINE, 3).expect("a size that a region can have");
        let layout = Layout::new("station", LINES * LINE);
        let mut memory = vec![Page([0; PAGE]); map.total / PAGE];
        let base = NonNull::new(memory.as_mut_ptr().cast()).expect("a vector is never at zero");
        let who = Identity { layout, group: GROUP, node: id, process: 1, boot: 1 };
        // SAFETY: as long and as aligned as needed, and kept beside the region, which is declared before it.
        let (region, _) = unsafe { Region::attach(base, map.total, map, &who) }.expect("new memory");
        let mut members = [0; MAX_MEMBERS];
        members[..3].copy_from_slice(&[1, 2, 3]);
        let ids = Ids { group: GROUP, layout: 0, node: id };
        let settings = Settings {
            members,
            silence: SILENCE,
            patience: 2 * SILENCE,
            status_every: SILENCE,
            pause: SILENCE / 20,
            max_age: MaxAge { cycles: 1, time: SILENCE },
            begin_alone: true,
            nonce: u32::from(id),
            ..Settings::usual(ids, layout, SILENCE / 5, FRAME)
        };
        let wire = Wire { frame: [0; FRAME], sent: vec![] };
        let member = Member::new(settings, &map, 0);
        Self { region, member, wire, said: u64::MAX / 2, committed: vec![], _memory: memory }
    }

    /// Listens, hears nothing, and leads.
    ///
    /// # Panics
    /// If it does not.
    pub fn take_the_lead(&mut self) {
        for now in (0..20 * SILENCE).step_by(SILENCE as usize / 5) {
            if self.member.poll(&self.region, now, true).is_some() {
                return;
            }
        }
        panic!("it does not lead: {:?}", self.member.why(&self.region, 0));
    }

    /// Commits a cycle after `step` ran on the live memory; gives its cut and its frames.
    ///
    /// # Panics
    /// If it does not lead.
    pub fn commit(&mut self, step: impl FnOnce(&mut [u8])) -> (Cut, Vec<Vec<u8>>) {
        step(self.region.live_mut());
        let Self { region, member, wire, .. } = self;
        let published = member.commit(region, &mut Diff::new(), (1, 1), wire).expect("it leads");
        region.settle(false);
        let frames = std::mem::take(&mut wire.sent);
        self.committed.push(self.exposed());
        (published.cut, frames)
    }

    /// Takes frames, one after the other.
    pub fn hear(&mut self, frames: &[Vec<u8>]) {
        for frame in frames {
            self.member.hear(&mut self.region, frame, 1);
        }
    }

    /// What this primary sends when it hears what `standby` lacks.
    pub fn swept_for(&mut self, standby: &mut Self) -> Vec<Vec<u8>> {
        let status = standby.status();
        let Self { region, member, wire, .. } = self;
        member.hear(region, &status, 1);
        member.answer(region, 1, wire);
        std::mem::take(&mut wire.sent)
    }

    /// Its status frame.
    ///
    /// # Panics
    /// If it has none to send.
    pub fn status(&mut self) -> Vec<u8> {
        self.said += 2 * SILENCE;
        assert!(self.member.talk(&self.region, self.said, &mut self.wire));
        self.wire.sent.pop().expect("it said that it sent one")
    }

    /// What another process would read.
    #[must_use]
    pub fn exposed(&self) -> (Cut, Vec<u8>) {
        (self.region.cut(), self.region.image().to_vec())
    }
}

/// Makes the length and the checksum of a changed frame right again.
pub fn reseal(frame: &mut [u8]) {
    if frame.len() >= 16 {
        let length = (frame.len() as u16).to_le_bytes();
        frame[6..8].copy_from_slice(&length);
        let check = checksum::of_frame(&frame[16..]).to_le_bytes();
        frame[8..16].copy_from_slice(&check);
    }
}

/// Changes about `lines` lines.
pub fn scatter(live: &mut [u8], lines: usize, seed: u64) {
    let mut x = seed | 1;
    for _ in 0..lines {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        live[(x >> 33) as usize % (LINES * LINE)] ^= (x >> 56) as u8 | 1;
    }
}

/// A primary and a standby that follows it, and the frames so far.
///
/// # Panics
/// If they are not in step.
#[must_use]
pub fn in_step() -> (Station, Station, Vec<Vec<u8>>) {
    let (mut primary, mut standby) = (Station::new(1), Station::new(2));
    primary.take_the_lead();
    let mut heard = vec![];
    for cycle in 1..4 {
        let (cut, frames) = primary.commit(|live| scatter(live, 30, cycle));
        for frame in frames {
            standby.member.hear(&mut standby.region, &frame, 1);
            heard.push(frame);
        }
        assert_eq!(standby.region.cut(), cut);
    }
    assert_eq!(standby.member.state(), SyncState::Hot);
    (primary, standby, heard)
}
