//! Members of a group over a network of byte vectors: who leads, who follows, what is exposed.
//!
//! The model is a history of plain copies: every cut that any member ever exposes must be one that some primary
//! committed under that very name, byte for byte.

use mirror_core::region::{Counter, CutInfo, Identity, Map};
use mirror_core::standby::MaxAge;
use mirror_core::takeover::{Cause, Heard, MAX_MEMBERS, Settings, Takeover, Why};
use mirror_core::track::Diff;
use mirror_core::wire::{Frame, Ids, SyncState};
use mirror_core::{Cut, FrameSink, LINE, Layout, Member, Region};
use std::collections::HashMap;
use std::ptr::NonNull;

const LINES: usize = 100;
const STATE: usize = LINES * LINE - 10;
const FRAME: usize = 600;
const PERIOD: u64 = 1000;
const SILENCE: u64 = 5 * PERIOD;
const PATIENCE: u64 = 20 * PERIOD;

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

#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Page([u8; 4096]);

struct Node {
    region: Region,
    member: Member,
    wire: Wire,
    seed: u64,
    /// What the region points into.
    memory: Vec<Page>,
}

struct Options {
    group: u64,
    label: &'static str,
    members: [u8; MAX_MEMBERS],
    begin_alone: bool,
    parity: bool,
}

const PLAIN: Options =
    Options { group: 1, label: "test", members: [1, 2, 3, 0, 0, 0, 0], begin_alone: true, parity: false };

impl Node {
    fn new(id: u8, now: u64) -> Self {
        Self::with(id, now, &PLAIN, None)
    }

    fn with(id: u8, now: u64, options: &Options, memory: Option<Vec<Page>>) -> Self {
        let map = Map::new(STATE, 4).unwrap();
        let layout = Layout::new(options.label, STATE);
        let mut memory = memory.unwrap_or_else(|| vec![Page([0; 4096]); map.total / 4096]);
        let base = NonNull::new(memory.as_mut_ptr().cast()).unwrap();
        let who = Identity { layout, group: options.group, node: id, process: 1, boot: 1 };
        // SAFETY: the memory is as long and as aligned as needed, and lives in this value beside the region.
        let (region, _) = unsafe { Region::attach(base, map.total, map, &who) }.unwrap();
        let ids = Ids { group: options.group, layout: 0, node: id };
        let settings = Settings {
            members: options.members,
            patience: PATIENCE,
            status_every: 10 * PERIOD,
            pause: PERIOD / 4,
            max_age: MaxAge { cycles: 1, time: SILENCE },
            begin_alone: options.begin_alone,
            parity: options.parity,
            repeats: options.parity,
            nonce: (now / 7) as u32 + id as u32,
            ..Settings::usual(ids, layout, PERIOD, FRAME)
        };
        let wire = Wire { frame: [0; FRAME], sent: vec![] };
        Self { region, member: Member::new(settings, &map, now), wire, seed: now + id as u64, memory }
    }

    fn state(&self) -> SyncState {
        self.member.state()
    }

    /// Runs a step that changes `lines` lines, and commits.
    fn lead(&mut self, now: u64, lines: usize) -> Cut {
        for _ in 0..lines {
            self.seed =
                self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (self.seed >> 33) as usize % STATE;
            self.region.live_mut()[at] ^= (self.seed >> 56) as u8 | 1;
        }
        let published =
            self.member.commit(&mut self.region, &mut Diff::new(), (now, now), &mut self.wire).unwrap();
        self.region.settle(false);
        self.member.protect(&self.region, now, &mut self.wire);
        published.cut
    }

    fn exposed(&self) -> (Cut, Vec<u8>) {
        (self.region.cut(), self.region.image().to_vec())
    }
}

/// Several nodes, one clock, one network.
struct Bed {
    nodes: Vec<Option<Node>>,
    now: u64,
    history: HashMap<Cut, Vec<u8>>,
    takeovers: Vec<(usize, Takeover)>,
}

/// What becomes of the frames that go from one node to another in a tick.
type Fate<'a> = &'a mut dyn FnMut(usize, usize, Vec<Vec<u8>>) -> Vec<Vec<u8>>;

impl Bed {
    fn new(nodes: u8) -> Self {
        let nodes = (1..=nodes).map(|id| Some(Node::new(id, 0))).collect();
        Self {
            nodes,
            now: 0,
            history: HashMap::from([(Cut::NONE, vec![0; LINES * LINE])]),
            takeovers: vec![],
        }
    }

    fn node(&mut self, at: usize) -> &mut Node {
        self.nodes[at].as_mut().unwrap()
    }

    /// One period: everybody listens and looks at the clock, whoever leads commits, all frames arrive.
    fn tick(&mut self, lines: usize, fate: Fate<'_>) {
        self.now += PERIOD;
        for at in 0..self.nodes.len() {
            let now = self.now;
            let Some(node) = &mut self.nodes[at] else { continue };
            if let Some(takeover) = node.member.poll(&node.region, now, true) {
                self.takeovers.push((at, takeover));
            }
            node.member.talk(&node.region, now, &mut node.wire);
            node.member.answer(&node.region, now, &mut node.wire);
            if node.member.leads() {
                let cut = node.lead(now, lines);
                let before = self.history.insert(cut, node.region.image().to_vec());
                assert_eq!(before, None, "cut {cut} committed twice");
            }
            let sent = std::mem::take(&mut node.wire.sent);
            for to in 0..self.nodes.len() {
                if to == at {
                    continue;
                }
                let frames = fate(at, to, sent.clone());
                let Some(node) = &mut self.nodes[to] else { continue };
                for frame in frames {
                    node.member.hear(&mut node.region, &frame, now);
                }
            }
        }
        self.check();
    }

    /// The promise: whatever a member holds is exactly one committed cycle.
    fn check(&self) {
        for node in self.nodes.iter().flatten() {
            let (cut, image) = node.exposed();
            assert!(
                self.history.get(&cut) == Some(&image),
                "{cut} is not what was committed under that name"
            );
        }
    }

    fn run(&mut self, ticks: usize, lines: usize) {
        for _ in 0..ticks {
            self.tick(lines, &mut |_, _, frames| frames);
        }
    }

    fn states(&self) -> Vec<Option<SyncState>> {
        self.nodes.iter().map(|n| n.as_ref().map(Node::state)).collect()
    }
}

use SyncState::{Cold, Hot, Primary};

#[test]
fn the_first_in_rank_leads_and_the_others_follow_every_cycle() {
    let mut bed = Bed::new(3);
    bed.run(30, 5);
    assert_eq!(bed.states(), [Some(Primary), Some(Hot), Some(Hot)]);
    assert_eq!(bed.takeovers[0].1.cause, Cause::Start);
    for _ in 0..50 {
        bed.tick(40, &mut |_, _, frames| frames);
        let leader = bed.node(0).exposed();
        assert_eq!(bed.node(1).exposed(), leader);
        assert_eq!(bed.node(2).exposed(), leader);
    }
    assert_eq!(bed.node(1).region.counter(Counter::Gaps), 0);
}

#[test]
fn when_the_primary_dies_the_next_in_rank_goes_on_from_its_last_cut() {
    let mut bed = Bed::new(3);
    bed.run(40, 5);
    let last = bed.node(0).exposed();
    bed.nodes[0] = None;
    bed.run(20, 5);
    assert_eq!(bed.states(), [None, Some(Primary), Some(Hot)]);
    let (who, takeover) = bed.takeovers[1];
    assert_eq!((who, takeover.cause, takeover.cut), (1, Cause::Silence, last.0));
    assert!(takeover.epoch > last.0.epoch);
    assert_eq!(takeover.silent, SILENCE);
    bed.nodes[1] = None;
    bed.run(20, 5);
    assert_eq!(bed.states(), [None, None, Some(Primary)]);
    assert_eq!(bed.takeovers.len(), 3);
}

#[test]
fn a_burst_cut_short_by_death_costs_one_cycle_and_no_mixture() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let before = bed.node(1).exposed();
    let mut burst = 0;
    bed.tick(60, &mut |_, _, mut frames| {
        burst = burst.max(frames.len());
        frames.pop();
        frames
    });
    assert!(burst > 4);
    bed.nodes[0] = None;
    assert_eq!(bed.node(1).exposed(), before);
    bed.run(20, 5);
    assert_eq!(bed.takeovers[1].1.cut, before.0);
    assert_eq!(bed.node(1).state(), Primary);
}

/// Everything that is sent to node 2 is lost.
fn deaf(_: usize, to: usize, frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if to == 1 { vec![] } else { frames }
}

#[test]
fn a_lost_frame_is_sent_again_and_nothing_else_is() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let held = bed.node(1).region.cut();
    bed.tick(60, &mut |_, _, frames| frames.into_iter().skip(1).collect());
    assert_eq!(bed.node(1).region.cut(), held);
    bed.run(4, 5);
    let leader = bed.node(0).exposed();
    let node = bed.node(1);
    assert_eq!((node.state(), node.exposed()), (Hot, leader));
    assert_eq!(bed.node(0).region.counter(Counter::FramesRepaired), 1);
    assert_eq!(bed.node(0).region.counter(Counter::FramesSwept), 0);
}

#[test]
fn whole_cycles_unheard_are_healed_in_order_while_the_records_last() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    for _ in 0..3 {
        bed.tick(60, &mut deaf);
    }
    bed.run(8, 5);
    let leader = bed.node(0).exposed();
    assert_eq!((bed.node(1).state(), bed.node(1).exposed()), (Hot, leader));
    assert_eq!(bed.node(1).region.counter(Counter::Gaps), 0);
}

#[test]
fn parity_makes_lost_frames_good_without_asking() {
    let options = Options { parity: true, ..PLAIN };
    let mut bed = Bed::new(0);
    bed.nodes = (1..=2).map(|id| Some(Node::with(id, 0, &options, None))).collect();
    bed.run(40, 60);
    let before = bed.node(1).region.counter(Counter::ParityTaken);
    for lost in 0..12 {
        bed.tick(60, &mut |from, _, frames| {
            let frames = frames.into_iter().enumerate();
            frames.filter(|(at, _)| from != 0 || *at != lost).map(|(_, frame)| frame).collect()
        });
        let leader = bed.node(0).exposed();
        assert!(bed.node(1).exposed() == leader, "frame {lost}");
    }
    assert!(bed.node(1).region.counter(Counter::ParityTaken) > before + 8);
    assert_eq!(bed.node(0).region.counter(Counter::FramesRepaired), 0);
}

#[test]
fn a_cycle_that_was_lost_whole_is_asked_for_when_it_is_overdue() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    bed.tick(60, &mut deaf);
    let lost = bed.node(0).region.cut();
    assert!(bed.node(1).region.cut() < lost);
    // Time goes on, and no further cycle comes.
    let (now, mut asked) = (bed.now, vec![]);
    let node = bed.node(1);
    for at in (now..now + 2 * PERIOD).step_by(PERIOD as usize / 8) {
        node.member.talk(&node.region, at, &mut node.wire);
        asked.append(&mut node.wire.sent);
    }
    let node = bed.node(0);
    for status in &asked {
        node.member.hear(&mut node.region, status, now);
        node.member.answer(&node.region, now + PERIOD, &mut node.wire);
    }
    let again = std::mem::take(&mut node.wire.sent);
    let node = bed.node(1);
    for frame in &again {
        node.member.hear(&mut node.region, frame, now);
    }
    assert_eq!(node.region.cut(), lost);
}

#[test]
fn one_answer_serves_all_who_lack_the_same_frame() {
    let mut bed = Bed::new(3);
    bed.run(40, 5);
    bed.tick(60, &mut |_, _, frames| frames.into_iter().skip(1).collect());
    bed.run(4, 5);
    assert_eq!(bed.states(), [Some(Primary), Some(Hot), Some(Hot)]);
    assert_eq!(bed.node(0).region.counter(Counter::Asked), 2);
    assert_eq!(bed.node(0).region.counter(Counter::FramesRepaired), 1);
}

#[test]
fn askers_however_many_and_however_mad_get_no_more_than_the_budget() {
    let mut bed = Bed::new(3);
    bed.run(40, 5);
    let now = bed.now;
    let mut stranger = Node::with(3, now, &PLAIN, None);
    let cut = bed.node(0).lead(now, 90);
    bed.history.insert(cut, bed.nodes[0].as_ref().unwrap().region.image().to_vec());
    let frames = bed.node(0).wire.sent.len();
    bed.node(0).wire.sent.clear();
    // A member that lost all of the cycle, and repeats itself without end.
    let mut sent = 0;
    for i in 0..1000 {
        for (cycle, all) in
            [(cut.cycle, true), (cut.cycle - 1, false), (u64::MAX, true), (cut.cycle + 9, true)]
        {
            let status = ask(&mut stranger, cycle, all);
            let node = bed.node(0);
            node.member.hear(&mut node.region, &status, now + i);
            node.member.answer(&node.region, now + i, &mut node.wire);
            sent += std::mem::take(&mut node.wire.sent).len();
        }
    }
    assert_eq!(sent, 16.max(frames / 2), "the budget of one cycle");
}

#[test]
fn whoever_asks_gets_something_and_the_first_in_rank_the_most() {
    let mut bed = Bed::new(3);
    bed.run(40, 5);
    let now = bed.now;
    // Three cycles of about 13 frames each: more than the budget of one.
    let cuts = [0, 1, 2].map(|i| {
        let cut = bed.node(0).lead(now + i, 90);
        let bytes = bed.node(0).region.image().to_vec();
        bed.history.insert(cut, bytes);
        cut
    });
    bed.node(0).wire.sent.clear();
    for (id, cycles) in [(2u8, &cuts[1..]), (3, &cuts[..1])] {
        let mut asker = Node::with(id, now, &PLAIN, None);
        let mut status = ask(&mut asker, cycles[0].cycle, true);
        if let [_, second] = cycles {
            status[192..200].copy_from_slice(&second.cycle.to_le_bytes());
            status[204..208].copy_from_slice(&1u32.to_le_bytes());
            let check = mirror_core::checksum::of_frame(&status[16..]);
            status[8..16].copy_from_slice(&check.to_le_bytes());
        }
        let node = bed.node(0);
        node.member.hear(&mut node.region, &status, now);
    }
    let node = bed.node(0);
    node.member.answer(&node.region, now + 2, &mut node.wire);
    let cycle = |frame: &Vec<u8>| u64::from_le_bytes(frame[96..104].try_into().unwrap());
    let of_last = node.wire.sent.iter().filter(|frame| cycle(frame) == cuts[0].cycle).count();
    assert_eq!(node.wire.sent.len(), 16, "the budget");
    assert_eq!(of_last, 2, "the last in rank has its part, and no more");
}

/// A status of node 3 that asks for frames of `cycle` and says that it has heard everything that was sent: one that it wrote, patched and sealed anew
/// (PROTOCOL.md has the offsets).
fn ask(node: &mut Node, cycle: u64, all: bool) -> Vec<u8> {
    static LATER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1 << 40);
    let now = LATER.fetch_add(1 << 30, std::sync::atomic::Ordering::Relaxed);
    node.member.talk(&node.region, now, &mut node.wire);
    let mut frame = node.wire.sent.pop().unwrap();
    assert!(matches!(Frame::decode(&frame, LINES), Ok(Frame::Status(..))));
    frame[160..168].copy_from_slice(&u64::MAX.to_le_bytes());
    frame[168..176].copy_from_slice(&cycle.to_le_bytes());
    frame[180..184].copy_from_slice(&u32::from(all).to_le_bytes());
    frame[184..192].copy_from_slice(&u64::MAX.to_le_bytes());
    let check = mirror_core::checksum::of_frame(&frame[16..]);
    frame[8..16].copy_from_slice(&check.to_le_bytes());
    frame
}

#[test]
fn who_knows_of_cycles_that_it_lacks_refuses_to_lead_and_says_why() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let held = bed.node(1).region.cut();
    bed.tick(60, &mut |_, _, frames| frames.into_iter().skip(1).collect());
    assert_eq!(bed.node(1).state(), Hot, "the newest cycle may have been cut short by a death");
    // Frames of later cycles come, its requests are lost, and then the primary is gone.
    for _ in 0..2 {
        bed.tick(5, &mut |from, _, frames| if from == 1 { vec![] } else { frames });
    }
    bed.nodes[0] = None;
    bed.run(30, 5);
    assert_eq!(bed.takeovers.len(), 1);
    let node = bed.node(1);
    assert_eq!((node.state(), node.region.cut()), (SyncState::Joining, held));
    assert_eq!(node.member.why(&node.region, 0), Why::RefusedCold { newest: held.cycle + 3, held });
    assert_eq!(node.region.counter(Counter::Refusals), 1, "one refusal for one silence");
}

#[test]
fn who_is_behind_by_no_more_than_allowed_leads_from_what_it_holds() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let held = bed.node(1).exposed();
    bed.tick(60, &mut |_, _, frames| frames.into_iter().skip(1).collect());
    bed.tick(5, &mut |from, _, frames| if from == 1 { vec![] } else { frames });
    bed.nodes[0] = None;
    bed.run(30, 5);
    assert_eq!(bed.node(1).state(), Primary);
    assert_eq!(bed.takeovers[1].1.cut, held.0);
}

#[test]
fn who_cannot_be_healed_any_more_is_swept_while_the_cycles_go_on() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    for _ in 0..6 {
        bed.tick(60, &mut |from, _, frames| {
            if from == 1 { vec![] } else { frames.into_iter().skip(1).collect() }
        });
    }
    assert_eq!(bed.node(1).state(), SyncState::Joining, "more cycles were missed than there are records");
    bed.run(30, 5);
    assert_eq!(bed.node(1).state(), Hot);
    assert_eq!(bed.node(1).exposed(), bed.nodes[0].as_ref().unwrap().exposed());
    assert!(bed.node(0).region.counter(Counter::FramesSwept) > 0);
    assert_eq!(bed.node(1).region.counter(Counter::Gaps), 1);
}

#[test]
fn a_newcomer_joins_a_running_group() {
    let mut bed = Bed::new(3);
    bed.nodes[2] = None;
    bed.run(60, 30);
    bed.nodes[2] = Some(Node::new(3, bed.now));
    bed.run(30, 30);
    assert_eq!(bed.states(), [Some(Primary), Some(Hot), Some(Hot)]);
    assert_eq!(bed.node(2).exposed(), bed.nodes[0].as_ref().unwrap().exposed());
}

#[test]
fn a_stopped_primary_that_wakes_up_is_fenced_by_the_first_newer_frame() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let mut stopped = bed.nodes[0].take().unwrap();
    bed.run(20, 5);
    assert_eq!(bed.node(1).state(), Primary);
    // It commits once more before it hears anything: it may not act, and its frames are refused.
    let cut = stopped.lead(bed.now, 5);
    assert!(!stopped.member.may_act());
    for frame in std::mem::take(&mut stopped.wire.sent) {
        let node = bed.node(1);
        node.member.hear(&mut node.region, &frame, 0);
    }
    assert!(bed.node(1).region.counter(Counter::StaleEpoch) > 0);
    bed.history.insert(cut, stopped.region.image().to_vec());
    bed.nodes[0] = Some(stopped);
    bed.tick(5, &mut |_, _, frames| frames);
    bed.run(30, 5);
    assert_eq!(bed.states(), [Some(Hot), Some(Primary)]);
    assert_eq!(bed.node(0).region.counter(Counter::Fenced), 1);
    assert_eq!(bed.node(0).exposed(), bed.nodes[1].as_ref().unwrap().exposed());
}

#[test]
fn a_standby_that_was_itself_stalled_accuses_nobody() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let node = bed.node(1);
    let late = 40 * PERIOD + 3 * SILENCE;
    assert_eq!(node.member.poll(&node.region, late, true), None);
    assert_eq!(node.region.counter(Counter::Stalls), 1);
    for now in (late..late + SILENCE).step_by(PERIOD as usize) {
        assert_eq!(node.member.poll(&node.region, now, true), None);
    }
    assert!(node.member.poll(&node.region, late + SILENCE, true).is_some());
}

#[test]
fn a_stall_counts_although_frames_waited_at_its_end() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let node = bed.node(1);
    let late = 40 * PERIOD + 3 * SILENCE;
    assert_eq!(node.member.poll(&node.region, late, false), None);
    for now in (late + 1..late + SILENCE).step_by(PERIOD as usize) {
        assert_eq!(node.member.poll(&node.region, now, true), None);
    }
    assert_eq!(node.region.counter(Counter::Stalls), 1);
    assert!(node.member.poll(&node.region, late + SILENCE, true).is_some());
}

#[test]
fn nobody_is_accused_while_frames_wait_unheard() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let node = bed.node(1);
    for i in 1..20 {
        assert_eq!(node.member.poll(&node.region, (40 + i) * PERIOD, false), None);
    }
}

#[test]
fn frames_of_others_have_no_effect_and_are_counted() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let before = bed.node(1).exposed();
    let mut foreign = [
        Node::with(1, 0, &Options { group: 2, ..PLAIN }, None),
        Node::with(1, 0, &Options { label: "other", ..PLAIN }, None),
        Node::with(2, 0, &PLAIN, None),
    ];
    for other in &mut foreign {
        for now in (0..PATIENCE * 2).step_by(PERIOD as usize) {
            other.member.poll(&other.region, now, true);
            other.member.talk(&other.region, now, &mut other.wire);
            if other.member.leads() {
                other.lead(now, 50);
            }
        }
        assert!(other.wire.sent.len() > 50);
    }
    let mut told = 0;
    for frame in foreign.iter_mut().flat_map(|f| std::mem::take(&mut f.wire.sent)) {
        let node = bed.nodes[1].as_mut().unwrap();
        match node.member.hear(&mut node.region, &frame, 40 * PERIOD) {
            Heard::Layout(theirs) => told += usize::from(theirs.name() == "other"),
            heard => assert_eq!(heard, Heard::Nothing),
        }
    }
    let node = bed.node(1);
    assert!(told > 0, "the name of the other layout becomes known");
    for counter in [Counter::RejectGroup, Counter::RejectLayout, Counter::SameNode] {
        assert!(node.region.counter(counter) > 50, "{}", counter.name());
    }
    assert_eq!((node.state(), node.exposed()), (Hot, before));
    bed.run(10, 5);
    assert_eq!(bed.states(), [Some(Primary), Some(Hot)]);
}

#[test]
fn a_restarted_group_goes_on_from_the_cut_in_its_memory() {
    let mut bed = Bed::new(1);
    bed.run(40, 5);
    let last = bed.node(0).exposed();
    let Node { memory, .. } = bed.nodes[0].take().unwrap();
    let mut node = Node::with(1, bed.now, &PLAIN, Some(memory));
    assert_eq!(node.exposed(), last);
    let mut began = None;
    for i in 1..30 {
        began = began.or(node.member.poll(&node.region, bed.now + i * PERIOD, true));
    }
    let began = began.unwrap();
    assert_eq!((began.cause, began.cut), (Cause::Start, last.0));
    assert!(began.epoch > last.0.epoch);
    assert_eq!(node.lead(bed.now, 1).cycle, last.0.cycle + 1);
}

/// A small generator, so that a seed decides everything.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Loss, doubling, disorder within a cycle, damage, deaths and restarts, from one seed. `check` runs after every
/// tick; at the end the faults stop and everybody must become hot.
fn storm(seed: u64) -> (u64, u64) {
    let mut rng = Rng(seed);
    let mut bed = Bed::new(3);
    let mut gaps = 0;
    for _ in 0..300 {
        let lines = rng.below(60) as usize;
        match rng.below(40) {
            0 => {
                let at = rng.below(3) as usize;
                gaps += bed.nodes[at].take().map_or(0, |n| n.region.counter(Counter::Gaps));
            }
            1..4 => {
                let at = rng.below(3) as usize;
                if bed.nodes[at].is_none() {
                    bed.nodes[at] = Some(Node::new(at as u8 + 1, bed.now));
                }
            }
            _ => {}
        }
        bed.tick(lines, &mut |_, _, frames| {
            let mut out = vec![];
            for mut frame in frames {
                match rng.below(300) {
                    0 => continue,
                    1 => out.push(frame.clone()),
                    2 => {
                        let bit = rng.below(frame.len() as u64 * 8) as usize;
                        frame[bit / 8] ^= 1 << (bit % 8);
                    }
                    3 => frame.truncate(rng.below(frame.len() as u64) as usize),
                    _ => {}
                }
                let at = out.len() - rng.below(out.len() as u64 + 1).min(3) as usize;
                out.insert(at, frame);
            }
            out
        });
    }
    for at in 0..3 {
        if bed.nodes[at].is_none() {
            bed.nodes[at] = Some(Node::new(at as u8 + 1, bed.now));
        }
    }
    bed.run(120, 10);
    let primaries = bed.states().iter().filter(|s| **s == Some(Primary)).count();
    let hot = bed.states().iter().filter(|s| **s == Some(Hot)).count();
    assert_eq!((primaries, hot), (1, 2), "{:?}", bed.states());
    gaps += bed.nodes.iter().flatten().map(|n| n.region.counter(Counter::Gaps)).sum::<u64>();
    (gaps, bed.takeovers.len() as u64)
}

#[test]
fn storms_never_expose_a_mixture_and_end_in_step() {
    let seeds = if cfg!(miri) { 1 } else { 100 };
    let (mut gaps, mut takeovers) = (0, 0);
    for seed in 0..seeds {
        let result = std::panic::catch_unwind(|| storm(seed));
        let (g, t) = result.unwrap_or_else(|_| panic!("storm({seed}) failed; run it alone to see why"));
        (gaps, takeovers) = (gaps + g, takeovers + t);
    }
    assert!(
        cfg!(miri) || (gaps > 100 && takeovers > 150),
        "the storms were mild: {gaps} gaps, {takeovers} takeovers"
    );
}

#[test]
fn nobody_leads_against_a_live_primary_of_another_layout() {
    let mut other = Node::with(1, 0, &Options { label: "other", ..PLAIN }, None);
    let mut node = Node::new(2, 0);
    let mut began = None;
    for now in (0..PATIENCE * 4).step_by(PERIOD as usize) {
        other.member.poll(&other.region, now, true);
        if other.member.leads() {
            other.lead(now, 3);
        }
        for frame in std::mem::take(&mut other.wire.sent) {
            assert_eq!(node.member.hear(&mut node.region, &frame, now), Heard::Nothing);
        }
        // The newcomer starts to listen once the other leads.
        if other.member.leads() {
            began = began.or(node.member.poll(&node.region, now, true));
        }
    }
    assert!(other.member.leads() && began.is_none());
    assert!(node.region.counter(Counter::RejectLayout) > 20);
}

/// A network that carries nothing.
fn cut_off(_: usize, _: usize, _: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    vec![]
}

#[test]
fn a_node_that_knows_of_a_newer_epoch_does_not_lead_against_a_live_primary() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let first = bed.nodes[0].take().unwrap().memory;
    // Node 2 leads, and dies before its first frame.
    for _ in 0..10 {
        bed.now += PERIOD;
        let now = bed.now;
        let node = bed.node(1);
        if node.member.poll(&node.region, now, true).is_some() {
            break;
        }
    }
    let second = bed.nodes[1].take().unwrap().memory;
    bed.nodes[0] = Some(Node::with(1, bed.now, &PLAIN, Some(first)));
    bed.run(1000, 5);
    let before = bed.node(0).region.cut();
    bed.nodes[1] = Some(Node::with(2, bed.now, &PLAIN, Some(second)));
    bed.run(100, 5);
    assert!(bed.node(0).region.cut().cycle > before.cycle, "the group went on from what the primary held");
    assert_eq!(bed.states(), [Some(Primary), Some(Hot)]);
}

#[test]
fn a_blank_member_whose_network_comes_up_late_erases_nothing() {
    let mut bed = Bed::new(1);
    bed.nodes.push(None);
    bed.run(1000, 5);
    let before = bed.node(0).region.cut();
    let blank = Node::with(2, bed.now, &Options { begin_alone: false, parity: false, ..PLAIN }, None);
    bed.nodes[1] = Some(blank);
    for _ in 0..60 {
        bed.tick(5, &mut cut_off);
    }
    let node = bed.node(1);
    assert_eq!((node.state(), node.member.why(&node.region, 0)), (Cold, Why::Blank));
    bed.run(100, 5);
    assert!(bed.node(0).region.cut().cycle > before.cycle);
    assert_eq!(bed.states(), [Some(Primary), Some(Hot)]);
    assert_eq!(bed.node(1).exposed(), bed.nodes[0].as_ref().unwrap().exposed());
}

#[test]
fn a_restarted_group_goes_on_from_the_newest_cut_that_any_member_holds() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let first = bed.nodes[0].take().unwrap().memory;
    bed.run(500, 5);
    let newest = bed.node(1).region.cut();
    let second = bed.nodes[1].take().unwrap().memory;
    bed.nodes[0] = Some(Node::with(1, bed.now, &PLAIN, Some(first)));
    bed.nodes[1] = Some(Node::with(2, bed.now, &PLAIN, Some(second)));
    bed.run(150, 5);
    assert!(bed.node(0).region.cut().cycle > newest.cycle && bed.node(1).region.cut().cycle > newest.cycle);
    assert_eq!(bed.states(), [Some(Hot), Some(Primary)]);
}

#[test]
fn a_restart_does_not_lift_a_refusal() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    for _ in 0..6 {
        bed.tick(60, &mut |from, _, frames| {
            if from == 1 { vec![] } else { frames.into_iter().skip(1).collect() }
        });
    }
    bed.nodes[0] = None;
    bed.run(20, 5);
    assert_eq!(bed.node(1).state(), SyncState::Joining);
    let held = bed.node(1).region.cut();
    let memory = bed.nodes[1].take().unwrap().memory;
    bed.nodes[1] = Some(Node::with(2, bed.now, &PLAIN, Some(memory)));
    bed.run(100, 5);
    let node = bed.node(1);
    assert_ne!(node.state(), Primary);
    assert!(matches!(node.member.why(&node.region, 0), Why::RefusedCold { held: h, .. } if h == held));
}

#[test]
fn a_stall_is_noticed_also_when_it_left_a_backlog() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let late = bed.now + 1000 * PERIOD;
    let node = bed.node(1);
    assert_eq!(node.member.poll(&node.region, late, false), None);
    assert_eq!(node.member.poll(&node.region, late + 10, true), None);
    assert_eq!(node.region.counter(Counter::Stalls), 1);
}

#[test]
fn transmissions_are_numbered_without_gaps() {
    let mut bed = Bed::new(1);
    bed.run(25, 5);
    bed.node(0).wire.sent.clear();
    for now in 0..3 {
        bed.node(0).lead(now, 40);
    }
    let number = |frame: &Vec<u8>| u64::from_le_bytes(frame[64..72].try_into().unwrap());
    let numbers: Vec<u64> = bed.node(0).wire.sent.iter().map(number).collect();
    assert!(numbers.len() > 10 && numbers.windows(2).all(|w| w[1] == w[0] + 1), "{numbers:?}");
}

/// A frame of node 1's next cycle, patched and sealed anew.
fn patched(bed: &mut Bed, patch: impl Fn(&mut [u8])) -> Vec<u8> {
    bed.node(0).lead(999, 0);
    let mut frame = bed.node(0).wire.sent.pop().unwrap();
    patch(&mut frame);
    let check = mirror_core::checksum::of_frame(&frame[16..]);
    frame[8..16].copy_from_slice(&check.to_le_bytes());
    frame
}

#[test]
fn cycles_alone_make_nobody_hot_who_has_not_heard_all() {
    let mut bed = Bed::new(1);
    bed.run(30, 90);
    let mut node = Node::new(3, 0);
    for _ in 0..20 {
        let frame = patched(&mut bed, |_| ());
        node.member.hear(&mut node.region, &frame, 1);
    }
    assert_eq!((node.state(), node.region.cut()), (SyncState::Joining, Cut::NONE));
}

#[test]
fn a_newcomer_is_filled_during_live_traffic_whatever_is_lost() {
    let mut bed = Bed::new(2);
    bed.nodes[1] = None;
    bed.run(60, 30);
    bed.nodes[1] = Some(Node::new(2, bed.now));
    let mut lost = 0u64;
    for _ in 0..60 {
        bed.tick(20, &mut |_, _, frames| {
            let kept = |_: &Vec<u8>| {
                lost = lost.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                lost >> 61 != 0
            };
            frames.into_iter().filter(kept).collect()
        });
    }
    bed.run(30, 5);
    assert_eq!(bed.states(), [Some(Primary), Some(Hot)]);
    assert_eq!(bed.node(1).exposed(), bed.nodes[0].as_ref().unwrap().exposed());
}

#[test]
fn cycles_times_and_epochs_that_no_group_reaches_are_refused() {
    let mut bed = Bed::new(1);
    bed.run(30, 5);
    let mut node = Node::new(3, 0);
    let frames = [
        patched(&mut bed, |frame| frame[96..104].copy_from_slice(&(u64::MAX - 1).to_le_bytes())),
        patched(&mut bed, |frame| frame[104..112].copy_from_slice(&u64::MAX.to_le_bytes())),
        patched(&mut bed, |frame| frame[34] = 2), // an epoch that another node began
    ];
    for frame in &frames {
        node.member.hear(&mut node.region, frame, 1);
    }
    assert_eq!((node.state(), node.region.counter(Counter::RejectField)), (Cold, 3));
}

#[test]
fn a_standby_whose_buffer_overran_while_it_was_stalled_leads_from_nothing_old() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let held = bed.node(1).region.cut();
    // Five hundred cycles later it wakes up; its buffer kept none of them, and the primary is dead.
    bed.nodes[0] = None;
    bed.now += 500 * PERIOD;
    let now = bed.now;
    let node = bed.node(1);
    assert_eq!(node.member.poll(&node.region, now, true), None);
    assert!(node.member.was_stalled() && !node.member.was_stalled());
    node.member.lost_unseen(&node.region, now);
    bed.run(30, 5);
    let node = bed.node(1);
    assert_eq!((node.state(), node.region.cut()), (SyncState::Joining, held));
    assert!(matches!(node.member.why(&node.region, 0), Why::RefusedCold { .. }));
}

#[test]
fn a_standby_that_overran_leads_again_once_it_has_heard_and_healed() {
    let mut bed = Bed::new(2);
    bed.run(40, 5);
    let now = bed.now;
    let node = bed.node(1);
    node.member.lost_unseen(&node.region, now);
    assert_eq!(node.state(), SyncState::Joining);
    bed.run(3, 5);
    assert_eq!(bed.node(1).state(), Hot);
    bed.nodes[0] = None;
    bed.run(20, 5);
    assert_eq!(bed.node(1).state(), Primary);
}

#[test]
fn blank_members_begin_once_all_have_told_that_they_are_blank() {
    let strict = Options { begin_alone: false, parity: false, ..PLAIN };
    let mut bed = Bed::new(2);
    bed.nodes = (1..=2).map(|id| Some(Node::with(id, 0, &strict, None))).collect();
    bed.run(100, 5);
    let node = bed.node(0);
    assert_eq!(
        (node.state(), node.member.why(&node.region, 0)),
        (Cold, Why::Blank),
        "the third is not there"
    );
    bed.nodes.push(Some(Node::with(3, bed.now, &strict, None)));
    bed.run(60, 5);
    assert_eq!(bed.states(), [Some(Primary), Some(Hot), Some(Hot)]);
}

/// Flips a bit in the image and in the live memory of a standby, behind its back: the same cut again, with a line that nobody
/// sent. What is due of the cut is done first, or the cycle's own digest would find it.
fn rot(node: &mut Node, line: usize, now: u64) {
    for _ in 0..2 {
        node.member.poll(&node.region, now, true);
    }
    let info = node.region.committed();
    let mut bytes = node.region.image()[line * LINE..][..LINE].to_vec();
    bytes[3] ^= 1;
    node.region.record(info.cut.cycle).push(line as u32, &bytes);
    node.region.seal(&info);
    node.region.settle(true);
}

/// One period of a primary and a standby: the standby looks around and asks, if it may, the primary answers and commits.
fn pace(bed: &mut Bed, [from, to]: [usize; 2], asks: bool) {
    bed.now += PERIOD;
    let now = bed.now;
    let Ok([Some(ours), Some(theirs)]) = bed.nodes.get_disjoint_mut([from, to]) else { panic!("both run") };
    theirs.member.poll(&theirs.region, now, true);
    theirs.member.talk(&theirs.region, now, &mut theirs.wire);
    for frame in std::mem::take(&mut theirs.wire.sent).iter().filter(|_| asks) {
        ours.member.hear(&mut ours.region, frame, now);
    }
    ours.member.answer(&ours.region, now, &mut ours.wire);
    let cut = ours.lead(now, 0);
    bed.history.insert(cut, ours.region.image().to_vec());
    for frame in std::mem::take(&mut ours.wire.sent) {
        theirs.member.hear(&mut theirs.region, &frame, now);
    }
}

#[test]
fn what_alters_a_standbys_memory_is_found_within_the_bound_and_repaired() {
    let mut bed = Bed::new(2);
    bed.run(80, 1);
    let node = bed.node(1);
    let proof = node.member.proven(&node.region).unwrap();
    assert_eq!((proof.lap, proof.cycles), (25, 25), "what the newest cycle told is not compared yet");
    let (now, at) = (bed.now, bed.node(1).region.cut().cycle);
    rot(bed.node(1), 50, now);
    let mut joined = 0;
    while bed.node(1).region.counter(Counter::DifferencesRepaired) == 0 {
        pace(&mut bed, [0, 1], true);
        let Node { region, member, .. } = bed.node(1);
        let (cycle, found) = (region.cut().cycle, region.counter(Counter::DifferencesFound) > 0);
        assert!(found || member.state() == Hot);
        match member.proven(region) {
            Some(proof) => assert!(cycle - proof.cycles <= at, "{proof:?} does not hold"),
            None => assert!(found),
        }
        joined += u64::from(member.state() == SyncState::Joining);
        assert!(cycle <= at + proof.lap + 3, "not found, or not repaired, in a lap");
    }
    assert!(joined > 0);
    bed.check();
    let node = bed.node(1);
    assert_eq!((node.state(), node.region.counter(Counter::DifferencesFound)), (Hot, 1));
    let found = node.member.difference().unwrap();
    assert!((found.first..found.first + found.lines).contains(&50), "{found:?}");
    bed.run(40, 3);
    let region = &bed.node(1).region;
    assert!(region.live() == region.image());
    assert_eq!(region.counter(Counter::DifferencesFound), 1);
}

#[test]
fn what_was_found_is_not_forgotten_when_another_leads() {
    let mut bed = Bed::new(2);
    bed.run(80, 1);
    let now = bed.now;
    rot(bed.node(1), 50, now);
    while bed.node(1).state() == Hot {
        pace(&mut bed, [0, 1], false);
    }
    // The primary is restarted, and its base is the very cut that the standby holds, but for the lines found.
    let base = bed.node(1).region.cut();
    let Some(old) = bed.nodes[0].take() else { panic!("it runs") };
    let info = old.region.committed();
    assert!(info.cut.cycle > base.cycle);
    let mut new = Node::new(3, bed.now);
    let held = bed.history[&base].clone();
    new.region.live_mut().copy_from_slice(&held[..STATE]);
    new.region.capture(&mut Diff::new(), base.cycle);
    new.region.seal(&CutInfo { cut: base, ..info });
    new.region.settle(false);
    new.region.see_epoch(base.epoch);
    for _ in 0..60 {
        bed.now += PERIOD;
        let now = bed.now;
        new.member.poll(&new.region, now, true);
    }
    assert!(new.member.leads());
    bed.nodes[0] = Some(new);
    pace(&mut bed, [0, 1], false);
    let node = bed.node(1);
    assert!(node.region.epoch_seen() > base.epoch, "it heard the new reign");
    assert_eq!((node.state(), node.region.cut()), (SyncState::Joining, base));
    for _ in 0..4 {
        pace(&mut bed, [0, 1], true);
    }
    assert_eq!(bed.node(1).state(), Hot);
    assert_eq!(bed.node(1).region.counter(Counter::DifferencesRepaired), 1);
    bed.check();
}
