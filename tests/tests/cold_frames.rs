//! What a standby without a whole state takes: nothing but a cycle that carries every line, whatever frames say of themselves.

use mirror_core::region::Counter;
use mirror_core::takeover::{Heard, Why};
use mirror_core::wire::SyncState;
use mirror_core::{Cut, LINE};
use mirror_tests::member::{LINES, SILENCE, Station, in_step, reseal, scatter};

// Where fields stand in a frame, as PROTOCOL.md draws them.
const FLAGS: usize = 33;
const RUN: usize = 128;

/// A standby that became cold, a primary that goes on, and what the standby exposes.
fn cold() -> (Station, Station, (Cut, Vec<u8>)) {
    let (mut primary, mut standby, _) = in_step();
    let before = standby.exposed();
    // More cycles than there are records: what is missing cannot be sent again.
    for seed in 100..103 {
        primary.commit(|live| scatter(live, 30, seed));
    }
    let (_, frames) = primary.commit(|live| scatter(live, 30, 103));
    standby.member.hear(&mut standby.region, &frames[0], 1);
    assert_eq!((standby.member.state(), standby.region.counter(Counter::Gaps)), (SyncState::Cold, 1));
    (primary, standby, before)
}

#[test]
fn what_a_cold_standby_cannot_use_is_counted_and_not_taken() {
    let (mut primary, mut standby, before) = cold();
    for seed in 0..5 {
        let unusable = standby.region.counter(Counter::Unusable);
        let (_, frames) = primary.commit(|live| scatter(live, 30, seed));
        for frame in &frames {
            assert_eq!(standby.member.hear(&mut standby.region, frame, 1), Heard::Nothing);
        }
        assert_eq!(standby.region.counter(Counter::Unusable), unusable + frames.len() as u64);
        assert!(standby.exposed() == before);
    }
}

/// The cycles' frames, each said to be of a full cycle.
fn said_to_be_full(mut frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    for frame in &mut frames {
        frame[FLAGS] |= 1;
        reseal(frame);
    }
    frames
}

#[test]
fn a_full_cycle_that_lacks_lines_is_not_taken_for_a_state() {
    let (mut primary, mut standby, before) = cold();
    // Some lines; all of them but the last; all but one, and another twice.
    let some = said_to_be_full(primary.commit(|live| scatter(live, 30, 1)).1);
    let but_last = said_to_be_full(primary.commit(|live| live[..(LINES - 1) * LINE].fill(2)).1);
    let (_, mut twice) = primary.commit(|live| live.fill(3));
    let last = twice.len() - 1;
    let start: [u8; 4] = twice[last][RUN..RUN + 4].try_into().unwrap();
    twice[last][RUN..RUN + 4].copy_from_slice(&(u32::from_le_bytes(start) - 1).to_le_bytes());
    let twice = said_to_be_full(twice);
    for frames in [some, but_last, twice] {
        for frame in &frames {
            assert_eq!(standby.member.hear(&mut standby.region, frame, 1), Heard::Nothing);
        }
        assert!(standby.exposed() == before, "a part of the lines was exposed as a whole state");
        assert_ne!(standby.member.state(), SyncState::Hot);
    }
    assert_eq!(standby.region.counter(Counter::Unfit), 3);
    // A full cycle that is one makes it hot.
    let frames = said_to_be_full(primary.commit(|live| live.fill(4)).1);
    for frame in &frames {
        standby.member.hear(&mut standby.region, frame, 1);
    }
    assert_eq!(standby.member.state(), SyncState::Hot);
    assert!(standby.exposed() == primary.exposed());
}

/// A standby that leads after a silence, on the cut that it holds.
fn succeeds(mut station: Station) -> Station {
    for now in (1..20 * SILENCE).step_by(SILENCE as usize / 5) {
        if station.member.poll(&station.region, now, true).is_some() {
            return station;
        }
    }
    panic!("it does not lead: {:?}", station.member.why(&station.region));
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
    let (_, frames) = first.commit(|live| live.fill(1));
    for frame in &frames {
        third.member.hear(&mut third.region, frame, 1);
    }
    let (_, frames) = succeeds(second).commit(|live| live.fill(2));
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
        assert_eq!(third.member.state(), SyncState::Cold);
    }
    // Nor does it lead from there, though it heard of no cycle that it lacks but for the missing state itself.
    let mut alone = three_diverged();
    for now in (1..40 * SILENCE).step_by(SILENCE as usize / 5) {
        assert_eq!(alone.member.poll(&alone.region, now, true), None);
    }
    assert!(matches!(alone.member.why(&alone.region), Why::RefusedCold { .. }));
    assert_eq!(alone.region.counter(Counter::Refusals), 1);
    // Filled, it is the second's.
    let frames = said_to_be_full(second.commit(|live| live.fill(9)).1);
    for frame in &frames {
        third.member.hear(&mut third.region, frame, 1);
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
        assert!(polls < 100, "{:?}", station.member.why(&station.region));
        now += if polls % 10 == 0 { SILENCE * 3 / 4 } else { SILENCE / 6 };
    }
    assert!(station.region.counter(Counter::Stalls) > 0);
}
