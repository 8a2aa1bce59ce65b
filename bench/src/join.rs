//! `join`: a standby that joins a primary at work: how long until it is hot, and what the primary's commits cost meanwhile.
//!
//! Contract: every line of the region was written once. The primary runs at 1 kHz, marks, and changes 1 % of its lines each cycle. In every round the standby opens a node with
//! empty memory in the middle of it; its time runs from the first frame that it hears. When it is hot, two slices without a join
//! follow, with the standby following: the first is what the join is held against, the second against the first
//! tells how much two equal slices differ. The primary's cycles go on from one to the next without a break.

use crate::error::Error;
use crate::loss::bar;
use crate::machine;
use crate::pair::follow::{COMMAND, Opened};
use crate::pair::lead::{lead, lead_until_answered};
use crate::pair::node::{AnyNode, Led, Pen, open};
use crate::pair::second::Second;
use crate::pair::settle;
use crate::pair::setup::{PERIOD, Setup, group, repair_budget};
use crate::report::{Report, Row};
use crate::stats::{histogram, interval, ratios};
use crate::workload::{Spread, Workload, size_name};
use mirror_core::LINE;
use serde_json::json;

/// What is aimed at: time to hot over what the budget allows; the primary's median commit during the join over that without.
const TARGET_ALLOWED: f64 = 1.15;
const TARGET_COMMIT: f64 = 1.2;
/// Lines side by side that a frame of 1472 bytes holds.
const LINES_A_FRAME: usize = 20;
/// Scattered lines that it holds.
const SCATTERED_A_FRAME: u64 = 18;
/// Cycles between two parts of a round.
const PAUSE: usize = 50;
/// Cycles in which all that was written at once has left, whatever the send budget.
const SETTLED: usize = 400;
/// A join that takes longer is given up, seconds.
const PATIENCE_S: u64 = 10;

/// What is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Joins of each size, at least 1.
    pub rounds: usize,
    /// Cycles of a slice without a join.
    pub cycles: usize,
    /// Bytes of the regions.
    pub regions: Vec<usize>,
}

/// What a size came to.
#[derive(Default)]
struct Tally {
    hot_ms: Vec<f64>,
    /// Cycles of the primary in that time.
    hot_cycles: Vec<f64>,
    /// p50 and p99 of each part: join, first slice without, second slice without.
    p50: [Vec<f64>; 3],
    p99: [Vec<f64>; 3],
    missed: u64,
    not_in_time: u64,
}

/// Runs it. Progress goes to standard error.
///
/// # Errors
/// [`Error`].
pub fn run(settings: &Settings) -> Result<Report, Error> {
    let mut second = Second::start([COMMAND.to_owned()])?;
    let (facts, mut how) = settle(machine::facts());
    let bar = bar(settings.rounds * settings.regions.len(), "joins");
    let mut rows = Vec::new();
    for (i, &region) in settings.regions.iter().enumerate() {
        let setup = Setup::primary(group(std::process::id(), i), region);
        let dirty = (region / 100 / LINE).max(1) * LINE;
        let work = Workload::new(region, dirty, Spread::Scattered);
        let mut node = open(&setup, None)?;
        fill(&mut *node, region)?;
        let (mut tally, mut step) = (Tally::default(), 0);
        for _ in 0..settings.rounds {
            bar.set_message(size_name(region));
            round(
                &mut *node,
                &mut second,
                &setup.standby(),
                (&work, &mut step),
                settings.cycles,
                &mut tally,
            )?;
            bar.inc(1);
        }
        rows.push(row(&work, &mut tally));
    }
    bar.finish_and_clear();
    second.finish()?;
    how["rounds"] = json!(settings.rounds);
    how["cycles_per_slice"] = json!(settings.cycles);
    how["dirty_percent"] = json!(1);
    Ok(Report { bench: "join", machine: facts, settings: how, rows })
}

/// Writes every line once, as a state that has been worked on: lines that were never written need not be sent to anybody.
fn fill(node: &mut dyn AnyNode, region: usize) -> Result<(), Error> {
    let all = Workload::new(region, region, Spread::Contiguous);
    let mut write = |pen: &mut dyn Pen| {
        all.step(1, |at, bytes| pen.write(at, bytes));
        pen.write(0, &[1]);
    };
    lead(node, 1, &mut write, |_| {})?;
    lead(node, SETTLED, &mut |_| {}, |_| {})
}

fn round(
    node: &mut dyn AnyNode,
    second: &mut Second,
    standby: &Setup,
    (work, step): (&Workload, &mut u64),
    cycles: usize,
    tally: &mut Tally,
) -> Result<(), Error> {
    let mut write = |pen: &mut dyn Pen| {
        *step += 1;
        work.step(*step, |at, bytes| pen.write(at, bytes));
    };
    let mut missed = 0;
    lead(node, PAUSE, &mut write, |_| {})?;
    let standby = serde_json::to_string(standby).map_err(std::io::Error::from)?;
    second.ask(&format!("open {standby}"))?;
    let mut joining: Vec<Led> = Vec::new();
    let joined = lead_until_answered(node, second, &mut write, |led| joining.push(led), PATIENCE_S)?;
    if joined {
        let Opened { first, hot } = second.told()?;
        let during = joining.iter().filter(|led| (first..hot).contains(&led.at)).map(|led| led.took);
        let mut parts: [Vec<u64>; 3] = [during.collect(), Vec::new(), Vec::new()];
        tally.hot_cycles.push(parts[0].len() as f64);
        for part in &mut parts[1..] {
            lead(node, PAUSE, &mut write, |_| {})?;
            lead(node, cycles, &mut write, |led| {
                part.push(led.took);
                missed += led.missed;
            })?;
        }
        tally.hot_ms.push((hot - first) as f64 / 1e6);
        for (i, part) in parts.iter().enumerate() {
            let part = histogram(part.iter().copied());
            tally.p50[i].push(part.value_at_quantile(0.5) as f64 / 1000.0);
            tally.p99[i].push(part.value_at_quantile(0.99) as f64 / 1000.0);
        }
    } else {
        tally.not_in_time += 1;
    }
    tally.missed += missed + joining.iter().map(|led| led.missed).sum::<u64>();
    second.ask("close")?;
    loop {
        lead_until_answered(node, second, &mut write, |_| {}, PATIENCE_S)?;
        if second.answer()? == "closed" {
            return Ok(());
        }
    }
}

fn row(work: &Workload, tally: &mut Tally) -> Row {
    let lines = (work.dirty / LINE) as u64;
    let frames = lines.div_ceil(SCATTERED_A_FRAME);
    let budget = repair_budget(frames) * (LINES_A_FRAME * LINE) as u64;
    let allowed = work.region as f64 / budget as f64 * PERIOD as f64 / 1e6;
    let mut row = Row::new(format!("{}/1% dirty", size_name(work.region)));
    row.put("against", json!("what the budget allows; the same primary without a join"));
    interval(&tally.hot_ms).put(&mut row, "hot_ms");
    row.set("allowed_ms", allowed).put("budget_bytes_a_cycle", json!(budget));
    row.set("hot_cycles", interval(&tally.hot_cycles).median);
    row.set("allowed_cycles", work.region as f64 / budget as f64);
    let of_allowed: Vec<f64> = tally.hot_ms.iter().map(|ms| ms / allowed).collect();
    interval(&of_allowed).put(&mut row, "ratio_allowed");
    row.set("target_ratio_allowed", TARGET_ALLOWED);
    for (i, part) in ["", "without_", "again_"].into_iter().enumerate() {
        row.set(&format!("{part}p50_us"), interval(&tally.p50[i]).median);
        row.set(&format!("{part}p99_us"), interval(&tally.p99[i]).median);
    }
    let [p50, p99] = [&tally.p50, &tally.p99];
    interval(&ratios(&p50[0], &p50[1])).put(&mut row, "ratio_p50");
    interval(&ratios(&p99[0], &p99[1])).put(&mut row, "ratio_p99");
    interval(&ratios(&p50[2], &p50[1])).put(&mut row, "aa_ratio_p50");
    interval(&ratios(&p99[2], &p99[1])).put(&mut row, "aa_ratio_p99");
    row.set("target_ratio_p50", TARGET_COMMIT);
    row.put("dirty_lines", json!(lines)).put("joins", json!(tally.hot_ms.len()));
    row.put("not_in_time", json!(tally.not_in_time)).put("ticks_missed", json!(tally.missed));
    row
}
