//! Two and three real processes on real UDP multicast: killed, stopped, deafened, restarted.
//!
//! Each process checks every state that it leads from or follows and ends with an error if it is not exactly one cycle;
//! here it is checked that the cycles are the right ones. Nothing depends on a time but that no process is held up for
//! longer than the silence after which another takes over.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mirror::{Counter, Cut, Epoch, Gate, Look, Place, Token};
use mirror_tests::Child;
use mirror_tests::child::PATIENCE;
use mirror_tests::memory::{Named, left_behind};
use mirror_tests::plant::Small;

const CHILD: &str = env!("CARGO_BIN_EXE_mirror-test-child");

/// The members of one group, with what stays of them in shared memory.
struct Group {
    name: String,
    address: SocketAddr,
    settings: &'static str,
    regions: Vec<Named>,
}

impl Group {
    /// `port` is this test's own; the address is this test run's.
    fn new(name: &str, port: u16, settings: &'static str) -> Self {
        let [_, a, b, c] = std::process::id().to_be_bytes();
        let name = format!("two-nodes-{name}-{}", std::process::id());
        let regions = (1..=3).map(|node| Named(Place::Named(format!("{name}-{node}")))).collect();
        Self { name, address: ([239, 64 | a & 63, b, c], port).into(), settings, regions }
    }

    fn start(&self, node: u8) -> Child {
        let Self { name, address, settings, .. } = self;
        let child =
            Child::start(CHILD, &format!("loop group={name} address={address} node={node} {settings}"));
        child.until("open", |_| {});
        child
    }

    fn place(&self, node: u8) -> &Place {
        &self.regions[node as usize - 1].0
    }

    fn counter(&self, node: u8, counter: Counter) -> u64 {
        Look::open(self.place(node)).unwrap().counter(counter)
    }

    /// Every counter of a node that is not 0, for messages.
    fn counts(&self, node: u8) -> String {
        let counts = Counter::ALL.iter().map(|&counter| (counter.name(), self.counter(node, counter)));
        let counts = counts.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}"));
        counts.collect::<Vec<_>>().join(", ")
    }

    /// The last cut that a dead node committed or applied.
    fn left_by(&self, node: u8) -> Cut {
        left_behind::<Small, _>(self.place(node), &self.name, node, |region, _| {
            assert_eq!(Small::check_bytes(region.image()), Ok(region.cut().cycle));
            region.cut()
        })
    }
}

fn number(words: &[String], at: usize) -> u64 {
    words.get(at).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("word {at} of {words:?}"))
}

fn cut(words: &[String], at: usize) -> Cut {
    Cut { epoch: Epoch(number(words, at)), cycle: number(words, at + 1) }
}

/// Reads lines of this kind until one of a cycle of at least `cycle`. No output is left out; a follower is shown the newest
/// cut only, however many came at once.
fn reach(child: &Child, kind: &str, cycle: u64) -> Cut {
    let mut last: Option<Cut> = None;
    loop {
        let next = cut(&child.until(kind, |line| assert!(!line.starts_with("error"), "{line}")), 0);
        if let Some(last) = last {
            assert!(next.cycle == last.cycle + 1 || kind == "follow", "{next} after {last}");
            assert!(next > last && next.cycle > last.cycle, "{next} after {last}");
        }
        last = Some(next);
        if next.cycle >= cycle {
            return next;
        }
    }
}

/// Waits for a takeover, checks that it stands on the last cut of the dead primary or the one before, and that its first
/// cycles follow without a hole. Gives the cut of the last of these.
fn takes_over(child: &Child, last: Cut) -> Cut {
    let lead = child.until("lead", |line| assert!(!line.starts_with("out"), "{line}"));
    let (epoch, stands_on) = (Epoch(number(&lead, 1)), cut(&lead, 2));
    assert_eq!((lead[0].as_str(), lead[4].as_str()), ("Silence", "true"));
    assert_eq!(stands_on.epoch, last.epoch);
    assert!(stands_on.cycle == last.cycle || stands_on.cycle + 1 == last.cycle, "{stands_on} of {last}");
    assert!(epoch > last.epoch, "{epoch} after {last}");
    // The outputs of the cut under the new epoch, then those of the cycles from the next on.
    assert_eq!(cut(&child.until("out", |_| {}), 0), Cut { epoch, cycle: stands_on.cycle });
    for cycle in stands_on.cycle + 1..stands_on.cycle + 20 {
        assert_eq!(cut(&child.until("out", |_| {}), 0), Cut { epoch, cycle });
    }
    Cut { epoch, cycle: stands_on.cycle + 19 }
}

#[test]
fn a_killed_primary_is_succeeded_from_its_last_cut_or_the_one_before() {
    let group = Group::new("kill", 29_101, "members=2");
    let (mut first, second) = (group.start(1), group.start(2));
    reach(&first, "out", 100);
    reach(&second, "follow", 100);
    first.kill();
    let last = group.left_by(1);
    assert!(last.cycle >= 100);
    takes_over(&second, last);
    assert_eq!(group.counter(2, Counter::Gaps), 0);
    assert_eq!(group.counter(2, Counter::Takeovers), 1);
}

#[test]
fn three_nodes_die_in_turn_and_the_first_comes_back() {
    let group = Group::new("three", 29_102, "members=3");
    let (mut first, mut second, mut third) = (group.start(1), group.start(2), group.start(3));
    reach(&second, "follow", 50);
    reach(&third, "follow", 50);
    first.kill();
    let now = takes_over(&second, group.left_by(1));
    // The third follows the second without losing a cycle.
    assert_eq!(reach(&third, "follow", now.cycle).epoch, now.epoch);
    second.kill();
    let now = takes_over(&third, group.left_by(2));
    // The first holds a cut of a reign long past: it is refilled, and may then lead again.
    let first = group.start(1);
    let joined = cut(&first.until("follow", |line| assert!(!line.starts_with("out"), "{line}")), 0);
    assert_eq!(joined.epoch, now.epoch);
    reach(&first, "follow", joined.cycle + 20);
    third.kill();
    takes_over(&first, group.left_by(3));
}

/// Stops the primary by its own hand at the point that `command` names, lets the standby take over, and lets the old one go
/// on, which it does with an output of its old reign. The Gate sees all outputs in the order in which they could act.
fn a_late_output(group: &Group, command: &str) -> Vec<String> {
    let (mut first, second) = (group.start(1), group.start(2));
    let mut gate = Gate::default();
    let mut act = |token: Cut| gate.check(Token(token), 0);
    reach(&second, "follow", 50);
    first.tell(command);
    let mut last = Cut::NONE;
    first.until("stopping", |line| {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        if words[0] == "out" {
            last = cut(&words, 1);
            assert!(act(last));
        }
    });
    first.await_stop();
    // Of the cycle that the stop fell into nothing is known here, or its commit is, but not its output.
    let committed = Cut { cycle: last.cycle + u64::from(command == "o"), ..last };
    let now = takes_over(&second, committed);
    assert!(act(now));
    first.go_on();
    let late = first.until("late", |line| {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        if words[0] == "out" {
            assert!(!act(cut(&words, 1)), "the Gate let pass: {line}");
        }
    });
    assert_eq!(cut(&late, 0), Cut { cycle: last.cycle + 1, ..last });
    // No output after it: the first frame of the newer reign fenced it, and it follows that reign.
    let follows = cut(&first.until("follow", |line| assert!(!line.starts_with("out"), "{line}")), 0);
    assert_eq!(follows.epoch, now.epoch);
    assert_eq!(group.counter(1, Counter::Fenced), 1);
    assert_eq!(gate.counts().1, 1, "one output was late");
    late
}

#[test]
fn an_output_that_a_stop_held_back_is_refused_by_the_gate() {
    let group = Group::new("stop-output", 29_103, "members=2");
    let late = a_late_output(&group, "o");
    // It was allowed to act when it committed: only the Gate can know better.
    assert_eq!(late[2], "true");
}

#[test]
fn a_cycle_that_a_stop_held_back_may_not_act_and_is_not_taken() {
    let group = Group::new("stop-step", 29_104, "members=2");
    let late = a_late_output(&group, "s");
    // It knows that it was silent for too long.
    assert_eq!(late[2], "false");
    // The second may hear them a moment after the first hears that it is fenced.
    let end = Instant::now() + PATIENCE;
    while group.counter(2, Counter::StaleEpoch) == 0 {
        assert!(Instant::now() < end, "its frames were never refused: {}", group.counts(2));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(group.counter(1, Counter::Stalls) >= 1);
}

#[test]
fn a_standby_that_lost_frames_is_filled_again_while_the_primary_lives() {
    let group = Group::new("refill", 29_105, "members=2 buffer=65536");
    let (first, second) = (group.start(1), group.start(2));
    let at = reach(&second, "follow", 50);
    second.stop();
    // Each cycle is 2 KiB and more: the buffer overflows.
    first.drain().for_each(drop);
    let start = cut(&first.until("out", |_| {}), 0);
    reach(&first, "out", start.cycle + 300);
    second.go_on();
    // It follows what the buffer held, misses what it did not hold, and follows again.
    let after = reach(&second, "follow", start.cycle + 300);
    assert_eq!(after.epoch, at.epoch);
    reach(&second, "follow", after.cycle + 50);
    assert!(group.counter(2, Counter::Gaps) >= 1);
    assert!(group.counter(2, Counter::KernelDrops) >= 1);
    assert_eq!(group.counter(2, Counter::Takeovers), 0, "it was itself stalled and accused nobody");
}

#[test]
fn a_standby_that_lost_frames_refuses_to_lead_and_says_why() {
    // So slow that the primary does not fill the standby again before it is killed.
    let group = Group::new("refuse", 29_106, "members=2 period=200000 silence=4 buffer=4096");
    let (mut first, second) = (group.start(1), group.start(2));
    let at = reach(&second, "follow", 3);
    second.stop();
    first.drain().for_each(drop);
    let start = cut(&first.until("out", |_| {}), 0);
    reach(&first, "out", start.cycle + 10);
    first.kill();
    let last = group.left_by(1);
    second.go_on();
    let mut held = at;
    let why = second.until("wait RefusedCold", |line| {
        assert!(!line.starts_with("lead"), "{line}");
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        if words[0] == "follow" {
            held = cut(&words, 1);
        }
    });
    assert!(held.cycle + 1 < last.cycle, "holds {held} of {last}");
    let said = why.join(" ");
    assert!(said.contains(&format!("cycle: {}", held.cycle)), "{said}");
    assert!(group.counter(2, Counter::KernelDrops) >= 1);
    assert_eq!(group.counter(2, Counter::Refusals), 1);
    assert_eq!(group.counter(2, Counter::Takeovers), 0);
    // When the primary comes back, it goes on from its memory and fills the standby.
    let first = group.start(1);
    let back = cut(&first.until("out", |_| {}), 0);
    assert_eq!(back.cycle, last.cycle);
    assert!(back.epoch > last.epoch);
    let follows = cut(&second.until("follow", |line| assert!(!line.starts_with("lead"), "{line}")), 0);
    assert_eq!(follows.epoch, back.epoch);
    assert!(follows.cycle > last.cycle);
    assert_eq!(group.counter(2, Counter::Refusals), 1, "one refusal for one silence");
}

#[test]
fn a_group_that_is_killed_whole_goes_on_from_the_cut_in_memory() {
    let group = Group::new("restart", 29_107, "members=2");
    let (mut first, mut second) = (group.start(1), group.start(2));
    reach(&second, "follow", 100);
    // The standby first: what the primary holds is then the newest.
    second.kill();
    first.kill();
    let last = group.left_by(1);
    let (first, second) = (group.start(1), group.start(2));
    let lead = first.until("lead", |_| {});
    assert_eq!((lead[0].as_str(), cut(&lead, 2)), ("Start", last));
    let back = cut(&first.until("out", |_| {}), 0);
    assert!(back.epoch > last.epoch);
    assert_eq!(back.cycle, last.cycle);
    reach(&first, "out", last.cycle + 50);
    let follows = cut(&second.until("follow", |_| {}), 0);
    assert_eq!(follows.epoch, back.epoch);
    reach(&second, "follow", follows.cycle + 20);
}

#[test]
fn a_process_that_loses_its_tester_ends() {
    let group = Group::new("orphan", 29_108, "members=1 link=null");
    let child = group.start(1);
    child.until("out", |_| {});
    std::thread::sleep(Duration::from_millis(5));
    child.end();
}
