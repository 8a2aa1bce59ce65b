//! What a standby that lacks lines takes and exposes: nothing before the last of them, whatever comes in which order.

use mirror_core::region::Counter;
use mirror_core::takeover::{Heard, Why};
use mirror_core::wire::SyncState;
use mirror_core::{Cut, LINE};
use mirror_tests::member::{LINES, SILENCE, Station, in_step, scatter};

/// A standby that cannot be healed any more, a primary that goes on, and what the standby exposes.
fn behind() -> (Station, Station, (Cut, Vec<u8>)) {
    let (mut primary, mut standby, _) = in_step();
    let before = standby.exposed();
    // More cycles than there are records: what is missing cannot be sent again.
    for seed in 100..103 {
        primary.commit(|live| scatter(live, 30, seed));
    }
    let (_, frames) = primary.commit(|live| scatter(live, 30, 103));
    standby.hear(&frames);
    assert_eq!((standby.member.state(), standby.region.counter(Counter::Gaps)), (SyncState::Joining, 1));
    (primary, standby, before)
}

#[test]
fn cycles_alone_do_not_fill_the_gap() {
    let (mut primary, mut standby, before) = behind();
    for seed in 0..5 {
        let (_, frames) = primary.commit(|live| scatter(live, 30, seed));
        for frame in &frames {
            assert_eq!(standby.member.hear(&mut standby.region, frame, 1), Heard::Nothing);
        }
        assert!(standby.exposed() == before);
    }
    // Cycles that between them carry every line do.
    let (half, all) = (LINES / 2 * LINE, LINES * LINE);
    standby.hear(&primary.commit(|live| live[..half].fill(1)).1);
    assert!(standby.exposed() == before, "a part of the lines was exposed as a whole state");
    standby.hear(&primary.commit(|live| live[half..all].fill(2)).1);
    assert_eq!(standby.member.state(), SyncState::Hot);
    assert!(standby.exposed() == primary.exposed());
}

#[test]
fn nothing_is_exposed_before_the_last_chunk_and_the_cycle_that_it_is_as_of() {
    for order in 0..6 {
        let (mut primary, mut standby, before) = behind();
        let mut chunks = primary.swept_for(&mut standby);
        assert!(chunks.len() >= 2, "{} chunks", chunks.len());
        // Each chunk as of a later cycle than the one before it, and the cycles heard before, between or after.
        let mut cycles = vec![];
        for value in 0..3 {
            cycles.push(primary.commit(|live| scatter(live, 20, order * 10 + value)).1);
            chunks.extend(primary.swept_for(&mut standby));
        }
        if order % 2 == 1 {
            chunks.reverse();
        }
        match order / 2 {
            0 => cycles.iter().for_each(|frames| standby.hear(frames)),
            1 => {}
            _ => standby.hear(&cycles[0]),
        }
        for chunk in &chunks {
            standby.hear(std::slice::from_ref(chunk));
            let exposed = standby.exposed();
            assert!(exposed == before || primary.committed.contains(&exposed), "{order}: a mixture");
        }
        cycles.iter().for_each(|frames| standby.hear(frames));
        // A status lists as many parts as fit; what is left is asked for by the next.
        for _ in 0..4 {
            let chunks = primary.swept_for(&mut standby);
            standby.hear(&chunks);
            standby.hear(&primary.commit(|live| scatter(live, 1, order)).1);
        }
        assert_eq!(standby.member.state(), SyncState::Hot, "{order}");
        assert!(standby.exposed() == primary.exposed(), "{order}");
    }
}

/// A standby that leads after a silence, on the cut that it holds.
fn succeeds(mut station: Station) -> Station {
    for now in (1..20 * SILENCE).step_by(SILENCE as usize / 5) {
        if station.member.poll(&station.region, now, true).is_some() {
            return station;
        }
    }
    panic!("it does not lead: {:?}", station.member.why(&station.region, 0));
}

/// Three in step: a primary and two standbys.
fn three() -> (Station, Station, Station) {
    let (first, second, frames) = in_step();
    let mut third = Station::new(3);
    for frame in &frames {
        third.member.hear(&mut third.region, frame, 1);
    }
    assert!(third.exposed() == first.exposed());
    (first, second, third)
}

#[test]
fn a_cycle_half_heard_when_its_reign_ends_is_no_part_of_the_next() {
    let (mut first, second, mut third) = three();
    // The third hears the beginning of a cycle that its primary does not live to finish.
    let (_, dead) = first.commit(|live| live[..30 * LINE].fill(1));
    assert!(dead.len() > 2);
    third.member.hear(&mut third.region, &dead[0], 1);
    third.member.hear(&mut third.region, &dead[1], 1);
    // The second never heard of it, and commits another cycle of that number, of the same shape.
    let mut second = succeeds(second);
    let (cut, frames) = second.commit(|live| live[..30 * LINE].fill(2));
    assert_eq!(frames.len(), dead.len());
    for frame in &frames {
        third.member.hear(&mut third.region, frame, 1);
    }
    assert_eq!(third.region.cut(), cut);
    assert!(third.exposed() == second.exposed(), "lines of a dead reign's cycle were exposed");
}

/// A standby that holds a cycle which its next primary lacked, and has heard that one's first cycle.
fn three_diverged() -> Station {
    let (mut first, second, mut third) = three();
    let (_, frames) = first.commit(|live| live[..30 * LINE].fill(1));
    for frame in &frames {
        third.member.hear(&mut third.region, frame, 1);
    }
    let (_, frames) = succeeds(second).commit(|live| live[90 * LINE..].fill(2));
    for frame in &frames {
        third.member.hear(&mut third.region, frame, 1);
    }
    third
}

#[test]
fn a_cut_that_the_next_reign_does_not_stand_on_is_not_built_upon() {
    let (mut first, second, mut third) = three();
    // The third holds a cycle that the second never heard of.
    let (_, frames) = first.commit(|live| live[..30 * LINE].fill(1));
    for frame in &frames {
        third.member.hear(&mut third.region, frame, 1);
    }
    let before = third.exposed();
    assert!(before == first.exposed());
    let mut second = succeeds(second);
    for value in 2..5 {
        let (_, frames) = second.commit(|live| live[90 * LINE..].fill(value));
        for frame in &frames {
            third.member.hear(&mut third.region, frame, 1);
        }
        assert!(third.exposed() == before, "a cycle was put upon a cut that it does not belong to");
        assert_eq!(third.member.state(), SyncState::Joining);
    }
    // Nor does it lead from there, though it heard of no cycle that it lacks but for the missing state itself.
    let mut alone = three_diverged();
    for now in (1..40 * SILENCE).step_by(SILENCE as usize / 5) {
        assert_eq!(alone.member.poll(&alone.region, now, true), None);
    }
    assert!(matches!(alone.member.why(&alone.region, 0), Why::RefusedCold { .. }));
    assert_eq!(alone.region.counter(Counter::Refusals), 1);
    // Filled, it is the second's.
    for _ in 0..4 {
        let chunks = second.swept_for(&mut third);
        third.hear(&chunks);
        third.hear(&second.commit(|_| ()).1);
    }
    assert!(third.exposed() == second.exposed());
}

#[test]
fn a_node_that_is_stalled_now_and_then_starts_nevertheless() {
    let mut station = Station::new(1);
    let (mut now, mut polls) = (0, 0);
    // A stall of more than half a silence in every two silences, each shorter than what a start listens for.
    while station.member.poll(&station.region, now, true).is_none() {
        polls += 1;
        assert!(polls < 100, "{:?}", station.member.why(&station.region, 0));
        now += if polls % 10 == 0 { SILENCE * 3 / 4 } else { SILENCE / 6 };
    }
    assert!(station.region.counter(Counter::Stalls) > 0);
}
