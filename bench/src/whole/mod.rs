//! `whole`: every line of a region changes in one step: how long until the standby holds it.
//!
//! Contract: the primary's cycles follow one another without a pause; after the step that changes all come empty ones, until the
//! standby has said that it holds it. Time runs from when the state is ready, immediately before its commit, until the standby's
//! turn returned the cut. Floor and product take turns in every round, in the other order every other round.

pub mod floor;
pub mod hearer;

use crate::bare::Bare;
use crate::error::Error;
use crate::loss::{bar, pipe::AROUND};
use crate::machine;
use crate::pair::lead::{lead, lead_until_answered};
use crate::pair::node::{AnyNode, Led, Pen, open};
use crate::pair::second::Second;
use crate::pair::settle;
use crate::pair::setup::{PRIMARY, Setup, group};
use crate::report::{Report, Row};
use crate::stats::{interval, ratios};
use crate::workload::{Spread, Stamp, Workload, size_name};
use hearer::{COMMAND, Held};
use mirror::clock;
use mirror_core::LINE;
use serde_json::json;

/// What is aimed at, with the budget at the link's rate.
const TARGET: f64 = 1.5;
/// A region that takes longer is given up, seconds.
pub const PATIENCE_S: u64 = 10;
/// Lines side by side that a frame of 1472 bytes holds.
const LINES_A_FRAME: usize = 20;
/// Bytes of a frame.
const FRAME: u64 = 1472;

/// A send budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// For people.
    pub name: &'static str,
    /// Frames a cycle; `None`: the product's default.
    pub frames: Option<u32>,
    /// Whether the aim holds for it.
    pub aimed: bool,
}

/// The budgets that are measured.
pub const BUDGETS: &[Budget] = &[
    Budget { name: "link rate", frames: Some(1_000_000), aimed: true },
    Budget { name: "default budget", frames: None, aimed: false },
];

/// What is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Rounds, at least 1.
    pub rounds: usize,
    /// Bytes of the regions.
    pub regions: Vec<usize>,
}

#[derive(Default)]
struct Tally {
    ours_ms: Vec<f64>,
    floor_ms: Vec<f64>,
    commit_ms: Vec<f64>,
    commits: Vec<f64>,
    torn: u64,
    not_in_time: u64,
}

/// Runs it. Progress goes to standard error.
///
/// # Errors
/// [`Error`].
pub fn run(settings: &Settings) -> Result<Report, Error> {
    let mut second = Second::start([COMMAND.to_owned()])?;
    let (facts, mut how) = settle(machine::facts());
    let bar = bar(settings.rounds * settings.regions.len() * BUDGETS.len(), "rounds");
    let mut rows = Vec::new();
    for &region in &settings.regions {
        for budget in BUDGETS {
            let [ours, floor] = [0, 1].map(|i| group(std::process::id(), 2 * rows.len() + i));
            let setup = Setup { back_to_back: true, budget: budget.frames, ..Setup::primary(ours, region) };
            let standby = serde_json::to_string(&setup.standby()).map_err(std::io::Error::from)?;
            second.ask(&format!("open {standby} {floor}"))?;
            second.answer()?;
            let mut pair = Pair {
                node: open(&setup, None)?,
                bare: Bare::open(floor, PRIMARY, region)?,
                work: Workload::new(region, region, Spread::Contiguous),
                second: &mut second,
            };
            let mut tally = Tally::default();
            for round in 0..settings.rounds as u64 {
                bar.set_message(format!("{}/{}", size_name(region), budget.name));
                for ours in [round % 2 == 0, round % 2 != 0] {
                    if ours { pair.ours(round + 1, &mut tally)? } else { pair.floor(round + 1, &mut tally)? }
                }
                bar.inc(1);
            }
            rows.push(row(region, budget, &tally));
        }
    }
    bar.finish_and_clear();
    second.finish()?;
    how["rounds"] = json!(settings.rounds);
    how["floor_window_bytes"] = json!(floor::WINDOW);
    Ok(Report { bench: "whole", machine: facts, settings: how, rows })
}

struct Pair<'a> {
    node: Box<dyn AnyNode>,
    bare: Bare,
    work: Workload,
    second: &'a mut Second,
}

impl Pair<'_> {
    fn ours(&mut self, number: u64, tally: &mut Tally) -> Result<(), Error> {
        let Self { node, work, second, .. } = self;
        second.ask("hot")?;
        if !lead_until_answered(&mut **node, second, &mut |_| {}, |_| {}, 2 * PATIENCE_S)? {
            return Err(Error::Late("the standby's return to hot", 2 * PATIENCE_S));
        }
        second.answer()?;
        second.ask(&format!("ours {number}"))?;
        second.answer()?;
        let mut write = |pen: &mut dyn Pen| {
            work.step(number, |at, bytes| pen.write(at, bytes));
            pen.write(0, &Stamp { at: clock::now(), cycle: number, last: 0 }.bytes());
        };
        let mut commits: Vec<Led> = Vec::with_capacity(1 << 16);
        lead(&mut **node, 1, &mut write, |led| commits.push(led))?;
        lead_until_answered(&mut **node, second, &mut |_| {}, |led| commits.push(led), 2 * PATIENCE_S)?;
        let held: Held = second.told()?;
        match held.took {
            None => {
                tally.not_in_time += 1;
                // Pairs stay pairs.
                tally.ours_ms.push(f64::INFINITY);
            }
            Some(ns) => {
                tally.ours_ms.push(ns as f64 / 1e6);
                tally.commit_ms.push(commits[0].took as f64 / 1e6);
                tally.commits.push(commits.iter().filter(|led| led.at < held.at).count() as f64);
                tally.torn += u64::from(held.torn);
            }
        }
        Ok(())
    }

    fn floor(&mut self, number: u64, tally: &mut Tally) -> Result<(), Error> {
        self.second.ask(&format!("floor {number}"))?;
        self.second.answer()?;
        let sent = floor::send(&mut self.bare, number)?;
        let held: Held = self.second.told()?;
        match held.took.filter(|_| sent) {
            Some(ns) => tally.floor_ms.push(ns as f64 / 1e6),
            None => {
                tally.not_in_time += 1;
                tally.floor_ms.push(0.0);
            }
        }
        Ok(())
    }
}

fn row(region: usize, budget: &Budget, tally: &Tally) -> Row {
    let mut row = Row::new(format!("{}/{}", size_name(region), budget.name));
    row.put("against", json!("the same bytes over a bare socket, acknowledged, none lost"));
    let ratio = interval(&ratios(&tally.ours_ms, &tally.floor_ms));
    // A figure that JSON does not have stands for one that there is not.
    if ratio.median.is_finite() {
        interval(&tally.ours_ms).put(&mut row, "held_ms");
        ratio.put(&mut row, "ratio_p50");
        row.set("commit_ms", interval(&tally.commit_ms).median);
        row.set("commits", interval(&tally.commits).median);
    }
    interval(&tally.floor_ms).put(&mut row, "floor_ms");
    if budget.aimed {
        row.set("target_ratio_p50", TARGET).put("within_target", json!(ratio.median <= TARGET));
    }
    let frames = (region / LINE).div_ceil(LINES_A_FRAME) as u64;
    let bits = (frames * (FRAME + AROUND) * 8) as f64;
    for (key, rate) in [("wire_1g_ms", 1e9), ("wire_10g_ms", 1e10), ("wire_25g_ms", 2.5e10)] {
        row.set(key, bits / rate * 1e3);
    }
    row.put("frames", json!(frames)).put("transfers", json!(tally.ours_ms.len()));
    row.put("torn", json!(tally.torn)).put("not_in_time", json!(tally.not_in_time));
    row
}
