//! `capture`: Diff beside its floor, a bare read of both copies by the same instructions.
//!
//! Contract: both run alternately on the same memory, in batches long enough for the clock; the dirty lines change their
//! values before each batch. What is reported are medians over batches. One thread, no kernel.

use crate::floor::TwoStreams;
use crate::machine::{self, median};
use crate::micro::{Capture, trackers};
use crate::report::{Report, Row};
use crate::workload::{Spread, Workload, size_name};
use mirror::clock;
use mirror_core::{LINE, Tracker};
use serde_json::json;

/// Captures of 64 KiB (about 1 us each) in a batch; smaller regions take more, larger ones fewer.
const BATCH_BYTES: usize = 32 * (64 << 10);

/// Region and dirty bytes.
#[must_use]
pub fn works(quick: bool) -> Vec<Workload> {
    let of = |region, dirty| Workload::new(region, dirty, Spread::Scattered);
    let mut works = vec![of(64 << 10, 16 * LINE)];
    if !quick {
        works.extend([
            of(4 << 10, LINE),
            of(64 << 10, LINE),
            of(64 << 10, 16 << 10),
            of(1 << 20, 256 * LINE),
        ]);
    }
    works
}

/// Measures every way of comparing that this machine has.
#[must_use]
pub fn run(works: &[Workload], batches: usize) -> Report {
    let facts = machine::facts();
    let pinned = machine::pin(0);
    let first = machine::First::go();
    let mut rows = Vec::new();
    for &work in works {
        for tracker in trackers(work.region) {
            let Some(floor) = TwoStreams::like(tracker.name()) else { continue };
            rows.push(one(work, tracker, floor, batches));
        }
    }
    Report {
        bench: "capture",
        machine: facts,
        settings: json!({
            "batches": batches,
            "batch_bytes": BATCH_BYTES,
            "pinned": pinned.is_some(),
            "priority": first.how,
        }),
        rows,
    }
}

fn one(work: Workload, tracker: Box<dyn Tracker>, floor: TwoStreams, batches: usize) -> Row {
    let name = format!("{}/{}/{}", size_name(work.region), size_name(work.dirty), tracker.name());
    let times = (BATCH_BYTES / work.region).max(1);
    let mut bench = Capture::new(work, tracker);
    let (mut ours, mut bare) = (Vec::with_capacity(batches), Vec::with_capacity(batches));
    let mut lines = 0;
    let per = |took: u64| took as f64 / times as f64 / 1000.0;
    for batch in 0..batches + batches / 8 {
        bench.dirty();
        let t0 = clock::now();
        for _ in 0..times {
            lines += bench.run();
        }
        let t1 = clock::now();
        for _ in 0..times {
            let (live, image) = bench.both();
            floor.read(live, image);
        }
        let t2 = clock::now();
        if batch >= batches / 8 {
            ours.push(per(t1 - t0));
            bare.push(per(t2 - t1));
        }
    }
    debug_assert_eq!(lines * LINE, work.dirty * times * (batches + batches / 8));
    let [p50, floor50] = [median(&mut ours), median(&mut bare)];
    let p99 = |sorted: &[f64]| sorted.get(sorted.len() * 99 / 100).copied().unwrap_or(0.0);
    let mut row = Row::new(name);
    row.set("p50_us", p50).set("p99_us", p99(&ours));
    row.set("ratio_p50", p50 / floor50).set("ratio_p99", p99(&ours) / p99(&bare));
    row.put("against", json!("a bare read of both copies by the same instructions"));
    row.set("floor_p50_us", floor50).set("floor_p99_us", p99(&bare));
    row.set("gb_per_s", work.region as f64 / 1000.0 / p50);
    if (work.region, work.dirty) == (64 << 10, 16 * LINE) {
        row.set("target_ratio_p50", 1.2).put("within_target", json!(p50 / floor50 <= 1.2));
    }
    row
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_way_has_a_floor() {
        let report = super::run(&super::works(true), 8).json();
        assert_eq!(report["rows"].as_array().unwrap().len(), mirror_core::track::Diff::all().count());
    }
}
