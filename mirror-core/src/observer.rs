//! An observer: follows a group without being one of its members.
//!
//! Contract: it reads what is sent to members, with a standby's machine ([`crate::standby`]) and a region of its own. It has no
//! rank, never leads, and says nothing on the members' channel. What it lost, and what members' own repairs do not
//! bring it, it wishes for on the *observers' channel*, where a hot standby answers from its image (`serve`). So the primary
//! neither hears nor sends anything on its account.
//!
//! # The rules
//! - O1 A reign begins with a frame of the primary that leads it, and no other: only data and sweep frames, which carry their
//!   sender's epoch, are followed. Those of an older reign than any followed before, also by an earlier incarnation on the same
//!   region, are refused: what is exposed never goes back, and where that leaves nothing to follow, it says so.
//! - O2 A cycle that lacks frames for `heal` is given up, with everything before it, because single frames are not sent again
//!   for observers: every line is lacked then, and right as of the cut held. (The newest only if nothing came of it for as long.)
//! - O3 Refills count only on the observers' channel, and only of the reign that is followed, base and epoch. Of what they say all
//!   is as of a committed cycle of that reign, so they are taken as the primary's own sweep is (`staging` has the proof).
//! - O4 A wish is repeated at growing intervals, and sooner again once something was filled; each at a moment of its own,
//!   so that thousands who lost the same frame do not speak at once.
//!
//! # How old a view is
//! Its age is the time since a frame of its cycle was first heard (of an earlier cycle, if none was): until then, less the time on
//! the way, it was the newest that there was. It goes on growing while nothing is heard.

use crate::planted::{self, Bug};
use crate::region::{Counter, CutInfo, EventKind, Map};
use crate::standby::{MaxAge, Progress, Standby, Took};
use crate::takeover::Heard;
use crate::wire::{Frame, Header, Ids, Sender, Status, SyncState, Wish};
use crate::{Cut, Epoch, FrameSink, Layout, Region};

/// How many cycles' first frames are remembered by their time.
const MARKS: usize = 64;

/// What an observer is told when it is made. Times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct ObserverSettings {
    /// Hash of the group's name.
    pub group: u64,
    /// The layout of the state.
    pub layout: Layout,
    /// Largest frame of the group's links, bytes.
    pub frame_bytes: usize,
    /// Within so long after it began to lack lines it first says so, and so often it looks at the clock meanwhile.
    pub pause: u64,
    /// For how long a cycle may lack frames before it is given up (O2).
    pub heal: u64,
    /// How soon a wish is repeated, at least.
    pub ask_every: u64,
    /// And at most; also how often members say what they hold.
    pub status_every: u64,
    /// After this without a frame of a primary it is silent.
    pub silence: u64,
    /// A number of its own: spreads its wishes in time.
    pub seed: u64,
}

impl ObserverSettings {
    /// The usual settings for cycles of `period`, in frames of `frame_bytes`.
    #[must_use]
    pub fn usual(group: u64, layout: Layout, period: u64, frame_bytes: usize) -> Self {
        Self {
            group,
            layout,
            frame_bytes,
            pause: period / 8,
            heal: 2 * period,
            ask_every: period,
            status_every: 100 * period,
            silence: 5 * period,
            seed: 1,
        }
    }
}

/// How an observer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds the newest cycle that it knows of, or the next is on its way.
    Current,
    /// Nothing was heard of a primary for `silent` nanoseconds; `None`: never since this observer was opened.
    Silent {
        /// For how long.
        silent: Option<u64>,
    },
    /// It lacks lines, and is being filled.
    Filling {
        /// How far it has come.
        progress: Progress,
    },
    /// It lacks lines, and no hot standby is heard that could serve it: its group has none, or they do not reach it.
    Unserved {
        /// How far it has come.
        progress: Progress,
    },
    /// Whoever leads does so under an older reign than the one that was followed: to follow it would be to go back. (The group
    /// has lost its memory; give this observer a new region to follow what there is now.)
    OlderReign {
        /// The reign heard.
        heard: Epoch,
        /// The newest that was followed.
        followed: Epoch,
    },
    /// A member of another layout leads this group.
    ForeignLayout,
}

/// How far what is held may be behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// Cycles that were heard of and are not held; at least 1 where the newest is of a later reign.
    pub cycles: u64,
    /// The age of the view, as the [module](self) defines it, nanoseconds.
    pub time: u64,
}

/// An observer's state machine.
#[derive(Clone, Debug)]
pub struct Observer {
    settings: ObserverSettings,
    standby: Standby,
    sender: Sender,
    /// Nothing before this is exposed.
    floor: Cut,
    /// When a primary was last heard.
    heard_at: Option<u64>,
    /// When a hot standby was last heard.
    hot_at: Option<u64>,
    /// An older reign that leads, and when it was heard.
    older: Option<(Epoch, u64)>,
    /// When a primary of another layout was last heard.
    foreign_at: Option<u64>,
    foreign: u64,
    /// The next cycle to take, and since when it lacks frames.
    hole: Option<(u64, u64)>,
    /// Who served last, and the last sequence heard of it.
    server: (u8, u64),
    /// When to speak, how long to wait after that, and how many lines were lacked when it last spoke.
    ask: (u64, u64, usize),
    random: u64,
    /// When the first frame of a cycle of this reign was heard.
    marks: [(u64, u64); MARKS],
    marked: (Epoch, u64),
    /// As of when the view was the newest.
    fresh_at: u64,
}

impl Observer {
    /// An observer with a region of this map. `held`: what the region holds, or held before its host was booted; nothing
    /// older is ever exposed.
    #[must_use]
    pub fn new(settings: ObserverSettings, map: &Map, held: &CutInfo) -> Self {
        let ids = Ids { group: settings.group, layout: settings.layout.hash, node: 0 };
        // It never leads: how far behind it may be and still lead means nothing.
        let max_age = MaxAge { cycles: u64::MAX / 2, time: u64::MAX };
        Self {
            standby: Standby::new(map.lines, map.records, settings.frame_bytes, max_age),
            sender: Sender::new(ids),
            floor: held.cut,
            heard_at: None,
            hot_at: None,
            older: None,
            foreign_at: None,
            foreign: 0,
            hole: None,
            server: (0, 0),
            ask: (0, settings.ask_every, 0),
            random: settings.seed | 1,
            marks: [(0, 0); MARKS],
            marked: (Epoch::NONE, 0),
            fresh_at: held.at,
            settings,
        }
    }

    /// The cut that may be read; `None`: the region holds none, or an older one than was exposed before.
    #[must_use]
    pub fn exposed(&self, region: &Region) -> Option<CutInfo> {
        Some(region.committed()).filter(|held| held.cut != Cut::NONE && held.cut >= self.floor)
    }

    /// Whether a primary of its layout was heard since it was made.
    #[must_use]
    pub fn met(&self) -> bool {
        self.heard_at.is_some()
    }

    /// How far it has come, if it lacks lines.
    #[must_use]
    pub fn progress(&self, now: u64) -> Option<Progress> {
        self.standby.progress(now)
    }

    /// Nanoseconds during which [`talk`](Self::talk) has nothing to do.
    #[must_use]
    pub fn patience(&self) -> u64 {
        let Self { settings, standby, .. } = self;
        let busy = standby.lacking() > 0 || self.hole.is_some() || standby.lacks(u64::MAX, 0, u64::MAX);
        if busy { settings.pause } else { settings.silence / 8 }
    }

    /// Takes one frame of the members' channel. Any bytes may come.
    pub fn hear(&mut self, region: &mut Region, bytes: &[u8], now: u64) -> Heard {
        let Some(frame) = self.decode(region, bytes) else { return Heard::Nothing };
        if frame.header().ids.layout != self.settings.layout.hash {
            region.count(Counter::RejectLayout, 1);
            return self.foreign_layout(region, &frame, now);
        }
        let took = match frame {
            Frame::Status(_, status) => {
                if status.state == SyncState::Hot {
                    self.hot_at = Some(now);
                }
                region.count(Counter::StatusTaken, 1);
                return Heard::Nothing;
            }
            Frame::Refill(..) | Frame::Wish(..) => {
                region.count(Counter::Misplaced, 1); // O3
                return Heard::Nothing;
            }
            Frame::Data(header, ..) | Frame::Sweep(header, ..) | Frame::Parity(header, ..)
                if header.epoch < region.epoch_seen() && !planted::is(Bug::OlderReignFollowed) =>
            {
                region.count(Counter::StaleEpoch, 1); // O1
                self.older = Some((header.epoch, now));
                return Heard::Nothing;
            }
            Frame::Data(header, data, runs) => {
                self.meets(region, &header, now);
                self.standby.data(region, &header, &data, runs, now)
            }
            Frame::Parity(header, data, sum) => {
                self.meets(region, &header, now);
                self.standby.parity(region, &header, &data, sum, now)
            }
            Frame::Sweep(header, sweep, runs) => {
                self.meets(region, &header, now);
                self.standby.sweep(region, &header, &sweep, runs, now)
            }
        };
        self.note(region, took, now)
    }

    /// Takes one frame of the observers' channel. Any bytes may come.
    pub fn hear_refill(&mut self, region: &mut Region, bytes: &[u8], now: u64) -> Heard {
        let Some(frame) = self.decode(region, bytes) else { return Heard::Nothing };
        if frame.header().ids.layout != self.settings.layout.hash {
            region.count(Counter::RejectLayout, 1);
            return Heard::Nothing;
        }
        let Frame::Refill(header, sweep, runs) = frame else {
            region.count(Counter::Misplaced, 1);
            return Heard::Nothing;
        };
        let same = |(reign, _): (crate::sweep::Reign, u64)| {
            (reign.epoch, reign.base) == (header.epoch, sweep.base) && header.epoch == region.epoch_seen()
        };
        if !self.standby.reign().is_some_and(same) {
            region.count(Counter::Unfit, 1); // O3
            return Heard::Nothing;
        }
        self.server = (header.ids.node, header.sequence);
        self.hot_at = Some(now);
        let took = self.standby.sweep(region, &header, &sweep, runs, now);
        self.note(region, took, now)
    }

    fn decode<'a>(&self, region: &Region, bytes: &'a [u8]) -> Option<Frame<'a>> {
        region.count(Counter::FramesHeard, 1);
        match Frame::decode(bytes, region.map().lines) {
            Ok(frame) if frame.header().ids.group == self.settings.group => return Some(frame),
            Ok(_) => region.count(Counter::RejectGroup, 1),
            Err(reject) => region.count(reject.counter(), 1),
        }
        None
    }

    fn meets(&mut self, region: &Region, header: &Header, now: u64) {
        region.see_epoch(header.epoch);
        (self.heard_at, self.older, self.foreign_at) = (Some(now), None, None);
    }

    fn foreign_layout(&mut self, region: &Region, frame: &Frame<'_>, now: u64) -> Heard {
        match frame {
            Frame::Status(_, Status { layout, .. }) => {
                if self.foreign != layout.hash {
                    self.foreign = layout.hash;
                    region.event(now, EventKind::ForeignLayout, layout.hash);
                }
                Heard::Layout(*layout)
            }
            Frame::Data(..) | Frame::Sweep(..) | Frame::Parity(..) => {
                self.foreign_at = Some(now);
                Heard::Nothing
            }
            Frame::Refill(..) | Frame::Wish(..) => Heard::Nothing,
        }
    }

    /// Notes when a cycle was first heard of, and how fresh a new cut is.
    fn note(&mut self, region: &Region, took: Took, now: u64) -> Heard {
        if let Some((reign, _)) = self.standby.reign() {
            let newest = (reign.epoch, self.standby.newest());
            if newest.0 != self.marked.0 {
                self.marks = [(0, 0); MARKS];
            }
            if newest != self.marked {
                self.marks[(newest.1 % MARKS as u64) as usize] = (newest.1, now);
                self.marked = newest;
            }
        }
        let Took::Cut(info) = took else { return Heard::Nothing };
        let before = self.marks.iter().filter(|(cycle, _)| (1..=info.cut.cycle).contains(cycle));
        if let Some((_, at)) = before.max() {
            self.fresh_at = *at;
        }
        region.set_state(self.standby.state());
        Heard::Cut(info)
    }

    /// Looks at the clock, after both channels were listened to: gives up what will not come (O2). Gives the cut, if that
    /// exposes one.
    pub fn poll(&mut self, region: &mut Region, now: u64) -> Option<CutInfo> {
        let Self { standby, settings, .. } = self;
        // A cycle of many frames may take periods to leave: of the newest, something must have failed to come for as long.
        if !standby.lacks(now, settings.heal, u64::MAX) {
            self.hole = None;
            return None;
        }
        let (_, next) = standby.reign()?;
        match self.hole {
            Some((hole, since)) if hole == next => {
                if now.saturating_sub(since) < settings.heal {
                    return None;
                }
                self.hole = None;
                let took = standby.fall_behind(region, now, settings.heal);
                match self.note(region, took, now) {
                    Heard::Cut(info) => Some(info),
                    _ => None,
                }
            }
            _ => {
                self.hole = Some((next, now));
                None
            }
        }
    }

    /// Writes a wish for the observers' channel if one is due; says whether. The caller flushes the link.
    pub fn talk(&mut self, region: &Region, now: u64, sink: &mut dyn FrameSink) -> bool {
        let ObserverSettings { pause, ask_every, status_every, .. } = self.settings;
        let lacking = self.standby.lacking();
        let (at, wait, lacked) = self.ask;
        let reign = self.standby.reign().filter(|_| lacking > 0);
        let Some((reign, _)) = reign else {
            self.ask = (0, ask_every, 0);
            return false;
        };
        if lacked == 0 {
            self.ask = (now + self.draw(pause), ask_every, lacking); // O4
            return false;
        }
        if now < at {
            return false;
        }
        let wait = if lacking < lacked { ask_every } else { wait };
        let later = now + wait + self.draw(wait);
        self.ask = (later, (2 * wait).min(status_every.max(ask_every)), lacking);
        let Some(frame) = sink.lend() else { return false };
        let wish = Wish {
            base: reign.base,
            held: region.cut(),
            newest: self.standby.newest(),
            lacks: lacking as u32,
            server: self.server.0,
            seen: self.server.1,
            sweep: self.standby.sweep_wanted(Wish::ranges(frame.len())),
        };
        let length = wish.encode(&self.sender.header(reign.epoch, now), frame);
        sink.push(length);
        region.count(Counter::FramesSent, 1);
        true
    }

    /// A number below `most`, or 0.
    fn draw(&mut self, most: u64) -> u64 {
        // Xorshift (Marsaglia 2003): never 0 from anything but 0.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % most.max(1)
    }

    /// How far what is held may be behind, as far as this observer can know; `None`: it holds nothing.
    #[must_use]
    pub fn staleness(&self, region: &Region, now: u64) -> Option<Staleness> {
        let held = self.exposed(region)?.cut;
        let behind = self.standby.newest().saturating_sub(held.cycle);
        let other = self.standby.reign().is_some_and(|(reign, _)| reign.epoch != held.epoch);
        Some(Staleness { cycles: behind.max(other.into()), time: now.saturating_sub(self.fresh_at) })
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self, region: &Region, now: u64) -> Standing {
        let ObserverSettings { silence, status_every, .. } = self.settings;
        let lately = |at: &u64, age: u64| now.saturating_sub(*at) < age;
        if self.foreign_at.is_some_and(|at| lately(&at, silence)) {
            return Standing::ForeignLayout;
        }
        if !self.heard_at.is_some_and(|at| lately(&at, silence)) {
            if let Some((heard, _)) = self.older.filter(|(_, at)| lately(at, silence)) {
                return Standing::OlderReign { heard, followed: region.epoch_seen() };
            }
            return Standing::Silent { silent: self.heard_at.map(|at| now.saturating_sub(at)) };
        }
        match self.progress(now) {
            None => Standing::Current,
            Some(progress) if self.hot_at.is_some_and(|at| lately(&at, 3 * status_every)) => {
                Standing::Filling { progress }
            }
            Some(progress) => Standing::Unserved { progress },
        }
    }
}
