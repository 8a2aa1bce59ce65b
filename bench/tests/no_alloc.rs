//! After `open` no turn of the loop allocates, on either side of real sockets. A binary of its own, for its allocator
//! counts.

use mirror::{Config, Counter, Node, Place, SyncState, Track, Turn, WaitMode};
use mirror_bench::workload::{Spread, Stamp, Workload};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Counts what the calling thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged. The counter is a constant-initialised Cell of
// the thread without a destructor, so counting neither allocates nor touches anything another thread does.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise about `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, and `at` came from `System`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

type State = [u8; 65_536];

fn node(id: u8, track: Track) -> Node<State> {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let group = std::net::SocketAddr::from(([239, 64 | a & 63, b, c], 28_990));
    let mut config = Config::new("no-alloc", id, group, "lo");
    config.place = Place::Anonymous;
    (config.silence_cycles, config.patience_cycles) = (200, 400);
    config.track = track;
    config.link.wait = WaitMode::Spin;
    Node::open(&config).unwrap()
}

#[test]
fn a_cycle_allocates_nothing_on_either_side() {
    let before = ALLOCATIONS.get();
    drop(Box::new(1));
    assert_eq!(ALLOCATIONS.get(), before + 1, "the allocator counts");

    for track in [Track::Diff, Track::Marked] {
        let (mut first, mut second) = (node(1, track), node(2, track));
        let works = [1024, 16_384, 65_536].map(|dirty| Workload::new(65_536, dirty, Spread::Scattered));
        let before = ALLOCATIONS.get();
        let (mut led, mut followed) = (0, 0);
        let until = Instant::now() + Duration::from_secs(20);
        while (led < 300 || followed < 100) && Instant::now() < until {
            if let Some(Turn::Lead(mut lead)) = first.try_begin().unwrap() {
                let work = works[led as usize % works.len()];
                work.step(led + 1, |at, bytes| lead.write(at, bytes));
                lead.write(0, &Stamp { at: 0, cycle: led + 1, last: 0 }.bytes());
                lead.commit().unwrap();
                led += 1;
            }
            if let Some(Turn::Follow(view)) = second.try_begin().unwrap() {
                let cycle = Stamp::read(&view[..]).cycle;
                assert!(cycle == 0 || works[(cycle - 1) as usize % works.len()].is_whole(cycle, &view[..]));
                followed += 1;
            }
        }
        assert_eq!(ALLOCATIONS.get(), before, "{track:?}");
        assert!(led >= 300 && followed >= 100, "{track:?}: led {led}, followed {followed}");
        assert_eq!((first.state(), second.state()), (SyncState::Primary, SyncState::Hot));
        assert!(second.counter(Counter::Cuts) >= followed);
    }
}
