//! A node killed at random instants, a few hundred times, and reopened by the next on the same region.
//!
//! What each finds is exactly one cycle, never older than what anybody saw of its predecessor; reigns only go up; and another
//! process that reads all the while never sees a torn state (it says so itself if it does).

use std::time::{Duration, Instant};

use mirror::{Cut, Epoch, Found, Look, Place};
use mirror_tests::Child;
use mirror_tests::memory::{Named, left_behind};
use mirror_tests::plant::Small;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CHILD: &str = env!("CARGO_BIN_EXE_mirror-test-child");

/// Kills at the most, and for how long at the most.
const KILLS: u32 = 300;
const LONGEST: Duration = Duration::from_secs(20);

/// A loop that leads as soon as it can, with a commit under way most of the time.
fn start(group: &str) -> Child {
    let arguments =
        format!("loop group={group} node=1 members=1 link=null period=200 silence=50 patience=100");
    Child::start(CHILD, &arguments)
}

/// The cut that a successor would find, and whether it would have to redo its move.
fn cut_left(place: &Place, group: &str) -> (Cut, bool) {
    left_behind::<Small, _>(place, group, 1, |region, found| {
        let cycle = Small::check_bytes(region.image()).unwrap_or_else(|e| panic!("{found:?}: {e}"));
        assert_eq!(cycle, region.cut().cycle, "{found:?}");
        assert!(region.live() == region.image(), "{found:?}");
        (region.cut(), matches!(found, Found::Cut { redone: true, .. }))
    })
}

fn number(words: &[String], at: usize) -> u64 {
    words[at].parse().unwrap_or_else(|_| panic!("{words:?}"))
}

#[test]
fn whatever_instant_a_node_is_killed_at_the_next_goes_on_from_one_cut() {
    let group = format!("kill-loop-{}", std::process::id());
    let place = Place::Named(format!("{group}-1"));
    let _named = Named(place.clone());
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(std::process::id()));
    println!("seed {}", std::process::id());

    let (mut last, mut redone, mut kills, mut reader) = (Cut::NONE, 0, 0, None);
    let end = Instant::now() + LONGEST;
    while kills < KILLS && Instant::now() < end {
        let mut child = start(&group);
        let found = child.until("open", |_| {});
        let found = Cut { epoch: Epoch(number(&found, 0)), cycle: number(&found, 1) };
        assert_eq!(found, last, "found something else than what was left behind");
        // Its first turn, or its first output when there is no cut to take over from.
        let first = child.until("out", |_| {});
        let epoch = Epoch(number(&first, 0));
        assert!(epoch > last.epoch, "{epoch} after {last}");
        let reader =
            reader.get_or_insert_with(|| Child::start(CHILD, &format!("look region={group}-1 size=small")));

        std::thread::sleep(Duration::from_micros(rng.random_range(0..12_000)));
        // What somebody outside saw before the kill may not be lost by it; nor what the node itself said.
        let mut seen = Look::open(&place).unwrap().peek().cut;
        for line in child.drain() {
            let words: Vec<String> = line.split_whitespace().map(String::from).collect();
            assert_eq!(words[0], "out", "{line}");
            seen = seen.max(Cut { epoch: Epoch(number(&words, 1)), cycle: number(&words, 2) });
        }
        child.kill();
        kills += 1;
        let (left, half_moved) = cut_left(&place, &group);
        assert!(left >= seen, "{left} left behind, but {seen} was seen");
        assert!(left.epoch == epoch || left == last, "{left}: the reign was {epoch}");
        redone += u32::from(half_moved);
        last = left;
        assert_eq!(reader.drain().find(|line| line.starts_with("error")), None);
    }
    let looked = reader.expect("one child ran").end();
    println!(
        "{kills} kills, {redone} of them in the middle of a move; at the end {last}; reader: {looked:?}"
    );
    assert!(kills >= 20 && redone >= 1, "{kills} kills, {redone} in the middle of a move");
    let looked: Vec<String> = looked.last().unwrap().split_whitespace().map(String::from).collect();
    assert!(number(&looked, 1) > 100 && number(&looked, 2) > 20, "{looked:?}");
}
