//! The floor of a whole region at once: the same bytes over a bare socket, acknowledged, so that none is lost.
//!
//! Contract: the sockets and the batches of [`Bare`]. At most [`WINDOW`] bytes are on their way: the receiver says after every
//! eighth of that how much it has, and the sender waits for that when it is a window ahead. So the transfer is paced by the
//! receiver and overruns no buffer. Nothing is sent again: what is lost in spite of that makes the transfer fail.

use crate::bare::Bare;
use crate::workload::Stamp;
use mirror::clock;
use std::io;

/// Bytes on their way at most; a receive buffer holds several times as much.
pub const WINDOW: usize = 1 << 20;
/// Bytes between two words of the receiver.
const SAID_EVERY: usize = WINDOW / 8;
/// A transfer in which nothing came for so long has failed, nanoseconds.
const QUIET: u64 = 500_000_000;

/// Sends transfer number `number`, whole. Says whether the receiver has it all.
///
/// # Errors
/// What the kernel says.
pub fn send(bare: &mut Bare, number: u64) -> io::Result<bool> {
    let stamp = Stamp { at: clock::now(), cycle: number, last: 0 };
    let (total, mut sent, mut has, mut part) = (bare.bytes(), 0, 0, 0);
    let mut heard_at = stamp.at;
    while has < total {
        if sent < total && sent - has <= WINDOW {
            sent += bare.send_part(part, stamp)?;
            part += 1;
        }
        // While there is room the answers are looked for now and then, at its end all the time.
        if (sent == total || sent - has > WINDOW || part % 4 == 0)
            && let Some((said, _)) = bare.piece()
            && said.cycle == number
        {
            (has, heard_at) = (said.last as usize, clock::now());
        } else if clock::now() > heard_at + QUIET {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Receives transfer number `number`. Gives when it began and when its last byte had come, nanoseconds.
///
/// # Errors
/// What the kernel says.
pub fn receive(bare: &mut Bare, number: u64) -> io::Result<Option<(u64, u64)>> {
    let (mut got, mut said) = (0, 0);
    let mut until = clock::now() + 4 * QUIET;
    while clock::now() < until {
        let Some((stamp, bytes)) = bare.piece() else { continue };
        if stamp.cycle != number {
            continue;
        }
        got += bytes;
        let now = clock::now();
        until = now + QUIET;
        if got - said >= SAID_EVERY || got >= bare.bytes() {
            said = got;
            bare.say(Stamp { at: now, cycle: number, last: got as u64 })?;
        }
        if got >= bare.bytes() {
            return Ok(Some((stamp.at, now)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddrV4};

    #[test]
    fn all_bytes_come_although_they_are_more_than_a_window() {
        let [_, a, b, c] = std::process::id().to_be_bytes();
        let group = SocketAddrV4::new(Ipv4Addr::new(239, 64 | a & 63, b, c), 28_970);
        let bytes = 5 * WINDOW + 4242;
        let mut receiver = Bare::open(group, 2, bytes).unwrap();
        let mut sender = Bare::open(group, 1, bytes).unwrap();
        let heard = std::thread::spawn(move || receive(&mut receiver, 7).unwrap());
        assert!(send(&mut sender, 7).unwrap(), "the receiver said that it has all");
        let (began, ended) = heard.join().unwrap().expect("all came");
        assert!(began <= ended);
    }
}
