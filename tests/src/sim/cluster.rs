//! The cluster: nodes, network and checkers on one queue of events, in one true time.

use super::checkers::backwards::Backwards;
use super::checkers::progress::Progress;
use super::checkers::reign::Reigns;
use super::checkers::repair::Repair;
use super::checkers::{Check, Violation, accounting, convergence, torn};
use super::clock::Nanos;
use super::expect::Expect;
use super::history::History;
use super::network::{Carrier, Mishap, Nature, Network, Parcel};
use super::node::{Crash, Node};
use super::observer::{Channel, Watchers};
use super::options::Options;
use super::peace::Peace;
use super::queue::{Queue, What};
use super::rng::Rng;
use super::rot::Rot;
use super::run::Stats;
use super::stranger::Strangers;
use super::trace::Trace;
use mirror_core::Cut;
use mirror_core::region::Found;
use std::rc::Rc;

/// All that a run is.
pub struct Cluster {
    pub(super) seed: u64,
    pub(super) options: Options,
    pub(super) expect: Expect,
    pub(super) now: Nanos,
    pub(super) queue: Queue,
    pub(super) nodes: Vec<Node>,
    pub(super) network: Network,
    pub(super) watchers: Watchers,
    pub(super) history: History,
    pub(super) peace: Peace,
    pub(super) backwards: Backwards,
    pub(super) progress: Progress,
    pub(super) reigns: Reigns,
    pub(super) repair: Repair,
    pub(super) rot: Rot,
    pub(super) reads: Rng,
    pub(super) stats: Stats,
    pub(super) trace: Trace,
    pub(super) calm: bool,
    strangers: Strangers,
    /// Periods in a row with everybody in step.
    in_step: u64,
}

/// Puts what the network delivers into the queue.
pub(super) struct Post<'a> {
    pub(super) now: Nanos,
    pub(super) queue: &'a mut Queue,
    pub(super) peace: &'a mut Peace,
}

impl Carrier for Post<'_> {
    fn arrive(&mut self, to: usize, at: Nanos, parcel: Parcel) {
        self.queue.push(at, What::Arrive(to, parcel));
    }
    fn mishap(&mut self, to: usize, mishap: Mishap) {
        self.peace.broken(to, self.now, mishap);
    }
}

impl Cluster {
    /// All nodes start within the first period.
    #[must_use]
    pub fn new(seed: u64, options: Options, expect: Expect, trace: Trace) -> Self {
        let mut queue = Queue::default();
        let mut starts = Rng::fork(seed, "starts", 0);
        let nodes: Vec<Node> = (0..options.nodes as usize).map(|at| Node::new(seed, at, &options)).collect();
        for node in &nodes {
            queue.push(starts.below(options.period), What::Start(node.place));
        }
        queue.push(options.period, What::Period);
        let watchers = Watchers::new(seed, &options).expect("new memory is taken");
        for place in 0..watchers.all.len() {
            queue.push(options.period / 2, What::Look(place));
        }
        Self {
            seed,
            options,
            expect,
            now: 0,
            queue,
            nodes,
            network: Network::new(seed, &options),
            watchers,
            history: History::new(options.lines),
            peace: Peace::new(options.nodes),
            backwards: Backwards::new(options.nodes),
            progress: Progress::new(options.nodes),
            reigns: Reigns::default(),
            repair: Repair::default(),
            rot: Rot::new(seed),
            reads: Rng::fork(seed, "reads", 0),
            stats: Stats::default(),
            trace,
            calm: false,
            strangers: Strangers::new(seed, &options),
            in_step: 0,
        }
    }

    /// Runs until true time `until`, or until everybody was in step for `steps` periods in a row.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn run(&mut self, until: Nanos, steps: u64) -> Check {
        self.in_step = 0;
        while self.now < until && self.in_step < steps {
            let Some((at, what)) = self.queue.pop() else { break };
            self.now = at;
            match what {
                What::Turn(place) => self.turn(place)?,
                What::Arrive(place, parcel) => self.arrive(place, parcel),
                What::Watch(place, channel, bytes) => self.watch(place, channel, &bytes)?,
                What::Look(place) => self.watcher_looks(place)?,
                What::Wish(place, bytes) => self.wish(place, &bytes),
                What::Start(place) => self.start(place)?,
                What::Period => self.period()?,
            }
        }
        Ok(())
    }

    /// The faults stop, and whoever is down comes back.
    ///
    /// # Errors
    /// A restart found what it must not.
    pub fn calm(&mut self) -> Check {
        self.calm = true;
        self.network.calm();
        self.watchers.calm();
        for place in 0..self.nodes.len() {
            self.peace.broken(place, self.now, Mishap::Outage);
            let node = &mut self.nodes[place];
            if node.up.is_none() {
                self.start(place)?;
            } else if node.stalled > self.now {
                node.stalled = self.now;
                self.wake(place, self.now);
            }
        }
        Ok(())
    }

    /// When nothing that was sent under faults is on its way any more, at the latest.
    #[must_use]
    pub fn longest_way(&self) -> Nanos {
        let o = &self.options;
        let late = if o.late_ppm + o.again_ppm > 0 { o.late_periods } else { 0 };
        (late + 2) * o.period
    }

    /// Who is not in step, if anybody.
    ///
    /// # Errors
    /// As [`convergence::in_step`].
    pub fn in_step(&self) -> Check {
        convergence::in_step(&self.nodes, self.expect.lag)
    }

    /// Which observer is not in step, if any.
    ///
    /// # Errors
    /// As [`Watchers::in_step`].
    pub fn watchers_in_step(&self) -> Check {
        let lead = self.nodes.iter().flat_map(|node| &node.up).find(|up| up.member.leads());
        let lead = lead.map_or(Cut::NONE, |up| up.region.cut());
        self.watchers.in_step(lead, self.expect.lag, self.now)
    }

    /// A frame goes to the observers.
    pub(super) fn show(&mut self, channel: Channel, frame: &Rc<[u8]>) {
        let Self { watchers, queue, options, now, .. } = self;
        watchers.send(options, *now, frame, |place, at, bytes| {
            queue.push(at, What::Watch(place, channel, bytes))
        });
    }

    fn watch(&mut self, place: usize, channel: Channel, bytes: &[u8]) -> Check {
        let exposed = self.watchers.hear(place, (channel, bytes), self.now, &self.history)?;
        self.stats.watched += u64::from(exposed);
        Ok(())
    }

    fn watcher_looks(&mut self, place: usize) -> Check {
        let o = self.options;
        self.queue.push(self.now + o.period / 4, What::Look(place));
        self.stats.reopened += u64::from(self.watchers.restart(place, &o)?);
        let exposed = self.watchers.poll(place, self.now, &self.history)?;
        self.stats.watched += u64::from(exposed);
        for wish in self.watchers.all[place].wire.sent.drain(..) {
            for node in 0..self.nodes.len() {
                self.queue.push(self.now + o.latency, What::Wish(node, Rc::clone(&wish)));
            }
        }
        Ok(())
    }

    fn wish(&mut self, place: usize, bytes: &[u8]) {
        let node = &mut self.nodes[place];
        let local = node.clock.local(self.now);
        if let Some(up) = node.up.as_mut().filter(|up| up.member.may_serve() && node.stalled <= self.now) {
            up.member.hear_observer(&up.region, bytes, local);
        }
    }

    /// Node `place` looks around at `at`, unless it does so earlier.
    pub(super) fn wake(&mut self, place: usize, at: Nanos) {
        let node = &mut self.nodes[place];
        let at = at.max(node.stalled).max(self.now);
        if at < node.next {
            node.next = at;
            self.queue.push(at, What::Turn(place));
        }
    }

    fn arrive(&mut self, place: usize, parcel: Parcel) {
        let (now, room, wake) = (self.now, self.options.inbox as usize, self.options.wake);
        if parcel.nature == Nature::Delayed {
            self.peace.broken(place, now, Mishap::Single);
        }
        let node = &mut self.nodes[place];
        if node.up.is_none() {
            return;
        }
        if node.inbox.len() >= room {
            self.stats.overflows += 1;
            self.peace.broken(place, now, Mishap::Outage);
            return;
        }
        node.inbox.push_back(parcel);
        self.wake(place, now + wake);
    }

    pub(super) fn start(&mut self, place: usize) -> Check {
        let node = &mut self.nodes[place];
        if node.up.is_some() {
            return Ok(());
        }
        let found = node.start(&self.options, self.now);
        let found = found.map_err(|error| Violation { checker: "restart", what: error })?;
        if let Found::OtherBoot(_) = found {
            self.backwards.forget(place);
        }
        self.trace.note(
            self.now,
            [1, place as u64, 0, 0],
            format_args!("node {} starts: {found:?}", place + 1),
        );
        if let Some(up) = &self.nodes[place].up {
            self.backwards.restarted(place, up.region.cut())?;
        }
        self.peace.broken(place, self.now, Mishap::Outage);
        self.look_at(place)?;
        self.wake(place, self.now);
        Ok(())
    }

    /// Node `place` goes down; it is started again later.
    pub(super) fn crash(&mut self, place: usize) {
        let o = &self.options;
        let faults = &mut self.nodes[place].faults;
        let how = if faults.chance(o.host_crash_ppm) {
            Crash::Host
        } else if faults.chance(o.reboot_ppm) {
            Crash::Reboot
        } else {
            Crash::Process
        };
        let back = self.now + faults.range(1, o.restart_periods.max(1)) * o.period;
        self.go_down(place, how);
        self.queue.push(back, What::Start(place));
    }

    fn go_down(&mut self, place: usize, how: Crash) {
        self.trace.note(
            self.now,
            [2, place as u64, how as u64, 0],
            format_args!("node {}: {how:?} crash", place + 1),
        );
        self.stats.crashes += 1;
        self.nodes[place].stop(how, &self.options);
        self.peace.broken(place, self.now, Mishap::Outage);
        if how == Crash::Host {
            self.backwards.forget(place);
        }
    }

    pub(super) fn stall(&mut self, place: usize) {
        let o = &self.options;
        let node = &mut self.nodes[place];
        let until =
            self.now + node.faults.range(1, o.stall_periods.max(1)) * o.period + node.faults.below(o.period);
        node.stalled = node.stalled.max(until);
        let until = node.stalled;
        self.stats.stalls += 1;
        self.peace.broken(place, until, Mishap::Outage);
        self.trace.note(
            self.now,
            [3, place as u64, until, 0],
            format_args!("node {} stalls until {until}", place + 1),
        );
    }

    /// One period of true time: faults that come by time, and checks that need no event.
    fn period(&mut self) -> Check {
        self.queue.push(self.now + self.options.period, What::Period);
        if !self.calm {
            self.faults();
        }
        self.stats.periods += 1;
        for place in 0..self.nodes.len() {
            self.look_at_rot(place)?;
            let node = &self.nodes[place];
            if let Some(up) = &node.up {
                accounting::balanced(up, place, node.given)?;
                // What spoils a region without a new cut is found here.
                if (self.stats.periods + place as u64).is_multiple_of(16) && up.cycle.is_none() {
                    torn::region(&self.history, &up.region, place, up.is_settled(), self.rot.line(place))?;
                }
            }
        }
        self.steps()
    }

    fn faults(&mut self) {
        self.network.tick(self.now);
        if let Some((to, parcel, hides)) = self.strangers.tick(&self.options) {
            if hides {
                self.peace.broken(to, self.now, Mishap::Single);
            }
            self.arrive(to, parcel);
        }
        for place in 0..self.nodes.len() {
            let node = &mut self.nodes[place];
            let (crash, stall) =
                (node.faults.chance(self.options.crash_ppm), node.faults.chance(self.options.stall_ppm));
            if node.up.is_none() {
                continue;
            }
            if crash {
                self.crash(place);
            } else if stall {
                self.stall(place);
            }
        }
    }

    /// Convergence, in quiet times under faults as after them.
    fn steps(&mut self) -> Check {
        let quiet = self.now.saturating_sub(self.peace.any);
        let step = self.in_step();
        let all = step.is_ok() && self.watchers_in_step().is_ok();
        self.in_step = if all { self.in_step + 1 } else { 0 };
        if step.is_ok() || self.nodes.iter().any(|node| node.up.is_none()) {
            return Ok(());
        }
        if quiet > self.expect.settle {
            return step;
        }
        if quiet > self.expect.operator && self.expect.operator > 0 && self.nobody_leads() {
            // An operator's word: the member with the newest cut may begin from what it holds.
            let cut = |node: &Node| node.up.as_ref().map(|up| up.region.cut());
            let best = (0..self.nodes.len()).max_by_key(|&place| (cut(&self.nodes[place]), place));
            let best = best.expect("there are nodes");
            self.stats.operators += 1;
            self.go_down(best, Crash::Process);
            self.start(best)?;
            if let Some(up) = &self.nodes[best].up {
                up.region.set_lacking(0);
            }
            return Ok(());
        }
        Ok(())
    }

    fn nobody_leads(&self) -> bool {
        !self.nodes.iter().any(|node| node.up.as_ref().is_some_and(|up| up.member.leads()))
    }

    /// Node `place` may expose a new cut: whatever it exposes is looked at.
    pub(super) fn look_at(&mut self, place: usize) -> Check {
        self.look_at_rot(place)?;
        let spoiled = self.rot.line(place);
        let node = &mut self.nodes[place];
        let Some(up) = &node.up else { return Ok(()) };
        torn::region(&self.history, &up.region, place, up.is_settled(), spoiled)?;
        self.backwards.exposed(place, up.region.cut())?;
        self.progress.exposed(place);
        if self.reads.chance(self.options.read_ppm)
            && spoiled.is_none()
            && let Some(reader) = &mut node.reader
        {
            torn::reader(&self.history, reader, &up.region, place)?;
        }
        Ok(())
    }
}
