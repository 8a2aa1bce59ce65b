//! What the rounds of a case add up to.

use super::case::Case;
use super::sides::{STALL, Seen};
use crate::machine::median;
use crate::report::Row;
use hdrhistogram::Histogram;
use mirror_core::LINE;
use serde_json::json;

/// What a cycle may take above its floor beside the capture: so much, and so much more for each dirty byte.
const ALLOWED_US: f64 = 1.0;
const ALLOWED_US_PER_BYTE: f64 = 0.0002;

/// Slices of one kind: the product's or the floor's.
#[derive(Debug, Default)]
struct Half {
    /// p50 and p99 of each round, microseconds.
    p50: Vec<f64>,
    p99: Vec<f64>,
    most: u64,
    cycles: u64,
    lost: u64,
    stalls: u64,
}

impl Half {
    fn add(&mut self, seen: &Seen) {
        let mut histogram = Histogram::<u64>::new(3).expect("three digits are possible");
        for &sample in &seen.samples {
            histogram.record(sample).expect("it grows as needed");
        }
        if !histogram.is_empty() {
            self.p50.push(histogram.value_at_quantile(0.5) as f64 / 1000.0);
            self.p99.push(histogram.value_at_quantile(0.99) as f64 / 1000.0);
        }
        self.most = self.most.max(histogram.max());
        self.cycles += histogram.len();
        self.lost += seen.lost;
        self.stalls += seen.samples.iter().filter(|&&sample| sample > STALL).count() as u64;
    }
}

/// All slices of a case.
#[derive(Debug)]
pub(super) struct Tally {
    case: Case,
    ours: Half,
    floor: Half,
    capture_ns: Vec<u64>,
    torn: u64,
    takeovers: u64,
    missed: u64,
    unfinished: u64,
}

impl Tally {
    pub(super) fn new(case: Case) -> Self {
        let (ours, floor) = (Half::default(), Half::default());
        Self { case, ours, floor, capture_ns: Vec::new(), torn: 0, takeovers: 0, missed: 0, unfinished: 0 }
    }

    /// `missed`: ticks that the sender missed; `None`: it did not lead.
    pub(super) fn slice(&mut self, ours: bool, seen: &Seen, missed: Option<u64>) {
        if ours { &mut self.ours } else { &mut self.floor }.add(seen);
        self.torn += seen.torn;
        self.takeovers += seen.takeovers.max(u64::from(missed.is_none()));
        self.missed += missed.unwrap_or(0);
        self.unfinished += u64::from(!seen.finished);
    }

    pub(super) fn capture(&mut self, ns: u64) {
        self.capture_ns.push(ns);
    }

    pub(super) fn row(mut self) -> Row {
        // Of rounds, not of medians: how far the ratio of one round lay from that of another.
        let mut ratios: Vec<f64> = self.ours.p50.iter().zip(&self.floor.p50).map(|(a, b)| a / b).collect();
        let [p50, p99] = [median(&mut self.ours.p50), median(&mut self.ours.p99)];
        let [floor50, floor99] = [median(&mut self.floor.p50), median(&mut self.floor.p99)];
        median(&mut ratios);
        let capture = median(&mut self.capture_ns) as f64 / 1000.0;
        let allowed = capture + ALLOWED_US + ALLOWED_US_PER_BYTE * self.case.work.dirty as f64;
        let (excess, ratio) = (p50 - floor50, p50 / floor50);
        let mut row = Row::new(self.case.name());
        row.set("p50_us", p50).set("p99_us", p99);
        row.set("ratio_p50", ratio).set("ratio_p99", p99 / floor99);
        row.put("against", json!("bare UDP multicast, same bytes and options"));
        row.set("floor_p50_us", floor50).set("floor_p99_us", floor99);
        row.set("ratio_p50_least", ratios.first().copied().unwrap_or(0.0));
        row.set("ratio_p50_most", ratios.last().copied().unwrap_or(0.0));
        row.set("excess_us", excess).set("capture_us", capture).set("allowed_us", allowed);
        row.put("within_allowed", json!(excess <= allowed));
        if let Some(target) = self.case.target_ratio() {
            row.set("target_ratio_p50", target).put("within_target", json!(ratio <= target));
        }
        row.put("dirty_lines", json!(self.case.work.dirty / LINE));
        row.put("cycles", json!(self.ours.cycles)).put("lost", json!(self.ours.lost));
        row.put("stalls", json!(self.ours.stalls)).set("most_us", self.ours.most as f64 / 1000.0);
        row.put("floor_cycles", json!(self.floor.cycles)).put("floor_lost", json!(self.floor.lost));
        row.put("floor_stalls", json!(self.floor.stalls));
        row.set("floor_most_us", self.floor.most as f64 / 1000.0);
        row.put("torn", json!(self.torn)).put("unplanned_takeovers", json!(self.takeovers));
        row.put("ticks_missed", json!(self.missed)).put("slices_cut_short", json!(self.unfinished));
        row
    }
}
