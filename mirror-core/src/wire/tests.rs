//! Round trips, and what every kind of damage is answered with.

extern crate std;
use super::header::BODY;
use super::*;
use crate::line::{LINE, Run};
use crate::{Cut, Epoch, Layout, checksum};
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

const LINES: usize = 1024;
const FRAME: usize = 1472;

fn ids() -> Ids {
    Ids { group: 7, layout: 9, node: 1 }
}

fn data(cycle: u64, since: u64) -> DataHeader {
    let base = Cut { epoch: Epoch::new(1, 1, 1), cycle: 10 };
    let slice = Slice { first: 3, lines: 4, digest: 5 };
    DataHeader { base, cycle, plant: 123, index: 0, count: 0, since, digest: 6, slice }
}

/// The frames of a cycle that carries `runs`, each line filled with a pattern of its number.
pub(super) fn encode(runs: &[Run], frame_bytes: usize) -> Vec<Vec<u8>> {
    let packed: Vec<u8> = runs.iter().flat_map(|r| r.start..r.end()).flat_map(pattern).collect();
    let mut sender = Sender::new(ids());
    let mut writer = CycleWriter::new(Source { runs, packed: &packed }, data(11, 10), frame_bytes);
    let mut frames = vec![];
    let mut memory = vec![0xaa; frame_bytes];
    while let Some(length) = writer.next(&sender.header(Epoch::new(2, 1, 2), 55), &mut memory) {
        frames.push(memory[..length].to_vec());
    }
    assert_eq!(frames.len() as u32, frames_needed(runs, frame_bytes));
    frames
}

fn pattern(line: u32) -> [u8; LINE] {
    core::array::from_fn(|i| (line as u8).wrapping_mul(31).wrapping_add(i as u8))
}

/// Runs in ascending order, apart from each other.
fn runs() -> impl Strategy<Value = Vec<Run>> {
    proptest::collection::vec((1u32..40, 1u32..60), 0..30).prop_map(|pairs| {
        let mut at = 0;
        let runs = pairs.into_iter().map(|(gap, count)| {
            let run = Run { start: at + gap, count };
            at = run.end();
            run
        });
        runs.take_while(|run| run.end() as usize <= LINES).collect()
    })
}

#[cfg(not(miri))]
proptest! {
    #[test]
    fn what_is_encoded_is_decoded(runs in runs(), frame_bytes in MIN_FRAME..4000usize) {
        let frames = encode(&runs, frame_bytes);
        let mut seen = vec![];
        for (i, frame) in frames.iter().enumerate() {
            prop_assert!(frame.len() == frame_bytes || i + 1 == frames.len());
            let Ok(Frame::Data(header, data, runs)) = Frame::decode(frame, LINES) else { panic!("{frame:?}") };
            prop_assert_eq!((header.ids, header.epoch, header.sent), (ids(), Epoch::new(2, 1, 2), 55));
            prop_assert_eq!(header.sequence, i as u64 + 1);
            prop_assert_eq!((data.index, data.count, data.cycle), (i as u32, frames.len() as u32, 11));
            prop_assert_eq!(runs.lines(), runs.iter().map(|(run, _)| run.count as usize).sum::<usize>());
            for (run, bytes) in runs {
                for (line, bytes) in (run.start..run.end()).zip(bytes.chunks(LINE)) {
                    prop_assert_eq!(bytes, &pattern(line)[..]);
                    seen.push(line);
                }
            }
        }
        prop_assert_eq!(seen, runs.iter().flat_map(|r| r.start..r.end()).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_give_a_frame_or_a_cause(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = Frame::decode(&bytes, LINES);
    }

    #[test]
    fn any_fields_under_a_good_checksum_give_a_frame_or_a_cause(
        at in BODY - 48..FRAME - 8, value in any::<u64>(), more in any::<u32>(), lines in 1usize..LINES,
    ) {
        let mut frame = encode(&[Run { start: 3, count: 100 }], FRAME).remove(0);
        frame[at..at + 8].copy_from_slice(&value.to_le_bytes());
        frame[128..132].copy_from_slice(&more.to_le_bytes());
        reseal(&mut frame);
        if let Ok(Frame::Data(_, data, runs)) = Frame::decode(&frame, lines) {
            prop_assert!(data.index < data.count && data.count as usize <= lines);
            let mut free_from = 0;
            for (run, bytes) in runs {
                prop_assert!(run.start >= free_from && run.end() as usize <= lines);
                prop_assert_eq!(bytes.len(), run.count as usize * LINE);
                free_from = run.end();
            }
        }
    }
}

fn reseal(frame: &mut [u8]) {
    let check = checksum::of_frame(&frame[16..]);
    frame[8..16].copy_from_slice(&check.to_le_bytes());
}

#[test]
fn no_flipped_bit_and_no_cut_goes_unseen() {
    let frame = encode(&[Run { start: 3, count: 2 }], FRAME).remove(0);
    let step = if cfg!(miri) { 97 } else { 1 };
    for bit in (0..frame.len() * 8).step_by(step) {
        let mut bad = frame.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let cause = Frame::decode(&bad, LINES).map(|_| ()).unwrap_err();
        let expected = match bit / 8 {
            0..4 => matches!(cause, Reject::Foreign(_)),
            4 => matches!(cause, Reject::Version(_)),
            6..8 => matches!(cause, Reject::Truncated { .. }),
            _ => cause == Reject::Damaged,
        };
        assert!(expected, "bit {bit}: {cause}");
    }
    for length in (0..frame.len()).step_by(step) {
        assert!(matches!(Frame::decode(&frame[..length], LINES), Err(Reject::Truncated { .. })), "{length}");
    }
}

#[test]
fn a_cycle_without_changes_is_one_short_frame() {
    let frames = encode(&[], FRAME);
    assert_eq!(frames.len(), 1);
    let Ok(Frame::Data(_, data, runs)) = Frame::decode(&frames[0], LINES) else { panic!() };
    assert_eq!((data.index, data.count, runs.lines(), frames[0].len()), (0, 1, 0, 152));
}

/// A good frame with one field overwritten.
fn with(at: usize, value: &[u8]) -> Result<(), Reject> {
    let mut frame = encode(&[Run { start: 3, count: 100 }], FRAME).remove(0);
    frame[at..at + value.len()].copy_from_slice(value);
    reseal(&mut frame);
    Frame::decode(&frame, LINES).map(|_| ())
}

#[test]
fn impossible_values_are_named() {
    let field = |result: Result<(), Reject>| match result {
        Err(Reject::Field { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(with(0, b"MIRR"), Ok(()), "untouched");
    assert_eq!(with(32, &[9]), Err(Reject::Kind(9)));
    assert_eq!(with(36, &[5]), Err(Reject::Key(5)));
    assert_eq!(field(with(33, &[2])), "flags");
    assert_eq!(field(with(34, &[0])), "node");
    assert_eq!(field(with(56, &[0; 8])), "epoch");
    assert_eq!(field(with(96, &10u64.to_le_bytes())), "cycle");
    assert_eq!(field(with(96, &u64::MAX.to_le_bytes())), "cycle");
    assert_eq!(field(with(112, &99u32.to_le_bytes())), "index");
    assert_eq!(field(with(116, &[0; 4])), "count");
    assert_eq!(field(with(116, &(LINES as u32 + 1).to_le_bytes())), "count");
    assert_eq!(field(with(128, &9u64.to_le_bytes())), "since");
    assert_eq!(field(with(128, &11u64.to_le_bytes())), "since");
    assert_eq!(field(with(136, &(LINES as u32 - 3).to_le_bytes())), "slice");
    assert_eq!(field(with(136, &u32::MAX.to_le_bytes())), "slice");
    assert_eq!(field(with(152, &(LINES as u32 - 3).to_le_bytes())), "run");
    assert_eq!(field(with(152, &u32::MAX.to_le_bytes())), "run");
    assert_eq!(field(with(156, &1000u32.to_le_bytes())), "run length");
    assert_eq!(field(with(156, &[0; 4])), "runs");
}

#[test]
fn runs_that_overlap_or_go_back_are_refused() {
    let mut frame = encode(&[Run { start: 5, count: 1 }, Run { start: 8, count: 1 }], FRAME).remove(0);
    for start in [0u32, 5] {
        let second = 152 + 8 + LINE;
        frame[second..second + 4].copy_from_slice(&start.to_le_bytes());
        reseal(&mut frame);
        assert!(matches!(Frame::decode(&frame, LINES), Err(Reject::Field { field: "run", .. })));
    }
}

#[test]
fn a_status_comes_back_as_it_was_sent() {
    let status = Status {
        state: SyncState::Joining,
        held: Cut { epoch: Epoch::new(4, 2, 9), cycle: 77 },
        newest: 80,
        lacks: 512,
        may_lead: true,
        layout: Layout::from_parts(9, 4096, *Layout::new("press 4", 4096).name_bytes()),
        seen: 1234,
        wants: core::array::from_fn(|i| Want {
            cycle: 70 + i as u64,
            first: 64 * i as u32,
            all: i == 3,
            bits: 5 << i,
        }),
        sweep: sweep_want(MAX_RANGES as u32),
    };
    let mut memory = [0xaa; 1472];
    let length = status.encode(&Sender::new(ids()).header(Epoch::new(4, 2, 9), 1), &mut memory);
    let Ok(Frame::Status(header, decoded)) = Frame::decode(&memory[..length], 1) else { panic!() };
    assert_eq!((decoded, header.ids), (status, ids()));
    memory[80] = 0;
    reseal(&mut memory[..length]);
    assert!(matches!(Frame::decode(&memory[..length], 1), Err(Reject::Field { field: "state", value: 0 })));
}

fn sweep_want(ranges: u32) -> SweepWant {
    let mut want = SweepWant { since: 60, ..SweepWant::default() };
    for (i, range) in want.ranges.iter_mut().take(ranges as usize).enumerate() {
        *range = Run { start: 10 * i as u32, count: 3 };
    }
    want
}

#[test]
fn a_small_frame_carries_as_many_ranges_as_fit() {
    let status = Status {
        state: SyncState::Joining,
        held: Cut::NONE,
        newest: 80,
        lacks: 512,
        may_lead: false,
        layout: Layout::from_parts(9, 4096, *Layout::new("press 4", 4096).name_bytes()),
        seen: 1234,
        wants: Wants::default(),
        sweep: sweep_want(MAX_RANGES as u32),
    };
    let mut memory = [0xaa; MIN_FRAME];
    let length = status.encode(&Sender::new(ids()).header(Epoch::new(4, 2, 9), 1), &mut memory);
    let Ok(Frame::Status(_, decoded)) = Frame::decode(&memory[..length], 1) else { panic!() };
    assert_eq!(decoded.sweep, sweep_want(6));
}

/// A chunk of lines 10 to 29, of which those given are carried.
fn sweep(lines: &[u32], frame: &mut [u8]) -> (SweepHeader, usize) {
    let base = Cut { epoch: Epoch::new(1, 1, 1), cycle: 10 };
    let sweep = SweepHeader { base, cycle: 12, plant: 55, since: 4, first: 10, lines: 20 };
    let mut writer = SweepWriter::new(frame);
    let all = lines.iter().all(|&line| writer.push(line, &pattern(line)));
    assert!(all, "they fit");
    let length = writer.finish(FrameKind::Sweep, &Sender::new(ids()).header(Epoch::new(2, 1, 2), 55), &sweep);
    (sweep, length)
}

#[test]
fn a_chunk_comes_back_as_it_was_sent() {
    let lines = [10, 11, 12, 15, 20, 21, 29];
    let mut memory = [0xaa; FRAME];
    let (sent, length) = sweep(&lines, &mut memory);
    let Ok(Frame::Sweep(header, got, runs)) = Frame::decode(&memory[..length], LINES) else { panic!() };
    assert_eq!((got, header.ids, runs.lines()), (sent, ids(), lines.len()));
    let mut seen = vec![];
    for (run, bytes) in runs {
        for (line, bytes) in (run.start..run.end()).zip(bytes.chunks(LINE)) {
            assert_eq!(bytes, &pattern(line)[..]);
            seen.push(line);
        }
    }
    assert_eq!(seen, lines);
}

#[test]
fn a_chunk_takes_no_more_lines_than_fit() {
    let mut memory = [0; MIN_FRAME];
    let mut writer = SweepWriter::new(&mut memory);
    let fit = (0..).take_while(|&line| writer.push(line * 2, &pattern(line))).count();
    assert_eq!(fit, (MIN_FRAME - 128) / (8 + LINE));
}

#[test]
fn chunks_that_no_correct_member_sends_are_refused_by_field() {
    let mut memory = [0; FRAME];
    let (_, length) = sweep(&[10, 29], &mut memory);
    let field = |at: usize, value: &[u8]| {
        let mut frame = memory[..length].to_vec();
        frame[at..at + value.len()].copy_from_slice(value);
        reseal(&mut frame);
        match Frame::decode(&frame, LINES) {
            Err(Reject::Field { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(field(33, &[1]), "flags");
    assert_eq!(field(56, &[0; 8]), "epoch");
    assert_eq!(field(96, &10u64.to_le_bytes()), "cycle");
    assert_eq!(field(96, &u64::MAX.to_le_bytes()), "cycle");
    assert_eq!(field(104, &u64::MAX.to_le_bytes()), "plant time");
    assert_eq!(field(112, &13u64.to_le_bytes()), "since");
    assert_eq!(field(120, &(LINES as u32).to_le_bytes()), "lines");
    assert_eq!(field(120, &u32::MAX.to_le_bytes()), "lines");
    assert_eq!(field(124, &[0; 4]), "lines");
    assert_eq!(field(124, &[19]), "run", "a line outside of the range");
    let mut frame = memory[..length].to_vec();
    for (lines, taken) in [(MOST_LINES, true), (MOST_LINES + 1, false)] {
        frame[124..128].copy_from_slice(&lines.to_le_bytes());
        reseal(&mut frame);
        let decoded = Frame::decode(&frame, 1 << 20);
        assert_eq!(matches!(decoded, Ok(Frame::Sweep(..))), taken, "{lines}: {decoded:?}");
    }
    assert_eq!(field(120, &[11]), "run", "a line outside of the range");
}

#[test]
fn a_wish_comes_back_as_it_was_sent_and_only_who_has_no_number_may_send_one() {
    let base = Cut { epoch: Epoch::new(1, 1, 1), cycle: 10 };
    let held = Cut { epoch: Epoch::new(1, 1, 1), cycle: 9 };
    let wish = Wish { base, held, newest: 14, lacks: 77, server: 3, seen: 99, sweep: sweep_want(40) };
    let nobody = Ids { node: 0, ..ids() };
    let header = Sender::new(nobody).header(Epoch::new(2, 1, 2), 55);
    let mut memory = [0xaa; FRAME];
    let length = wish.encode(&header, &mut memory);
    let Ok(Frame::Wish(got, decoded)) = Frame::decode(&memory[..length], LINES) else { panic!() };
    assert_eq!((got, decoded), (header, wish));
    for short in 0..length {
        assert!(Frame::decode(&memory[..short], LINES).is_err());
    }
    memory[34] = 1;
    reseal(&mut memory[..length]);
    let numbered = Frame::decode(&memory[..length], LINES).map(|_| ());
    assert_eq!(numbered, Err(Reject::Field { field: "node", value: 1 }));
    // However few bytes a frame has, the wish that fits is whole.
    let mut small = [0; MIN_FRAME];
    let length = wish.encode(&header, &mut small);
    let Ok(Frame::Wish(_, decoded)) = Frame::decode(&small[..length], LINES) else { panic!() };
    assert_eq!(decoded.sweep, sweep_want(40));
}

#[test]
fn a_refill_may_come_from_anybody_and_a_sweep_from_the_primary_alone() {
    let mut memory = [0; FRAME];
    let (sent, length) = sweep(&[10, 29], &mut memory);
    memory[34] = 9;
    reseal(&mut memory[..length]);
    let as_sweep = Frame::decode(&memory[..length], LINES).map(|_| ());
    assert!(matches!(as_sweep, Err(Reject::Field { field: "epoch", .. })));
    memory[32] = 6;
    reseal(&mut memory[..length]);
    let Ok(Frame::Refill(header, got, runs)) = Frame::decode(&memory[..length], LINES) else { panic!() };
    assert_eq!((header.ids.node, got, runs.lines()), (9, sent, 2));
}
