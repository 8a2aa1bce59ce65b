//! A sequence of frames of the fuzzer's making, each with a right checksum, at a member that follows.
//!
//! What it exposes is compared with what a plain history of the frames allows: a new cut has all its frames, of one description;
//! every line that changed came with one of them; what did not come stands as it stood in the cut before, which is the one
//! that the new cut builds on, unless the cycle is full, when every line came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mirror_core::takeover::Heard;
use mirror_core::wire::{DataHeader, Frame};
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
    let mut frame = vec![0; 128];
    let shape = input.byte();
    frame[..6].copy_from_slice(b"MIRR\x01\0");
    frame[32] = if shape & 0xe0 == 0xe0 { 2 } else { 1 };
    frame[33] = shape & 1; // full
    frame[34] = 1 + (shape >> 1 & 1) * 2 + u8::from(shape & 0x1e == 0x1e); // 1 or 3, now and then 4
    let epoch = 1 + input.below(4) as u32;
    put(&mut frame, 40, GROUP);
    put(&mut frame, 48, Layout::new("station", LINES * LINE).hash);
    // Most often of the node that began the reign.
    let began = if shape & 8 == 0 { frame[34] } else { 1 };
    put(&mut frame, 56, Epoch::new(epoch, began, 0).0);
    // Base, cycle, control time, index and count.
    let base = input.below(u64::from(epoch)) as u32;
    put(&mut frame, 80, if base == 0 { 0 } else { Epoch::new(base, 1, 0).0 });
    let base_cycle = if base == 0 { 0 } else { input.below(6) };
    put(&mut frame, 88, base_cycle);
    put(&mut frame, 96, base_cycle + 1 + input.below(5));
    put(&mut frame, 104, u64::from(shape >> 4 & 1));
    let count = 1 + input.below(3);
    put(&mut frame, 112, input.below(count) | count << 32);
    if frame[32] == 2 {
        // A status: a state, and whether it wants a full cycle.
        frame[80] = 1 + input.below(4) as u8;
        frame.resize(456, 0);
    } else {
        let mut at = 0;
        for _ in 0..input.below(4) {
            let start = at + input.below(60);
            let lines = match input.byte() {
                255 => LINES as u64 - start.min(99),
                n => 1 + u64::from(n) % 40,
            };
            let bytes = input.byte();
            frame.extend_from_slice(&(start as u32).to_le_bytes());
            frame.extend_from_slice(&(lines as u32).to_le_bytes());
            frame.resize(frame.len() + lines as usize * LINE, bytes);
            at = start + lines;
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

/// A data frame that was heard.
struct Came {
    epoch: Epoch,
    data: DataHeader,
    lines: Vec<(usize, Vec<u8>)>,
}

/// Whether the cut `new` may follow on the exposed `old`.
fn check(came: &[Came], (old_cut, old): &(Cut, Vec<u8>), (cut, image): &(Cut, Vec<u8>)) {
    assert!(cut > old_cut, "{cut} after {old_cut}");
    let of_cut = |c: &&Came| c.epoch == cut.epoch && c.data.cycle == cut.cycle;
    let allowed = came.iter().filter(of_cut).any(|first| {
        let like = DataHeader { index: 0, ..first.data };
        let frames = || came.iter().filter(of_cut).filter(|c| DataHeader { index: 0, ..c.data } == like);
        let all_came = (0..like.count).all(|index| frames().any(|c| c.data.index == index));
        let carried = |line: usize, bytes: &[u8]| {
            frames().any(|c| c.lines.iter().any(|(l, b)| *l == line && b == bytes))
        };
        let follows = cut.cycle == old_cut.cycle + 1 && (cut.epoch == old_cut.epoch || *old_cut == like.base);
        let lines = image.chunks(LINE).zip(old.chunks(LINE)).enumerate();
        let lines_fit =
            lines.clone().all(|(line, (new, old))| carried(line, new) || (!like.full && new == old));
        // Of each index one frame came through whole, but for lines that another frame of the cycle carries, too.
        let taken = (0..like.count).all(|index| {
            frames().filter(|c| c.data.index == index).any(|c| {
                c.lines.iter().all(|(line, bytes)| {
                    let new = &image[line * LINE..(line + 1) * LINE];
                    new == &bytes[..] || carried(*line, new)
                })
            })
        });
        all_came && lines_fit && taken && (like.full || follows)
    });
    let allowed = allowed || several(came, (*old_cut, old), (*cut, image));
    assert!(allowed, "{cut} on {old_cut} is no cycle that was sent");
}

/// Whether `new` is the last of several cycles that one frame completed: each of them came whole, from the one that follows on
/// `old`, or from a full one; and each line is as one of their frames carried it, or as it was.
fn several(came: &[Came], (old_cut, old): (Cut, &[u8]), (cut, image): (Cut, &[u8])) -> bool {
    let of = |cycle: u64| came.iter().filter(move |c| c.epoch == cut.epoch && c.data.cycle == cycle);
    let whole = |cycle: u64, full: bool| {
        of(cycle).filter(|first| !full || first.data.full).any(|first| {
            let like = DataHeader { index: 0, ..first.data };
            let frames = || of(cycle).filter(|c| DataHeader { index: 0, ..c.data } == like);
            (0..like.count).all(|index| frames().any(|c| c.data.index == index))
        })
    };
    // At most as many cycles as the member has records.
    (cut.cycle.saturating_sub(3)..=cut.cycle).any(|first| {
        let follows = first == old_cut.cycle + 1
            && (cut.epoch == old_cut.epoch || of(first).any(|c| c.data.base == old_cut));
        let full = whole(first, true);
        let fits = |(line, (new, old)): (usize, (&[u8], &[u8]))| {
            let carried = (first..=cut.cycle)
                .any(|cycle| of(cycle).any(|c| c.lines.iter().any(|(l, b)| *l == line && b == new)));
            carried || (follows && new == old)
        };
        (follows || full)
            && (first..=cut.cycle).all(|cycle| whole(cycle, false))
            && image.chunks(LINE).zip(old.chunks(LINE)).enumerate().all(fits)
    })
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
        if let Ok(Frame::Data(header, data, runs)) = Frame::decode(&frame, LINES)
            && (header.ids.group, header.ids.layout) == (GROUP, layout.hash)
        {
            let lines = runs.iter().flat_map(|(run, bytes)| {
                let lines = (run.start as usize..run.end() as usize).zip(bytes.chunks(LINE));
                lines.map(|(line, bytes)| (line, bytes.to_vec()))
            });
            came.push(Came { epoch: header.epoch, data, lines: lines.collect() });
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
        assert!(station.region.live() == now.1);
        exposed = now;
        last = frame;
    }
});
