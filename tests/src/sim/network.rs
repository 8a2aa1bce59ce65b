//! The network: what becomes of a frame on its way from each node to each other.
//!
//! Contract: a link has its own generator and draws in a fixed order for every frame. Nothing comes back to its sender. The
//! network says what it did to whom, so that a checker knows when to expect what.

use super::clock::Nanos;
use super::options::Options;
use super::rng::Rng;
use std::rc::Rc;

/// What a frame is to the node that it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// As it was sent, in its time.
    Plain,
    /// As it was sent, but much later.
    Delayed,
    /// Damaged or cut short.
    Damaged,
    /// Not of this group, or not of this layout.
    Stranger,
}

/// A frame on its way.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Its bytes.
    pub bytes: Rc<[u8]>,
    /// What it is to its receiver.
    pub nature: Nature,
}

/// What happened to a frame that did not arrive whole and in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// One frame, by chance, with the rates that the options give.
    Single,
    /// One of many: a burst, a partition, a full queue.
    Outage,
}

/// Takes what the network does: a parcel that will arrive, or a mishap.
pub trait Carrier {
    /// `parcel` reaches node `to` at `at`.
    fn arrive(&mut self, to: usize, at: Nanos, parcel: Parcel);
    /// Something befell a frame to node `to`.
    fn mishap(&mut self, to: usize, mishap: Mishap);
}

#[derive(Clone, Debug)]
struct Link {
    rng: Rng,
    /// Losses of a burst still to come.
    burst: u64,
    /// Cut until then.
    cut_until: Nanos,
}

/// All links.
#[derive(Debug)]
pub struct Network {
    options: Options,
    nodes: usize,
    links: Vec<Link>,
    weather: Rng,
    calm: bool,
}

impl Network {
    /// Between `options.nodes` nodes.
    #[must_use]
    pub fn new(seed: u64, options: &Options) -> Self {
        let nodes = options.nodes as usize;
        let link = |at| Link { rng: Rng::fork(seed, "link", at as u64), burst: 0, cut_until: 0 };
        let links = (0..nodes * nodes).map(link).collect();
        Self { options: *options, nodes, links, weather: Rng::fork(seed, "partitions", 0), calm: false }
    }

    /// No faults from now on; what is on its way stays so.
    pub fn calm(&mut self) {
        self.calm = true;
        for link in &mut self.links {
            (link.burst, link.cut_until) = (0, 0);
        }
    }

    /// One period passes: cables break and heal.
    pub fn tick(&mut self, now: Nanos) {
        let o = &self.options;
        if self.calm || !self.weather.chance(o.partition_ppm) {
            return;
        }
        let until = now + self.weather.range(1, o.partition_periods) * o.period;
        let both = !self.weather.chance(o.one_way_ppm);
        let (a, b) = (self.weather.below(self.nodes as u64), self.weather.below(self.nodes as u64));
        let (a, b) = (a as usize, b as usize);
        for other in 0..self.nodes {
            // The same node drawn twice: it is cut off from everybody.
            for (from, to) in [(a, other), (other, a)] {
                if (b == a || b == other) && (both || from == a) {
                    self.links[from * self.nodes + to].cut_until = until;
                }
            }
        }
    }

    /// Sends `frame` from node `from` to all others.
    pub fn send(&mut self, now: Nanos, from: usize, frame: &Rc<[u8]>, carrier: &mut impl Carrier) {
        for to in (0..self.nodes).filter(|&to| to != from) {
            let link = &mut self.links[from * self.nodes + to];
            link.carry(&self.options, self.calm, now, frame, &mut |what| match what {
                Ok((at, parcel)) => carrier.arrive(to, at, parcel),
                Err(mishap) => carrier.mishap(to, mishap),
            });
        }
    }
}

/// A parcel and when it arrives, or why none does.
type Sent = Result<(Nanos, Parcel), Mishap>;

impl Link {
    fn carry(&mut self, o: &Options, calm: bool, now: Nanos, frame: &Rc<[u8]>, to: &mut impl FnMut(Sent)) {
        let r = &mut self.rng;
        let soon = now + o.latency + r.below(o.jitter + 1);
        let plain = |nature| Parcel { bytes: Rc::clone(frame), nature };
        if calm {
            return to(Ok((soon, plain(Nature::Plain))));
        }
        if self.cut_until > now {
            return to(Err(Mishap::Outage));
        }
        if self.burst == 0 && r.chance(o.burst_ppm) {
            self.burst = r.range(2, o.burst_frames);
        }
        if self.burst > 0 {
            self.burst -= 1;
            return to(Err(Mishap::Outage));
        }
        let later = |r: &mut Rng| soon + r.below(o.late_periods * o.period + 1);
        if r.chance(o.again_ppm) {
            to(Ok((later(r), plain(Nature::Delayed))));
        }
        if r.chance(o.double_ppm) {
            to(Ok((now + o.latency + r.below(o.jitter + 1), plain(Nature::Plain))));
        }
        if r.chance(o.loss_ppm) {
            return to(Err(Mishap::Single));
        }
        if r.chance(o.damage_ppm) {
            to(Err(Mishap::Single));
            return to(Ok((soon, Parcel { bytes: damaged(frame, r), nature: Nature::Damaged })));
        }
        if r.chance(o.truncate_ppm) {
            to(Err(Mishap::Single));
            let short = &frame[..r.below(frame.len() as u64) as usize];
            return to(Ok((soon, Parcel { bytes: short.into(), nature: Nature::Damaged })));
        }
        if r.chance(o.late_ppm) {
            to(Err(Mishap::Single));
            return to(Ok((later(r), plain(Nature::Delayed))));
        }
        to(Ok((soon, plain(Nature::Plain))));
    }
}

/// The frame with some bits flipped: at least one differs.
pub(super) fn damaged(frame: &[u8], r: &mut Rng) -> Rc<[u8]> {
    let mut bytes = frame.to_vec();
    if r.chance(300_000) {
        // Bytes in a row, as a broken copy leaves them.
        let at = r.below(bytes.len() as u64) as usize;
        let end = (at + r.range(1, 64) as usize).min(bytes.len());
        bytes[at..end].iter_mut().for_each(|b| *b = r.bits() as u8);
    } else {
        for _ in 0..r.range(1, 4) {
            let bit = r.below(bytes.len() as u64 * 8) as usize;
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
    if bytes == frame {
        let at = r.below(bytes.len() as u64) as usize;
        bytes[at] ^= 0x10;
    }
    bytes.into()
}
