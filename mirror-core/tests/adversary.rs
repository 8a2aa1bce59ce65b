//! A hostile world, in one process: members over a network that loses, doubles, reorders and delays for hundreds of cycles, with
//! forks, kills in the middle of anything and returns. Every cut that anybody exposes is compared with what was committed
//! under its name; when peace comes, everybody must come into step.

use mirror_core::region::{Counter, Identity, Map};
use mirror_core::standby::MaxAge;
use mirror_core::takeover::{Heard, MAX_MEMBERS, Settings};
use mirror_core::track::Diff;
use mirror_core::wire::{Ids, SyncState};
use mirror_core::{Cut, FrameSink, LINE, Layout, Member, Region};
use std::collections::{BTreeMap, HashMap};
use std::ptr::NonNull;
use std::rc::Rc;

const PERIOD: u64 = 1000;

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
    fn range(&mut self, a: u64, b: u64) -> u64 {
        a + self.below(b - a + 1)
    }
    fn chance(&mut self, ppm: u64) -> bool {
        self.below(1_000_000) < ppm
    }
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

struct Wire {
    frame: Vec<u8>,
    sent: Vec<Rc<[u8]>>,
    room: usize,
}

impl FrameSink for Wire {
    fn frame_bytes(&self) -> usize {
        self.frame.len()
    }
    fn lend(&mut self) -> Option<&mut [u8]> {
        (self.sent.len() < self.room).then_some(&mut self.frame[..])
    }
    fn push(&mut self, len: usize) {
        self.sent.push(self.frame[..len].into());
    }
}

#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Page([u8; 4096]);

#[derive(Clone, Copy, Debug)]
struct Options {
    nodes: usize,
    lines: usize,
    records: usize,
    frame: usize,
    send: u32,
    repeats: bool,
    parity: bool,
    max_age: u64,
    silence: u64,
    loss: u64,
    double: u64,
    late: u64,
    late_periods: u64,
    again: u64,
    cut: u64,
    kill: u64,
    stall: u64,
    blank: u64,
    refuse: u64,
    dirty: u64,
    steps: u64,
}

/// No faults.
const PLAIN: Options = Options {
    nodes: 3,
    lines: 50,
    records: 4,
    frame: 512,
    send: 1000,
    repeats: false,
    parity: false,
    max_age: 2,
    silence: 8,
    loss: 0,
    double: 0,
    late: 0,
    late_periods: 1,
    again: 0,
    cut: 0,
    kill: 0,
    stall: 0,
    blank: 0,
    refuse: 0,
    dirty: 1,
    steps: 0,
};

impl Options {
    fn of(r: &mut Rng) -> Self {
        let lines = if r.chance(200_000) { r.pick(&[1, 2, 63, 64, 65, 129, 200]) } else { r.range(1, 200) };
        let some = |r: &mut Rng, most: u64| if r.chance(500_000) { r.below(most) } else { 0 };
        Self {
            nodes: r.pick(&[2, 3, 3, 3]),
            lines: lines as usize,
            records: r.pick(&[1, 2, 2, 3, 4, 8, 64]),
            frame: r.pick(&[512, 512, 600, 1472]),
            send: r.pick(&[1, 2, 3, 5, 1000, 1000]),
            repeats: r.chance(500_000),
            parity: r.chance(500_000),
            max_age: r.below(3),
            silence: r.range(3, 8),
            loss: some(r, 300_000),
            double: some(r, 300_000),
            late: some(r, 200_000),
            late_periods: r.pick(&[1, 3, 10, 100, 500]),
            again: some(r, 300_000),
            cut: some(r, 20_000),
            kill: some(r, 6_000),
            stall: some(r, 6_000),
            blank: r.pick(&[0, 0, 200_000]),
            refuse: some(r, 50_000),
            dirty: r.pick(&[0, 1, 2, 3, 4]),
            steps: 6000,
        }
    }
}

struct Node {
    region: Region,
    member: Member,
    tick: u64,
    stalled: u64,
    /// Frames sent on request since the last commit.
    answered: usize,
}

type Flying = (usize, Rc<[u8]>);

struct World {
    o: Options,
    r: Rng,
    now: u64,
    memory: Vec<Vec<Page>>,
    nodes: Vec<Option<Node>>,
    back: Vec<u64>,
    exposed: Vec<Cut>,
    wire: Wire,
    history: HashMap<Cut, (Rc<[u8]>, Cut)>,
    /// What is on its way: when it arrives, in which order, to whom.
    air: BTreeMap<(u64, u64), Flying>,
    number: u64,
    archive: Vec<Rc<[u8]>>,
    link: Vec<bool>,
    lives: u64,
    peace: bool,
    /// Node that loses frames of its own accord, and how many in a million.
    deaf: (usize, u64),
    /// Somebody sends what no correct member sends: then nothing is promised but that everybody lives.
    hostile: bool,
    stats: [u64; 8],
}

const COMMITS: usize = 0;
const CUTS: usize = 1;
const SWEPT: usize = 2;
const KILLS: usize = 3;
const TAKEOVERS: usize = 4;
const FENCED: usize = 5;
const GAPS: usize = 6;
const HEARD: usize = 7;

impl World {
    fn new(seed: u64, o: Options) -> Self {
        let map = Map::new(o.lines * LINE, o.records).unwrap();
        let memory = vec![vec![Page([0; 4096]); map.total / 4096]; o.nodes];
        let mut world = Self {
            o,
            r: Rng(seed),
            now: 0,
            memory,
            nodes: (0..o.nodes).map(|_| None).collect(),
            back: vec![0; o.nodes],
            exposed: vec![Cut::NONE; o.nodes],
            wire: Wire { frame: vec![0; o.frame], sent: vec![], room: usize::MAX },
            history: HashMap::new(),
            air: BTreeMap::new(),
            number: 0,
            archive: vec![],
            link: vec![true; o.nodes * o.nodes],
            lives: 0,
            peace: false,
            deaf: (0, 0),
            hostile: false,
            stats: [0; 8],
        };
        let zeros = vec![0; o.lines * LINE].into();
        world.history.insert(Cut::NONE, (zeros, Cut::NONE));
        for at in 0..o.nodes {
            world.start(at, at == 0);
        }
        world
    }

    fn start(&mut self, at: usize, begin_alone: bool) {
        let o = self.o;
        let map = Map::new(o.lines * LINE, o.records).unwrap();
        let layout = Layout::new("adversary", o.lines * LINE);
        let base = NonNull::new(self.memory[at].as_mut_ptr().cast()).unwrap();
        let id = at as u8 + 1;
        let who = Identity { layout, group: 1, node: id, process: 1, boot: 1 };
        // SAFETY: as long and aligned as needed; touched by nobody else until the node is gone.
        let (region, _) = unsafe { Region::attach(base, map.total, map, &who) }.unwrap();
        self.lives += 1;
        let mut members = [0; MAX_MEMBERS];
        (0..o.nodes).for_each(|at| members[at] = at as u8 + 1);
        let silence = o.silence * PERIOD;
        let settings = Settings {
            members,
            silence,
            patience: 3 * silence,
            status_every: 10 * PERIOD,
            pause: PERIOD / 8,
            max_age: MaxAge { cycles: o.max_age, time: silence },
            send_budget: o.send,
            repeats: o.repeats,
            parity: o.parity,
            begin_alone,
            nonce: self.lives as u32,
            ..Settings::usual(Ids { group: 1, layout: 0, node: id }, layout, PERIOD, o.frame)
        };
        assert!(
            self.hostile || region.cut() >= self.exposed[at],
            "node {at} went back to {} from {}",
            region.cut(),
            self.exposed[at]
        );
        let member = Member::new(settings, region.map(), self.now);
        self.nodes[at] = Some(Node { region, member, tick: 0, stalled: 0, answered: 0 });
        self.look(at);
    }

    fn kill(&mut self, at: usize, blank: bool) {
        self.stats[KILLS] += 1;
        if let Some(node) = &self.nodes[at] {
            self.stats[SWEPT] += node.region.counter(Counter::SweepTaken);
        }
        self.nodes[at] = None;
        if blank {
            self.memory[at].fill(Page([0; 4096]));
            self.exposed[at] = Cut::NONE;
        }
        self.back[at] = self.now + self.r.below(30 * PERIOD);
    }

    /// What this node exposes is what was committed under that name, and newer than before.
    fn look(&mut self, at: usize) {
        let deep = self.r.chance(20_000);
        if self.hostile {
            return;
        }
        let Some(node) = &mut self.nodes[at] else { return };
        let cut = node.region.cut();
        let Some((bytes, _)) = self.history.get(&cut) else {
            panic!("node {at} exposes {cut}, which nobody committed")
        };
        assert!(
            node.region.image() == &bytes[..],
            "node {at}: {cut} is not what was committed under that name"
        );
        assert!(cut >= self.exposed[at], "node {at} went back to {cut} from {}", self.exposed[at]);
        self.exposed[at] = cut;
        if node.member.state() == SyncState::Hot {
            assert!(
                node.region.live() == node.region.image(),
                "node {at} is hot, and its live memory no cut's"
            );
        }
        if deep {
            // A line has not changed since its stamp.
            let mut oldest = vec![cut; self.o.lines];
            for (line, oldest) in oldest.iter_mut().enumerate() {
                let stamp = node.region.stamp(line);
                assert!(stamp <= cut.cycle);
                let mut at = cut;
                while at.cycle > stamp {
                    at = self.history[&at].1;
                }
                *oldest = at;
            }
            for (line, oldest) in oldest.iter().enumerate() {
                let (then, _) = &self.history[oldest];
                let range = line * LINE..(line + 1) * LINE;
                assert!(
                    then[range.clone()] == bytes[range],
                    "node {at}: line {line} of {cut} changed after {oldest}"
                );
            }
        }
    }

    fn send(&mut self, from: usize) {
        let o = self.o;
        for frame in std::mem::take(&mut self.wire.sent) {
            if self.archive.len() < 20_000 {
                self.archive.push(frame.clone());
            } else {
                let at = self.r.below(20_000) as usize;
                self.archive[at] = frame.clone();
            }
            for to in (0..o.nodes).filter(|&to| to != from) {
                let (peace, r) = (self.peace, &mut self.r);
                if !peace && (!self.link[from * o.nodes + to] || r.chance(o.loss)) {
                    continue;
                }
                if to == self.deaf.0 && r.chance(self.deaf.1) {
                    continue;
                }
                let copies = 1 + u64::from(!peace && r.chance(o.double));
                for _ in 0..copies {
                    let way = if peace { 50 } else { r.below(PERIOD / 3) };
                    let late = if !peace && r.chance(o.late) { r.below(o.late_periods * PERIOD) } else { 0 };
                    self.number += 1;
                    self.air.insert((self.now + way + late, self.number), (to, frame.clone()));
                }
            }
        }
    }

    fn hear(&mut self, to: usize, frame: &[u8]) {
        self.stats[HEARD] += 1;
        let Some(node) = &mut self.nodes[to] else { return };
        let before = node.region.cut();
        let heard = node.member.hear(&mut node.region, frame, self.now);
        self.stats[FENCED] += u64::from(matches!(heard, Heard::Fenced(_)));
        if node.region.cut() != before {
            self.stats[CUTS] += 1;
            self.look(to);
        }
    }

    /// A frame that was sent, spoiled in some fields, and sealed again.
    fn spoiled(&mut self) -> Vec<u8> {
        let r = &mut self.r;
        let at = r.below(self.archive.len() as u64) as usize;
        let mut frame = self.archive[at].to_vec();
        match r.below(12) {
            0 => frame.truncate(80.max(r.below(frame.len() as u64 + 1) as usize)),
            1 => frame.resize(r.range(80, 1600) as usize, r.next() as u8),
            2 => {
                let to = self.o.frame.max(frame.len());
                frame.resize(to, 0);
            }
            _ => {}
        }
        if r.chance(150_000) {
            frame[32] = r.range(1, 5) as u8;
        }
        let epoch = u64::from_le_bytes(frame[56..64].try_into().unwrap());
        for _ in 0..r.range(0, 4) {
            let lines = self.o.lines as u64;
            let wide = r.pick(&[
                56, 64, 72, 80, 88, 96, 96, 96, 104, 112, 112, 120, 128, 136, 144, 160, 168, 176, 184, 456,
            ]);
            let narrow =
                r.pick(&[112, 116, 120, 124, 128, 132, 136, 140, 152, 156, 176, 180, 464, 468, 472, 476]);
            let old =
                |at: usize| frame.get(at..at + 8).map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap()));
            let edge = r.pick(&[
                0,
                1,
                2,
                lines - 1,
                lines,
                lines + 1,
                63,
                64,
                65,
                u64::from(u32::MAX),
                u64::from(u32::MAX) - 1,
                1 << 31,
                1 << 62,
                (1 << 63) - 1,
                1 << 63,
                u64::MAX - 1,
                u64::MAX,
            ]);
            let value = match r.below(4) {
                0 => edge,
                1 => old(wide).wrapping_add(r.below(9)).wrapping_sub(4),
                2 => old(wide).wrapping_add(edge),
                _ => r.next(),
            };
            if r.chance(500_000) {
                let bytes = if wide == 56 {
                    (epoch & 0xff00_0000 | (epoch >> 32).wrapping_add(r.below(3)) << 32 | r.below(4))
                        .to_le_bytes()
                } else {
                    value.to_le_bytes()
                };
                if let Some(to) = frame.get_mut(wide..wide + 8) {
                    to.copy_from_slice(&bytes)
                }
            } else if let Some(to) = frame.get_mut(narrow..narrow + 4) {
                to.copy_from_slice(&(value as u32).to_le_bytes());
            }
        }
        let length = (frame.len() as u16).to_le_bytes();
        frame[6..8].copy_from_slice(&length);
        let check = mirror_core::checksum::of_frame(&frame[16..]).to_le_bytes();
        frame[8..16].copy_from_slice(&check);
        frame
    }

    fn step(&mut self) {
        let o = self.o;
        if self.hostile && !self.archive.is_empty() {
            for _ in 0..self.r.below(4) {
                let (frame, to) = (self.spoiled(), self.r.below(o.nodes as u64) as usize);
                self.hear(to, &frame);
            }
        }
        self.now += self.r.range(1, PERIOD / 3);
        let peace = self.peace;
        if !peace && self.r.chance(o.again) && !self.archive.is_empty() {
            for _ in 0..self.r.below(6) {
                let at = self.r.below(self.archive.len() as u64) as usize;
                let (frame, to) = (self.archive[at].clone(), self.r.below(o.nodes as u64) as usize);
                self.hear(to, &frame);
            }
        }
        if !peace && self.r.chance(o.cut) {
            let up = self.r.chance(500_000);
            for link in &mut self.link {
                *link = up || self.r.chance(500_000);
            }
        }
        for at in 0..o.nodes {
            let Some(node) = &mut self.nodes[at] else {
                if self.now >= self.back[at] || peace {
                    self.start(at, false);
                }
                continue;
            };
            if !peace && self.r.chance(o.stall) {
                node.stalled = self.now + self.r.below(20 * PERIOD);
            }
            if !peace && self.r.chance(o.kill) {
                let blank = self.r.chance(o.blank);
                self.kill(at, blank);
            }
        }
        while let Some((&(when, number), _)) = self.air.first_key_value() {
            if when > self.now {
                break;
            }
            let (to, frame) = self.air.remove(&(when, number)).unwrap();
            if self.nodes[to].as_ref().is_some_and(|node| node.stalled > self.now) && !peace {
                self.number += 1;
                let until = self.nodes[to].as_ref().unwrap().stalled;
                self.air.insert((until, self.number), (to, frame));
                continue;
            }
            self.hear(to, &frame);
        }
        for at in 0..o.nodes {
            self.turn(at);
        }
    }

    fn turn(&mut self, at: usize) {
        let (o, now, peace) = (self.o, self.now, self.peace);
        let Some(node) = &mut self.nodes[at] else { return };
        if node.stalled > now && !peace {
            return;
        }
        self.wire.room = usize::MAX;
        if let Some(_takeover) = node.member.poll(&node.region, now, true) {
            self.stats[TAKEOVERS] += 1;
            node.tick = now;
            assert!(
                self.hostile || node.region.live() == node.region.image(),
                "node {at} leads from what is no cut"
            );
        }
        node.member.talk(&node.region, now, &mut self.wire);
        let said = self.wire.sent.len();
        node.member.answer(&node.region, now, &mut self.wire);
        node.answered += self.wire.sent.len() - said;
        assert!(node.answered <= 16.max(o.send as usize / 2), "{} frames on request", node.answered);
        let due = node.member.leads() && now >= node.tick;
        self.send(at);
        if due {
            self.lead(at);
        }
    }

    fn lead(&mut self, at: usize) {
        let (o, now, peace) = (self.o, self.now, self.peace);
        let r = &mut self.r;
        let node = self.nodes[at].as_mut().unwrap();
        node.tick = now + PERIOD - r.below(PERIOD / 8);
        let count = match o.dirty {
            0 => u64::from(r.chance(100_000)),
            1 => r.below(4),
            2 => {
                if r.chance(200_000) {
                    r.below(o.lines as u64 + 1)
                } else {
                    r.below(3)
                }
            }
            3 => o.lines as u64,
            _ => r.below(o.lines as u64 + 1),
        };
        let live = node.region.live_mut();
        for i in 0..count {
            let line = if o.dirty == 3 { i as usize } else { r.below(o.lines as u64) as usize };
            // Often back to a value that it has had.
            let value = if r.chance(300_000) { r.below(3) } else { r.next() };
            let word = r.below(8) as usize;
            live[line * LINE + word * 8..][..8].copy_from_slice(&value.to_le_bytes());
        }
        let before = node.region.cut();
        let live: Rc<[u8]> = node.region.live().into();
        self.wire.room = if !peace && r.chance(o.refuse) { r.below(4) as usize } else { usize::MAX };
        let plant = node.region.committed().plant + PERIOD;
        let done =
            node.member.commit(&mut node.region, &mut Diff::new(), (plant, now), &mut self.wire).unwrap();
        node.answered = 0;
        if !done.open {
            self.stats[COMMITS] += 1;
            let other = self.history.insert(done.cut, (live, before));
            assert!(self.hostile || other.is_none(), "{} committed twice", done.cut);
        }
        let die = !peace && r.chance(o.kill);
        if die {
            // Killed between the seal and the move, having sent some.
            let left = r.below(self.wire.sent.len() as u64 + 1) as usize;
            self.wire.sent.truncate(left);
            self.send(at);
            self.kill(at, false);
            return;
        }
        node.region.settle(false);
        self.send(at);
        let node = self.nodes[at].as_mut().unwrap();
        self.wire.room = usize::MAX;
        node.member.protect(&node.region, now, &mut self.wire);
        assert!(self.wire.sent.len() <= o.send as usize, "{} parity frames", self.wire.sent.len());
        self.send(at);
        self.look(at);
    }

    fn in_step(&self) -> bool {
        let leaders = self.nodes.iter().flatten().filter(|node| node.member.leads()).count();
        let hot = self.nodes.iter().flatten().filter(|node| node.member.state() == SyncState::Hot).count();
        (leaders, hot) == (1, self.o.nodes - 1)
    }

    /// Peace: everybody comes into step, and stays.
    fn end(&mut self) {
        self.peace = true;
        let full = (self.o.lines * 72 / (self.o.frame - 152) + 2) as u64;
        let cut = full / u64::from(self.o.send) + 2;
        let most = 40 * self.o.silence + 20 * (full + cut) + 200;
        let mut since = self.now;
        let mut until = self.now + self.o.late_periods * PERIOD + most * PERIOD;
        let mut operators = 0;
        while self.now < until {
            self.step();
            if self.now - since > (10 * self.o.silence + self.o.late_periods) * PERIOD && operators < 2 {
                since = self.now;
                if !self.nodes.iter().flatten().any(|node| node.member.leads()) {
                    operators += 1;
                    let best = (0..self.o.nodes).max_by_key(|&at| self.exposed[at]).unwrap();
                    self.nodes[best].as_ref().unwrap().region.set_lacking(0);
                    self.nodes[best] = None;
                    self.start(best, true);
                    until = self.now + most * PERIOD;
                }
            }
        }
        let mut behind = 0;
        for _ in 0..400 {
            self.step();
            behind += u64::from(!self.in_step());
        }
        let states: Vec<_> = self
            .nodes
            .iter()
            .flatten()
            .map(|node| {
                (
                    node.member.state(),
                    node.region.cut(),
                    node.region.epoch_seen(),
                    node.region.lacking(),
                    node.member.why(&node.region, self.now),
                )
            })
            .collect();
        assert!(behind == 0, "not in step for {behind} of 400 steps: {states:?}");
        for node in self.nodes.iter().flatten() {
            self.stats[SWEPT] += node.region.counter(Counter::SweepTaken);
            self.stats[GAPS] += node.region.counter(Counter::Gaps);
        }
    }
}

fn world(seed: u64) -> ([u64; 8], Options) {
    let mut r = Rng(seed ^ 0xabcd);
    let o = Options::of(&mut r);
    let mut world = World::new(seed, o);
    for _ in 0..o.steps {
        world.step();
    }
    world.end();
    (world.stats, o)
}

#[test]
fn worlds() {
    let number = |name: &str, or: u64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(or);
    let (first, count) = (number("ADV_FIRST", 0), number("ADV_SEEDS", 20));
    let mut all = [0; 8];
    let mut bad = 0;
    for seed in first..first + count {
        let mut r = Rng(seed ^ 0xabcd);
        let o = Options::of(&mut r);
        match std::panic::catch_unwind(|| world(seed)) {
            Ok((stats, _)) => all.iter_mut().zip(stats).for_each(|(a, b)| *a += b),
            Err(_) => {
                bad += 1;
                eprintln!("seed {seed}: {o:?}");
            }
        }
    }
    eprintln!("commits, cuts, swept, kills, takeovers, fenced, gaps, heard: {all:?}");
    assert_eq!(bad, 0);
}

/// While a newcomer is filled, who holds all but a few frames is healed as ever.
#[test]
fn a_sweep_takes_nothing_from_those_who_lack_a_frame() {
    let o = Options { lines: 2000, dirty: 1, ..PLAIN };
    let mut world = World::new(3, o);
    while !world.in_step() {
        world.step();
    }
    // Every line is written once.
    world.o.dirty = 3;
    (0..20).for_each(|_| world.step());
    world.o.dirty = 1;
    (0..400).for_each(|_| world.step());
    assert!(world.in_step());
    world.deaf = (1, 60_000);
    let gaps = |world: &World| world.nodes[1].as_ref().unwrap().region.counter(Counter::Gaps);
    (0..2500).for_each(|_| world.step());
    let alone = gaps(&world);
    let (mut fills, mut since) = (0, 0);
    while since < 2500 {
        world.kill(2, true);
        world.back[2] = world.now;
        for _ in 0..20 {
            world.step();
            since += 1;
        }
        while !world.in_step() && since < 2500 {
            world.step();
            since += 1;
        }
        fills += 1;
    }
    assert!(fills > 3);
    assert_eq!((alone, gaps(&world)), (0, 0));
}

#[test]
fn nobody_dies_of_what_no_correct_member_sends() {
    let number = |name: &str, or: u64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(or);
    let (first, count) = (number("ADV_FIRST", 0), number("ADV_SEEDS", 100));
    let (mut heard, mut taken, mut bad) = (0, 0, 0);
    for seed in first..first + count {
        let mut r = Rng(seed ^ 0x5555);
        let o = Options::of(&mut r);
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed, o);
            for _ in 0..100 {
                world.step();
            }
            world.hostile = true;
            for _ in 0..400 {
                world.step();
            }
            (world.stats[HEARD], world.stats[CUTS])
        });
        match run {
            Ok((h, c)) => {
                heard += h;
                taken += c;
            }
            Err(_) => {
                bad += 1;
                eprintln!("seed {seed}: {o:?}");
            }
        }
    }
    eprintln!("{heard} heard, {taken} cuts");
    assert_eq!(bad, 0);
}

/// Nobody may lead, because the only member left knows of cycles that it lacks: it waits, and does not ask the dead for ever.
#[test]
fn the_dead_are_not_asked_for_ever() {
    let o = Options {
        nodes: 2,
        lines: 50,
        records: 8,
        frame: 512,
        send: 1000,
        repeats: false,
        parity: false,
        max_age: 0,
        silence: 5,
        dirty: 3,
        ..PLAIN
    };
    let mut world = World::new(3, o);
    (0..600).for_each(|_| world.step());
    assert!(world.in_step());
    world.deaf = (1, 700_000);
    while world.nodes[1].as_ref().unwrap().member.state() == SyncState::Hot {
        world.step();
    }
    world.nodes[0] = None;
    world.back[0] = u64::MAX;
    (0..100).for_each(|_| world.step());
    let spoken = |world: &World| world.nodes[1].as_ref().unwrap().region.counter(Counter::FramesSent);
    let (before, now) = (spoken(&world), world.now);
    (0..2000).for_each(|_| world.step());
    assert!(world.nodes[0].is_none() && !world.nodes[1].as_ref().unwrap().member.leads());
    let due = (world.now - now) / (10 * PERIOD) + 1;
    assert!(spoken(&world) - before <= due, "{} statuses where {due} were due", spoken(&world) - before);
}
