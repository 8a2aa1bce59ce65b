//! What the loop's turns rest on, with real nodes on a network in memory.

use std::time::{Duration, Instant};

use mirror::{Config, Counter, Node, Place, SyncState, Turn};
use mirror_core::FrameSink;
use mirror_tests::MemoryNet;
use mirror_tests::child::PATIENCE;
use mirror_tests::plant::Small;
use mirror_transport::Link;

fn config(group: &str, node: u8) -> Config {
    let mut config = Config::new(group, node, "239.255.0.1:29999".parse().unwrap(), "lo");
    config.place = Place::Anonymous;
    (config.silence_cycles, config.patience_cycles) = (100, 200);
    config
}

/// One turn; a primary steps and commits. Says whether it led.
fn turn(node: &mut Node<Small>) -> bool {
    std::thread::sleep(Duration::from_micros(50));
    match node.try_begin().unwrap() {
        Some(Turn::Lead(mut lead)) => {
            lead.step(1);
            lead.commit().unwrap();
            true
        }
        Some(Turn::Follow(view)) => {
            assert_eq!(view.check(), Ok(view.cut().cycle));
            false
        }
        _ => false,
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "never: {what}");
    }
}

#[test]
fn a_primary_does_not_go_on_before_it_has_heard_all_that_waits() {
    let net = MemoryNet::new(1472, 1);
    let mut first = Node::<Small>::open_on(&config("unheard", 1), Box::new(net.link())).unwrap();
    let mut second = Node::<Small>::open_on(&config("unheard", 2), Box::new(net.link())).unwrap();
    let mut stranger = net.link();
    until("a standby", || {
        turn(&mut first);
        turn(&mut second);
        second.counter(Counter::Cuts) > 20
    });
    // While the primary sleeps, more frames of a stranger come than it hears at once, and behind them its successor's.
    for _ in 0..1000 {
        stranger.lend().unwrap()[0] = 0;
        stranger.push(1);
    }
    stranger.flush();
    until("a takeover", || turn(&mut second));
    let before = first.cut();
    until("a fence", || {
        assert!(!turn(&mut first), "it led with its successor's frames unheard");
        first.counter(Counter::Fenced) > 0
    });
    assert!(first.cut() == before || first.cut().epoch > before.epoch, "{} after {before}", first.cut());
}

#[test]
fn a_cycle_given_up_leaves_no_trace() {
    let net = MemoryNet::new(1472, 1);
    let mut config = config("given-up", 1);
    config.members = vec![1];
    let mut node = Node::<Small>::open_on(&config, Box::new(net.link())).unwrap();
    until("ten cycles", || {
        turn(&mut node);
        node.cut().cycle >= 10
    });
    let (cut, mut given_up) = (node.cut(), 0);
    until("cycles given up", || {
        if let Some(Turn::Lead(mut lead)) = node.try_begin().unwrap() {
            assert_eq!(lead.check(), Ok(cut.cycle), "the cycle given up before is still there");
            lead.step(1);
            drop(lead);
            given_up += 1;
        }
        given_up >= 5
    });
    assert_eq!((node.cut(), node.counter(Counter::Abandoned)), (cut, 5));
    // The next one is committed as if they had not been.
    until("a commit", || turn(&mut node));
    assert_eq!((node.cut().cycle, node.state()), (cut.cycle + 1, SyncState::Primary));
}
