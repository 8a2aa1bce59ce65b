//! A primary, a standby and two wires in virtual time.
//!
//! Contract: deterministic, one thread, no clock. The members are the product's, driven as its front door drives them: hear
//! all that has come, poll, talk, answer; commit, settle. The primary takes [`STEP`] before each commit, in which it hears
//! nothing; at all other times it hears a frame when it arrives. Both look at the clock every [`LOOK`].
//!
//! The age is taken right before a commit: how many cycles the primary has committed that the standby does not hold.

use super::case::{Case, FRAME, LINES};
use super::model::Model;
use super::pipe::{Counts, Pipe};
use super::weather::{CALM, Losses};
use crate::memory::{OwnRegion, layout};
use crate::stats;
use hdrhistogram::Histogram;
use mirror_core::takeover::{Heard, MAX_MEMBERS, Settings};
use mirror_core::track::Marked;
use mirror_core::wire::{Ids, SyncState};
use mirror_core::{LINE, Member, Tracker};

/// Nanoseconds between commits.
pub const PERIOD: u64 = 1_000_000;
/// Nanoseconds of a step.
pub const STEP: u64 = 300_000;
/// Nanoseconds between two looks at the clock.
pub const LOOK: u64 = 20_000;
/// Nanoseconds from one member to the other, beside the time on the wire.
pub const LATENCY: u64 = 10_000;
/// Cycles that the records hold.
pub const RECORDS: usize = 8;
/// Cycles with losses before the first that counts.
pub const WARM_UP: u64 = 20;
/// Every so many cuts, if the standby holds what the primary does, the whole regions are compared.
const COMPARED: u64 = 97;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Age of the standby's cut, cycles.
    pub ages: Histogram<u64>,
    /// Cuts exposed.
    pub cuts: u64,
    /// Cycles committed.
    pub cycles: u64,
    /// Most commits from one cut to the next.
    pub longest_gap: u64,
    /// Cycles at whose end the standby was not hot.
    pub not_hot: u64,
    /// Cuts that were not what the primary had committed.
    pub torn: u64,
    /// Times that the standby led.
    pub takeovers: u64,
    /// Frames to the standby, and back.
    pub sent: [Counts; 2],
}

/// One member with its memory and the wire that it sends on.
struct Side {
    region: OwnRegion,
    member: Member,
    tracker: Marked,
    out: Pipe,
}

impl Side {
    fn new(node: u8, help: bool) -> Self {
        let region = OwnRegion::with_records(LINES * LINE, node, RECORDS);
        let member = Member::new(settings(node, help), region.map(), 0);
        let out = Pipe::new(FRAME, LINES, LATENCY, Losses::new(&CALM, 0));
        Self { region, member, tracker: Marked::new(LINES), out }
    }

    /// Looks at the clock, talks and answers. Says whether it began to lead.
    fn look(&mut self, now: u64) -> bool {
        let began = self.member.poll(&self.region, now, true).is_some();
        self.member.talk(&self.region, now, self.out.at(now));
        self.member.answer(&self.region, now, self.out.at(now));
        began
    }

    fn cycle(&self) -> u64 {
        self.region.cut().cycle
    }
}

/// What `mirror::Node` gives its member, but for the silences: a standby that hears nothing for a while is no successor here.
fn settings(node: u8, help: bool) -> Settings {
    let silence = if node == 1 { 10 * PERIOD } else { 1000 * PERIOD };
    let mut members = [0; MAX_MEMBERS];
    members[..2].copy_from_slice(&[1, 2]);
    let ids = Ids { group: 1, layout: 0, node };
    Settings {
        members,
        silence,
        patience: 2 * silence,
        nonce: 1,
        parity: help,
        repeats: help,
        ..Settings::usual(ids, layout(LINES * LINE), PERIOD, FRAME)
    }
}

/// Runs `cycles` cycles of `case`; without `help` there is neither parity nor do lines ride along.
#[must_use]
pub fn run(case: &Case, cycles: u64, seed: u64, help: bool) -> Outcome {
    Run::new(case, seed, help).run(case, cycles, seed)
}

struct Run {
    primary: Side,
    standby: Side,
    model: Model,
    now: u64,
    /// When the next commit is.
    commit: u64,
    stepping: bool,
    look: u64,
    /// The first cycle that counts; `None`: the standby is not there yet.
    first: Option<u64>,
    /// The cycle of the primary when the last cut was exposed.
    exposed_at: u64,
    outcome: Outcome,
}

enum Event {
    AtStandby,
    AtPrimary,
    Look,
    Step,
    Commit,
}

impl Run {
    fn new(case: &Case, seed: u64, help: bool) -> Self {
        Self {
            primary: Side::new(1, help),
            standby: Side::new(2, help),
            model: Model::new(case, seed),
            now: 0,
            commit: PERIOD,
            stepping: false,
            look: 0,
            first: None,
            exposed_at: 0,
            outcome: Outcome {
                ages: stats::histogram([]),
                cuts: 0,
                cycles: 0,
                longest_gap: 0,
                not_hot: 0,
                torn: 0,
                takeovers: 0,
                sent: [Counts::default(); 2],
            },
        }
    }

    fn run(mut self, case: &Case, cycles: u64, seed: u64) -> Outcome {
        while self.outcome.cycles < cycles {
            let (at, event) = self.next();
            self.now = self.now.max(at);
            match event {
                Event::AtStandby => self.at_standby(),
                Event::AtPrimary => {
                    let Self { primary: Side { region, member, .. }, standby, now, .. } = &mut self;
                    standby.out.arrive(|bytes| member.hear(region, bytes, *now));
                    self.primary.look(self.now);
                }
                Event::Look => {
                    self.look = self.now + LOOK;
                    let led = self.standby.look(self.now);
                    self.outcome.takeovers += u64::from(led);
                    if !self.stepping {
                        self.primary.look(self.now);
                    }
                }
                Event::Step => {
                    self.primary.look(self.now);
                    self.stepping = true;
                }
                Event::Commit => {
                    self.sample();
                    self.begin(case, seed);
                    self.commit();
                    self.commit += PERIOD;
                    self.stepping = false;
                }
            }
        }
        self.outcome.sent = [self.primary.out.counts, self.standby.out.counts];
        self.outcome
    }

    /// What comes next: at equal times frames first.
    fn next(&self) -> (u64, Event) {
        let never = u64::MAX;
        let to_primary = if self.stepping { None } else { self.standby.out.next() };
        let turn = if self.stepping { self.commit } else { self.commit - STEP };
        let events = [
            (self.primary.out.next().unwrap_or(never), Event::AtStandby),
            (to_primary.unwrap_or(never), Event::AtPrimary),
            (self.look, Event::Look),
            (turn, if self.stepping { Event::Commit } else { Event::Step }),
        ];
        events.into_iter().min_by_key(|event| event.0).expect("there are four")
    }

    fn at_standby(&mut self) {
        let Self { standby: Side { region, member, .. }, primary, model, now, outcome, .. } = self;
        let from = region.cut().cycle;
        let heard = primary.out.arrive(|bytes| member.hear(region, bytes, *now));
        let Some(Heard::Cut(info)) = heard else { return };
        let committed = primary.cycle();
        let same = || {
            committed != info.cut.cycle
                || !region.counter(mirror_core::region::Counter::Cuts).is_multiple_of(COMPARED)
                || region.image() == primary.region.image()
        };
        outcome.torn += u64::from(!model.is_whole(from, info.cut.cycle, region.image()) || !same());
        if self.first.is_some_and(|first| committed >= first) {
            outcome.cuts += 1;
            outcome.longest_gap = outcome.longest_gap.max(committed - self.exposed_at);
        }
        self.exposed_at = committed;
    }

    /// Right before a commit.
    fn sample(&mut self) {
        let (committed, held) = (self.primary.cycle(), self.standby.cycle());
        if self.first.is_none_or(|first| committed < first) {
            return;
        }
        let outcome = &mut self.outcome;
        outcome.cycles += 1;
        outcome.ages.record(committed.saturating_sub(held)).expect("it grows as needed");
        outcome.not_hot += u64::from(self.standby.member.state() != SyncState::Hot);
        // A gap that has not ended yet counts too.
        outcome.longest_gap = outcome.longest_gap.max(committed - self.exposed_at);
    }

    /// Losses begin when the standby is there.
    fn begin(&mut self, case: &Case, seed: u64) {
        if self.first.is_none()
            && self.standby.member.state() == SyncState::Hot
            && self.primary.member.leads()
        {
            self.first = Some(self.primary.cycle() + WARM_UP + 1);
            self.primary.out.begin(case.rate(), Losses::new(&case.weather, seed ^ 1));
            self.standby.out.begin(case.rate(), Losses::new(&case.weather, seed ^ 2));
        }
    }

    fn commit(&mut self) {
        let Self { primary: Side { region, member, tracker, out }, model, now, .. } = self;
        if !member.leads() {
            return;
        }
        let cycle = region.cut().cycle + 1;
        model.step(cycle, region.live_mut(), |line| tracker.mark(line * LINE, LINE));
        member.commit(region, tracker, (cycle * PERIOD, *now), out.at(*now));
        region.settle(false);
        member.protect(region, *now, out.at(*now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::case::{Size, Where};
    use crate::loss::pipe::AROUND;
    use crate::loss::weather::WEATHERS;

    const CYCLES: u64 = 60;

    /// If this fails, the wire format has changed, or what is sent without need: see `Case`.
    #[test]
    fn without_loss_every_cycle_is_exposed_at_once_and_nothing_is_sent_twice() {
        for size in [Size::Lines(4), Size::Frames(1), Size::Frames(16), Size::Frames(256)] {
            for place in [Where::Random, Where::Hot] {
                let case = Case { size, place, weather: CALM };
                let outcome = run(&case, CYCLES, 3, true);
                assert_eq!(
                    (outcome.cuts, outcome.ages.max(), outcome.longest_gap),
                    (CYCLES, 0, 1),
                    "{case:?}"
                );
                assert_eq!((outcome.torn, outcome.takeovers, outcome.not_hot), (0, 0, 0), "{case:?}");
                let [down, _] = outcome.sent;
                assert_eq!((down.repair.frames, down.lost, down.refused), (0, 0, 0), "{case:?}");
                let cycles = down.data.frames / case.frames() as u64;
                assert!((CYCLES..=CYCLES + WARM_UP + 1).contains(&cycles), "{case:?}: {}", down.data.frames);
                if matches!(size, Size::Frames(_)) {
                    let bytes = case.plain_bytes() as u64 + case.frames() as u64 * AROUND;
                    assert_eq!(down.data.bytes, cycles * bytes, "{case:?}");
                }
            }
        }
    }

    #[test]
    fn losses_are_healed_and_a_seed_says_all() {
        let case = Case { size: Size::Frames(16), place: Where::Random, weather: WEATHERS[2] };
        let told = |outcome: &Outcome| {
            let [down, up] = outcome.sent;
            (outcome.cuts, outcome.longest_gap, down.lost, down.frames(), up.frames(), outcome.ages.mean())
        };
        let outcome = run(&case, CYCLES, 1, true);
        let [down, up] = outcome.sent;
        assert!(down.lost > 0 && down.repair.frames > 0 && up.status.frames > 0, "{:?}", told(&outcome));
        assert!(outcome.torn == 0 && outcome.cuts > CYCLES / 2, "{:?}", told(&outcome));
        assert_eq!(told(&outcome), told(&run(&case, CYCLES, 1, true)));
        assert_ne!(told(&outcome), told(&run(&case, CYCLES, 2, true)));
    }
}
