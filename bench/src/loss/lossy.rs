//! A link that loses what it hears.
//!
//! Contract: a frame is dropped after the link received it and before the node sees it, by a seeded draw for each frame. Everything
//! else is the link beneath.

use super::weather::{CALM, Losses, WEATHERS, Weather};
use mirror_core::FrameSink;
use mirror_transport::{Link, LinkStats, Nanos};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Sets the weather of a [`Lossy`] link from outside.
#[derive(Clone, Debug, Default)]
pub struct Switch(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// 0: calm; else one more than the place in [`WEATHERS`].
    weather: AtomicUsize,
    seed: AtomicU64,
    /// Counts changes.
    changes: AtomicU64,
    lost: AtomicU64,
    heard: AtomicU64,
}

/// Weather number `number`: 0 is calm, then those of [`WEATHERS`].
#[must_use]
pub fn weather(number: usize) -> Weather {
    number.checked_sub(1).and_then(|at| WEATHERS.get(at)).copied().unwrap_or(CALM)
}

impl Switch {
    /// From the next receive call on.
    pub fn set(&self, number: usize, seed: u64) {
        self.0.weather.store(number, Relaxed);
        self.0.seed.store(seed, Relaxed);
        self.0.changes.fetch_add(1, Relaxed);
    }

    /// Frames lost, and frames heard with these, since the link was made.
    #[must_use]
    pub fn lost(&self) -> (u64, u64) {
        (self.0.lost.load(Relaxed), self.0.heard.load(Relaxed))
    }
}

/// The link.
#[derive(Debug)]
pub struct Lossy<L> {
    link: L,
    switch: Switch,
    changes: u64,
    losses: Losses,
}

impl<L: Link> Lossy<L> {
    /// Calm until `switch` says otherwise.
    #[must_use]
    pub fn new(link: L, switch: Switch) -> Self {
        Self { link, switch, changes: 0, losses: Losses::new(&CALM, 0) }
    }
}

impl<L: Link> FrameSink for Lossy<L> {
    fn frame_bytes(&self) -> usize {
        self.link.frame_bytes()
    }
    fn lend(&mut self) -> Option<&mut [u8]> {
        self.link.lend()
    }
    fn push(&mut self, len: usize) {
        self.link.push(len);
    }
}

impl<L: Link> Link for Lossy<L> {
    fn describe(&self) -> String {
        format!("{}; loses frames on purpose", self.link.describe())
    }

    fn flush(&mut self) {
        self.link.flush();
    }

    fn receive(&mut self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        let Self { link, switch: Switch(shared), changes, losses } = self;
        let now = shared.changes.load(Relaxed);
        if std::mem::replace(changes, now) != now {
            *losses = Losses::new(&weather(shared.weather.load(Relaxed)), shared.seed.load(Relaxed));
        }
        let mut lost = 0;
        let heard = link.receive(limit, &mut |frame| {
            if losses.next_is_lost() {
                lost += 1;
            } else {
                sink(frame);
            }
        });
        if heard > 0 {
            shared.lost.fetch_add(lost, Relaxed);
            shared.heard.fetch_add(heard as u64, Relaxed);
        }
        heard
    }

    fn wait(&mut self, until: Nanos) {
        self.link.wait(until);
    }

    fn stats(&mut self) -> LinkStats {
        self.link.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Always has a hundred frames.
    struct Endless;

    impl FrameSink for Endless {
        fn frame_bytes(&self) -> usize {
            64
        }
        fn lend(&mut self) -> Option<&mut [u8]> {
            None
        }
        fn push(&mut self, _: usize) {}
    }

    impl Link for Endless {
        fn describe(&self) -> String {
            "endless".into()
        }
        fn flush(&mut self) {}
        fn receive(&mut self, _: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
            (0..100).for_each(|number| sink(&[number]));
            100
        }
        fn wait(&mut self, _: Nanos) {}
        fn stats(&mut self) -> LinkStats {
            LinkStats::default()
        }
    }

    #[test]
    fn the_switch_says_what_is_lost_and_the_seed_which() {
        let switch = Switch::default();
        let mut link = Lossy::new(Endless, switch.clone());
        let mut hear = || {
            let mut heard = vec![];
            for _ in 0..20 {
                assert_eq!(
                    link.receive(100, &mut |frame| heard.push(frame[0])),
                    100,
                    "lost frames were taken too"
                );
            }
            heard
        };
        assert_eq!(hear().len(), 2000);
        switch.set(3, 9);
        let some = hear();
        assert!((1700..2000).contains(&some.len()), "about 5 % are lost: {}", some.len());
        assert_eq!(switch.lost(), (2000 - some.len() as u64, 4000));
        switch.set(3, 9);
        assert_eq!(hear(), some);
        switch.set(0, 9);
        assert_eq!(hear().len(), 2000);
    }
}
