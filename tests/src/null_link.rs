//! A link to nowhere: takes every frame, and brings none.
//!
//! Contract: that of [`mirror_transport::link`]. For a node that is alone, and for tests of what needs no network.

use mirror_core::FrameSink;
use mirror_transport::{Link, LinkStats, Nanos};

/// The link to nowhere.
#[derive(Debug)]
pub struct NullLink {
    frame: Box<[u8]>,
    stats: LinkStats,
}

impl NullLink {
    /// Takes frames of up to `frame_bytes` bytes.
    #[must_use]
    pub fn new(frame_bytes: usize) -> Self {
        Self { frame: vec![0; frame_bytes].into_boxed_slice(), stats: LinkStats::default() }
    }
}

impl FrameSink for NullLink {
    fn frame_bytes(&self) -> usize {
        self.frame.len()
    }

    fn lend(&mut self) -> Option<&mut [u8]> {
        Some(&mut self.frame)
    }

    fn push(&mut self, len: usize) {
        self.stats.sent_frames += 1;
        self.stats.sent_bytes += len.min(self.frame.len()) as u64;
    }
}

impl Link for NullLink {
    fn describe(&self) -> String {
        "nowhere".into()
    }

    fn flush(&mut self) {}

    fn receive(&mut self, _limit: usize, _sink: &mut dyn FnMut(&[u8])) -> usize {
        0
    }

    /// Sleeps: several such nodes share the cores of a test machine.
    fn wait(&mut self, until: Nanos) {
        let left = until.saturating_sub(mirror::clock::now()).min(1_000_000);
        std::thread::sleep(std::time::Duration::from_nanos(left));
    }

    fn stats(&mut self) -> LinkStats {
        self.stats
    }
}
