//! An observer: holds a group's state, as new as it comes, without being one of its members.
//!
//! Contract: as many observers as you like, none of them in anybody's configuration. An observer never leads, has no part in who
//! does, and sends nothing to the primary; what it lost, hot standbys send it, where the members are configured for it
//! (`[observers]`). What it gives is always exactly one committed cycle, never an older one than it gave before, and it says how
//! old it may be. As with a node, everything is allocated in [`Observer::open`], and one thread does it all.

use crate::clock;
use crate::error::{LoopError, OpenError};
use crate::networks;
use crate::node::{Held, LEAST_PAUSE, STATUS_EVERY, fits, hold, nonce};
use crate::observer_config::ObserverConfig;
use crate::segment::Segment;
use crate::turn::View;
use bytemuck::Pod;
use mirror_core::observer::{ObserverSettings, Standing};
use mirror_core::region::{Counter, CutInfo, EventKind, Found};
use mirror_core::standby::Progress;
use mirror_core::takeover::Heard;
use mirror_core::{Cut, Layout, Region, checksum};
use mirror_transport::{Link, Nanos};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// Most frames taken off a channel before the clock is looked at again.
const LISTEN: usize = 256;

/// How far what is held may be behind, as far as an observer can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// Cycles that were heard of and are not held; at least 1 where the newest is of a later reign.
    pub cycles: u64,
    /// The view is at most so old, and the time that a frame takes: this long ago the first frame of its cycle was heard, or of the
    /// last before it of which one was. It grows while nothing is heard. After a restart, until the first new cut: the time
    /// since the cut was applied.
    pub time: Duration,
}

/// Why a read was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no state of {wanted} or later and at most {max_age:?} old: {}; {}", holds(*.held, *.staleness), stands(*.standing))]
pub struct ReadRefused {
    /// What is held; `None`: nothing.
    pub held: Option<Cut>,
    /// The oldest cut that would have done.
    pub wanted: Cut,
    /// How old what is held may be; `None`: nothing is held.
    pub staleness: Option<Staleness>,
    /// The greatest age that would have done.
    pub max_age: Duration,
    /// Why there is nothing better.
    pub standing: Standing,
}

fn holds(held: Option<Cut>, staleness: Option<Staleness>) -> String {
    match (held, staleness) {
        (Some(cut), Some(Staleness { cycles, time })) => {
            format!("held is {cut}, {cycles} cycles behind and up to {time:?} old")
        }
        _ => "nothing is held".into(),
    }
}

fn stands(standing: Standing) -> String {
    match standing {
        Standing::Current => "the next cycle is on its way".into(),
        Standing::Silent { silent: None } => "no primary was ever heard: is the address right?".into(),
        Standing::Silent { silent: Some(ns) } => {
            format!("no primary was heard for {:?}", Duration::from_nanos(ns))
        }
        Standing::Filling { progress } => {
            format!("{} of {} lines are still to come", progress.lacking, progress.lines)
        }
        Standing::Unserved { progress } => format!(
            "{} of {} lines are lacked and no hot standby is heard that could send them: see [observers]",
            progress.lacking, progress.lines
        ),
        Standing::OlderReign { heard, followed } => format!(
            "the group is led under {heard}, older than {followed}, which was followed: it has lost its memory, so give \
             this observer a new region"
        ),
        Standing::ForeignLayout => "a member of another layout leads this group".into(),
    }
}

/// Reads the state of a group without being one of its members. The state is a `T`, as at [`crate::Node`].
pub struct Observer<T: Pod> {
    // The region looks into the segment: it is dropped first.
    region: Region,
    observer: mirror_core::Observer,
    link: Box<dyn Link>,
    /// The observers' channel.
    refills: Box<dyn Link>,
    segment: Segment,
    stats_at: Nanos,
    silent: [bool; 2],
    found: Found,
    warnings: Vec<String>,
    layout: Layout,
    _state: PhantomData<T>,
}

impl<T: Pod> fmt::Debug for Observer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("standing", &self.standing()).finish_non_exhaustive()
    }
}

impl<T: Pod> Observer<T> {
    /// Opens an observer on UDP multicast.
    ///
    /// # Errors
    /// [`OpenError`] names the value, the limit and the remedy.
    pub fn open(config: &ObserverConfig) -> Result<Self, OpenError> {
        config.check()?;
        let member = config.as_member();
        let (link, warnings) = networks::open(&member, size_of::<T>())?;
        let address = member.observers_address().unwrap_or(config.link.address);
        let (refills, more) = networks::open_observers(&member, address)?;
        let mut observer = Self::open_on(config, link, refills)?;
        observer.warnings.extend(warnings.into_iter().chain(more));
        Ok(observer)
    }

    /// Opens an observer on links of the caller's: to the members' channel, on which it sends nothing, and to the
    /// observers'.
    ///
    /// # Errors
    /// As [`Observer::open`].
    pub fn open_on(
        config: &ObserverConfig,
        link: Box<dyn Link>,
        refills: Box<dyn Link>,
    ) -> Result<Self, OpenError> {
        config.check()?;
        for link in [&link, &refills] {
            fits(&**link)?;
        }
        let Held { region, segment, map, layout, found } = hold::<T>(&config.as_member())?;
        // Wakes the checksum's search for instructions, which allocates, before the loop does.
        let _ = checksum::of_frame(region.live());
        let now = clock::now();
        let period = config.period_us * 1000;
        let group = checksum::of(config.group.as_bytes());
        let settings = ObserverSettings {
            pause: (period / 8).max(LEAST_PAUSE),
            ask_every: period.max(LEAST_PAUSE),
            status_every: STATUS_EVERY,
            silence: u64::from(config.silence_cycles) * period,
            seed: u64::from(nonce()?) << 32 | u64::from(std::process::id()),
            ..ObserverSettings::usual(group, layout, period, link.frame_bytes())
        };
        let held = match found {
            Found::OtherBoot(info) => info,
            Found::Nothing | Found::Cut { .. } => region.committed(),
        };
        let observer = mirror_core::Observer::new(settings, &map, &held);
        region.event(now, EventKind::Opened, u64::from(matches!(found, Found::Cut { .. })));
        Ok(Self {
            warnings: segment.warnings.clone(),
            region,
            observer,
            link,
            refills,
            segment,
            stats_at: now,
            silent: [false; 2],
            found,
            layout,
            _state: PhantomData,
        })
    }

    /// Listens until a new cut is held, at the latest until `deadline`, nanoseconds of `CLOCK_MONOTONIC` ([`clock::now`]). Gives
    /// the cut, if there is a new one.
    ///
    /// # Errors
    /// [`LoopError`], when all that it hears of its group has another layout.
    pub fn poll(&mut self, deadline: Nanos) -> Result<Option<Cut>, LoopError> {
        loop {
            let now = clock::now();
            let (cut, drained) = self.look(now)?;
            if cut.is_some() || now >= deadline {
                return Ok(cut.map(|info| info.cut));
            }
            if drained {
                self.link.wait((now + self.observer.patience()).min(deadline));
            }
        }
    }

    /// As [`poll`](Self::poll), but never waits.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn listen(&mut self) -> Result<Option<Cut>, LoopError> {
        Ok(self.look(clock::now())?.0.map(|info| info.cut))
    }

    fn look(&mut self, now: Nanos) -> Result<(Option<CutInfo>, bool), LoopError> {
        let Self { region, observer, link, refills, .. } = self;
        let (mut cut, mut theirs) = (None, None);
        let mut note = |heard| match heard {
            Heard::Cut(info) => cut = Some(info),
            Heard::Layout(layout) => theirs = Some(layout),
            Heard::Fenced(_) | Heard::Nothing => {}
        };
        let taken = link.receive(LISTEN, &mut |frame| note(observer.hear(region, frame, now)));
        let filled = refills.receive(LISTEN, &mut |frame| note(observer.hear_refill(region, frame, now)));
        if let Some(theirs) = theirs.filter(|_| !observer.met()) {
            return Err(LoopError::Layout { ours: self.layout, theirs });
        }
        let drained = taken < LISTEN && filled < LISTEN;
        if drained {
            // What is missing is only known when all that came was heard.
            cut = observer.poll(region, now).or(cut);
            if observer.talk(region, now, &mut **refills) {
                refills.flush();
            }
        }
        if now.saturating_sub(self.stats_at) >= STATUS_EVERY {
            self.stats_at = now;
            let stats = self.link.stats();
            self.silent = networks::note(&self.region, &*self.link, &stats, self.silent, now);
            self.region.set_counter(Counter::KernelDrops, stats.kernel_drops);
            self.region.set_counter(Counter::FramesRefused, self.refills.stats().refused_frames);
        }
        Ok((cut.filter(|_| self.observer.exposed(&self.region).is_some()), drained))
    }

    /// The state and its cut; `None`: nothing is held yet, or nothing that is not older than what was given before.
    #[must_use]
    pub fn read(&self) -> Option<(&T, Cut)> {
        let held = self.observer.exposed(&self.region)?;
        Some((self.state(), held.cut))
    }

    /// The state, if its cut is `min_cut` or later and it is at most `max_age` old ([`Staleness::time`]). [`Cut::NONE`]: of any cut.
    ///
    /// # Errors
    /// [`ReadRefused`] says what is held, and why it is not better.
    pub fn read_at_least(&self, min_cut: Cut, max_age: Duration) -> Result<View<'_, T>, ReadRefused> {
        let (held, staleness) = (self.observer.exposed(&self.region), self.staleness());
        match (held, staleness) {
            (Some(info), Some(age)) if info.cut >= min_cut && age.time <= max_age => {
                Ok(View::new(self.state(), info))
            }
            _ => Err(ReadRefused {
                held: held.map(|info| info.cut),
                wanted: min_cut,
                staleness,
                max_age,
                standing: self.standing(),
            }),
        }
    }

    fn state(&self) -> &T {
        bytemuck::from_bytes(&self.region.image()[..size_of::<T>()])
    }

    /// How far what is held may be behind, by what was heard until the last call of [`poll`](Self::poll) or
    /// [`listen`](Self::listen), and by the clock as of now; `None`: nothing is held.
    #[must_use]
    pub fn staleness(&self) -> Option<Staleness> {
        let staleness = self.observer.staleness(&self.region, clock::now())?;
        Some(Staleness { cycles: staleness.cycles, time: Duration::from_nanos(staleness.time) })
    }

    /// How it stands: current, being filled, or why neither.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.observer.standing(&self.region, clock::now())
    }

    /// How far it has come, if it is being filled.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.observer.progress(clock::now())
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

    /// The layout that it shares with the members.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What is not as it was asked for, in words, with the remedy. Fixed at open.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// For people: links, memory.
    #[must_use]
    pub fn describe(&self) -> String {
        let kib = self.segment.bytes() / 1024;
        format!("{}; refills by {}; {kib} KiB of memory", self.link.describe(), self.refills.describe())
    }
}

impl<T: Pod> Drop for Observer<T> {
    fn drop(&mut self) {
        self.region.event(clock::now(), EventKind::Closed, 0);
    }
}
