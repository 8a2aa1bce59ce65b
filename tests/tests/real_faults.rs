//! Real processes on real sockets in network namespaces, between which frames are lost, doubled, reordered and cut off.
//!
//! Each process checks every state that it leads from or follows and ends with an error if it is not exactly one cycle;
//! here it is checked that those cycles were committed, that no member ever goes back, that every member is hot and in
//! step again when the fault is over, who succeeds a killed primary and from what, and that the fault did happen. A fault lasts
//! until enough frames met it or enough cycles passed; nothing depends on a time but that no process is held up for longer
//! than the silence after which another takes over.

use std::collections::BTreeMap;
use std::time::Instant;

use mirror::{Counter, Cut, Epoch, Gate, Look, Place, Token};
use mirror_core::wire::SyncState;
use mirror_tests::Child;
use mirror_tests::child::PATIENCE;
use mirror_tests::fault_net::{BURST, Bed, Counts, Faults, INTERFACE};
use mirror_tests::memory::{Named, left_behind};
use mirror_tests::plant::Busy;
use mirror_tests::skip::skip;

const CHILD: &str = env!("CARGO_BIN_EXE_mirror-test-child");

/// Of the faults. The instants at which they meet the processes are different in each run.
const SEED: u64 = 1;

/// A fault that did not happen within so many cycles will not.
const MOST_CYCLES: u64 = 10_000;

/// A group whose members are processes, each in a namespace of its own.
struct Group {
    bed: Bed,
    name: String,
    settings: String,
    regions: Vec<Named>,
    members: Vec<Member>,
    history: History,
}

/// What was led and followed, of all members.
#[derive(Debug, Default)]
struct History {
    /// Of each reign: who led it, its first cut and its last.
    led: BTreeMap<Epoch, (u8, u64, u64)>,
    /// Of each reign: the first and the last cut that anybody followed.
    followed: BTreeMap<Epoch, (u64, u64)>,
}

/// A process, read line by line.
struct Member {
    child: Child,
    node: u8,
    /// The newest cut that it said anything of.
    newest: Cut,
    alive: bool,
}

impl Member {
    /// Reads lines up to the one that `wanted` is true of, and gives its words. `wanted` is also told the newest cut
    /// that the member then said anything of.
    fn until(
        &mut self,
        history: &mut History,
        mut wanted: impl FnMut(&[String], Cut) -> bool,
    ) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let Some(line) = self.child.line() else { break };
            let words = self.hear(&line, history);
            if wanted(&words, self.newest) {
                return words;
            }
        }
        panic!("node {} at {}: what was waited for did not come; {:?}", self.node, self.newest, history);
    }

    /// Takes note of a line, and checks that nothing goes back: no cut led or followed is older than any before, and a
    /// reign has no holes at its primary.
    fn hear(&mut self, line: &str, history: &mut History) -> Vec<String> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        let node = self.node;
        match words[0].as_str() {
            "error" => panic!("node {node}: {line}"),
            "out" => {
                let now = cut(&words, 1);
                assert!(now > self.newest, "node {node}: {line} after {}", self.newest);
                let (leader, _, last) =
                    history.led.entry(now.epoch).or_insert((node, now.cycle, now.cycle.wrapping_sub(1)));
                assert_eq!(*leader, node, "a reign of two: {line}");
                assert_eq!(now.cycle, last.wrapping_add(1), "node {node}: {line}");
                (*last, self.newest) = (now.cycle, now);
            }
            "follow" => {
                let now = cut(&words, 1);
                assert!(now > self.newest, "node {node}: {line} after {}", self.newest);
                let (first, last) = history.followed.entry(now.epoch).or_insert((now.cycle, now.cycle));
                (*first, *last) = ((*first).min(now.cycle), (*last).max(now.cycle));
                self.newest = now;
            }
            _ => {}
        }
        words
    }

    /// Takes note of the lines that are there.
    fn catch_up(&mut self, history: &mut History) {
        let lines: Vec<String> = self.child.drain().collect();
        for line in lines {
            self.hear(&line, history);
        }
    }

    /// Kills it, and takes note of what it still said.
    fn kill(&mut self, history: &mut History) {
        self.child.kill();
        self.alive = false;
        while let Some(line) = self.child.line() {
            self.hear(&line, history);
        }
    }
}

fn number(words: &[String], at: usize) -> u64 {
    words.get(at).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("word {at} of {words:?}"))
}

fn cut(words: &[String], at: usize) -> Cut {
    Cut { epoch: Epoch(number(words, at)), cycle: number(words, at + 1) }
}

impl Group {
    /// A group of nodes 1 to `members`, of which 1 leads and the others are hot; or a line that says why there is none.
    fn new(name: &str, members: u8, settings: &str) -> Option<Self> {
        let bed = Bed::new(members, SEED).map_err(|why| skip(name, why)).ok()?;
        let settings = format!("members={members} size=busy records=16 silence=250 {settings}");
        let name = format!("real-faults-{name}-{}", std::process::id());
        let regions = (1..=members).map(|node| Named(Place::Named(format!("{name}-{node}")))).collect();
        let mut group = Self { bed, name, settings, regions, members: vec![], history: History::default() };
        for node in 1..=members {
            let namespace = group.bed.namespace(node).path();
            let Self { name, settings, .. } = &group;
            let child = Child::start(
                CHILD,
                &format!(
                    "loop group={name} node={node} namespace={namespace} interface={INTERFACE} {settings}"
                ),
            );
            group.members.push(Member { child, node, newest: Cut::NONE, alive: true });
            // However slow the first one is to begin, none of the others does.
            group.until(node, |words, _| words[0] == if node == 1 { "out" } else { "open" });
        }
        group.in_step(1);
        Some(group)
    }

    fn until(&mut self, node: u8, wanted: impl FnMut(&[String], Cut) -> bool) -> Vec<String> {
        self.members[usize::from(node) - 1].until(&mut self.history, wanted)
    }

    /// The newest cut that the node said anything of, so far as that is known now.
    fn newest(&mut self, node: u8) -> Cut {
        let member = &mut self.members[usize::from(node) - 1];
        member.catch_up(&mut self.history);
        member.newest
    }

    fn place(&self, node: u8) -> &Place {
        &self.regions[usize::from(node) - 1].0
    }

    fn look(&self, node: u8) -> Look {
        Look::open(self.place(node)).unwrap()
    }

    fn counter(&self, node: u8, counter: Counter) -> u64 {
        self.look(node).counter(counter)
    }

    /// All who live but this one.
    fn others(&self, leader: u8) -> Vec<u8> {
        self.members.iter().filter(|member| member.alive && member.node != leader).map(|m| m.node).collect()
    }

    /// Lets `leader` lead until `over`, asked after each of its cycles, then gives how many those were.
    fn lead(&mut self, leader: u8, mut over: impl FnMut(&mut Self) -> bool) -> u64 {
        let begin = self.newest(leader).cycle;
        loop {
            self.until(leader, |words, _| words[0] == "out");
            let cycles = self.newest(leader).cycle - begin;
            for other in self.others(leader) {
                self.newest(other);
            }
            if over(self) {
                return cycles;
            }
            assert!(cycles < MOST_CYCLES, "it did not happen: {:?}", self.bed.total());
        }
    }

    /// Lets `leader` lead under these faults on all ways until `over` says that enough frames met them. The others go
    /// on following.
    fn suffer(&mut self, leader: u8, faults: Faults, over: impl Fn(Counts) -> bool) {
        let begin = self.newest(leader);
        self.bed.set_all(faults);
        let cycles = self.lead(leader, |group| over(group.bed.total()));
        println!("{faults:?}: {:?} in {cycles} cycles", self.bed.total());
        for other in self.others(leader) {
            let now = self.newest(other);
            assert!(now > begin, "node {other} stood at {now} during {cycles} cycles from {begin}");
        }
    }

    /// The network is whole: everybody gets hot, in step with `leader`, and stays it.
    fn in_step(&mut self, leader: u8) {
        self.bed.heal();
        let now = self.newest(leader);
        for other in self.others(leader) {
            let place = self.place(other).clone();
            let hot = || Look::open(&place).unwrap().state() == Some(SyncState::Hot);
            let joined = |words: &[String], at: Cut| {
                words[0] == "follow" && at.epoch == now.epoch && at.cycle >= now.cycle && hot()
            };
            self.until(other, joined);
            println!("node {other} is in step after {} cycles", self.newest(other).cycle - now.cycle);
            let ahead = self.newest(leader).cycle + 20;
            self.until(other, |_, at| at.epoch == now.epoch && at.cycle >= ahead);
        }
        assert_eq!(self.look(leader).state(), Some(SyncState::Primary));
        assert_eq!(self.newest(leader).epoch, now.epoch, "node {leader} still leads its reign");
    }

    /// Kills the primary and gives the last cut that it committed.
    fn kill(&mut self, node: u8) -> Cut {
        let member = &mut self.members[usize::from(node) - 1];
        member.kill(&mut self.history);
        let said = member.newest;
        let last = left_behind::<Busy, _>(self.place(node), &self.name, node, |region, _| {
            assert_eq!(Busy::check_bytes(region.image()), Ok(region.cut().cycle));
            region.cut()
        });
        assert!(
            last.epoch == said.epoch && (said.cycle..=said.cycle + 1).contains(&last.cycle),
            "{said}, {last}"
        );
        last
    }

    /// Waits until a node leads because of a silence, and gives the cut that it leads from, and its epoch.
    fn leads(&mut self, node: u8) -> (Cut, Epoch) {
        let lead = self.until(node, |words, _| words[0] == "lead");
        assert_eq!(lead[1], "Silence");
        let epoch = Epoch(number(&lead, 2));
        self.until(node, |_, at| at.epoch == epoch);
        (cut(&lead, 3), epoch)
    }

    /// In a whole network: kills the primary, checks that `next` leads from its last cut or the one before (which death in the
    /// middle of a send leaves) and that all others follow it, and ends.
    fn kill_and_succeed(mut self, primary: u8, next: u8) {
        let last = self.kill(primary);
        let (from, _) = self.leads(next);
        assert_eq!(from.epoch, last.epoch);
        assert!(from.cycle == last.cycle || from.cycle + 1 == last.cycle, "{from} of {last}");
        self.until(next, |words, at| words[0] == "out" && at.cycle >= from.cycle + 20);
        self.in_step(next);
        self.end();
    }

    /// Ends all, and checks that every cut that anybody followed was committed by the one primary of its reign.
    fn end(mut self) {
        for member in self.members.iter_mut().filter(|member| member.alive) {
            member.kill(&mut self.history);
        }
        for (epoch, (first, last)) in &self.history.followed {
            let (_, base, end) = self.history.led.get(epoch).unwrap_or_else(|| panic!("{epoch} was not led"));
            // Killed between a commit and its line, a primary has said nothing of its last cut.
            let led = *base..=*end + 1;
            assert!(led.contains(first) && led.contains(last), "{epoch}: {first} to {last} of {led:?}");
        }
    }
}

/// The outputs that the old primary made after another took over from `from`, shown to a Gate that has seen one of the
/// successor's: none may pass.
fn old_outputs_are_refused(history: &History, old: Epoch, from: Cut, new: Epoch) {
    let mut gate = Gate::default();
    let (_, _, last) = history.led[&old];
    assert!(gate.check(Token(from), 0));
    assert!(gate.check(Token(Cut { epoch: new, cycle: from.cycle }), 0));
    for cycle in from.cycle..=last {
        assert!(!gate.check(Token(Cut { epoch: old, cycle }), 0), "{cycle} of the old reign passed");
    }
}

#[test]
fn one_frame_in_a_hundred_lost() {
    let Some(mut group) = Group::new("one_frame_in_a_hundred_lost", 2, "") else { return };
    group.suffer(1, Faults { lose: 0.01, ..Faults::default() }, |counts| counts.lost >= 50);
    group.in_step(1);
    assert!(group.counter(1, Counter::FramesRepaired) > 0);
    assert_eq!(group.counter(2, Counter::Takeovers), 0);
    group.kill_and_succeed(1, 2);
}

#[test]
fn one_frame_in_twenty_lost_by_two_standbys() {
    let Some(mut group) = Group::new("one_frame_in_twenty_lost_by_two_standbys", 3, "") else { return };
    group.suffer(1, Faults { lose: 0.05, ..Faults::default() }, |counts| counts.lost >= 300);
    group.in_step(1);
    assert!(group.counter(1, Counter::FramesRepaired) > 0);
    group.kill_and_succeed(1, 2);
}

#[test]
fn bursts_longer_than_a_cycle_lost() {
    let Some(mut group) = Group::new("bursts_longer_than_a_cycle_lost", 2, "") else { return };
    group.suffer(1, Faults { burst: 0.003, ..Faults::default() }, |counts| counts.bursts >= 15);
    group.in_step(1);
    let total = group.bed.total();
    assert!(total.lost > u64::from(BURST) * (total.bursts - 2), "{total:?}");
    assert!(group.counter(1, Counter::FramesRepaired) > 0);
    group.kill_and_succeed(1, 2);
}

#[test]
fn one_frame_in_five_doubled() {
    let Some(mut group) = Group::new("one_frame_in_five_doubled", 2, "") else { return };
    group.suffer(1, Faults { double: 0.2, ..Faults::default() }, |counts| counts.doubled >= 300);
    group.in_step(1);
    assert!(group.counter(2, Counter::Late) > 0);
    group.kill_and_succeed(1, 2);
}

#[test]
fn one_frame_in_ten_reordered() {
    let Some(mut group) = Group::new("one_frame_in_ten_reordered", 2, "") else { return };
    group.suffer(1, Faults { reorder: 0.1, ..Faults::default() }, |counts| counts.reordered >= 200);
    group.in_step(1);
    group.kill_and_succeed(1, 2);
}

/// Nothing passes.
const CUT: Faults = Faults { cut: true, lose: 0.0, burst: 0.0, double: 0.0, reorder: 0.0 };

#[test]
fn all_at_once_and_the_primary_killed_in_the_midst_of_it() {
    let name = "all_at_once_and_the_primary_killed_in_the_midst_of_it";
    let Some(mut group) = Group::new(name, 3, "") else { return };
    let faults = Faults { lose: 0.03, burst: 0.0005, double: 0.03, reorder: 0.03, ..Faults::default() };
    let enough = |c: Counts| c.bursts >= 3 && c.lost >= 100 && c.doubled >= 100 && c.reordered >= 100;
    group.suffer(1, faults, enough);
    let last = group.kill(1);
    // The first that may lead does; who may not says why, and leaves it to the next.
    for node in [2, 3] {
        let said =
            group.until(node, |words, _| words[0] == "lead" || words.join(" ").contains("wait Refused"));
        println!("{last}: node {node}: {said:?}");
        if said[0] == "wait" {
            assert!(said[1] == "RefusedCold" && said.contains(&"newest:".into()), "{said:?}");
            continue;
        }
        let from = cut(&said, 3);
        assert_eq!(from.epoch, last.epoch);
        // It may lack the newest cycle that it knew of, two before that (the default), and those that it cannot have heard of:
        // the last, if nothing of it was sent, and two that a burst took.
        assert!(from.cycle <= last.cycle && from.cycle + 6 >= last.cycle, "{from} of {last}");
        group.until(node, |words, at| words[0] == "out" && at.cycle >= from.cycle + 50);
        group.in_step(node);
        break;
    }
    group.end();
}

#[test]
fn a_standby_that_hears_too_little_refuses_to_lead_and_says_why() {
    let name = "a_standby_that_hears_too_little_refuses_to_lead_and_says_why";
    let Some(mut group) = Group::new(name, 2, "") else { return };
    // It hears of most cycles and gets hardly one whole, however often it asks.
    let begin = group.newest(1).cycle;
    group.bed.set(1, 2, Faults { lose: 0.9, ..Faults::default() });
    group.lead(1, |group| {
        group.newest(1).cycle > begin + 100 && group.look(2).state() != Some(SyncState::Hot)
    });
    let last = group.kill(1);
    group.bed.heal();
    let said = group.until(2, |words, _| words[0] == "lead" || words.join(" ").contains("wait Refused"));
    assert_eq!(said[..2], ["wait", "RefusedCold"], "{said:?}");
    let held = group.newest(2);
    assert!(held.epoch == last.epoch && held.cycle < last.cycle, "it holds {held} of {last}");
    assert!(said.contains(&"newest:".into()), "{said:?}");
    assert!(group.counter(2, Counter::Refusals) > 0);
    assert_eq!(group.counter(2, Counter::Takeovers), 0);
    group.end();
}

#[test]
fn a_primary_that_hears_nothing_goes_on() {
    let Some(mut group) = Group::new("a_primary_that_hears_nothing_goes_on", 2, "") else { return };
    group.bed.set(2, 1, CUT);
    group.lead(1, |group| group.bed.counts(2, 1).cut >= 5);
    group.in_step(1);
    assert_eq!(group.counter(2, Counter::Takeovers), 0);
    group.kill_and_succeed(1, 2);
}

/// Parts the nodes until 2 took over and, if both act then, for some cycles more; joins them, and checks that 2 alone leads and
/// 1 follows, and that no output of 1 passes a Gate that has seen one of 2.
fn part(name: &str, part: impl Fn(&Bed), both_act: bool, join: impl Fn(&Bed)) {
    let Some(mut group) = Group::new(name, 2, "") else { return };
    let old = group.newest(1).epoch;
    part(&group.bed);
    let (from, new) = group.leads(2);
    assert!(from.epoch == old && new > old, "{new} on {from}");
    if both_act {
        group.until(1, |words, at| words[0] == "out" && at.cycle >= from.cycle + 100);
        assert_eq!(group.counter(1, Counter::Fenced), 0);
    } else {
        group.lead(2, |group| group.counter(1, Counter::Fenced) == 1);
    }
    assert!(group.bed.total().cut > 0);
    join(&group.bed);
    group.in_step(2);
    assert_eq!(group.counter(1, Counter::Fenced), 1);
    old_outputs_are_refused(&group.history, old, from, new);
    group.kill_and_succeed(2, 1);
}

#[test]
fn a_primary_that_nobody_hears_is_succeeded_and_follows() {
    let name = "a_primary_that_nobody_hears_is_succeeded_and_follows";
    // It hears its successor, so it stops at once, but its calls for what it lacks come to nothing until the end.
    part(name, |bed| bed.set(1, 2, CUT), false, Bed::heal);
}

#[test]
fn of_two_primaries_in_a_parted_network_the_newer_goes_on() {
    part("of_two_primaries_in_a_parted_network_the_newer_goes_on", |bed| bed.set_all(CUT), true, Bed::heal);
}

#[test]
fn a_primary_whose_plug_was_out_follows_its_successor() {
    let name = "a_primary_whose_plug_was_out_follows_its_successor";
    part(name, |bed| bed.unplug(1).unwrap(), true, |bed| bed.plug(1).unwrap());
}

#[test]
fn a_standby_whose_interface_was_down_for_a_while_is_in_step_again() {
    // So patient that it does not take over meanwhile.
    let name = "a_standby_whose_interface_was_down_for_a_while_is_in_step_again";
    let Some(mut group) = Group::new(name, 2, "silence=500 patience=1000") else { return };
    group.bed.namespace(2).ip(&format!("link set {INTERFACE} down")).unwrap();
    // What it says cannot leave, and what it should hear cannot arrive.
    group.lead(1, |group| group.counter(2, Counter::FramesRefused) > 0);
    assert!(group.bed.counts(1, 2).refused > 0);
    group.bed.namespace(2).ip(&format!("link set {INTERFACE} up")).unwrap();
    group.in_step(1);
    assert_eq!(group.counter(2, Counter::Takeovers), 0);
    group.kill_and_succeed(1, 2);
}

/// Stops node 2 until node 1 has led so many cycles more.
fn stop_for(group: &mut Group, cycles: u64) {
    group.members[1].child.stop();
    let (held, now) = (group.newest(2), group.newest(1));
    group.lead(1, |group| group.newest(1).cycle >= now.cycle + cycles);
    assert_eq!(group.newest(2), held, "it was stopped");
    group.members[1].child.go_on();
}

#[test]
fn a_receiver_stopped_for_fifty_cycles_catches_up() {
    let name = "a_receiver_stopped_for_fifty_cycles_catches_up";
    let Some(mut group) = Group::new(name, 2, "") else { return };
    stop_for(&mut group, 50);
    group.in_step(1);
    assert_eq!(group.counter(2, Counter::Takeovers), 0);
    group.kill_and_succeed(1, 2);
}

#[test]
fn a_receive_buffer_that_overflowed_is_made_up_for() {
    let name = "a_receive_buffer_that_overflowed_is_made_up_for";
    let Some(mut group) = Group::new(name, 2, "buffer=65536") else { return };
    // Eight frames a cycle, of which not fifty fit.
    stop_for(&mut group, 50);
    group.in_step(1);
    // Counted ten times a second.
    group.lead(1, |group| group.counter(2, Counter::KernelDrops) > 0);
    assert_eq!(group.counter(2, Counter::Takeovers), 0);
    group.kill_and_succeed(1, 2);
}
