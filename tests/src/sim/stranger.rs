//! Frames of others: another group on the same wire, another layout under the same name, and plain noise.

use super::memory::Memory;
use super::network::{Nature, Parcel};
use super::node::{GROUP, Wire, settings};
use super::options::Options;
use super::rng::Rng;
use mirror_core::region::{Identity, Map};
use mirror_core::track::Diff;
use mirror_core::{Epoch, Layout, Member};
use std::rc::Rc;

/// Not the id of any node.
const ID: u8 = 99;
/// Cycles of theirs that are kept.
const CYCLES: u64 = 6;

/// A store of such frames.
#[derive(Debug)]
pub struct Strangers {
    frames: Vec<Rc<[u8]>>,
    /// Frames from here on are of another layout: they keep a follower from accusing.
    layouts_from: usize,
    rng: Rng,
}

impl Strangers {
    /// None, if the options have none.
    #[must_use]
    pub fn new(seed: u64, options: &Options) -> Self {
        let mut rng = Rng::fork(seed, "strangers", 0);
        let (mut frames, mut layouts_from) = (vec![], 0);
        if options.stranger_ppm > 0 {
            frames = record(options, &mut rng, GROUP + 1, "simulated");
            layouts_from = frames.len();
            frames.extend(record(options, &mut rng, GROUP, "another"));
        }
        Self { frames, layouts_from, rng }
    }

    /// A frame for somebody, if one comes in this period, and whether it may keep him from accusing.
    pub fn tick(&mut self, options: &Options) -> Option<(usize, Parcel, bool)> {
        let r = &mut self.rng;
        if !r.chance(options.stranger_ppm) || self.frames.is_empty() {
            return None;
        }
        let to = r.below(options.nodes) as usize;
        let which = r.below(self.frames.len() as u64 + 3) as usize;
        let bytes = self.frames.get(which).cloned().unwrap_or_else(|| noise(r, options.frame).into());
        let hides = (self.layouts_from..self.frames.len()).contains(&which);
        Some((to, Parcel { bytes, nature: Nature::Stranger }, hides))
    }
}

/// Bytes that nobody sent, now and then beginning as a frame does.
fn noise(r: &mut Rng, most: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..r.below(most + 1)).map(|_| r.bits() as u8).collect();
    if let Some(head) = bytes.first_chunk_mut::<8>().filter(|_| r.chance(500_000)) {
        head[..6].copy_from_slice(b"MIRR\x01\0");
    }
    bytes
}

/// What a lone member of that group and layout says.
fn record(options: &Options, r: &mut Rng, group: u64, label: &str) -> Vec<Rc<[u8]>> {
    let map = Map::new(options.state_bytes(), options.records as usize).expect("sizes are drawn in range");
    let layout = Layout::new(label, options.state_bytes());
    let mut memory = Memory::new(map);
    let who = Identity { layout, group, node: ID, process: 1, boot: 1 };
    let Ok((mut region, _)) = memory.attach(&who) else { return vec![] };
    region.see_epoch(Epoch::new(r.below(6) as u32, ID, 0));
    let mut settings = settings(options, ID, 1);
    settings.layout = layout;
    settings.begin_alone = true;
    settings.ids.group = group;
    settings.members[0] = ID;
    let mut member = Member::new(settings, &map, 0);
    let mut wire = Wire::new(options.frame);
    let mut now = 0;
    let until = (options.patience + CYCLES.max(options.status_every) + 3) * options.period;
    while now < until {
        now += options.period / 4;
        member.poll(&region, now, true);
        member.talk(&region, now, &mut wire);
        if member.leads() && region.cut().cycle < CYCLES {
            let at = r.below(options.state_bytes() as u64) as usize;
            region.live_mut()[at] ^= 1 + r.below(255) as u8;
            member.commit(&mut region, &mut Diff::new(), (now, now), &mut wire);
            region.settle(false);
        }
    }
    wire.sent
}
