//! A link that carries any bytes as frames of the protocol, for links beneath it that look at frames.
//!
//! Contract: that of [`mirror_transport::link`], for the link beneath. Each frame gets a header of PROTOCOL.md in front,
//! with the sender's id, a number of its own and the checksum; the receiver gets the bytes behind it.

use mirror_core::wire::{FrameKind, VERSION};
use mirror_core::{FrameSink, checksum};
use mirror_transport::{Link, LinkStats, Nanos, NetworkHealth};

/// Bytes of the header.
pub const HEADER: usize = 80;

/// The group of all sealed frames.
pub const GROUP: u64 = 0x4d49_5252;

/// Writes header and checksum of transmission `number` of `node` in front of the bytes in `frame[HEADER..]`.
///
/// # Panics
/// If the frame is shorter than its header, or longer than a frame can be.
pub fn seal(frame: &mut [u8], node: u8, number: u64) {
    let length = u16::try_from(frame.len()).expect("a frame has at most 65,507 bytes");
    frame[..HEADER].fill(0);
    frame[..4].copy_from_slice(b"MIRR");
    frame[4] = VERSION;
    frame[6..8].copy_from_slice(&length.to_le_bytes());
    frame[32] = FrameKind::Data as u8;
    frame[34] = node;
    frame[40..48].copy_from_slice(&GROUP.to_le_bytes());
    frame[64..72].copy_from_slice(&number.to_le_bytes());
    let check = checksum::of_frame(&frame[16..]);
    frame[8..16].copy_from_slice(&check.to_le_bytes());
}

/// See the [module](self).
pub struct SealedLink {
    link: Box<dyn Link>,
    node: u8,
    number: u64,
    frame: Box<[u8]>,
    lent: bool,
    refused: u64,
}

impl std::fmt::Debug for SealedLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedLink").field("node", &self.node).finish_non_exhaustive()
    }
}

impl SealedLink {
    /// Seals what goes over `link` as frames of `node`.
    #[must_use]
    pub fn new(link: Box<dyn Link>, node: u8) -> Self {
        let frame = vec![0; link.frame_bytes() - HEADER].into_boxed_slice();
        Self { link, node, number: 0, frame, lent: false, refused: 0 }
    }
}

impl FrameSink for SealedLink {
    fn frame_bytes(&self) -> usize {
        self.frame.len()
    }

    fn lend(&mut self) -> Option<&mut [u8]> {
        self.lent = true;
        Some(&mut self.frame)
    }

    fn push(&mut self, len: usize) {
        let len = len.min(self.frame.len());
        if !std::mem::take(&mut self.lent) || len == 0 {
            return;
        }
        let Some(memory) = self.link.lend() else {
            self.refused += 1;
            return;
        };
        self.number += 1;
        memory[HEADER..HEADER + len].copy_from_slice(&self.frame[..len]);
        seal(&mut memory[..HEADER + len], self.node, self.number);
        self.link.push(HEADER + len);
    }
}

impl Link for SealedLink {
    fn describe(&self) -> String {
        format!("sealed: {}", self.link.describe())
    }

    fn flush(&mut self) {
        self.lent = false;
        self.link.flush();
    }

    fn receive(&mut self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        self.link.receive(limit, &mut |frame| sink(&frame[HEADER..]))
    }

    fn wait(&mut self, until: Nanos) {
        self.link.wait(until);
    }

    fn stats(&mut self) -> LinkStats {
        let mut stats = self.link.stats();
        stats.sent_bytes -= stats.sent_frames * HEADER as u64;
        stats.received_bytes -= stats.received_frames * HEADER as u64;
        stats.refused_frames += self.refused;
        stats
    }

    fn networks(&self) -> &[NetworkHealth] {
        self.link.networks()
    }
}
