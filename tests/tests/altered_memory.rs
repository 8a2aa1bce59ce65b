//! A standby whose memory something alters behind its back, through another view of the same pages: it finds out within a lap of
//! the slices, is repaired while the cycles go on, and tells.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use mirror::{Config, Counter, EventKind, Look, Node, Place, SyncState, Turn};
use mirror_core::LINE;
use mirror_core::region::Map;
use mirror_tests::MemoryNet;
use mirror_tests::child::PATIENCE;
use mirror_tests::memory::Named;
use mirror_tests::plant::Plant;

/// 64 lines, 16 slices. Each line changes once in 100,000 cycles: what is altered is not overwritten.
type Slow = Plant<504, 100_000>;

const RECORDS: usize = 4;

fn config(node: u8, place: Place) -> Config {
    let mut config = Config::new("altered", node, "239.255.0.1:29999".parse().unwrap(), "lo");
    config.place = place;
    config.records = Some(RECORDS as u32);
    (config.silence_cycles, config.patience_cycles) = (100, 200);
    config
}

/// One turn of a node; a primary steps and commits.
fn turn(node: &mut Node<Slow>) {
    if let Some(Turn::Lead(mut lead)) = node.try_begin().unwrap() {
        lead.step(1);
        lead.commit().unwrap();
    }
}

/// Flips a bit of byte `at` of the region's pages.
fn alter(place: &Place, at: usize) {
    let file = OpenOptions::new().read(true).write(true).open(place.to_string()).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at as u64).unwrap();
}

#[test]
fn altered_memory_is_found_within_a_lap_and_repaired_while_the_cycles_go_on() {
    let net = MemoryNet::new(1472, 1);
    let place = Named(Place::Named(format!("altered-{}", std::process::id())));
    let mut first = Node::<Slow>::open_on(&config(1, Place::Anonymous), Box::new(net.link())).unwrap();
    let mut second = Node::<Slow>::open_on(&config(2, place.0.clone()), Box::new(net.link())).unwrap();
    let map = Map::new(size_of::<Slow>(), RECORDS).unwrap();
    let mut until = |what: &str, second: &mut Node<Slow>, done: &mut dyn FnMut(&Node<Slow>) -> bool| {
        let end = Instant::now() + PATIENCE;
        while !done(second) {
            assert!(Instant::now() < end, "never: {what}");
            std::thread::sleep(Duration::from_micros(50));
            turn(&mut first);
            turn(second);
        }
    };
    // In the image, in the live memory, in a line that was never written.
    for (times, at) in (1..).zip([map.image + 40 * LINE + 5, map.live + 7 * LINE, map.image + 63 * LINE]) {
        until("a proof", &mut second, &mut |node| {
            // What was told while it was filled is compared a lap later.
            let fresh = node.proven().is_some_and(|proof| proof.cycles <= proof.lap);
            node.state() == SyncState::Hot && node.cut().cycle > 80 && fresh
        });
        let (cut, proof) = (second.cut(), second.proven().unwrap());
        assert_eq!(proof.lap, 16);
        alter(&place.0, at);
        until("a repair", &mut second, &mut |node| {
            let [found, repaired] = [Counter::DifferencesFound, Counter::DifferencesRepaired]
                .map(|counter| node.counter(counter));
            if found < times {
                let as_of = node.proven().map(|proof| node.cut().cycle - proof.cycles);
                assert!(as_of.is_some_and(|as_of| as_of <= cut.cycle), "{as_of:?}, altered at {cut}");
            } else if repaired < times {
                assert_eq!(node.state(), SyncState::Joining);
            }
            repaired == times
        });
        assert_eq!(second.state(), SyncState::Hot);
        let found = second.difference().unwrap();
        let line = ((at - if at < map.image { map.live } else { map.image }) / LINE) as u32;
        assert!((found.first..found.first + found.lines).contains(&line), "{found:?}");
        assert!((cut.cycle..=cut.cycle + proof.lap + 1).contains(&found.cut.cycle), "{found:?} after {cut}");
        assert_eq!(second.held().check(), Ok(second.cut().cycle));
    }
    until("a proof again", &mut second, &mut |node| node.proven().is_some());
    assert_eq!(second.counter(Counter::DifferencesFound), 3);
    // Tools see the same.
    let look = Look::open(&place.0).unwrap();
    let events = look.events().filter(|event| event.kind == EventKind::Difference as u64).count();
    assert_eq!(events, 3);
    assert!(look.counter(Counter::ProvenCycle) > 0 && look.counter(Counter::SlicesCompared) > 100);
}
