//! A sequence of frames of the fuzzer's making, each with a right checksum, at a member that follows.
//!
//! Frames may contradict each other here, so there is no history to compare with. What holds all the same: cuts only grow; a
//! cut is of a cycle that was heard whole, or that a chunk was as of; each of its lines stands as it stood, or as a frame of its
//! reign, not of a later cycle, carried it, or as zeros, if a chunk said that it was never written. Nothing else changes the image, and
//! the live memory of a hot member equals it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mirror_core::takeover::Heard;
use mirror_core::wire::{DataHeader, Frame, Runs, SyncState};
use mirror_core::{Cut, Epoch, LINE, Layout};

#[allow(dead_code)] // made for other tests, too
#[path = "../../src/member.rs"]
mod member;

use member::{GROUP, LINES, Station, reseal};

/// The fuzzer's bytes, read one after the other; zeros behind the end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, n: u64) -> u64 {
        u64::from(self.byte()) % n
    }
}

fn put(frame: &mut [u8], at: usize, value: u64) {
    frame[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// A frame that most often is a plausible one.
fn frame(input: &mut Input<'_>) -> Vec<u8> {
    let mut frame = vec![0; 152];
    let shape = input.byte();
    frame[..6].copy_from_slice(b"MIRR\x01\0");
    frame[32] = [1, 1, 1, 1, 4, 4, 4, 2][usize::from(shape >> 5)];
    frame[34] = 1 + (shape >> 1 & 1) * 2 + u8::from(shape & 0x1e == 0x1e); // 1 or 3, now and then 4
    let epoch = 1 + input.below(4) as u32;
    put(&mut frame, 40, GROUP);
    put(&mut frame, 48, Layout::new("station", LINES * LINE).hash);
    // Most often of the node that began the reign.
    let began = if shape & 8 == 0 { frame[34] } else { 1 };
    put(&mut frame, 56, Epoch::new(epoch, began, 0).0);
    // Base, cycle, control time.
    let base = input.below(u64::from(epoch)) as u32;
    put(&mut frame, 80, if base == 0 { 0 } else { Epoch::new(base, 1, 0).0 });
    let base_cycle = if base == 0 { 0 } else { input.below(6) };
    put(&mut frame, 88, base_cycle);
    let cycle = base_cycle + 1 + input.below(8);
    put(&mut frame, 96, cycle);
    put(&mut frame, 104, u64::from(shape >> 4 & 1));
    match frame[32] {
        2 => {
            // A status: a state, and zeros.
            frame[80] = 1 + input.below(4) as u8;
            frame.resize(464, 0);
        }
        4 => {
            // A chunk: since when, and which lines.
            frame.truncate(128);
            put(&mut frame, 112, input.below(cycle + 1) * (input.below(3) / 2));
            let first = input.below(LINES as u64);
            let lines = 1 + input.below(LINES as u64 - first);
            put(&mut frame, 120, first | lines << 32);
            runs(input, &mut frame, first, first + lines);
        }
        _ => {
            let count = 1 + input.below(3);
            put(&mut frame, 112, input.below(count) | count << 32);
            put(&mut frame, 128, (cycle - 1).saturating_sub(input.below(4)).max(base_cycle));
            runs(input, &mut frame, 0, LINES as u64);
        }
    }
    // A few bytes of anybody's choice.
    for _ in 0..input.below(16).saturating_sub(12) {
        let at = usize::from(input.byte()) % frame.len();
        frame[at] = input.byte();
    }
    reseal(&mut frame);
    frame
}

/// Some runs between two lines, now and then beyond.
fn runs(input: &mut Input<'_>, frame: &mut Vec<u8>, mut at: u64, end: u64) {
    for _ in 0..input.below(4) {
        let start = at + input.below(60);
        let lines = match input.byte() {
            255 => end - start.min(end - 1),
            n => (1 + u64::from(n) % 40).min(if n & 64 == 0 { end.saturating_sub(start).max(1) } else { 40 }),
        };
        let bytes = input.byte();
        frame.extend_from_slice(&(start as u32).to_le_bytes());
        frame.extend_from_slice(&(lines as u32).to_le_bytes());
        frame.resize(frame.len() + lines as usize * LINE, bytes);
        at = start + lines;
    }
}

/// What was heard of a reign.
struct Came {
    epoch: Epoch,
    cycle: u64,
    /// A data frame's fields; `None`: a chunk.
    data: Option<DataHeader>,
    lines: Vec<(usize, Vec<u8>)>,
}

impl Came {
    fn new(epoch: Epoch, cycle: u64, data: Option<DataHeader>, runs: Runs<'_>) -> Self {
        let lines = runs.iter().flat_map(|(run, bytes)| {
            let lines = (run.start as usize..run.end() as usize).zip(bytes.chunks(LINE));
            lines.map(|(line, bytes)| (line, bytes.to_vec()))
        });
        Self { epoch, cycle, data, lines: lines.collect() }
    }
}

/// Whether the cut `new` may be exposed after `old`.
fn check(came: &[Came], (old_cut, old): &(Cut, Vec<u8>), (cut, image): &(Cut, Vec<u8>)) {
    assert!(cut > old_cut, "{cut} after {old_cut}");
    let of_reign = || came.iter().filter(|c| c.epoch == cut.epoch && c.cycle <= cut.cycle);
    let of_cut = || of_reign().filter(|c| c.cycle == cut.cycle);
    let swept = of_cut().any(|c| c.data.is_none());
    let whole = of_cut().filter_map(|c| c.data).any(|like| {
        let have = |index| of_cut().filter_map(|c| c.data).any(|d| DataHeader { index, ..like } == d);
        (0..like.count).all(have)
    });
    assert!(swept || whole, "{cut} was not heard whole");
    let zero = of_reign().any(|c| c.data.is_none());
    for (line, (new, old)) in image.chunks(LINE).zip(old.chunks(LINE)).enumerate() {
        let carried = || of_reign().any(|c| c.lines.iter().any(|(l, b)| *l == line && b == new));
        assert!(new == old || zero && new == [0; LINE] || carried(), "line {line} of {cut} was made up");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let mut station = Station::new(2);
    let layout = Layout::new("station", LINES * LINE);
    let mut came = vec![];
    let mut exposed = station.exposed();
    let mut last: Vec<u8> = vec![];
    for _ in 0..64 {
        if input.0.is_empty() {
            break;
        }
        // Now and then the last one again, or bare bytes.
        let frame = match input.byte() {
            0 => std::mem::take(&mut last),
            1 => {
                let (raw, rest) = input.0.split_at(input.0.len().min(200));
                input.0 = rest;
                raw.to_vec()
            }
            _ => frame(&mut input),
        };
        if let Ok(frame) = Frame::decode(&frame, LINES)
            && (frame.header().ids.group, frame.header().ids.layout) == (GROUP, layout.hash)
        {
            match frame {
                Frame::Data(header, data, runs) => {
                    came.push(Came::new(header.epoch, data.cycle, Some(data), runs));
                }
                Frame::Sweep(header, sweep, runs) => {
                    came.push(Came::new(header.epoch, sweep.cycle, None, runs));
                }
                Frame::Parity(..) => break, // what it makes good may be anything
                _ => {}
            }
        }
        let heard = station.member.hear(&mut station.region, &frame, 1);
        let now = station.exposed();
        match heard {
            Heard::Cut(info) => {
                assert_eq!(info.cut, now.0);
                check(&came, &exposed, &now);
            }
            _ => assert!(now == exposed, "{heard:?} changed what is exposed"),
        }
        if station.member.state() == SyncState::Hot {
            assert!(station.region.live() == now.1);
        }
        exposed = now;
        last = frame;
    }
});
