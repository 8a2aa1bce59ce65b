//! What every link has to do, as checks that each of them runs.
//!
//! [`link_conformance!`](crate::link_conformance) makes a module with one `#[test]` for each check. What it is given opens one
//! group, apart from every other, or says why it cannot and answers `None`:
//!
//! ```text
//! mirror_transport::link_conformance!(memory, || {
//!     let net = MemoryNet::new(1472, 1);
//!     Some(Box::new(move |_wait| Box::new(net.link())))
//! });
//! ```
//!
//! No check asserts a duration: a busy machine may stop for 50 ms at any time. Waiting is bounded by a number of
//! tries instead, far beyond what any stall seen took. Bursts are small enough for a receive buffer of 4 MiB, so that
//! what is missing is a fault and not an overrun; the one check that overruns on purpose accounts for it.

use std::time::Duration;

use crate::wait::now;
use crate::{Link, WaitMode};

/// Opens one more member of a group. Members may hear themselves or not.
pub type Group = Box<dyn FnMut(WaitMode) -> Box<dyn Link>>;

/// Makes a module `$name` with every check of the suite as a test of the groups that `$open` (a
/// `Fn() -> Option<`[`Group`](crate::conformance::Group)`>`) opens. See [`conformance`](crate::conformance).
#[macro_export]
macro_rules! link_conformance {
    ($name:ident, $open:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn open() -> Option<$crate::conformance::Group> {
                ($open)()
            }

            $crate::link_conformance!(@checks
                every_length_arrives
                batches_arrive_in_order
                a_short_frame_may_stand_anywhere
                what_was_not_pushed_is_not_sent
                a_frame_lent_again_is_as_it_was_left
                a_push_beyond_the_end_is_cut
                the_limit_is_respected
                every_receiver_hears_everything
                senders_do_not_mix
                nobody_has_to_read
                an_empty_link_returns
                the_counts_add_up
            );
        }
    };
    (@checks $($check:ident)*) => {
        $(
            #[test]
            fn $check() {
                if let Some(mut group) = open() {
                    $crate::conformance::$check(&mut group);
                }
            }
        )*
    };
}

/// The bytes of frame `number`: told apart from every other frame's from the first byte on, and its own number
/// readable in the first eight.
fn content(number: u64, len: usize) -> Vec<u8> {
    let word = |i: u64| if i == 0 { number } else { (number ^ i << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15) };
    (0u64..).flat_map(|i| word(i).to_le_bytes()).take(len).collect()
}

fn send(link: &mut dyn Link, number: u64, len: usize) {
    let frame = link.lend().expect("an idle link lends a frame");
    frame[..len].copy_from_slice(&content(number, len));
    link.push(len);
}

/// Lets a link that received nothing for `tries` times in a row get on. False: enough is enough.
fn patience(tries: u32) -> bool {
    if tries < 1000 {
        std::thread::yield_now();
    } else {
        std::thread::sleep(Duration::from_micros(200));
    }
    tries < 20_000
}

/// Receives until `want` frames are there, and asks once more for what should not be.
fn receive(link: &mut dyn Link, want: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut tries = 0;
    loop {
        let before = frames.len();
        let enough = before >= want;
        let kept = kept_back(link);
        let said = link.receive(64, &mut |frame| frames.push(frame.to_vec()));
        let taken = frames.len() - before + (kept_back(link) - kept) as usize;
        assert_eq!(said, taken, "receive returns the number of frames taken off the network");
        if enough {
            return frames;
        }
        tries = if said > 0 { 0 } else { tries + 1 };
        assert!(patience(tries), "{} of {want} frames arrived", frames.len());
    }
}

/// Frames that were taken off the network and not handed out.
fn kept_back(link: &mut dyn Link) -> u64 {
    let stats = link.stats();
    stats.oversized_frames + stats.second_copies
}

fn expect(link: &mut dyn Link, sent: &[(u64, usize)]) {
    let frames = receive(link, sent.len());
    assert_eq!(frames.len(), sent.len(), "no more frames than were sent");
    for (frame, &(number, len)) in frames.iter().zip(sent) {
        assert_eq!(frame.len(), len, "length of frame {number}");
        assert!(*frame == content(number, len), "bytes of frame {number}, {len} long");
    }
}

fn pair(group: &mut Group) -> (Box<dyn Link>, Box<dyn Link>) {
    (group(WaitMode::Spin), group(WaitMode::Spin))
}

/// Frames of `len` that make a burst of about 1 MiB, at most `most`.
fn burst(len: usize, most: usize) -> usize {
    ((1 << 20) / len).max(3).min(most)
}

/// Frames of every length, from one byte to the largest, arrive whole, unchanged and in order.
pub fn every_length_arrives(group: &mut Group) {
    let (mut a, mut b) = pair(group);
    let largest = a.frame_bytes();
    // All small ones; beyond, steps that hit no power of two, and the last few.
    let lens: Vec<usize> =
        (1..=largest).filter(|len| *len <= 1500 || *len % 997 == 0 || *len + 3 > largest).collect();
    for lens in lens.chunks(burst(largest, 50)) {
        let sent: Vec<(u64, usize)> = lens.iter().map(|&len| (len as u64, len)).collect();
        for &(number, len) in &sent {
            send(&mut *a, number, len);
        }
        a.flush();
        expect(&mut *b, &sent);
    }
}

/// Batches of full frames, longer than any that a kernel takes at once, arrive in order.
pub fn batches_arrive_in_order(group: &mut Group) {
    let (mut a, mut b) = pair(group);
    let len = a.frame_bytes();
    let mut number = 0;
    for frames in [1, 2, 43, 44, 45, 63, 64, 65, 128, 130].map(|n| burst(len, n)) {
        let sent: Vec<(u64, usize)> = (number..).map(|n| (n, len)).take(frames).collect();
        for &(number, len) in &sent {
            send(&mut *a, number, len);
        }
        a.flush();
        expect(&mut *b, &sent);
        number += frames as u64;
    }
}

/// A short frame at the end, at the start, in the middle, and several in a row.
pub fn a_short_frame_may_stand_anywhere(group: &mut Group) {
    let (mut a, mut b) = pair(group);
    let full = a.frame_bytes();
    let short = full.div_ceil(3);
    let shapes: [&[usize]; 6] = [
        &[full, full, short],
        &[short, full, full],
        &[full, short, full, full, short, full],
        &[short, short, short],
        &[full, full, 1, short, full],
        &[1],
    ];
    let mut number = 0;
    for shape in shapes {
        let sent: Vec<(u64, usize)> = (number..).zip(shape.iter().copied()).collect();
        for &(number, len) in &sent {
            send(&mut *a, number, len);
        }
        a.flush();
        expect(&mut *b, &sent);
        number += sent.len() as u64;
    }
}

/// A frame lent and not pushed, a frame of no bytes, a push without a frame, and a flush of nothing send nothing.
pub fn what_was_not_pushed_is_not_sent(group: &mut Group) {
    let (mut a, mut b) = pair(group);
    let full = a.frame_bytes();
    a.flush();
    for _ in 0..3 {
        a.lend().expect("an idle link lends a frame").fill(0xEE);
    }
    a.push(0);
    a.push(full);
    send(&mut *a, 7, full);
    a.push(full);
    a.lend().expect("an idle link lends a frame").fill(0xEE);
    a.flush();
    // The flush took back what was lent.
    a.push(full);
    send(&mut *a, 8, full);
    a.flush();
    a.flush();
    expect(&mut *b, &[(7, full), (8, full)]);
    assert_eq!(a.stats().sent_frames, 2);
}

/// What was written into a frame is still there when it is lent again, and is what leaves.
pub fn a_frame_lent_again_is_as_it_was_left(group: &mut Group) {
    let (mut a, mut b) = pair(group);
    let full = a.frame_bytes();
    let sent = [(1, full), (2, full), (3, full.div_ceil(2)), (4, full)];
    for (number, len) in sent {
        a.lend().expect("an idle link lends a frame").copy_from_slice(&content(number, full));
        assert!(*a.lend().expect("an idle link lends a frame") == content(number, full), "frame {number}");
        a.push(len);
    }
    a.flush();
    expect(&mut *b, &sent);
}

/// A push of more than was lent is cut to it.
pub fn a_push_beyond_the_end_is_cut(group: &mut Group) {
    let (mut a, mut b) = pair(group);
    let full = a.frame_bytes();
    for number in 0..2 {
        a.lend().expect("an idle link lends a frame").copy_from_slice(&content(number, full));
        a.push(if number == 0 { full + 1 } else { usize::MAX });
    }
    a.flush();
    expect(&mut *b, &[(0, full), (1, full)]);
    assert_eq!(a.stats().sent_bytes, 2 * full as u64);
}

/// A limit of none hands out none; frames that cannot have been joined are handed out to the limit exactly; and
/// what one call leaves behind the next ones hand out, in order.
pub fn the_limit_is_respected(group: &mut Group) {
    let (mut a, mut b) = pair(group);
    // Each longer than the one before: nothing joins such frames.
    let sent: Vec<(u64, usize)> = (1..=40.min(a.frame_bytes())).map(|len| (len as u64, len)).collect();
    for &(number, len) in &sent {
        send(&mut *a, number, len);
        a.flush();
    }
    assert_eq!(b.receive(0, &mut |_| panic!("a limit of none hands out none")), 0);
    let mut lens = Vec::new();
    let mut tries = 0;
    while lens.len() < sent.len() {
        let got = b.receive(3, &mut |frame| lens.push(frame.len()));
        assert!(got <= 3, "{got} frames for a limit of 3");
        tries = if got > 0 { 0 } else { tries + 1 };
        assert!(patience(tries), "{} of {} frames arrived", lens.len(), sent.len());
    }
    assert_eq!(lens, sent.iter().map(|s| s.1).collect::<Vec<_>>());

    // Joined frames may exceed it, but are neither lost nor doubled.
    let full = a.frame_bytes();
    let sent: Vec<(u64, usize)> = (0..burst(full, 100) as u64).map(|n| (n, full)).collect();
    for &(number, len) in &sent {
        send(&mut *a, number, len);
    }
    a.flush();
    let mut frames = 0;
    let mut tries = 0;
    while frames < sent.len() {
        let got = b.receive(1, &mut |frame| {
            assert!(frame == content(frames as u64, full), "frame {frames}");
            frames += 1;
        });
        tries = if got > 0 { 0 } else { tries + 1 };
        assert!(patience(tries), "{frames} of {} frames arrived", sent.len());
    }
}

/// Every member but the sender gets every frame.
pub fn every_receiver_hears_everything(group: &mut Group) {
    let mut a = group(WaitMode::Spin);
    let mut others: Vec<_> = (0..4).map(|_| group(WaitMode::Spin)).collect();
    let full = a.frame_bytes();
    for round in 0..3 {
        let mut sent: Vec<(u64, usize)> =
            (0..burst(full, 70) as u64).map(|n| (n + 100 * round, full)).collect();
        sent.push((99 + 100 * round, full.div_ceil(2)));
        for &(number, len) in &sent {
            send(&mut *a, number, len);
        }
        a.flush();
        for other in &mut others {
            expect(&mut **other, &sent);
        }
    }
}

/// Two that send at once: each one's frames arrive whole and in its own order.
pub fn senders_do_not_mix(group: &mut Group) {
    let (mut a, mut b) = pair(group);
    let mut c = group(WaitMode::Spin);
    let full = a.frame_bytes();
    const B: u64 = 1 << 32;
    let each = burst(full, 60) as u64;
    for number in 0..each {
        send(&mut *a, number, full);
        send(&mut *b, B + number, full);
        if number % 7 == 6 {
            a.flush();
        }
        if number % 5 == 4 {
            b.flush();
        }
    }
    a.flush();
    b.flush();
    let mut next = [0, B];
    for frame in receive(&mut *c, 2 * each as usize) {
        assert_eq!(frame.len(), full);
        let number = number_of(&frame);
        let next = &mut next[usize::from(number >= B)];
        assert_eq!(number, *next, "in the order of its sender");
        assert!(frame == content(number, full), "bytes of frame {number}");
        *next += 1;
    }
    assert_eq!(next, [each, B + each]);
}

/// The number that [`content`] wrote, as far as the frame goes.
fn number_of(frame: &[u8]) -> u64 {
    frame.iter().take(8).rev().fold(0, |n, &byte| n << 8 | u64::from(byte))
}

/// A sender goes on whoever reads. Whoever reads later gets whole frames, in order, and knows if some are missing.
pub fn nobody_has_to_read(group: &mut Group) {
    const FRAMES: u64 = 10_000;
    let (mut a, mut b) = pair(group);
    let len = a.frame_bytes().min(1472);
    let mut not_lent = 0;
    for number in 0..FRAMES {
        if let Some(frame) = a.lend() {
            frame[..len].copy_from_slice(&content(number, len));
            a.push(len);
        } else {
            not_lent += 1;
        }
    }
    a.flush();
    let sent = a.stats();
    assert_eq!(sent.sent_frames + sent.refused_frames + not_lent, FRAMES);

    let (mut received, mut last, mut tries) = (0, None, 0);
    loop {
        let got = b.receive(64, &mut |frame| {
            assert_eq!(frame.len(), len);
            let number = number_of(frame);
            assert!(last < Some(number), "frame {number} after {last:?}");
            assert!(frame == content(number, len), "bytes of frame {number}");
            last = Some(number);
            received += 1;
        });
        tries = if got > 0 { 0 } else { tries + 1 };
        let told = received == sent.sent_frames || (tries > 1000 && b.stats().kernel_drops > 0);
        if told {
            break;
        }
        assert!(patience(tries), "{received} of {} frames arrived and no drop was counted", sent.sent_frames);
    }
    let stats = b.stats();
    assert_eq!(stats.received_frames, received);
    assert!(received <= sent.sent_frames);
    assert!(received + stats.kernel_drops <= sent.sent_frames, "{stats:?} of {sent:?}");
}

/// Nothing there: `receive` returns none and `wait` returns, in every way to wait, for any deadline.
pub fn an_empty_link_returns(group: &mut Group) {
    for wait in [WaitMode::Spin, WaitMode::Yield, WaitMode::Block] {
        let mut link = group(wait);
        let now = now();
        for until in [0, now, now + 1, now + 999, now + 1_000_000] {
            link.wait(until);
            assert_eq!(link.receive(10, &mut |_| panic!("nobody sent")), 0);
        }
    }
    // And with something there it comes, however one waits for it.
    for wait in [WaitMode::Spin, WaitMode::Yield, WaitMode::Block] {
        let (mut a, mut b) = (group(wait), group(wait));
        send(&mut *a, 1, 1);
        send(&mut *a, 2, 2);
        a.flush();
        let mut got = 0;
        let mut tries = 0;
        while got < 2 {
            b.wait(now() + 1_000_000);
            got += b.receive(1, &mut |_| ());
            tries += 1;
            assert!(patience(tries), "{got} of 2 frames arrived");
        }
    }
}

/// What one counts as sent the other counts as received, in frames and in bytes; nothing else is counted.
pub fn the_counts_add_up(group: &mut Group) {
    let (mut a, mut b) = pair(group);
    assert_eq!(a.stats(), crate::LinkStats::default());
    let full = a.frame_bytes();
    let lens = [full, full, 1, full, full.div_ceil(2), full];
    let bytes: usize = lens.iter().sum();
    for round in 1..=5 {
        for (number, &len) in (0..).zip(&lens) {
            send(&mut *a, number, len);
        }
        a.flush();
        receive(&mut *b, lens.len());
        let (sent, received) = (a.stats(), b.stats());
        assert_eq!(sent.sent_frames, round * lens.len() as u64);
        assert_eq!(sent.sent_bytes, round * bytes as u64);
        assert_eq!(sent.refused_frames, 0);
        assert_eq!(received.received_frames, sent.sent_frames);
        assert_eq!(received.received_bytes, sent.sent_bytes);
        assert_eq!((received.sent_frames, received.kernel_drops, received.oversized_frames), (0, 0, 0));
    }
    assert!(!a.describe().is_empty());
}
