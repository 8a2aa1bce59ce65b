//! What a standby without a whole state takes: nothing but a cycle that carries every line, whatever frames say of themselves.

use mirror_core::region::Counter;
use mirror_core::takeover::Heard;
use mirror_core::wire::SyncState;
use mirror_core::{Cut, LINE};
use mirror_tests::member::{LINES, Station, in_step, reseal, scatter};

// Where fields stand in a frame, as PROTOCOL.md draws them.
const FLAGS: usize = 33;
const RUN: usize = 128;

/// A standby that became cold, a primary that goes on, and what the standby exposes.
fn cold() -> (Station, Station, (Cut, Vec<u8>)) {
    let (mut primary, mut standby, _) = in_step();
    let before = standby.exposed();
    primary.commit(|live| scatter(live, 30, 100));
    let (_, frames) = primary.commit(|live| scatter(live, 30, 101));
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
