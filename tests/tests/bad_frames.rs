//! Frames that a standby must not take: whatever comes between the frames of a cycle, and however it was spoiled, it is counted once
//! and under its own cause, nothing of it is exposed, and the cycle is completed as if it had not come.
//!
//! Spoiled frames are resealed, so that it is not the checksum alone that keeps them out.

use mirror_core::region::Counter;
use mirror_core::takeover::Heard;
use mirror_core::wire::SyncState;
use mirror_core::{Cut, LINE};
use mirror_tests::member::{FRAME, GROUP, LINES, Station, in_step, reseal, scatter};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Every cause for which a frame is not taken.
const CAUSES: &[Counter] = Counter::REFUSED;

fn causes(station: &Station) -> Vec<u64> {
    CAUSES.iter().map(|&counter| station.region.counter(counter)).collect()
}

// Where fields stand in a frame, as PROTOCOL.md draws them.
const KIND: usize = 32;
const FLAGS: usize = 33;
const NODE: usize = 34;
const KEY: usize = 36;
const GROUP_AT: usize = 40;
const LAYOUT: usize = 48;
const EPOCH: usize = 56;
const BASE_EPOCH: usize = 80;
const CYCLE: usize = 96;
const PLANT: usize = 104;
const INDEX: usize = 112;
const COUNT: usize = 116;
const SINCE: usize = 128;
const SLICE: usize = 136;
const RUN: usize = 152;
const STATUS_STATE: usize = 80;

fn u32_at(frame: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(frame[at..at + 4].try_into().unwrap())
}

fn put(frame: &mut [u8], at: usize, value: u64) {
    frame[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn put_u32(frame: &mut [u8], at: usize, value: u64) {
    frame[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
}

/// What a frame is spoiled with.
#[derive(Clone, Debug)]
enum Bad {
    Bytes(Vec<u8>),
    Cut(Index),
    Longer(u8),
    Bit(Index),
    Word(Field, u64),
    RunsInDisorder,
    NoRuns,
    Again,
    Older(Index),
    Status(Field, u64),
    ShortStatus(Index),
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Magic,
    Version,
    Kind,
    Flags,
    NodeZero,
    NodeOurs,
    Key,
    Group,
    Layout,
    Epoch,
    BaseEpoch,
    BaseCycle,
    Cycle,
    Plant,
    Index,
    Count,
    CountMore,
    Since,
    Slice,
    RunStart,
    RunCount,
    State,
}

fn bad() -> impl Strategy<Value = Bad> {
    use Field::*;
    let data = prop::sample::select(vec![
        Magic, Version, Kind, Flags, NodeZero, NodeOurs, Key, Group, Layout, Epoch, BaseEpoch, BaseCycle,
        Cycle, Plant, Index, Count, CountMore, Since, Slice, RunStart, RunCount,
    ]);
    let status = prop::sample::select(vec![Magic, Version, NodeZero, Key, Group, State]);
    prop_oneof![
        2 => vec(any::<u8>(), 0..FRAME).prop_map(Bad::Bytes),
        2 => any::<prop::sample::Index>().prop_map(Bad::Cut),
        1 => any::<u8>().prop_map(Bad::Longer),
        4 => any::<prop::sample::Index>().prop_map(Bad::Bit),
        20 => (data, any::<u64>()).prop_map(|(f, v)| Bad::Word(f, v)),
        1 => Just(Bad::RunsInDisorder),
        1 => Just(Bad::NoRuns),
        2 => Just(Bad::Again),
        2 => any::<prop::sample::Index>().prop_map(Bad::Older),
        3 => (status, any::<u64>()).prop_map(|(f, v)| Bad::Status(f, v)),
        1 => any::<prop::sample::Index>().prop_map(Bad::ShortStatus),
    ]
}

/// Spoils one field, reseals, and gives the counter that must count it. `frame` is of the first reign.
fn spoil_field(frame: &mut [u8], field: Field, value: u64) -> Counter {
    let other = value | 1; // never 0
    // Just beyond the limit every second time, anywhere beyond it else.
    let beyond = if value.is_multiple_of(2) { 0 } else { value % (1 << 31) };
    let mut reseals = true;
    let counter = match field {
        Field::Magic => {
            frame[0] ^= other as u8;
            reseals = false;
            Counter::RejectForeign
        }
        Field::Version => {
            frame[4] ^= other as u8;
            Counter::RejectVersion
        }
        Field::Kind => {
            // 0 and 3 stand for nothing, nor do those above 7.
            frame[KIND] = [0, 3, 8 + (value % 248) as u8][value as usize % 3];
            Counter::RejectKind
        }
        Field::Flags => {
            frame[FLAGS] |= 1 << (value % 8);
            Counter::RejectField
        }
        Field::NodeZero => {
            frame[NODE] = 0;
            Counter::RejectField
        }
        Field::NodeOurs => {
            // A reign of this node's own, which it never began.
            (frame[NODE], frame[EPOCH + 3]) = (2, 2);
            Counter::SameNode
        }
        Field::Key => {
            put_u32(frame, KEY, other);
            Counter::RejectKey
        }
        Field::Group => {
            put(frame, GROUP_AT, if value == GROUP { 2 } else { value });
            Counter::RejectGroup
        }
        Field::Layout => {
            put(frame, LAYOUT, value);
            Counter::RejectLayout
        }
        Field::Epoch => {
            // A reign of the same node before the first one that anybody counted.
            put(frame, EPOCH, u64::from(frame[NODE]) << 24 | value & 0xff_ffff);
            Counter::StaleEpoch
        }
        Field::BaseEpoch => {
            let epoch = u64::from_le_bytes(frame[EPOCH..EPOCH + 8].try_into().unwrap());
            put(frame, BASE_EPOCH, value.max(epoch));
            Counter::RejectField
        }
        Field::BaseCycle => {
            // Above the reign's own, which is 0, and below the frame's cycle.
            let cycle = u64::from_le_bytes(frame[CYCLE..CYCLE + 8].try_into().unwrap());
            put(frame, BASE_EPOCH + 8, 1 + value % (cycle - 1));
            Counter::Unfit
        }
        Field::Cycle => {
            put(frame, CYCLE, if value.is_multiple_of(2) { 0 } else { u64::MAX });
            Counter::RejectField
        }
        Field::Plant => {
            put(frame, PLANT, (value >> 1).max(2));
            Counter::Unfit
        }
        Field::Index => {
            let count = u64::from(u32_at(frame, COUNT));
            put_u32(frame, INDEX, count + beyond);
            Counter::RejectField
        }
        Field::Count => {
            put_u32(frame, COUNT, if value.is_multiple_of(5) { 0 } else { LINES as u64 + 1 + beyond });
            Counter::RejectField
        }
        Field::CountMore => {
            let count = u64::from(u32_at(frame, COUNT));
            put_u32(frame, COUNT, count + 1);
            Counter::Unfit
        }
        Field::Since => {
            let cycle = u64::from_le_bytes(frame[CYCLE..CYCLE + 8].try_into().unwrap());
            put(frame, SINCE, cycle + beyond);
            Counter::RejectField
        }
        Field::Slice => {
            put_u32(frame, SLICE, LINES as u64 + 1 + beyond);
            Counter::RejectField
        }
        Field::RunStart => {
            // The last one, so that it is not the order of the runs that is wrong.
            let mut last = RUN;
            loop {
                let next = last + 8 + u32_at(frame, last + 4) as usize * LINE;
                if next + 8 > frame.len() || u32_at(frame, next + 4) == 0 {
                    break;
                }
                last = next;
            }
            let count = u64::from(u32_at(frame, last + 4));
            put_u32(frame, last, LINES as u64 - count + 1 + beyond);
            Counter::RejectField
        }
        Field::RunCount => {
            put_u32(frame, RUN + 4, LINES as u64 + 1 + beyond);
            Counter::RejectField
        }
        Field::State => {
            frame[STATUS_STATE] = 5 + (value % 250) as u8;
            Counter::RejectField
        }
    };
    if reseals {
        reseal(frame);
    }
    counter
}

/// Makes a bad frame out of a good one that was just heard; gives it with the counter, if only one is possible.
fn spoil(bad: &Bad, good: &[u8], older: &[Vec<u8>], status: &[u8]) -> (Vec<u8>, Option<Counter>) {
    let mut frame = good.to_vec();
    let counter = match bad {
        Bad::Bytes(bytes) => return (bytes.clone(), None),
        Bad::Cut(at) => {
            frame.truncate(at.index(good.len()));
            Counter::RejectTruncated
        }
        Bad::Longer(by) => {
            frame.resize(good.len() + 1 + *by as usize, 0);
            Counter::RejectTruncated
        }
        Bad::Bit(at) => {
            let bit = at.index(good.len() * 8);
            frame[bit / 8] ^= 1 << (bit % 8);
            return (frame, None);
        }
        Bad::Word(field, value) => spoil_field(&mut frame, *field, *value),
        Bad::RunsInDisorder => {
            let next = RUN + 8 + u32_at(&frame, RUN + 4) as usize * LINE;
            if next + 8 > frame.len() || u32_at(&frame, next + 4) == 0 {
                return (vec![], Some(Counter::RejectTruncated)); // the frame has one run only
            }
            let start = u64::from(u32_at(&frame, RUN));
            put_u32(&mut frame, next, start);
            reseal(&mut frame);
            Counter::RejectField
        }
        Bad::NoRuns => {
            put_u32(&mut frame, RUN + 4, 0);
            reseal(&mut frame);
            Counter::RejectField
        }
        Bad::Again => Counter::Late,
        Bad::Older(at) => {
            frame = at.get(older).clone();
            Counter::Late
        }
        Bad::Status(field, value) => {
            frame = status.to_vec();
            spoil_field(&mut frame, *field, *value)
        }
        Bad::ShortStatus(at) => {
            frame = status.to_vec();
            frame.truncate(80 + at.index(status.len() - 80));
            reseal(&mut frame);
            Counter::RejectTruncated
        }
    };
    (frame, Some(counter))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bad_frames_between_good_ones_are_counted_and_have_no_effect(
        cycles in vec((25usize..60, any::<u64>(), vec((any::<Index>(), bad()), 0..8)), 1..6)
    ) {
        let (mut primary, mut standby, mut older) = in_step();
        let status = primary.status();
        let (mut good, mut spoiled) = (older.len() as u64, 0);
        for (lines, seed, bads) in cycles {
            let before = standby.exposed();
            let (cut, frames) = primary.commit(|live| scatter(live, lines, seed));
            prop_assert!(frames.len() > 2);
            let last = frames.len() - 1;
            for (at, frame) in frames.iter().enumerate() {
                let heard = standby.member.hear(&mut standby.region, frame, 1);
                good += 1;
                prop_assert_eq!(matches!(heard, Heard::Cut(info) if info.cut == cut), at == last);
                // Behind every frame but the last: a whole cycle is no longer being staged.
                for (place, bad) in &bads {
                    if place.index(last) != at {
                        continue;
                    }
                    let (frame, cause) = spoil(bad, frame, &older, &status);
                    let counted = causes(&standby);
                    let heard = standby.member.hear(&mut standby.region, &frame, 1);
                    spoiled += 1;
                    prop_assert!(matches!(heard, Heard::Nothing | Heard::Layout(_)), "{:?}: {:?}", bad, heard);
                    let grown: Vec<Counter> = CAUSES
                        .iter()
                        .zip(causes(&standby).iter().zip(counted))
                        .flat_map(|(cause, (now, before))| vec![*cause; (now - before) as usize])
                        .collect();
                    prop_assert_eq!(grown.len(), 1, "{:?} is counted under {:?}", bad, &grown);
                    if let Some(cause) = cause {
                        prop_assert_eq!(grown[0], cause, "{:?}", bad);
                    }
                    prop_assert!(standby.exposed() == before, "{:?} has an effect", bad);
                    prop_assert_eq!(standby.member.state(), SyncState::Hot);
                }
            }
            prop_assert!(standby.exposed() == primary.exposed(), "{} is not what was committed", cut);
            prop_assert!(standby.region.live() == standby.region.image(), "what the step would work on is not the cut");
            older.extend(frames);
        }
        prop_assert_eq!(standby.region.counter(Counter::FramesHeard), good + spoiled);
        prop_assert_eq!(causes(&standby).iter().sum::<u64>(), spoiled);
        prop_assert_eq!(standby.region.counter(Counter::Gaps), 0);
    }

    #[test]
    fn any_bytes_at_all_are_counted_once(frames in vec(vec(any::<u8>(), 0..200), 0..50)) {
        let mut station = Station::new(1);
        for frame in &frames {
            prop_assert_eq!(station.member.hear(&mut station.region, frame, 1), Heard::Nothing);
        }
        prop_assert_eq!(station.region.counter(Counter::FramesHeard), frames.len() as u64);
        prop_assert_eq!(causes(&station).iter().sum::<u64>(), frames.len() as u64);
        prop_assert_eq!(station.region.cut(), Cut::NONE);
    }
}
