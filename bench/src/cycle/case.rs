//! What is measured: region, dirty bytes, tracker.

use crate::workload::{Spread, Workload, size_name};
use mirror::Track;
use std::net::{Ipv4Addr, SocketAddrV4};

/// One case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Which lines.
    pub work: Workload,
    /// How they are found.
    pub track: Track,
}

/// The sizes of region that a case can have: each is a type of its own.
pub const REGIONS: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

impl Case {
    fn new(region: usize, dirty: usize, track: Track) -> Self {
        Self { work: Workload::new(region, dirty, Spread::Scattered), track }
    }

    /// `udp/64KiB/16KiB/diff`: region, dirty bytes, tracker. Dirty lines are scattered unless the name says otherwise.
    #[must_use]
    pub fn name(&self) -> String {
        let Workload { region, dirty, spread } = self.work;
        let track = match self.track {
            Track::Diff => "diff",
            Track::Marked => "marked",
        };
        let spread = if spread == Spread::Contiguous { "/contiguous" } else { "" };
        format!("udp/{}/{}/{track}{spread}", size_name(region), size_name(dirty))
    }

    /// The share of the floor that a cycle may take over loopback, where one is set.
    #[must_use]
    pub fn target_ratio(&self) -> Option<f64> {
        match (self.work.dirty, self.track) {
            (1024, Track::Marked) => Some(1.3),
            (16_384, Track::Diff) => Some(1.4),
            (65_536, Track::Diff) => Some(1.6),
            _ => None,
        }
    }
}

/// All cases; `quick`: those that matter most. `regions`: only those of these sizes (empty: all).
#[must_use]
pub fn cases(quick: bool, regions: &[usize]) -> Vec<Case> {
    use Track::{Diff, Marked};
    const K: usize = 1 << 10;
    let main = [
        Case::new(64 * K, K, Marked),
        Case::new(64 * K, K, Diff),
        Case::new(64 * K, 16 * K, Marked),
        Case::new(64 * K, 16 * K, Diff),
        Case::new(64 * K, 64 * K, Diff),
    ];
    let more = [
        Case::new(4 * K, 64, Diff),
        Case::new(4 * K, K, Diff),
        Case { work: Workload::new(64 * K, 16 * K, Spread::Contiguous), track: Diff },
        Case::new(1024 * K, 16 * K, Marked),
    ];
    let wanted = |case: &Case| regions.is_empty() || regions.contains(&case.work.region);
    let more = more.into_iter().filter(|_| !quick || !regions.is_empty());
    main.into_iter().chain(more).filter(wanted).collect()
}

/// Where a case's nodes meet, and where its floor's ends do; different for every run.
#[must_use]
pub fn groups(run: u32, case: usize) -> [SocketAddrV4; 2] {
    let [_, a, b, c] = run.to_be_bytes();
    let ip = Ipv4Addr::new(239, 64 | a & 63, b, c);
    [0, 1].map(|side| SocketAddrV4::new(ip, 29_000 + 2 * case as u16 + side))
}
