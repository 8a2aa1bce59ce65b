//! Observers of a group, over two networks of byte vectors: the members' channel and the observers' own.
//!
//! The model is a history of plain copies: every cut that anybody exposes must be one that some primary committed under that
//! very name, byte for byte, and no observer ever goes back.

use mirror_core::observer::{ObserverSettings, Standing};
use mirror_core::region::{Counter, Identity, Map};
use mirror_core::takeover::{Heard, MAX_MEMBERS, Settings};
use mirror_core::track::Diff;
use mirror_core::wire::{Frame, Ids, SyncState};
use mirror_core::{Cut, FrameSink, LINE, Layout, Member, Observer, Region, checksum};
use std::collections::HashMap;
use std::ptr::NonNull;

const LINES: usize = 100;
const STATE: usize = LINES * LINE - 10;
const FRAME: usize = 600;
const PERIOD: u64 = 1000;
const GROUP: u64 = 1;

/// Takes frames as vectors.
struct Wire {
    frame: [u8; FRAME],
    sent: Vec<Vec<u8>>,
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

fn wire() -> Wire {
    Wire { frame: [0; FRAME], sent: vec![] }
}

#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Page([u8; 4096]);

fn map() -> Map {
    Map::new(STATE, 4).unwrap()
}

fn layout() -> Layout {
    Layout::new("test", STATE)
}

fn attach(memory: &mut [Page], node: u8) -> Region {
    let base = NonNull::new(memory.as_mut_ptr().cast()).unwrap();
    let who = Identity { layout: layout(), group: GROUP, node, process: 1, boot: 1 };
    // SAFETY: the memory is as long and as aligned as needed, and is kept beside the region by its owner.
    unsafe { Region::attach(base, map().total, map(), &who) }.unwrap().0
}

fn blank() -> Vec<Page> {
    vec![Page([0; 4096]); map().total / 4096]
}

/// A member.
struct Node {
    region: Region,
    member: Member,
    wire: Wire,
    /// The observers' channel.
    service: Wire,
    _memory: Vec<Page>,
}

impl Node {
    fn new(id: u8, now: u64, members: &[u8], serve_alone: bool) -> Self {
        let mut memory = blank();
        let region = attach(&mut memory, id);
        let mut all = [0; MAX_MEMBERS];
        all[..members.len()].copy_from_slice(members);
        let settings = Settings {
            members: all,
            status_every: 10 * PERIOD,
            patience: 20 * PERIOD,
            begin_alone: true,
            serve_alone,
            nonce: now as u32 + u32::from(id),
            ..Settings::usual(Ids { group: GROUP, layout: 0, node: id }, layout(), PERIOD, FRAME)
        };
        let member = Member::new(settings, &map(), now);
        Self { region, member, wire: wire(), service: wire(), _memory: memory }
    }
}

struct Watcher {
    region: Region,
    observer: Observer,
    wishes: Wire,
    last: Cut,
    memory: Vec<Page>,
}

impl Watcher {
    fn new(seed: u64, memory: Option<Vec<Page>>) -> Self {
        let mut memory = memory.unwrap_or_else(blank);
        let region = attach(&mut memory, 0);
        let settings = ObserverSettings {
            status_every: 10 * PERIOD,
            seed,
            ..ObserverSettings::usual(GROUP, layout(), PERIOD, FRAME)
        };
        let observer = Observer::new(settings, &map(), &region.committed());
        let last = region.cut();
        Self { region, observer, wishes: wire(), last, memory }
    }
}

/// Where a frame goes.
#[derive(Clone, Copy, PartialEq)]
enum To {
    Member(usize),
    Watcher(usize),
    /// On the observers' channel.
    Service(usize),
    Refill(usize),
}

struct Bed {
    nodes: Vec<Option<Node>>,
    watchers: Vec<Watcher>,
    now: u64,
    history: HashMap<Cut, Vec<u8>>,
    seed: u64,
}

impl Bed {
    fn new(members: u8, watchers: u64) -> Self {
        let ids: Vec<u8> = (1..=members).collect();
        Self {
            nodes: ids.iter().map(|&id| Some(Node::new(id, 0, &ids, false))).collect(),
            watchers: (0..watchers).map(|n| Watcher::new(n + 7, None)).collect(),
            now: 0,
            history: HashMap::from([(Cut::NONE, vec![0; LINES * LINE])]),
            seed: 1,
        }
    }

    fn node(&mut self, at: usize) -> &mut Node {
        self.nodes[at].as_mut().unwrap()
    }

    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.seed >> 33
    }

    /// One period, in eight looks. `fate`: whether a frame arrives.
    fn tick(&mut self, lines: usize, fate: &mut dyn FnMut(To) -> bool) {
        for look in 0..8 {
            self.now += PERIOD / 8;
            for at in 0..self.nodes.len() {
                self.member_looks(at, if look == 0 { Some(lines) } else { None }, fate);
            }
            for at in 0..self.watchers.len() {
                self.watcher_looks(at, fate);
            }
        }
        for node in self.nodes.iter().flatten() {
            assert!(self.history.get(&node.region.cut()).is_some_and(|image| image == node.region.image()));
        }
    }

    fn member_looks(&mut self, at: usize, cycle: Option<usize>, fate: &mut dyn FnMut(To) -> bool) {
        let (now, writes) = (self.now, [(); 2].map(|()| self.random()));
        let Some(node) = &mut self.nodes[at] else { return };
        let Node { region, member, wire, service, .. } = node;
        member.poll(region, now, true);
        member.talk(region, now, wire);
        member.answer(region, now, wire);
        member.serve(region, now, service);
        if let Some(lines) = cycle.filter(|_| member.leads()) {
            for n in 0..lines as u64 {
                let at = (writes[0].wrapping_mul(n * 2 + 1) % STATE as u64) as usize;
                region.live_mut()[at] ^= writes[1] as u8 | 1;
            }
            let done = member.commit(region, &mut Diff::new(), (now, now), wire).unwrap();
            region.settle(false);
            assert!(self.history.insert(done.cut, region.image().to_vec()).is_none(), "{} twice", done.cut);
        }
        let (sent, served) = (std::mem::take(&mut wire.sent), std::mem::take(&mut service.sent));
        for to in (0..self.nodes.len()).filter(|to| *to != at) {
            let Some(node) = &mut self.nodes[to] else { continue };
            for frame in sent.iter().filter(|_| fate(To::Member(to))) {
                node.member.hear(&mut node.region, frame, now);
            }
        }
        for (to, watcher) in self.watchers.iter_mut().enumerate() {
            let Watcher { region, observer, .. } = watcher;
            for frame in sent.iter().filter(|_| fate(To::Watcher(to))) {
                observer.hear(region, frame, now);
            }
            for frame in served.iter().filter(|_| fate(To::Refill(to))) {
                observer.hear_refill(region, frame, now);
            }
        }
    }

    fn watcher_looks(&mut self, at: usize, fate: &mut dyn FnMut(To) -> bool) {
        let now = self.now;
        let Watcher { region, observer, wishes, last, .. } = &mut self.watchers[at];
        observer.poll(region, now);
        observer.talk(region, now, wishes);
        let held = observer.exposed(region).map_or(Cut::NONE, |held| held.cut);
        assert!(held >= *last, "from {last} back to {held}");
        assert_eq!(
            self.history.get(&region.cut()).map(Vec::as_slice),
            Some(region.image()),
            "{held} is torn"
        );
        *last = held;
        for wish in std::mem::take(&mut wishes.sent) {
            for (to, node) in self.nodes.iter_mut().enumerate() {
                let Some(node) = node.as_mut().filter(|_| fate(To::Service(to))) else { continue };
                if node.member.may_serve() {
                    node.member.hear_observer(&node.region, &wish, now);
                }
            }
        }
    }

    fn run(&mut self, ticks: usize, lines: usize) {
        for _ in 0..ticks {
            self.tick(lines, &mut |_| true);
        }
    }

    fn count(&self, at: usize, counter: Counter) -> u64 {
        self.nodes[at].as_ref().unwrap().region.counter(counter)
    }

    /// All watchers hold what the primary holds.
    fn in_step(&self) -> bool {
        let leads = |node: &&Node| node.member.leads();
        let lead = self.nodes.iter().flatten().find(leads).unwrap().region.cut();
        self.watchers.iter().all(|watcher| watcher.region.cut() == lead)
    }
}

#[test]
fn observers_hold_every_cycle_and_the_primary_does_not_know_of_them() {
    let primary = |watchers| {
        let mut bed = Bed::new(3, watchers);
        bed.run(30, 5);
        for _ in 0..50 {
            bed.tick(40, &mut |_| true);
            assert!(bed.in_step());
        }
        assert!(bed.watchers.iter().all(|w| w.observer.standing(&w.region, bed.now) == Standing::Current));
        (bed.count(0, Counter::FramesSent), bed.count(0, Counter::FramesHeard))
    };
    assert_eq!(primary(0), primary(5));
}

#[test]
fn a_lost_cycle_is_filled_by_one_standby_and_nothing_by_the_primary() {
    let mut bed = Bed::new(3, 3);
    bed.run(40, 5);
    let before =
        [Counter::FramesHeard, Counter::FramesRepaired, Counter::FramesSwept].map(|c| bed.count(0, c));
    bed.tick(60, &mut |to| !matches!(to, To::Watcher(_)));
    bed.run(8, 5);
    assert!(bed.in_step());
    let after =
        [Counter::FramesHeard, Counter::FramesRepaired, Counter::FramesSwept].map(|c| bed.count(0, c));
    assert!(after[0] - before[0] <= 2, "statuses of the two standbys");
    assert_eq!(after[1..], before[1..]);
    assert_eq!(bed.count(0, Counter::WishesHeard), 0);
    assert!(bed.count(1, Counter::FramesServed) > 0);
    assert_eq!(bed.count(2, Counter::FramesServed), 0, "the second in rank is silent");
}

#[test]
fn when_the_serving_standby_falls_silent_the_next_serves() {
    let mut bed = Bed::new(3, 2);
    bed.run(40, 5);
    bed.nodes[1] = None;
    for _ in 0..8 {
        bed.tick(60, &mut |to| !matches!(to, To::Watcher(_)));
    }
    bed.run(60, 5);
    assert!(bed.in_step());
    assert!(bed.count(2, Counter::FramesServed) > 0);
}

#[test]
fn a_late_comer_is_filled_while_the_cycles_go_on() {
    let mut bed = Bed::new(2, 0);
    bed.run(60, 30);
    bed.watchers.push(Watcher::new(3, None));
    bed.tick(30, &mut |to| !matches!(to, To::Refill(_)));
    let Watcher { observer, region, .. } = &bed.watchers[0];
    assert_eq!((observer.exposed(region), observer.staleness(region, bed.now)), (None, None));
    assert!(observer.progress(bed.now).is_some_and(|progress| progress.lines == LINES));
    bed.run(20, 30);
    assert!(bed.in_step());
    assert_eq!(bed.count(0, Counter::FramesSwept), 0);
}

#[test]
fn observers_follow_a_successor_also_those_that_held_more_than_it() {
    let mut bed = Bed::new(3, 2);
    bed.run(40, 20);
    // The last cycle reaches the first observer alone.
    bed.tick(20, &mut |to| to == To::Watcher(0));
    assert!(bed.watchers[0].region.cut() > bed.watchers[1].region.cut());
    bed.nodes[0] = None;
    bed.run(60, 20);
    assert!(bed.in_step());
    assert!(bed.count(2, Counter::FramesServed) > 0, "the standby that is left fills what branched off");
}

#[test]
fn how_old_the_view_is_counts_from_the_first_frame_of_its_cycle() {
    let mut bed = Bed::new(2, 1);
    bed.run(40, 5);
    let staleness = |bed: &Bed| bed.watchers[0].observer.staleness(&bed.watchers[0].region, bed.now).unwrap();
    let now = staleness(&bed);
    assert_eq!((now.cycles, now.time), (0, 7 * PERIOD / 8), "heard with the first of eight looks");
    // Nothing comes: nothing is known to be missing, and the view grows old.
    for _ in 0..3 {
        bed.tick(5, &mut |to| to != To::Watcher(0));
    }
    let later = staleness(&bed);
    assert_eq!((later.cycles, later.time), (0, now.time + 3 * PERIOD));
    // A newer cycle tells of those that are missing. (The look that hears it is the first of the tick.)
    bed.tick(5, &mut |to| !matches!(to, To::Refill(_)));
    assert_eq!(staleness(&bed).cycles, 4);
    bed.nodes[0] = None;
    let Watcher { observer, region, .. } = &bed.watchers[0];
    assert_eq!(
        observer.standing(region, bed.now + 100 * PERIOD),
        Standing::Silent { silent: Some(100 * PERIOD + 7 * PERIOD / 8) }
    );
}

#[test]
fn a_restart_on_its_region_goes_on_and_never_back() {
    let mut bed = Bed::new(2, 1);
    bed.run(40, 5);
    let Watcher { region, memory, .. } = bed.watchers.remove(0);
    let held = region.cut();
    bed.run(10, 5);
    bed.watchers.push(Watcher::new(9, Some(memory)));
    assert_eq!(bed.watchers[0].last, held);
    bed.run(8, 5);
    assert!(bed.in_step());
}

#[test]
fn an_older_reign_is_refused_and_named() {
    let mut bed = Bed::new(2, 1);
    bed.run(40, 5);
    let seen = bed.watchers[0].region.epoch_seen();
    let newer = seen.next(7, 1).unwrap();
    bed.watchers[0].region.see_epoch(newer);
    let held = bed.watchers[0].last;
    bed.run(10, 5);
    let Watcher { observer, region, last, .. } = &bed.watchers[0];
    assert_eq!(*last, held);
    assert_eq!(observer.standing(region, bed.now), Standing::OlderReign { heard: seen, followed: newer });
}

#[test]
fn without_a_standby_it_says_that_nobody_serves_unless_the_primary_was_told_to() {
    for serve_alone in [false, true] {
        let mut bed = Bed::new(0, 1);
        bed.nodes.push(Some(Node::new(1, 0, &[1], serve_alone)));
        bed.run(40, 5);
        for _ in 0..8 {
            bed.tick(60, &mut |to| !matches!(to, To::Watcher(_)));
        }
        bed.run(40, 5);
        let Watcher { observer, region, .. } = &bed.watchers[0];
        let standing = observer.standing(region, bed.now);
        assert_eq!(bed.in_step(), serve_alone, "{standing:?}");
        assert_eq!(matches!(standing, Standing::Unserved { .. }), !serve_alone, "{standing:?}");
        assert_eq!(bed.count(0, Counter::FramesServed) > 0, serve_alone);
        assert_eq!(bed.count(0, Counter::WishesHeard) > 0, serve_alone);
    }
}

/// A wish of an observer that lacks everything, and a refill that answers one.
fn wish_and_refill(bed: &mut Bed) -> (Vec<u8>, Vec<u8>) {
    let mut late = Watcher::new(5, None);
    let (mut wish, mut refill) = (None, None);
    bed.watchers.clear();
    while refill.is_none() {
        bed.now += PERIOD;
        let now = bed.now;
        let Node { region, member, wire, .. } = bed.node(0);
        member.poll(region, now, true);
        region.live_mut()[0] ^= 1;
        let done = member.commit(region, &mut Diff::new(), (now, now), wire).unwrap();
        region.settle(false);
        let (cut, image) = (done.cut, region.image().to_vec());
        let frames = std::mem::take(&mut wire.sent);
        bed.history.insert(cut, image);
        let Node { region, member, service, .. } = bed.node(1);
        for frame in &frames {
            member.hear(region, frame, now);
            late.observer.hear(&mut late.region, frame, now);
        }
        if late.observer.talk(&late.region, now, &mut late.wishes) {
            let said = late.wishes.sent.pop().unwrap();
            member.hear_observer(region, &said, now);
            wish = Some(said);
        }
        if member.serve(region, now, service) {
            refill = service.sent.pop();
        }
    }
    (wish.unwrap(), refill.unwrap())
}

/// Makes the checksum of a changed frame right again.
fn reseal(frame: &mut [u8]) {
    let check = checksum::of_frame(&frame[16..]).to_le_bytes();
    frame[8..16].copy_from_slice(&check);
}

#[test]
fn a_member_is_filled_by_its_primary_alone() {
    let mut bed = Bed::new(3, 0);
    bed.run(40, 5);
    let (wish, refill) = wish_and_refill(&mut bed);
    // A member that is being filled itself, and so would have use for it.
    let now = bed.now;
    let ids = [1, 2, 3];
    for lead in [false, true] {
        let mut cold = Node::new(3, now, &ids, false);
        let node = if lead { bed.node(0) } else { &mut cold };
        let before = (node.region.cut(), node.member.state(), node.region.epoch_seen());
        for frame in [&wish, &refill] {
            assert_eq!(node.member.hear(&mut node.region, frame, now), Heard::Nothing);
        }
        assert_eq!((node.region.cut(), node.member.state(), node.region.epoch_seen()), before);
        assert_eq!(node.region.counter(Counter::Misplaced), 2);
        // Called a sweep, it is one that no correct member sends.
        let mut forged = refill.clone();
        forged[32] = 4;
        reseal(&mut forged);
        assert_eq!(node.member.hear(&mut node.region, &forged, now), Heard::Nothing);
        assert_eq!(node.region.counter(Counter::RejectField), 1);
        assert_eq!((node.region.cut(), node.member.state(), node.region.epoch_seen()), before);
    }
    // Nor does an observer take one on the members' channel, or of another reign.
    let mut watcher = Watcher::new(1, None);
    watcher.observer.hear(&mut watcher.region, &refill, now);
    watcher.observer.hear_refill(&mut watcher.region, &wish, now);
    watcher.observer.hear_refill(&mut watcher.region, &refill, now);
    let count = |counter| watcher.region.counter(counter);
    assert_eq!((count(Counter::Misplaced), count(Counter::Unfit), count(Counter::SweepTaken)), (2, 1, 0));
    assert_eq!(Counter::OUTCOMES.iter().map(|&c| count(c)).sum::<u64>(), count(Counter::FramesHeard));
    let status = |bytes: &[u8]| matches!(Frame::decode(bytes, LINES), Ok(Frame::Status(..)));
    let mut member = wish.clone();
    member[32] = 2;
    reseal(&mut member);
    assert!(!status(&member), "nobody's status has no sender");
}

#[test]
fn mad_observers_get_the_budget_and_no_more_and_others_are_served_beside_them() {
    let mut bed = Bed::new(3, 1);
    bed.run(40, 5);
    let (wish, _) = wish_and_refill(&mut Bed::run_in(40));
    let mut quiet = 0;
    bed.tick(60, &mut |to| !matches!(to, To::Watcher(_)));
    for round in 0..30u64 {
        let cut = bed.node(1).region.cut();
        let served = bed.count(1, Counter::FramesServed);
        for n in 0..1000u64 {
            let now = bed.now;
            let mut mad = wish.clone();
            // Of this reign, having heard everything, wishing for anything.
            let (epoch, base) = (bed.node(1).region.cut().epoch, bed.node(1).region.committed().base);
            mad[56..64].copy_from_slice(&epoch.0.to_le_bytes());
            mad[80..88].copy_from_slice(&base.epoch.0.to_le_bytes());
            mad[88..96].copy_from_slice(&base.cycle.to_le_bytes());
            mad[124] = 2;
            mad[128..136].copy_from_slice(&u64::MAX.to_le_bytes());
            for (at, byte) in mad[136..].iter_mut().enumerate() {
                *byte = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(at as u32) ^ round) as u8;
            }
            mad[144..152].copy_from_slice(&[0, 0, 0, 0, 255, 255, 255, 255]);
            reseal(&mut mad);
            let Node { region, member, service, .. } = bed.node(1);
            member.hear_observer(region, &mad, now);
            member.serve(region, now, service);
        }
        let most = 16;
        assert!(bed.count(1, Counter::FramesServed) - served <= most);
        let (now, sent) = (bed.now, std::mem::take(&mut bed.node(1).service.sent));
        for frame in sent {
            let Watcher { observer, region, .. } = &mut bed.watchers[0];
            observer.hear_refill(region, &frame, now);
        }
        // It follows every cycle all the same.
        bed.tick(5, &mut |_| true);
        assert_eq!(bed.node(1).region.cut().cycle, cut.cycle + 1);
        quiet = bed.count(1, Counter::FramesServed);
    }
    assert_eq!(bed.node(1).member.state(), SyncState::Hot);
    assert!(bed.count(1, Counter::WishesHeard) >= 30_000 && bed.count(1, Counter::WishesTaken) > 0);
    assert!(quiet > 0 && bed.in_step());
    // Noise is counted and answered by nothing.
    let refused = bed.count(1, Counter::WishesRefused);
    let Node { region, member, .. } = bed.node(1);
    for length in 0..wish.len() {
        member.hear_observer(region, &wish[..length], 0);
    }
    assert_eq!(bed.count(1, Counter::WishesRefused), refused + wish.len() as u64);
}

impl Bed {
    fn run_in(ticks: usize) -> Self {
        let mut bed = Self::new(3, 0);
        bed.run(ticks, 5);
        bed
    }
}

#[test]
fn under_loss_and_deaths_nothing_torn_is_ever_exposed_and_all_converge() {
    for seed in 0..40 {
        let mut bed = Bed::new(3, 3);
        bed.seed = seed;
        let loss = [1, 5, 20, 60][seed as usize % 4];
        let mut x = seed + 1;
        let mut fate = |to: To| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let percent = if matches!(to, To::Member(_)) { loss / 5 } else { loss };
            (x >> 33) % 100 >= percent
        };
        for tick in 0..150 {
            bed.tick(1 + tick % 40, &mut fate);
            if tick == 60 {
                bed.nodes[0] = None;
            }
            if tick == 110 && seed % 2 == 0 {
                bed.nodes[1] = None;
                // Somebody must be there to serve.
                bed.nodes[0] = Some(Node::new(1, bed.now, &[1, 2, 3], false));
            }
        }
        bed.run(120, 5);
        assert!(bed.in_step(), "seed {seed}");
    }
}
