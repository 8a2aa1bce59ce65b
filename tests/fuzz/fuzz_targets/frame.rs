//! Any bytes at all, as they are and with a right checksum: decoding gives a frame or a cause, and a frame keeps its word.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mirror_core::LINE;
use mirror_core::wire::{Frame, MAX_FRAME};

#[allow(dead_code)] // made for tests of members, too
#[path = "../../src/member.rs"]
mod member;

fn decode(bytes: &[u8], lines: usize) {
    let Ok(Frame::Data(header, data, runs)) = Frame::decode(bytes, lines) else { return };
    assert!(header.ids.node > 0 && header.epoch > data.base.epoch);
    assert!(data.index < data.count && data.count as usize <= lines && data.cycle > data.base.cycle);
    // In ascending order and inside the region, with the bytes that they say.
    let (mut free_from, mut carried) = (0, 0);
    for (run, bytes) in runs {
        assert!(run.start >= free_from && run.count > 0 && run.end() as usize <= lines);
        assert_eq!(bytes.len(), run.count as usize * LINE);
        free_from = run.end();
        carried += run.count as usize;
    }
    assert_eq!(carried, runs.lines());
    assert!(carried > 0 || data.count == 1);
}

fuzz_target!(|bytes: &[u8]| {
    let mut resealed = bytes[..bytes.len().min(MAX_FRAME)].to_vec();
    if resealed.len() > 5 {
        resealed[..6].copy_from_slice(b"MIRR\x01\0");
    }
    member::reseal(&mut resealed);
    for lines in [1, 7, 100, 1 << 26] {
        decode(bytes, lines);
        decode(&resealed, lines);
    }
});
