//! One node's turn: what `Node::begin` and `Lead::commit` of the front door do, in the same order, with crashes between
//! any two of the steps.

use super::checkers::foreign::Before;
use super::checkers::reign::Reigns;
use super::checkers::successor::{self, Claim};
use super::checkers::{Check, Violation, ensure};
use super::clock::Nanos;
use super::cluster::{Cluster, Post};
use super::history::Entry;
use super::network::{Mishap, Nature, Parcel};
use super::node::Cycle;
use super::observer::Channel;
use super::workload::{Step, all_runs};
use mirror_core::Cut;
use mirror_core::parity::groups;
use mirror_core::takeover::{Heard, Takeover};
use mirror_core::wire::{Frame, frames_needed};

/// Where a crash ends a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fuse {
    /// The step is half done.
    Step,
    /// The changes are captured, nothing is sealed.
    Captured,
    /// Sealed; that many frames have left, and nothing is moved into the image.
    Sealed(u64),
}

impl Cluster {
    pub(super) fn turn(&mut self, place: usize) -> Check {
        let (now, listen) = (self.now, self.options.listen);
        let node = &mut self.nodes[place];
        if node.next != now || node.up.is_none() {
            return Ok(());
        }
        node.next = Nanos::MAX;
        if node.stalled > now {
            self.wake(place, now);
            return Ok(());
        }
        let interrupted = node.up.as_mut().and_then(|up| up.cycle.take());
        if let Some(cycle) = interrupted {
            self.publish(place, cycle, None)?;
        }
        for _ in 0..listen {
            let Some(parcel) = self.nodes[place].inbox.pop_front() else { break };
            self.hear(place, &parcel)?;
        }
        self.decide(place)?;
        self.next_turn(place);
        Ok(())
    }

    fn next_turn(&mut self, place: usize) {
        let (o, node) = (&self.options, &self.nodes[place]);
        let Some(up) = &node.up else { return };
        let look = (o.silence * o.period / 8).min(o.period);
        let next = if !node.inbox.is_empty() {
            self.now + o.turn.max(1)
        } else if up.member.leads() {
            node.clock.when(up.tick)
        } else {
            node.clock.when(node.clock.local(self.now) + look)
        };
        self.wake(place, next);
    }

    fn hear(&mut self, place: usize, parcel: &Parcel) -> Check {
        let node = &mut self.nodes[place];
        let local = node.clock.local(self.now);
        let Some(up) = &mut node.up else { return Ok(()) };
        let refusable = matches!(parcel.nature, Nature::Damaged | Nature::Stranger);
        let before = refusable.then(|| Before::of(up));
        let held = up.region.cut();
        let heard = up.member.hear(&mut up.region, &parcel.bytes, local);
        node.given += 1;
        if matches!(heard, Heard::Fenced(_)) {
            up.undo();
        }
        // What comes of a reign that another has ended was never to be followed.
        if !refusable
            && let Ok(Frame::Data(header, data, _)) = Frame::decode(&parcel.bytes, up.region.map().lines)
            && header.epoch >= up.region.epoch_seen()
        {
            up.newest = up.newest.max(Cut { epoch: header.epoch, cycle: data.cycle });
        }
        let (cut, state) = (up.region.cut(), up.member.state());
        self.trace.note(
            self.now,
            [4 + place as u64, parcel.bytes.len() as u64, cut.cycle, state as u64],
            format_args!(
                "node {} hears {} bytes ({:?}): {heard:?}, {state} at {cut}",
                place + 1,
                parcel.bytes.len(),
                parcel.nature
            ),
        );
        if let Some(before) = before {
            before.check(up, place, &heard)?;
        }
        self.stats.heard += 1;
        self.stats.fenced += u64::from(matches!(heard, Heard::Fenced(_)));
        if cut == held {
            return Ok(());
        }
        let told = matches!(heard, Heard::Cut(info) if info == up.region.committed());
        ensure(told || matches!(heard, Heard::Fenced(_)), "torn", || {
            format!("node {} went to {cut} and said {heard:?}", place + 1)
        })?;
        self.stats.cuts += 1;
        self.spoil(place, held);
        self.look_at(place)
    }

    /// Looks at the clock, takes over, talks, and leads a cycle if one is due.
    fn decide(&mut self, place: usize) -> Check {
        let silence = self.options.silence * self.options.period;
        let node = &mut self.nodes[place];
        let local = node.clock.local(self.now);
        let drained = node.inbox.is_empty();
        let Some(up) = &mut node.up else { return Ok(()) };
        if local - up.looked >= silence / 2 {
            up.back = local;
        }
        up.looked = local;
        let (seen, state, listened) = (up.region.epoch_seen(), up.member.state(), local - up.back);
        let newest = up.newest;
        if let Some(takeover) = up.member.poll(&up.region, local, drained) {
            up.undo();
            (up.reign, up.tick, up.committed) = (Some((takeover.epoch, takeover.cut)), local, None);
            let disturbed = self.peace.node[place];
            let o = &self.options;
            let reached = self.now.saturating_sub(o.latency + o.jitter + o.wake + o.period / 8);
            self.reigns.began(place, (takeover.epoch, takeover.cut), (listened, silence))?;
            self.took_over(
                &Claim { place, takeover: &takeover, seen, state, disturbed, reached, newest },
                &takeover,
            )?;
        }
        let Some(up) = &mut self.nodes[place].up else { return Ok(()) };
        up.wire.room = usize::MAX;
        up.member.talk(&up.region, local, &mut up.wire);
        let said = up.wire.sent.len();
        up.member.answer(&up.region, local, &mut up.wire);
        let answered = (up.wire.sent.len() - said) as u64;
        up.member.serve(&up.region, local, &mut up.service);
        if let Some((epoch, _)) = up.reign
            && answered > 0
        {
            self.repair.answered(epoch, answered)?;
        }
        let Some(up) = &mut self.nodes[place].up else { return Ok(()) };
        let due = up.member.leads() && drained && local >= up.tick;
        self.flush(place);
        if due { self.lead(place, local) } else { Ok(()) }
    }

    fn took_over(&mut self, claim: &Claim<'_>, takeover: &Takeover) -> Check {
        let Takeover { cause, epoch, cut, silent, .. } = takeover;
        self.trace.note(
            self.now,
            [20, claim.place as u64, epoch.0, cut.cycle],
            format_args!("node {} leads {epoch} from {cut}: {cause:?}, {silent} ns silent", claim.place + 1),
        );
        self.stats.takeovers += 1;
        let nodes = &self.nodes;
        let allowed = (self.options.max_age, self.expect.behind);
        successor::took_over(&self.history, claim, allowed, |place| nodes[place].up.is_none())?;
        self.look_at(claim.place)
    }

    fn flush(&mut self, place: usize) {
        let Self { nodes, network, queue, peace, now, .. } = self;
        let Some(up) = &mut nodes[place].up else { return };
        let mut post = Post { now: *now, queue, peace };
        let sent: Vec<_> = up.wire.sent.drain(..).collect();
        for frame in &sent {
            network.send(*now, place, frame, &mut post);
        }
        let served: Vec<_> = up.service.sent.drain(..).collect();
        self.stats.served += served.len() as u64;
        sent.iter().for_each(|frame| self.show(Channel::Members, frame));
        served.iter().for_each(|frame| self.show(Channel::Refills, frame));
    }

    /// A cycle is due: runs the step, and commits unless a fault comes first.
    fn lead(&mut self, place: usize, local: Nanos) -> Check {
        let (o, calm) = (self.options, self.calm);
        let node = &mut self.nodes[place];
        let Some(up) = &mut node.up else { return Ok(()) };
        let Some((epoch, _)) = up.reign else { return Ok(()) };
        let passed = (local - up.tick) / o.period + 1;
        up.tick += passed * o.period;
        let held = up.region.committed();
        let cut = Cut { epoch, cycle: held.cut.cycle + 1 };
        // Every turn its own step, also those that make no cut.
        let turn = Cut { epoch, cycle: cut.cycle + ((up.open.len() as u64) << 40) };
        let step = Step::new(self.seed, turn, &o);
        let plant = held.plant + (passed + up.open_periods) * o.period;
        let cycle = Cycle { cut, plant, passed, step };
        let faults = &mut node.faults;
        let (abandon, crash, stall) = (
            faults.chance(o.abandon_ppm) && !calm,
            faults.chance(o.crash_in_commit_ppm) && !calm,
            faults.chance(o.stall_in_cycle_ppm) && !calm,
        );
        let fuse = crash.then(|| match faults.below(5) {
            0 => Fuse::Step,
            1 => Fuse::Captured,
            2 => Fuse::Sealed(0),
            3 => Fuse::Sealed(faults.log_range(1, 64)),
            _ => Fuse::Sealed(u64::MAX),
        });
        let (live, tracker) = (up.region.live_mut(), &mut up.tracker);
        if abandon || fuse == Some(Fuse::Step) {
            cycle.step.run_half(live, |at, bytes| tracker.mark(at, bytes));
            if !abandon {
                self.crash(place);
                return Ok(());
            }
            up.region.roll_back();
            up.undo();
            // Several in a row are a silence, and whoever takes over is right.
            self.peace.any = self.now;
            return self.look_at(place);
        }
        cycle.step.run(live, |at, bytes| tracker.mark(at, bytes));
        if fuse == Some(Fuse::Captured) && up.open.is_empty() {
            let next = up.region.cut().cycle + 1;
            up.region.capture(&mut *up.tracker, next);
            self.crash(place);
            return Ok(());
        }
        if stall {
            up.cycle = Some(cycle);
            self.stall(place);
            return Ok(());
        }
        self.publish(place, cycle, fuse)
    }

    /// Commits as the front door does: seal and send, flush, settle.
    fn publish(&mut self, place: usize, cycle: Cycle, fuse: Option<Fuse>) -> Check {
        let (o, calm) = (self.options, self.calm);
        let silence = o.silence * o.period;
        let node = &mut self.nodes[place];
        let local = node.clock.local(self.now);
        let Some(up) = &mut node.up else { return Ok(()) };
        let Cycle { cut, plant, passed, step } = cycle;
        let before = up.region.committed();
        let (seen, base) = (up.region.epoch_seen(), up.reign.map_or(Cut::NONE, |reign| reign.1));
        let refuses = node.faults.chance(o.refuse_ppm) && !calm;
        up.wire.room = if refuses { node.faults.below(8) as usize } else { usize::MAX };
        let done = up.member.commit(&mut up.region, &mut *up.tracker, (plant, local), &mut up.wire);
        let Some(done) = done else {
            let what = format!("node {} committed nothing where {cut} was due", place + 1);
            return Err(Violation { checker: "reign", what });
        };
        up.open.push(step);
        up.open_periods += passed;
        if !done.open {
            self.reigns.commits(place, cut, seen, (before.plant, plant))?;
            let model = self.history.get(before.cut);
            let mut bytes = model.expect("what is held was looked at").bytes.clone();
            for step in &up.open {
                step.run(&mut bytes[..o.state_bytes()], |_, _| {});
            }
            self.history.commit(cut, Entry { bytes, base, plant, by: place, at: self.now })?;
        }
        let quiet = up.committed.replace(local).map(|last| local - last);
        Reigns::acts(place, up.member.may_act(), quiet.unwrap_or(0), silence)?;
        let due = if done.open { before.cut } else { cut };
        ensure(done.cut == due, "reign", || {
            format!("node {} committed {} where {due} was due", place + 1, done.cut)
        })?;
        let frames = up.wire.sent.len() as u64;
        self.trace.note(
            self.now,
            [21, place as u64, cut.cycle, frames],
            format_args!("node {} commits {done:?}, {fuse:?}", place + 1),
        );
        self.stats.commits += u64::from(!done.open);
        self.stats.open += u64::from(done.open);
        if let Some(Fuse::Sealed(left)) = fuse {
            up.wire.sent.truncate(left.min(frames) as usize);
            self.flush(place);
            self.backwards.exposed(place, due)?;
            self.crash(place);
            return Ok(());
        }
        let own = frames_needed(&all_runs(&up.open), o.frame as usize).into();
        if !done.open {
            up.open.clear();
            up.open_periods = 0;
        }
        // Two cycles at once, as after a stall, may arrive in any order.
        let overtakes = self.expect.overtaking_is_loss && quiet.is_some_and(|quiet| quiet <= 2 * o.jitter);
        if overtakes || refuses {
            for to in 0..self.nodes.len() {
                self.peace.broken(to, self.now, if refuses { Mishap::Outage } else { Mishap::Single });
            }
        }
        self.repair.sent(&done, (own, frames), o.send)?;
        self.flush(place);
        if let Some(up) = &mut self.nodes[place].up {
            up.region.settle(false);
            up.member.protect(&up.region, local, &mut up.wire);
            let (parity, left) = (up.wire.sent.len() as u32, done.left);
            ensure(parity == 0 || parity <= groups(done.frames) && left == 0, "repair", || {
                format!("{parity} parity frames for {} frames, of which {left} have not left", done.frames)
            })?;
        }
        self.flush(place);
        let nodes = &self.nodes;
        let (outage, most) = (self.peace.outage, self.expect.progress);
        if !done.open {
            self.progress.committed(cut.epoch, outage, most, |place| nodes[place].up.is_some())?;
        }
        self.look_at(place)
    }
}
