//! The node: one member of a group, with its region, its link and its loop.
//!
//! Contract: everything is allocated, mapped and locked in [`Node::open`]. After that no call allocates, takes a lock, writes a
//! log line or does unbounded work. One thread, the caller's, does it all.

use crate::clock;
use crate::config::{Config, Track};
use crate::error::{LoopError, OpenError};
use crate::networks;
use crate::pacer::Pacer;
use crate::segment::Segment;
use crate::turn::{Cycle, Lead, Takeover, Turn, View};
use bytemuck::Pod;
use mirror_core::primary::Published;
use mirror_core::region::{AttachError, Counter, CutInfo, EventKind, Found, Identity, Map, PAGE, Phase};
use mirror_core::scrub::{Difference, Proof};
use mirror_core::standby::MaxAge;
use mirror_core::takeover::{self, Cause, Heard, MAX_MEMBERS, Settings, Why};
use mirror_core::track::{Diff, Marked};
use mirror_core::wire::{Ids, MAX_FRAME, MIN_FRAME, SyncState};
use mirror_core::{Cut, Layout, Member, Region, Token, Tracker, checksum};
use mirror_transport::{Link, Nanos, NetworkHealth};
use std::marker::PhantomData;
use std::time::Duration;

/// Most frames taken off the link before the clock is looked at again.
const LISTEN: usize = 256;

/// Most times that so many are dropped when a node opens.
const BACKLOG: usize = 4096;
/// Most frames taken off the observers' channel at once. Each costs a few microseconds at most.
const LISTEN_OBSERVERS: usize = 8;

/// How often members say what they hold and want.
pub(crate) const STATUS_EVERY: Nanos = 100_000_000;

/// Shortest pause after which frames of a cycle are taken for lost: longer than a burst takes to arrive.
pub(crate) const LEAST_PAUSE: Nanos = 50_000;

/// One member of a group whose state is a `T`.
///
/// `T` is plain bytes (`bytemuck::Pod`: no padding, no pointers, any bytes valid), at most 4 GiB.
pub struct Node<T: Pod> {
    // The region looks into the segment: it is dropped first.
    pub(crate) region: Region,
    pub(crate) tracker: Box<dyn Tracker>,
    member: Member,
    link: Box<dyn Link>,
    observers: Option<Observers>,
    segment: Segment,
    pacer: Pacer,
    settings: LoopSettings,
    /// The reign has begun and its first turn was not yet given, or not committed.
    began: Option<takeover::Takeover>,
    /// Periods of turns that were dropped: control time that the next turn is told.
    owed: u64,
    /// Periods of turns whose commit made no cut: control time that has passed since the last cut.
    open: u64,
    stats_at: Nanos,
    /// Which networks were silent then.
    silent: [bool; 2],
    found: Found,
    warnings: Vec<String>,
    layout: Layout,
    _state: PhantomData<T>,
}

/// The observers' channel.
struct Observers {
    link: Box<dyn Link>,
    /// When it was last read.
    at: Nanos,
    /// The least time between two readings.
    every: Nanos,
}

#[derive(Clone, Copy, Debug)]
struct LoopSettings {
    period: Nanos,
    phase: Option<Nanos>,
    deadline: Nanos,
    /// A follower looks at the clock at least this often, or it would think itself stalled.
    look: Nanos,
}

impl<T: Pod> std::fmt::Debug for Node<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("state", &self.state()).field("cut", &self.cut()).finish_non_exhaustive()
    }
}

impl<T: Pod> Node<T> {
    /// Opens a node on UDP multicast, on both networks if there are two: each must be there then, and may fail later.
    ///
    /// # Errors
    /// [`OpenError`] names the value, the limit and the remedy.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        config.check()?;
        let (link, warnings) = networks::open(config, size_of::<T>())?;
        let observers = config.observers_address().map(|address| networks::open_observers(config, address));
        let (observers, more) = observers.transpose()?.unzip();
        let mut node = Self::open_with(config, link, observers)?;
        // Mapping and locking the memory took a while. What came meanwhile is history: to go through it first would only
        // delay the join.
        for _ in 0..BACKLOG {
            if node.link.receive(LISTEN, &mut |_| {}) < LISTEN {
                break;
            }
        }
        node.warnings.extend(warnings.into_iter().chain(more.into_iter().flatten()));
        Ok(node)
    }

    /// Opens a node on a link of the caller's; `config.link` is not used, and no observers are served.
    ///
    /// # Errors
    /// As [`Node::open`].
    pub fn open_on(config: &Config, link: Box<dyn Link>) -> Result<Self, OpenError> {
        Self::open_with(config, link, None)
    }

    /// As [`open_on`](Self::open_on), with a link for the observers' channel, if observers are to be served.
    ///
    /// # Errors
    /// As [`Node::open`].
    pub fn open_with(
        config: &Config,
        link: Box<dyn Link>,
        observers: Option<Box<dyn Link>>,
    ) -> Result<Self, OpenError> {
        config.check()?;
        for link in observers.iter().chain([&link]) {
            fits(&**link)?;
        }
        let Held { mut region, segment, map, layout, found } = hold::<T>(config)?;
        let ids =
            Ids { group: checksum::of(config.group.as_bytes()), layout: layout.hash, node: config.node };
        let tracker: Box<dyn Tracker> = match config.track {
            Track::Diff => Box::new(Diff::new()),
            Track::Marked => Box::new(Marked::new(map.lines)),
        };
        // Wakes the checksum's search for instructions, which allocates, before the loop does.
        let _ = (checksum::of(region.live_mut()), checksum::of_frame(region.live_mut()));
        let now = clock::now();
        let (period, silence) =
            (config.period_us * 1000, config.silence_cycles as u64 * config.period_us * 1000);
        let mut members = [0; MAX_MEMBERS];
        members[..config.members.len()].copy_from_slice(&config.members);
        let settings = Settings {
            ids,
            layout,
            members,
            silence,
            patience: config.patience_cycles as u64 * period,
            status_every: STATUS_EVERY,
            pause: (period / 8).max(LEAST_PAUSE),
            max_age: MaxAge {
                cycles: config.max_age_cycles as u64,
                time: config.max_age_us.map_or(silence, |us| us * 1000),
            },
            send_budget: config.send_frames,
            repeats: config.repeats,
            parity: config.parity,
            period,
            frame_bytes: link.frame_bytes(),
            begin_alone: config.begin_alone,
            serve_budget: config.observers.as_ref().map_or(0, |observers| observers.frames),
            serve_alone: config.observers.as_ref().is_some_and(|observers| observers.serve_alone),
            nonce: nonce()?,
        };
        let member = Member::new(settings, &map, now);
        region.set_state(member.state());
        if config.lead_from_old {
            region.set_lacking(0);
        }
        let how = match found {
            Found::Nothing | Found::OtherBoot(_) => 0,
            Found::Cut { redone, .. } => 1 + u64::from(redone),
        };
        region.event(now, EventKind::Opened, how);
        Ok(Self {
            warnings: segment.warnings.clone(),
            region,
            tracker,
            member,
            link,
            observers: observers.map(|link| Observers { link, at: now, every: settings.pause }),
            segment,
            pacer: Pacer::new(period),
            settings: LoopSettings {
                period,
                phase: config.phase_us.map(|us| us * 1000),
                deadline: config.deadline_us * 1000,
                look: (silence / 8).max(20_000).min(period),
            },
            began: None,
            owed: 0,
            open: 0,
            stats_at: now,
            silent: [false; 2],
            found,
            layout,
            _state: PhantomData,
        })
    }

    /// Hears the network and learns the role; returns when there is something to do, at the latest after the configured
    /// deadline.
    ///
    /// # Errors
    /// [`LoopError`], when this node cannot go on in its group.
    pub fn begin(&mut self) -> Result<Turn<'_, T>, LoopError> {
        let deadline = clock::now() + self.settings.deadline;
        self.begin_by(deadline)
    }

    /// As [`begin`](Self::begin), with a deadline in nanoseconds of `CLOCK_MONOTONIC` ([`clock::now`]).
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn begin_by(&mut self, deadline: Nanos) -> Result<Turn<'_, T>, LoopError> {
        loop {
            match self.look()? {
                Next::Lead(cycle) => return Ok(Turn::Lead(self.lead(cycle))),
                Next::Follow(info) => return Ok(Turn::Follow(View::new(self.image(), info))),
                Next::Nothing { now, more } => {
                    if now >= deadline {
                        return Ok(Turn::Wait(self.why()));
                    }
                    if !more {
                        self.link.wait(self.wake(now).min(deadline));
                    }
                }
            }
        }
    }

    /// As [`begin`](Self::begin), but never waits: `None` when there is nothing to do now.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn try_begin(&mut self) -> Result<Option<Turn<'_, T>>, LoopError> {
        Ok(match self.look()? {
            Next::Lead(cycle) => Some(Turn::Lead(self.lead(cycle))),
            Next::Follow(info) => Some(Turn::Follow(View::new(self.image(), info))),
            Next::Nothing { .. } => None,
        })
    }

    /// Listens once and decides.
    fn look(&mut self) -> Result<Next, LoopError> {
        // One reading for all: what the link has by now is taken before anything is concluded from it.
        let now = clock::now();
        let (cut, drained) = self.listen(now)?;
        if let Some(began) = self.member.poll(&self.region, now, drained) {
            self.begin_reign(began, now);
        }
        let said = self.member.talk(&self.region, now, &mut *self.link);
        if self.member.answer(&self.region, now, &mut *self.link) || said {
            self.link.flush();
        }
        self.serve(now);
        let after_stall = drained && self.member.was_stalled();
        if after_stall || now - self.stats_at >= STATUS_EVERY {
            self.stats_at = now;
            let (stats, before) = (self.link.stats(), self.region.counter(Counter::KernelDrops));
            self.silent = networks::note(&self.region, &*self.link, &stats, self.silent, now);
            self.region.set_counter(Counter::KernelDrops, stats.kernel_drops);
            self.region.set_counter(Counter::FramesRefused, stats.refused_frames);
            if after_stall && stats.kernel_drops > before {
                self.member.lost_unseen(&self.region, now);
            }
        }
        if self.member.leads() {
            // T4: nothing heard may be left unheard when a primary goes on.
            if drained && let Some(passed) = self.pacer.tick(now) {
                return Ok(Next::Lead(self.next_cycle(passed, now)));
            }
        } else if let Some(info) = cut {
            return Ok(Next::Follow(info));
        }
        Ok(Next::Nothing { now, more: !drained })
    }

    /// Hears what observers lack and sends it, if that is this node's to do: a bounded part of both, now and then.
    fn serve(&mut self, now: Nanos) {
        let Self { observers: Some(observers), member, region, .. } = self else { return };
        if now.saturating_sub(observers.at) < observers.every || !member.may_serve() {
            return;
        }
        observers.at = now;
        observers.link.receive(LISTEN_OBSERVERS, &mut |frame| member.hear_observer(region, frame, now));
        if member.serve(region, now, &mut *observers.link) {
            observers.link.flush();
        }
    }

    /// Takes what the link has, up to a limit. Gives the newest cut it brought, and whether nothing is left.
    fn listen(&mut self, now: Nanos) -> Result<(Option<CutInfo>, bool), LoopError> {
        let Self { region, member, link, .. } = self;
        let (mut cut, mut theirs, mut fenced) = (None, None, false);
        let taken = link.receive(LISTEN, &mut |frame| match member.hear(region, frame, now) {
            Heard::Cut(info) => cut = Some(info),
            Heard::Layout(layout) => theirs = Some(layout),
            Heard::Fenced(_) => fenced = true,
            Heard::Nothing => {}
        });
        if fenced {
            self.tracker.reset();
        }
        match theirs {
            // Who leads or follows goes on: the newcomer, who has heard of no leader of its own layout, must stop.
            Some(theirs) if self.member.leader() == 0 => Err(LoopError::Layout { ours: self.layout, theirs }),
            _ => Ok((cut, taken < LISTEN)),
        }
    }

    fn begin_reign(&mut self, began: takeover::Takeover, now: Nanos) {
        self.tracker.reset();
        let held = self.region.committed();
        let ran = match began.cause {
            // Control time went on while nobody ran it.
            Cause::Silence => held.at,
            // The group stood still, and its control time with it; how old the cut is, the takeover says.
            Cause::Start => now.saturating_sub(self.settings.period),
        };
        (self.owed, self.open) = (0, 0);
        self.pacer.start(self.settings.phase.unwrap_or(ran), ran);
        self.began = Some(began);
    }

    fn next_cycle(&mut self, passed: u64, now: Nanos) -> Cycle {
        let passed = passed + std::mem::take(&mut self.owed);
        let dt = passed * self.settings.period;
        let missed = passed - 1;
        let held = self.region.committed();
        let began = self.began.filter(|_| held.cut != Cut::NONE);
        let takeover = began.map(|began| Takeover {
            cause: began.cause,
            cut: began.cut,
            age: Duration::from_nanos(now.saturating_sub(held.at)),
            silent: Duration::from_nanos(began.silent),
            missed,
            at: began.at,
            token: Token(Cut { epoch: began.epoch, cycle: began.cut.cycle }),
            may_act: self.member.may_act(),
        });
        self.region.count(Counter::TicksMissed, missed);
        let since = dt + self.open * self.settings.period;
        Cycle { dt, plant: held.plant.saturating_add(since), missed, takeover }
    }

    fn lead(&mut self, cycle: Cycle) -> Lead<'_, T> {
        self.region.set_phase(Phase::Step);
        Lead::new(self, cycle)
    }

    /// When to look again although no frame came.
    fn wake(&self, now: Nanos) -> Nanos {
        if self.member.leads() {
            self.pacer.next()
        } else {
            now + self.settings.look.min(self.member.patience())
        }
    }

    pub(crate) fn publish(&mut self, cycle: &Cycle) -> (Published, bool) {
        self.began = None;
        let Self { region, member, tracker, link, .. } = self;
        let published = member
            .commit(region, &mut **tracker, (cycle.plant, clock::now()), &mut **link)
            .expect("a lead exists only while this node leads, and nothing is heard meanwhile");
        link.flush();
        region.settle(false);
        if member.protect(region, clock::now(), &mut **link) {
            link.flush();
        }
        region.set_phase(Phase::Idle);
        self.open = if published.open { self.open + cycle.missed + 1 } else { 0 };
        (published, self.member.may_act())
    }

    pub(crate) fn abandon(&mut self, cycle: &Cycle) {
        self.owed = cycle.missed + 1 + std::mem::take(&mut self.open);
        self.region.roll_back();
        self.tracker.reset();
        self.region.count(Counter::Abandoned, 1);
        self.region.set_phase(Phase::Idle);
    }

    pub(crate) fn live(&self) -> &T {
        bytemuck::from_bytes(&self.region.live()[..size_of::<T>()])
    }

    /// The last cut. (The live memory of a standby that is being filled is no cut's.)
    pub(crate) fn image(&self) -> &T {
        bytemuck::from_bytes(&self.region.image()[..size_of::<T>()])
    }

    pub(crate) fn live_mut(&mut self) -> &mut T {
        bytemuck::from_bytes_mut(self.region.live_mut())
    }

    /// Why there is nothing to do.
    #[must_use]
    pub fn why(&self) -> Why {
        self.member.why(&self.region, clock::now())
    }

    /// The last committed or applied cut.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.region.cut()
    }

    /// The state held, of cut [`cut`](Self::cut). Whether it may be led from, [`state`](Self::state) says.
    #[must_use]
    pub fn held(&self) -> &T {
        self.image()
    }

    /// Cold, joining, hot or primary.
    #[must_use]
    pub fn state(&self) -> SyncState {
        self.member.state()
    }

    /// What was found in the memory at open.
    #[must_use]
    pub fn found(&self) -> Found {
        self.found
    }

    /// Value of a counter.
    #[must_use]
    pub fn counter(&self, counter: Counter) -> u64 {
        self.region.counter(counter)
    }

    /// How each of two networks does, the first before the second; nothing, where there is one network. Renewed ten times a
    /// second, but for frames received and the time of the last, which are as of now. From outside the process:
    /// [`Counter::SecondNetworkMissing`] and those beside it, [`EventKind::NetworkSilent`].
    pub fn networks(&self) -> impl Iterator<Item = NetworkHealth> + '_ {
        self.link.networks().iter().copied()
    }

    /// How far back every line of this standby's memory is proven to be the primary's: a silent difference is at most so many cycles
    /// old. None while this node leads, and until every line was compared in this reign, or again after a difference. Looks
    /// at 4,096 words at most. From outside the process: [`Counter::ProvenCycle`].
    #[must_use]
    pub fn proven(&self) -> Option<Proof> {
        self.member.proven(&self.region)
    }

    /// The silent difference between this standby's memory and the primary's that was found last. While it is repaired the
    /// node is not hot. [`Counter::DifferencesFound`] and [`Counter::DifferencesRepaired`] count them, and the event
    /// log keeps them ([`EventKind::Difference`]).
    #[must_use]
    pub fn difference(&self) -> Option<Difference> {
        self.member.difference()
    }

    /// The layout that members must share.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What is not as it was asked for, in words, with the remedy. Fixed at open.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// For people: link, tracker, memory.
    #[must_use]
    pub fn describe(&self) -> String {
        let kib = self.segment.bytes() / 1024;
        format!("{}; tracker {}; {} KiB of memory", self.link.describe(), self.tracker.name(), kib)
    }
}

impl<T: Pod> Drop for Node<T> {
    fn drop(&mut self) {
        self.region.event(clock::now(), EventKind::Closed, 0);
    }
}

/// The memory of a node or of an observer, taken.
pub(crate) struct Held {
    // The region looks into the segment: it is dropped first.
    pub(crate) region: Region,
    pub(crate) segment: Segment,
    pub(crate) map: Map,
    pub(crate) layout: Layout,
    pub(crate) found: Found,
}

/// Takes the memory that `config` names for a `T`.
pub(crate) fn hold<T: Pod>(config: &Config) -> Result<Held, OpenError> {
    if align_of::<T>() > PAGE {
        return Err(OpenError::Alignment { align: align_of::<T>(), page: PAGE });
    }
    let records = config.records.map_or(Map::usual_records(size_of::<T>()), |n| n as usize);
    let map = Map::new(size_of::<T>(), records)?;
    let label = if config.layout.is_empty() { short_type_name::<T>() } else { &config.layout };
    let layout = Layout::new(label, size_of::<T>());
    let who = Identity {
        layout,
        group: checksum::of(config.group.as_bytes()),
        node: config.node,
        process: std::process::id(),
        boot: clock::boot(),
    };
    let segment = Segment::own(&config.place, map.total, config.mode)?;
    // SAFETY: the segment's lock makes this process the only owner; whoever takes a `Held` apart drops `region` before
    // `segment` (order of the fields), and nothing else refers to the mapping; new segments are zero.
    let attached = unsafe { Region::attach(segment.base(), segment.bytes(), map, &who) };
    let at_place = |source: AttachError| OpenError::Region { place: config.place.clone(), source };
    let (region, found) = attached.map_err(at_place)?;
    Ok(Held { region, segment, map, layout, found })
}

/// Whether a link carries the frames of a group.
pub(crate) fn fits(link: &dyn Link) -> Result<(), OpenError> {
    if (MIN_FRAME..=MAX_FRAME).contains(&link.frame_bytes()) {
        return Ok(());
    }
    Err(OpenError::Frame { got: link.frame_bytes(), least: MIN_FRAME, most: MAX_FRAME })
}

enum Next {
    Lead(Cycle),
    Follow(CutInfo),
    Nothing { now: Nanos, more: bool },
}

/// The type's name without its path: the path differs between programs that share a type.
fn short_type_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let end = name.find('<').unwrap_or(name.len());
    name[..end].rfind("::").map_or(name, |at| &name[at + 2..])
}

/// Tells this incarnation of the node from every other.
pub(crate) fn nonce() -> Result<u32, OpenError> {
    let mut bytes = [0; 4];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| OpenError::Random(e.into()))?;
    Ok(u32::from_le_bytes(bytes))
}
