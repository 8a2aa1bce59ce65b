//! `loss` on sockets: latency and age with losses beside the same without.
//!
//! Contract: two processes, one pair of nodes for each number of frames. Every round runs a calm slice and one of each weather over
//! each pair, one after the other, in the other order every other round. Both directions lose.

use super::hearer::{COMMAND, Heard};
use super::lossy::{Lossy, Switch, weather};
use super::weather::WEATHERS;
use super::{Settings, bar};
use crate::error::Error;
use crate::machine::{Machine, median};
use crate::pair::lead::{PATIENCE_S, lead, lead_until_answered};
use crate::pair::node::{AnyNode, Led, Pen, open};
use crate::pair::second::Second;
use crate::pair::settle;
use crate::pair::setup::{Setup, group};
use crate::report::Row;
use crate::stats::{histogram, interval, ratios};
use crate::workload::{Spread, Stamp, Workload};
use mirror::clock;
use mirror_core::LINE;
use serde_json::{Value, json};

/// The first cycles of a slice are not measured.
pub const WARM_UP: usize = 20;
/// Bytes of the region.
const REGION: usize = 1 << 20;
/// Scattered lines that a frame holds.
const LINES_A_FRAME: usize = 18;
/// Cycles without a change, before a slice.
const PAUSE: usize = 20;

/// A pair of nodes.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// Frames of a cycle.
    pub frames: usize,
    /// What it changes.
    pub work: Workload,
    /// Its primary.
    pub setup: Setup,
}

/// All pairs of a run.
#[must_use]
pub fn pairs(run: u32) -> Vec<Pair> {
    let pair = |(place, frames): (usize, usize)| {
        let work = Workload::new(REGION, frames * LINES_A_FRAME * LINE, Spread::Scattered);
        let setup = Setup { records: Some(8), ..Setup::primary(group(run, place), REGION) };
        Pair { frames, work, setup }
    };
    [1, 16, 256].into_iter().enumerate().map(pair).collect()
}

/// One pair while it runs.
struct Running {
    pair: Pair,
    node: Box<dyn AnyNode>,
    switch: Switch,
    steps: u64,
    tallies: Vec<Tally>,
}

/// Slices of one weather.
#[derive(Default)]
struct Tally {
    p50: Vec<f64>,
    p99: Vec<f64>,
    latencies: Vec<u64>,
    ages: Vec<u64>,
    cuts: Vec<f64>,
    torn: u64,
    dropped: u64,
    unfinished: u64,
    missed: u64,
}

impl Tally {
    fn add(&mut self, heard: Heard) {
        let of = histogram(heard.latencies.iter().copied());
        self.p50.push(of.value_at_quantile(0.5) as f64 / 1000.0);
        self.p99.push(of.value_at_quantile(0.99) as f64 / 1000.0);
        self.cuts.push(heard.cuts_percent);
        self.torn += heard.torn;
        self.dropped += heard.dropped;
        self.unfinished += u64::from(!heard.finished);
        self.latencies.extend(heard.latencies);
        self.ages.extend(heard.ages);
    }
}

/// Runs it. Gives the machine, settings and rows.
///
/// # Errors
/// [`Error`].
pub fn run(settings: &Settings, facts: Machine) -> Result<(Machine, Value, Vec<Row>), Error> {
    let run = std::process::id();
    let mut second = Second::start([COMMAND.to_owned(), run.to_string()])?;
    let (facts, how) = settle(facts);
    let mut running = Vec::new();
    for pair in pairs(run) {
        let switch = Switch::default();
        let link = Lossy::new(pair.setup.link()?, switch.clone());
        let node = open(&pair.setup, Some(Box::new(link)))?;
        let tallies = (0..=WEATHERS.len()).map(|_| Tally::default()).collect();
        running.push(Running { pair, node, switch, steps: 0, tallies });
    }
    let kinds = WEATHERS.len() + 1;
    let bar = bar(settings.rounds * running.len() * kinds, "slices");
    for round in 0..settings.rounds {
        for i in 0..running.len() {
            for turn in 0..kinds {
                let kind = if round % 2 == 0 { turn } else { kinds - 1 - turn };
                bar.set_message(name(running[i].pair.frames, kind));
                join(&mut second, &mut running)?;
                let seed = settings.seed ^ (round * kinds + kind) as u64;
                slice(&mut second, &mut running[i], (i, kind), seed, settings.cycles)?;
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    second.finish()?;
    let rows = running.into_iter().flat_map(Running::rows).collect();
    Ok((facts, how, rows))
}

fn name(frames: usize, kind: usize) -> String {
    format!("udp/{frames} frame{}/{}", if frames == 1 { "" } else { "s" }, weather(kind).name)
}

/// Until all standbys are hot and hold a cut.
fn join(second: &mut Second, running: &mut [Running]) -> Result<(), Error> {
    second.ask("join")?;
    let until = clock::now() + PATIENCE_S * 1_000_000_000;
    while !second.answered()? {
        for Running { node, .. } in &mut *running {
            node.turn(&mut |_| {})?;
        }
        if clock::now() > until {
            return Err(Error::Late("a standby's return to hot", PATIENCE_S));
        }
    }
    second.answer()?;
    Ok(())
}

fn slice(
    second: &mut Second,
    running: &mut Running,
    (i, kind): (usize, usize),
    seed: u64,
    cycles: usize,
) -> Result<(), Error> {
    let Running { pair, node, switch, steps, tallies } = running;
    lead(&mut **node, PAUSE, &mut |_| {}, |_| {})?;
    let (first, last) = (*steps + 1, *steps + (cycles + WARM_UP) as u64);
    *steps = last;
    second.ask(&format!("slice {i} {kind} {seed} {first} {last}"))?;
    second.answer()?;
    switch.set(kind, !seed);
    let (work, mut step) = (pair.work, first - 1);
    let mut write = |pen: &mut dyn Pen| {
        step += 1;
        work.step(step, |at, bytes| pen.write(at, bytes));
        pen.write(0, &Stamp { at: clock::now(), cycle: step, last: 0 }.bytes());
    };
    let missed = &mut tallies[kind].missed;
    let (mut led, mut lost_ticks) = (0, 0);
    lead(&mut **node, cycles + WARM_UP, &mut write, |one: Led| {
        lost_ticks += if led > 0 { one.missed } else { 0 };
        led += 1;
    })?;
    *missed += lost_ticks;
    // What the last cycles lost is healed by those that follow.
    if !lead_until_answered(&mut **node, second, &mut |_| {}, |_| {}, PATIENCE_S)? {
        return Err(Error::Late("the standby's answer", PATIENCE_S));
    }
    switch.set(0, 0);
    tallies[kind].add(second.told()?);
    Ok(())
}

impl Running {
    fn rows(self) -> Vec<Row> {
        let Self { pair, tallies, .. } = self;
        let calm = &tallies[0];
        tallies
            .iter()
            .enumerate()
            .map(|(kind, tally)| row(&name(pair.frames, kind), kind, tally, calm))
            .collect()
    }
}

fn row(name: &str, kind: usize, tally: &Tally, calm: &Tally) -> Row {
    let mut row = Row::new(name.to_owned());
    row.put("part", json!("sockets")).put("against", json!("the same pair without loss"));
    let middle = |values: &[f64]| median(&mut values.to_vec());
    let all = histogram(tally.latencies.iter().copied());
    row.set("p50_us", middle(&tally.p50)).set("p99_us", middle(&tally.p99));
    row.set("p999_us", all.value_at_quantile(0.999) as f64 / 1000.0)
        .set("most_us", all.max() as f64 / 1000.0);
    if kind > 0 {
        let still = histogram(calm.latencies.iter().copied());
        row.set("calm_p50_us", middle(&calm.p50)).set("calm_p99_us", middle(&calm.p99));
        row.set("calm_p999_us", still.value_at_quantile(0.999) as f64 / 1000.0);
        interval(&ratios(&tally.p50, &calm.p50)).put(&mut row, "ratio_p50");
        interval(&ratios(&tally.p99, &calm.p99)).put(&mut row, "ratio_p99");
        let excess = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
        interval(&excess(&tally.p50, &calm.p50)).put(&mut row, "excess_us");
        interval(&excess(&tally.p99, &calm.p99)).put(&mut row, "excess_p99_us");
    }
    row.set("cuts_percent", middle(&tally.cuts));
    let ages = histogram(tally.ages.iter().copied());
    for (key, q) in [("age_p50", 0.5), ("age_p99", 0.99), ("age_p999", 0.999), ("age_max", 1.0)] {
        row.put(key, json!(ages.value_at_quantile(q)));
    }
    row.put("cycles", json!(tally.latencies.len())).put("frames_dropped", json!(tally.dropped));
    row.put("torn", json!(tally.torn)).put("ticks_missed", json!(tally.missed));
    row.put("slices_cut_short", json!(tally.unfinished));
    row
}
