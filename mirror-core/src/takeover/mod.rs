//! Who leads: the one module that knows both the primary's and the standby's machine.
//!
//! # The rules (until the role rules stand; each number is named where it is coded)
//! - T1 A node that has heard nothing of a primary for `silence` takes over, if it may lead: it is hot, and no cycle older than
//!   the newest is missing. Otherwise it refuses, and says why. The next in rank waits one `silence` longer, and so on; the node
//!   that fell silent is left out of the order.
//! - T2 A successor leads under the next epoch after the greatest it knows, on the cut it holds.
//! - T3 Whoever hears of a newer epoch, in whatever frame, stops leading at once. It follows; should nobody be heard to lead
//!   that epoch, T1 holds for it as for any other, under a newer epoch still.
//! - T4 A node that did not listen for more than half a `silence` was itself stalled: it accuses nobody until it has listened for a
//!   whole one again. A primary that did not send for a whole `silence` may have been succeeded: it does not act until it
//!   has listened once more.
//! - T5 A node that starts listens for `patience` first. If it hears no primary, of whatever epoch, it then leads from the cut
//!   found in its memory, by rank as in T1. It waits anew whenever it hears of a member that holds a newer cut and may
//!   lead; and it refuses if its memory says that it knew of cycles which it does not hold.
//! - T6 A node that holds nothing begins a reign only if every other member has told it that it holds nothing either, or by an
//!   operator's word (`begin_alone`): what is initialised is never erased by what is blank and hears badly.
//!
//! These rules alone do not exclude two primaries (a cut cable gives two): until leases, claims and grants stand, only the
//! Gate at the actuator does.

use crate::planted::{self, Bug};
use crate::primary::{Primary, Published, Ring};
use crate::region::{Counter, EventKind, Map};
use crate::scrub::{Difference, Proof};
use crate::serve::Service;
use crate::standby::Standby;
use crate::sweep::{Reign, Sweep};
use crate::wire::{Frame, Ids, MAX_WANTS, Sender, Status, SweepWant, SyncState, Want, Wants};
use crate::{Cut, Epoch, FrameSink, Region, Tracker};

mod serving;
mod terms;

pub use terms::{Cause, Heard, Settings, Takeover, Why};

/// The most members that may lead.
pub const MAX_MEMBERS: usize = 7;

/// Parts of the repair budget, of which everybody who asks is given one before the order of rank decides.
const FLOORS: u32 = 8;

/// What a member lacks, by its newest status.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    seen: u64,
    hot: bool,
    wants: Wants,
}

/// A member of the group: hears frames, leads or follows.
#[derive(Clone, Debug)]
pub struct Member {
    settings: Settings,
    sender: Sender,
    standby: Standby,
    primary: Option<Primary>,
    ring: Ring,
    /// What each member asked for last, in order of rank, until it is answered.
    asked: [Asked; MAX_MEMBERS],
    sweep: Sweep,
    service: Service,
    /// The last primary heard, or this node.
    leader: u8,
    /// When a primary was last heard, or this node last began to listen.
    heard_at: u64,
    /// When this node last listened.
    listened_at: u64,
    /// When it last sent a cycle.
    sent_at: u64,
    /// T4, for a primary.
    doubt: bool,
    /// T4 was applied, and nobody asked yet what was lost meanwhile.
    stalled: bool,
    /// A primary was heard since this node started.
    met: bool,
    /// The refusal of the present silence is counted.
    refused: bool,
    status_at: u64,
    /// Hash of the foreign layout that was logged last.
    foreign: u64,
    /// The last primary heard has another layout.
    foreign_leads: bool,
    /// By rank: the member has told, in its last status, that it holds nothing (T6).
    blank: [bool; MAX_MEMBERS],
}

impl Member {
    /// A member that begins to listen at `now`, with a region of this map.
    #[must_use]
    pub fn new(settings: Settings, map: &Map, now: u64) -> Self {
        let ids = Ids { layout: settings.layout.hash, ..settings.ids };
        Self {
            settings,
            sender: Sender::new(ids),
            standby: Standby::new(map.lines, map.records, settings.frame_bytes, settings.max_age),
            primary: None,
            ring: Ring::new(
                map.records,
                map.lines,
                settings.frame_bytes,
                settings.send_budget,
                settings.pause.saturating_mul(2),
            ),
            asked: [Asked::default(); MAX_MEMBERS],
            sweep: Sweep::new(),
            service: Service::new(ids),
            leader: 0,
            heard_at: now,
            listened_at: now,
            sent_at: now,
            doubt: false,
            stalled: false,
            met: false,
            refused: false,
            // The first status is due at once: it tells a primary of a lower epoch, and other starters, what is here.
            status_at: now.saturating_sub(settings.status_every),
            foreign: 0,
            foreign_leads: false,
            blank: [false; MAX_MEMBERS],
        }
    }

    /// Whether this node leads, as far as it knows.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.primary.is_some()
    }

    /// Whether a primary may act on the world now (T4). The Gate has the last word.
    #[must_use]
    pub fn may_act(&self) -> bool {
        self.leads() && !self.doubt
    }

    /// How much of the state this node holds.
    #[must_use]
    pub fn state(&self) -> SyncState {
        if self.leads() { SyncState::Primary } else { self.standby.state() }
    }

    /// The node that leads or last led, as far as this one knows; 0: none was heard.
    #[must_use]
    pub fn leader(&self) -> u8 {
        self.leader
    }

    /// When a primary was last heard.
    #[must_use]
    pub fn heard_at(&self) -> u64 {
        self.heard_at
    }

    /// How far back every line is proven to be the primary's. None while this node leads, and before every line was compared in
    /// this reign, or again after a difference.
    #[must_use]
    pub fn proven(&self, region: &Region) -> Option<Proof> {
        if self.leads() { None } else { self.standby.proven(region) }
    }

    /// The silent difference that was found last.
    #[must_use]
    pub fn difference(&self) -> Option<Difference> {
        self.standby.difference()
    }

    /// Takes one frame off the link. Any bytes may come.
    pub fn hear(&mut self, region: &mut Region, bytes: &[u8], now: u64) -> Heard {
        region.count(Counter::FramesHeard, 1);
        let frame = match Frame::decode(bytes, region.map().lines) {
            Ok(frame) => frame,
            Err(reject) => {
                region.count(reject.counter(), 1);
                return Heard::Nothing;
            }
        };
        let header = *frame.header();
        if header.ids.group != self.settings.ids.group && !planted::is(Bug::GroupIgnored) {
            region.count(Counter::RejectGroup, 1);
            return Heard::Nothing;
        }
        if matches!(frame, Frame::Refill(..) | Frame::Wish(..)) {
            region.count(Counter::Misplaced, 1); // a member is filled by its primary alone
            return Heard::Nothing;
        }
        if header.ids.node == self.settings.ids.node {
            let own =
                self.primary.is_some_and(|p| p.epoch() == header.epoch) || matches!(frame, Frame::Status(..));
            region.count(if own { Counter::Own } else { Counter::SameNode }, 1);
            return Heard::Nothing;
        }
        if header.ids.layout != self.settings.layout.hash && !planted::is(Bug::LayoutIgnored) {
            region.count(Counter::RejectLayout, 1);
            return self.foreign_layout(region, &frame, now);
        }
        if let Frame::Status(header, status) = &frame {
            self.asks(region, header.ids.node, status, now);
            if !self.met && status.may_lead && status.held > region.cut() {
                self.heard_at = now; // T5
            }
        }
        let before = self.state();
        // A fence is news above all other.
        let fenced = self.see(region, header.epoch, now);
        let heard = match frame {
            Frame::Status(..) => {
                region.count(Counter::StatusTaken, 1);
                Heard::Nothing
            }
            Frame::Refill(..) | Frame::Wish(..) => Heard::Nothing,
            Frame::Data(header, ..) | Frame::Sweep(header, ..) | Frame::Parity(header, ..)
                if header.epoch < region.epoch_seen() && !planted::is(Bug::StaleTaken) =>
            {
                region.count(Counter::StaleEpoch, 1); // S1
                if !self.met {
                    self.heard_at = now; // T5: somebody leads, and will hear of this node's epoch
                }
                return Heard::Nothing;
            }
            Frame::Data(header, data, runs) => {
                self.meets(header.ids.node, now);
                self.standby.data(region, &header, &data, runs, now).into()
            }
            Frame::Parity(header, data, sum) => {
                self.meets(header.ids.node, now);
                self.standby.parity(region, &header, &data, sum, now).into()
            }
            Frame::Sweep(header, sweep, runs) => {
                self.meets(header.ids.node, now);
                self.standby.sweep(region, &header, &sweep, runs, now).into()
            }
        };
        self.note_state(region, before, now);
        fenced.unwrap_or(heard)
    }

    /// A primary of this group, layout and epoch was heard.
    fn meets(&mut self, leader: u8, now: u64) {
        self.foreign_leads = false;
        (self.leader, self.heard_at, self.met, self.refused) = (leader, now, true, false);
    }

    /// Notes what a member lacks. Only its newest status counts.
    fn asks(&mut self, region: &Region, node: u8, status: &Status, now: u64) {
        // Who is no member has nobody to answer to it: its repairs come from what is sent to members.
        let rank = self.settings.members.iter().position(|&id| id == node);
        if let Some(rank) = rank {
            self.blank[rank] = status.held == Cut::NONE; // T6
            self.service.told(rank, status.state == SyncState::Hot, now);
        }
        let (Some(_), Some(rank)) = (&self.primary, rank) else { return };
        let hot = status.state == SyncState::Hot;
        self.asked[rank] = Asked { seen: status.seen, hot, wants: status.wants };
        self.sweep.hear(rank, status.seen, &status.sweep);
        region.count(Counter::Asked, u64::from(status.wants[0].cycle != 0 || status.sweep.any()));
    }

    /// Sends what was asked for, as far as the budget of the cycle lasts: an eighth of it to each who asked; then to hot standbys
    /// by rank, then to the others, of each the oldest first; then the sweep, for which a quarter is kept. Says whether frames wait to be flushed. Call it after
    /// listening, before the step.
    pub fn answer(&mut self, region: &Region, now: u64, sink: &mut dyn FrameSink) -> bool {
        let Self { primary: Some(primary), asked, ring, sender, sweep, .. } = self else { return false };
        let kept = if sweep.wanted() { *ring.budget() / 4 } else { 0 };
        *ring.budget() -= kept;
        let mut sent = 0;
        // First a little to everybody, or the losses of the first in rank could leave nothing to the others; then in order.
        let floor = (*ring.budget() / FLOORS).max(1);
        for most in [floor, u32::MAX] {
            for hot in [true, false] {
                for asked in asked.iter().filter(|asked| asked.hot == hot && asked.wants[0].cycle != 0) {
                    let kept = ring.budget().saturating_sub(most);
                    *ring.budget() -= kept;
                    for want in asked.wants.iter().take_while(|want| want.cycle != 0) {
                        sent += primary.send_again(ring, region, (want, asked.seen), now, sender, sink);
                    }
                    *ring.budget() += kept;
                }
            }
        }
        // What the budget did not last for comes first when the next cycle has left: the sweep may have had it all.
        if *ring.budget() > 0 {
            for asked in asked {
                asked.wants[0].cycle = 0;
            }
        }
        ring.mark(now, sender.sequence());
        let left = *ring.budget() + kept;
        let reign = Reign { epoch: primary.epoch(), base: primary.base() };
        let swept = sweep.send(region, reign, left, (sender, now), sink);
        *ring.budget() = left - swept;
        let wait = sent + swept > 0;
        if !wait {
            primary.rest(region);
        }
        wait
    }

    fn foreign_layout(&mut self, region: &Region, frame: &Frame<'_>, now: u64) -> Heard {
        match frame {
            Frame::Refill(..) | Frame::Wish(..) => Heard::Nothing,
            Frame::Data(..) | Frame::Sweep(..) | Frame::Parity(..) => {
                if !self.met {
                    // T5: somebody leads this group, if not in a way that this node can follow.
                    (self.heard_at, self.foreign_leads) = (now, true);
                }
                Heard::Nothing // the sender's status names its layout, and comes soon
            }
            Frame::Status(_, Status { layout, .. }) => {
                if self.foreign != layout.hash {
                    self.foreign = layout.hash;
                    region.event(now, EventKind::ForeignLayout, layout.hash);
                }
                Heard::Layout(*layout)
            }
        }
    }

    /// T3: notes that `epoch` exists.
    fn see(&mut self, region: &mut Region, epoch: Epoch, now: u64) -> Option<Heard> {
        if epoch <= region.epoch_seen() {
            return None;
        }
        region.see_epoch(epoch);
        self.primary.take_if(|_| !planted::is(Bug::FenceIgnored))?;
        // Writes that were not committed, or a lead that was leaked, must not outlive the reign.
        region.roll_back();
        self.standby.follow(region);
        self.heard_at = now;
        region.count(Counter::Fenced, 1);
        region.event(now, EventKind::Fenced, epoch.0);
        Some(Heard::Fenced(epoch))
    }

    /// Shows the state to tools, and logs what changed.
    fn note_state(&mut self, region: &Region, before: SyncState, now: u64) {
        let state = self.state();
        if state == before {
            return;
        }
        region.set_state(state);
        region.set_lacking(if state == SyncState::Hot { 0 } else { self.standby.newest() });
        match state {
            SyncState::Hot => region.event(now, EventKind::Hot, self.standby.newest()),
            SyncState::Joining => {
                self.status_at = now.saturating_sub(self.settings.status_every); // asks at once
                region.event(now, EventKind::Behind, self.standby.newest());
            }
            SyncState::Cold | SyncState::Primary => {}
        }
    }

    /// How many members stand before this one in the order of rank, the silent leader left out.
    fn position(&self) -> u64 {
        let Settings { members, ids, .. } = &self.settings;
        let before = members.iter().take_while(|&&id| id != ids.node && id != 0);
        before.filter(|&&id| id != self.leader).count() as u64
    }

    /// Looks at the clock after the link was drained (`drained`: nothing was left waiting). Gives the takeover if this
    /// node now leads.
    pub fn poll(&mut self, region: &Region, now: u64, drained: bool) -> Option<Takeover> {
        let away = now.saturating_sub(self.listened_at);
        self.listened_at = now;
        if self.leads() {
            if drained {
                self.doubt = false; // T4: it has listened, and nobody succeeded it
            }
            return None;
        }
        let before = self.state();
        if self.standby.rest(region, now) {
            self.note_state(region, before, now);
        }
        let Settings { silence, patience, .. } = self.settings;
        let first = if self.met { silence } else { patience };
        if away > silence / 2 && !planted::is(Bug::StallIgnored) {
            // T4. What is left of a patience beyond a whole silence is not begun anew: a busy machine would never start.
            self.heard_at = self.heard_at.max(now.saturating_sub(first.saturating_sub(silence)));
            region.count(Counter::Stalls, 1);
            region.event(now, EventKind::Stalled, away);
            self.stalled = true;
            return None;
        }
        if !drained {
            return None;
        }
        let silent = now.saturating_sub(self.heard_at);
        if silent < first + self.position() * silence {
            return None;
        }
        if !self.met && region.cut() == Cut::NONE && self.awaits_members() {
            return None; // T6
        }
        self.lead(region, now, silent)
    }

    /// T6: whether a member has not told yet that it holds nothing.
    fn awaits_members(&self) -> bool {
        let Settings { members, ids, begin_alone, .. } = &self.settings;
        let told = |(rank, &id): (usize, &u8)| id == 0 || id == ids.node || self.blank[rank];
        !begin_alone && !members.iter().enumerate().all(told)
    }

    /// Whether this node found itself stalled since the last call: then its link may have lost frames that nothing tells of.
    pub fn was_stalled(&mut self) -> bool {
        core::mem::take(&mut self.stalled)
    }

    /// The link lost frames while this node was stalled, and everything that it kept was heard (S7).
    pub fn lost_unseen(&mut self, region: &Region, now: u64) {
        let before = self.state();
        self.standby.lost_unseen();
        self.note_state(region, before, now);
    }

    fn lead(&mut self, region: &Region, now: u64, silent: u64) -> Option<Takeover> {
        let held = region.committed();
        // S7; and at a start, T5.
        let hot = self.standby.state() == SyncState::Hot || planted::is(Bug::ColdLeads);
        let may = if self.met { hot } else { region.lacking() == 0 };
        let epoch = region.epoch_seen().max(held.cut.epoch).next(self.settings.ids.node, self.settings.nonce);
        let epoch = if planted::is(Bug::EpochReused) && self.met { Some(region.epoch_seen()) } else { epoch };
        let (true, Some(epoch)) = (may, epoch) else {
            if !self.refused {
                self.refused = true;
                region.count(Counter::Refusals, 1);
                region.event(now, EventKind::Refused, self.standby.newest());
            }
            return None;
        };
        let cause = if self.met { Cause::Silence } else { Cause::Start };
        // A cut found at a start is of this boot, so its time is by the same clock.
        let age = if held.cut == Cut::NONE { 0 } else { now.saturating_sub(held.at) };
        region.see_epoch(epoch); // T2
        (self.asked, self.sweep) = ([Asked::default(); MAX_MEMBERS], Sweep::new());
        self.primary = Some(Primary::new(epoch, held.cut, self.settings.repeats));
        (self.leader, self.met, self.sent_at) = (self.settings.ids.node, true, now);
        region.set_state(SyncState::Primary);
        region.set_lacking(0);
        region.set_counter(Counter::ProvenCycle, 0);
        self.foreign_leads = false;
        region.count(Counter::Takeovers, u64::from(cause == Cause::Silence));
        region.event(now, EventKind::Led, age);
        Some(Takeover { cause, cut: held.cut, epoch, age, silent, at: now })
    }

    /// Why this node neither leads nor has a new cut.
    #[must_use]
    pub fn why(&self, region: &Region, now: u64) -> Why {
        if self.leads() {
            return Why::NotYet;
        }
        match (self.refused, self.standby.state()) {
            _ if self.foreign_leads => Why::ForeignLayout,
            (true, _) if !self.met && region.lacking() == 0 => Why::RefusedNoEpoch,
            (true, SyncState::Hot) => Why::RefusedNoEpoch,
            (true, _) => {
                let newest = self.standby.newest().max(region.lacking());
                Why::RefusedCold { newest, held: region.cut() }
            }
            (_, _) if !self.met && region.cut() == Cut::NONE && self.awaits_members() => Why::Blank,
            (_, _) if !self.met => Why::Starting,
            (_, SyncState::Joining) => Why::Joining { progress: self.standby.progress(now) },
            (_, SyncState::Hot) => Why::Quiet,
            (_, SyncState::Cold | SyncState::Primary) => Why::Cold,
        }
    }

    /// How long a follower may sleep before it has something to say, nanoseconds.
    #[must_use]
    pub fn patience(&self) -> u64 {
        let Settings { silence, pause, period, .. } = self.settings;
        match self.met && self.standby.lacks(u64::MAX, 0, u64::MAX) {
            true => pause,
            false if self.standby.lacking() > 0 => period.min(silence / 8),
            false => silence / 8,
        }
    }

    /// Commits a cycle, if this node leads: see [`Primary::commit`].
    pub fn commit(
        &mut self,
        region: &mut Region,
        tracker: &mut dyn Tracker,
        (plant, now): (u64, u64),
        sink: &mut dyn FrameSink,
    ) -> Option<Published> {
        let primary = self.primary.as_mut()?;
        if now.saturating_sub(self.sent_at) >= self.settings.silence {
            self.doubt = !planted::is(Bug::DoubtForgotten); // T4
            region.count(Counter::Stalls, 1);
            region.event(now, EventKind::Stalled, now.saturating_sub(self.sent_at));
        }
        let published = primary.commit(&mut self.ring, region, tracker, (plant, now), &mut self.sender, sink);
        if published.sent > 0 {
            (self.sent_at, self.heard_at) = (now, now);
        }
        Some(published)
    }

    /// Writes what protects the cycle that has just left, if this node leads; says whether frames wait to be flushed. Call it
    /// when the cycle's own frames are gone and the region is settled.
    pub fn protect(&mut self, region: &Region, now: u64, sink: &mut dyn FrameSink) -> bool {
        let Self { primary: Some(primary), ring, sender, settings, .. } = self else { return false };
        settings.parity && primary.protect(ring, region, now, sender, sink) > 0
    }

    /// Writes a status frame if one is due; says whether. The caller flushes the link.
    pub fn talk(&mut self, region: &Region, now: u64, sink: &mut dyn FrameSink) -> bool {
        let Settings { status_every, silence, pause, period, .. } = self.settings;
        let follows = self.met && !self.leads();
        // Later than what is on its way for `flight` after it was due: see `answer`.
        let overdue = period.saturating_add(pause.saturating_mul(5) / 2);
        let holes = follows && self.standby.lacks(now, pause, u64::MAX);
        let lacks = holes || follows && self.standby.lacks(now, pause, overdue);
        let swept = follows && self.standby.lacking() > 0;
        let every = match self.met {
            false => silence,
            // Whom nothing is heard of is not pressed: it would be for as long as nobody may lead.
            true if now.saturating_sub(self.heard_at) >= silence => status_every,
            true if holes => pause,
            true if lacks => period / 2,
            true if swept => period,
            true => status_every,
        };
        if now.saturating_sub(self.status_at) < every.min(status_every) {
            return false;
        }
        self.status_at = now;
        let Some(frame) = sink.lend() else {
            return false;
        };
        let status = Status {
            state: self.state(),
            held: region.cut(),
            newest: self.standby.newest(),
            lacks: self.standby.lacking() as u32,
            layout: self.settings.layout,
            may_lead: if self.met { self.state() >= SyncState::Hot } else { region.lacking() == 0 },
            seen: self.standby.seen(),
            wants: if lacks { self.standby.wants(now, pause, overdue) } else { [Want::default(); MAX_WANTS] },
            sweep: match swept && !planted::is(Bug::NeverAsks) {
                true => self.standby.sweep_wanted(Status::ranges(frame.len())),
                false => SweepWant::default(),
            },
        };
        let length = status.encode(&self.sender.header(region.epoch_seen(), now), frame);
        sink.push(length);
        region.count(Counter::FramesSent, 1);
        true
    }
}
