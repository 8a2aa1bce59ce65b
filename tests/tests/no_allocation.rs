//! After open, no turn of the loop allocates: as primary, as standby, filled anew, at a takeover, fenced. A binary of its own,
//! for its allocator counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mirror::{
    Config, Counter, Cut, Node, Observer, ObserverConfig, ObserversConfig, Place, SyncState, Track, Turn,
    clock,
};
use mirror_core::FrameSink;
use mirror_tests::child::PATIENCE;
use mirror_tests::plant::Small;
use mirror_tests::{Fate, MemoryLink, MemoryNet};
use mirror_transport::{Link, LinkStats, Nanos};

/// Counts what the calling thread asks for while [`COUNTS`] is set.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    /// Turns as primary.
    static LED: Cell<u64> = const { Cell::new(0) };
}

fn note() {
    ALLOCATIONS.set(ALLOCATIONS.get() + u64::from(COUNTS.get()));
}

// SAFETY: every call is passed on to the system's allocator unchanged. The cells are constant-initialised and of the
// thread, without a destructor, so counting neither allocates nor touches anything another thread does.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise about `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's promise, and `at` came from `System`.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // Giving back is as unbounded as asking.
        note();
        // SAFETY: the caller's promise, and `at` came from `System`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Runs `work` without counting, or with.
fn counting<T>(on: bool, work: impl FnOnce() -> T) -> T {
    let before = COUNTS.replace(on);
    let result = work();
    COUNTS.set(before);
    result
}

/// A memory link whose own allocations do not count; those of the node that its frames are handed to do.
struct Uncounted(MemoryLink);

impl FrameSink for Uncounted {
    fn frame_bytes(&self) -> usize {
        self.0.frame_bytes()
    }
    fn lend(&mut self) -> Option<&mut [u8]> {
        counting(false, || self.0.lend())
    }
    fn push(&mut self, len: usize) {
        counting(false, || self.0.push(len));
    }
}

impl Link for Uncounted {
    fn describe(&self) -> String {
        self.0.describe()
    }
    fn flush(&mut self) {
        counting(false, || self.0.flush());
    }
    fn receive(&mut self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        let on = COUNTS.get();
        counting(false, || self.0.receive(limit, &mut |frame| counting(on, || sink(frame))))
    }
    fn wait(&mut self, until: Nanos) {
        counting(false, || self.0.wait(until));
    }
    fn stats(&mut self) -> LinkStats {
        counting(false, || self.0.stats())
    }
}

fn config(name: &str, node: u8, track: Track) -> Config {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let address = SocketAddr::from(([239, 64 | a & 63, b, c], 29_400 + u16::from(track == Track::Diff)));
    let mut config = Config::new(&format!("{name}-{}", std::process::id()), node, address, "lo");
    config.place = Place::Anonymous;
    config.track = track;
    config.silence_cycles = 200;
    config.patience_cycles = 400;
    config.records = Some(2);
    config
}

/// One turn each; what was counted in them must be nothing.
fn turn(nodes: &mut [&mut Node<Small>]) {
    for node in nodes {
        let before = ALLOCATIONS.get();
        counting(true, || match node.try_begin().unwrap() {
            Some(Turn::Lead(mut lead)) => {
                let _ = (lead.takeover(), lead.dt(), lead.time(), lead.is_first());
                lead.step(1);
                lead.mark(0, size_of::<Small>());
                LED.set(LED.get() + 1);
                if LED.get().is_multiple_of(37) {
                    return; // given up, and rolled back
                }
                let done = lead.commit().unwrap();
                let _ = (done.token(), done.may_act());
            }
            Some(Turn::Follow(view)) => assert_eq!(view.check(), Ok(view.cut().cycle)),
            Some(Turn::Wait(_)) | None => {}
            Some(_) => unreachable!("no other turn is known"),
        });
        assert_eq!(ALLOCATIONS.get(), before, "in a turn of {node:?}");
    }
}

/// Turns until `done`.
fn until(nodes: &mut [&mut Node<Small>], what: &str, mut done: impl FnMut(&[&mut Node<Small>]) -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done(nodes) {
        assert!(Instant::now() < end, "never: {what}");
        turn(nodes);
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Two nodes run, one dies, the other takes over, the first comes back and is filled.
fn a_life(mut open: impl FnMut(u8) -> Node<Small>) {
    let mut first = open(1);
    let mut second = open(2);
    until(&mut [&mut first, &mut second], "a standby", |n| n[1].counter(Counter::Cuts) >= 120);
    assert_eq!(first.state(), SyncState::Primary);
    assert!(first.counter(Counter::Abandoned) > 0);
    let at = first.cut();
    drop(first);
    until(&mut [&mut second], "a takeover", |n| {
        n[0].cut().epoch > at.epoch && n[0].cut().cycle > at.cycle + 60
    });
    assert_eq!(second.counter(Counter::Takeovers), 1);
    let mut first = open(1);
    until(&mut [&mut first, &mut second], "a refill", |n| n[0].counter(Counter::Cuts) >= 60);
    assert_eq!(first.state(), SyncState::Hot);
    // Statistics are asked of the link now and then: that must have happened, too.
    let end = clock::now() + 150_000_000;
    until(&mut [&mut first, &mut second], "150 ms", |_| clock::now() > end);
}

#[test]
fn the_allocator_counts() {
    let before = ALLOCATIONS.get();
    counting(true, || drop(Box::new(1)));
    assert_eq!(ALLOCATIONS.get(), before + 2);
    drop(Box::new(1));
    assert_eq!(ALLOCATIONS.get(), before + 2);
}

#[test]
fn no_turn_allocates_over_a_memory_link() {
    for track in [Track::Diff, Track::Marked] {
        let net = MemoryNet::new(1472, 7);
        a_life(|node| {
            Node::open_on(&config("no-alloc", node, track), Box::new(Uncounted(net.link()))).unwrap()
        });
    }
}

#[test]
fn no_turn_allocates_when_frames_are_lost_or_foreign_or_a_reign_ends() {
    let net = MemoryNet::new(1472, 8);
    let mut sent = 0u64;
    net.set_hook(move |passage| {
        sent += 1;
        match sent % 97 {
            0 => Fate::Lose,
            // Now and then for so long that nothing can be sent again.
            _ if sent % 1500 < 60 => Fate::Lose,
            1 => Fate::Double,
            2 => {
                passage.frame[40] ^= 1;
                Fate::Arrive
            }
            _ => Fate::Arrive,
        }
    });
    let open = |node| {
        Node::open_on(&config("no-alloc-loss", node, Track::Diff), Box::new(Uncounted(net.link()))).unwrap()
    };
    let (mut first, mut second) = (open(1), open(2));
    until(&mut [&mut first, &mut second], "a repair, a gap and a refill", |n| {
        let repaired = n[0].counter(Counter::FramesRepaired) >= 3;
        let each =
            [Counter::Gaps, Counter::RejectDamaged, Counter::Late].iter().all(|&c| n[1].counter(c) >= 1);
        repaired && each && n[0].counter(Counter::FramesSwept) >= 1 && n[1].counter(Counter::Cuts) >= 200
    });
    // The first sleeps through the second's takeover, and is fenced when it wakes up.
    net.set_faults(mirror_tests::Faults::default());
    let cuts = second.counter(Counter::Cuts);
    until(&mut [&mut first, &mut second], "in step", |n| n[1].counter(Counter::Cuts) > cuts + 100);
    until(&mut [&mut second], "a takeover", |n| n[0].counter(Counter::Takeovers) > 0);
    until(&mut [&mut first, &mut second], "a fence", |n| n[0].counter(Counter::Fenced) > 0);
}

#[test]
fn no_turn_allocates_over_udp() {
    a_life(|node| Node::open(&config("no-alloc-udp", node, Track::Diff)).unwrap());
}

#[test]
fn no_turn_allocates_over_two_networks() {
    a_life(|node| {
        let mut config = config("no-alloc-two", node, Track::Diff);
        config.link.address.set_port(29_402);
        let mut second = config.link.clone();
        second.address.set_port(29_403);
        config.second_link = Some(second);
        let node = Node::open(&config).unwrap();
        counting(true, || {
            let before = ALLOCATIONS.get();
            assert_eq!(node.networks().filter(|network| !network.silent).count(), 2);
            assert_eq!(ALLOCATIONS.get(), before);
        });
        node
    });
}

#[test]
fn no_turn_allocates_where_observers_are_served_nor_does_an_observer() {
    let (net, service) = (MemoryNet::new(1472, 9), MemoryNet::new(1472, 10));
    let open = |node| {
        let config = config("no-alloc-observers", node, Track::Diff);
        let (link, observers) = (Box::new(Uncounted(net.link())), Box::new(Uncounted(service.link())));
        Node::open_with(
            &Config { observers: Some(ObserversConfig::default()), ..config },
            link,
            Some(observers),
        )
        .unwrap()
    };
    let (mut first, mut second) = (open(1), open(2));
    until(&mut [&mut first, &mut second], "a standby", |n| n[1].state() == SyncState::Hot);
    let address = SocketAddr::from(([239, 64, 0, 1], 29_405));
    let config = ObserverConfig {
        records: Some(2),
        ..ObserverConfig::new(&format!("no-alloc-observers-{}", std::process::id()), address, "lo")
    };
    let (link, refills) = (Box::new(Uncounted(net.link())), Box::new(Uncounted(service.link())));
    let mut observer = Observer::<Small>::open_on(&config, link, refills).unwrap();
    // Only the observer loses, of what members are sent.
    let mut sent = 0u64;
    net.set_hook(move |passage| {
        sent += u64::from(passage.to == 2);
        if passage.to == 2 && sent.is_multiple_of(31) { Fate::Lose } else { Fate::Arrive }
    });
    until(&mut [&mut first, &mut second], "observed and served", |n| {
        let before = ALLOCATIONS.get();
        counting(true, || {
            observer.listen().unwrap();
            let read = observer.read().map(|(state, cut)| (state.check() == Ok(cut.cycle), cut));
            assert!(read.is_none_or(|(sound, _)| sound));
            let _ = (observer.staleness(), observer.progress(), observer.standing());
            let _ = observer.read_at_least(Cut::NONE, Duration::from_millis(1)).map(|view| view.cut());
        });
        assert_eq!(ALLOCATIONS.get(), before, "in {observer:?}");
        observer.counter(Counter::Cuts) > 300 && n[1].counter(Counter::FramesServed) > 10
    });
    assert!(observer.counter(Counter::Gaps) > 0 && observer.counter(Counter::SweepTaken) > 0);
}
