//! `slow`: what a standby that is slow, stopped or gone costs the primary's commits.
//!
//! Contract: the primary runs at 1 kHz. In every round each trouble has a slice of its own, between two with a healthy standby; its p50
//! and p99 are held against the mean of theirs. Before each slice the standby is healthy again: hot, with the
//! newest cycle. The row `healthy` does nothing in its slice: it tells how much equal slices differ.
//!
//! Beside each slice stands one of the floor: the same bytes sent over a bare socket, to one in the same standby's process. Over
//! loopback the sender does the kernel's part of receiving, so that changes with the receiver too, and is no work of the
//! product.

use crate::bare::Bare;
use crate::error::Error;
use crate::loss::bar;
use crate::machine;
use crate::pair::follow::COMMAND;
use crate::pair::lead::{PATIENCE_S, lead, lead_until_answered};
use crate::pair::node::{AnyNode, Pen, open};
use crate::pair::second::Second;
use crate::pair::settle;
use crate::pair::setup::{PERIOD, PRIMARY, Setup, group};
use crate::report::{Report, Row};
use crate::stats::{histogram, interval, ratios};
use crate::workload::{Spread, Workload, size_name};
use mirror::clock;
use rustix::process::Signal;
use serde_json::json;

/// What is aimed at: the median commit over that with a healthy standby.
const TARGET: f64 = 1.02;
/// Cycles before each slice.
const PAUSE: usize = 30;
/// What a slow standby sleeps between two turns, microseconds.
const SLEEP_US: u64 = 20_000;
/// The floors' groups come after those of the nodes.
const FLOORS: usize = 32;
/// Bytes of the region.
const REGION: usize = 64 << 10;

/// What is wrong with the standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    Healthy,
    /// It sleeps between two turns.
    Slow,
    /// Its process is stopped.
    Stopped,
    /// Its process is killed.
    Gone,
}

const TROUBLES: [(Trouble, &str); 4] = [
    (Trouble::Healthy, "healthy"),
    (Trouble::Slow, "slow (20 ms)"),
    (Trouble::Stopped, "stopped"),
    (Trouble::Gone, "gone"),
];

/// What is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Rounds, at least 1.
    pub rounds: usize,
    /// Cycles of a slice, at most 200: in longer ones the standby takes itself for stalled.
    pub cycles: usize,
    /// Bytes that a cycle changes.
    pub dirty: Vec<usize>,
}

/// p50 and p99 of a slice, microseconds: of the commit, of the floor's send.
#[derive(Clone, Copy, Debug)]
struct Slice {
    commit: [f64; 2],
    floor: [f64; 2],
}

/// Slices of one trouble: p50 and p99, and those of the healthy ones around them.
#[derive(Default)]
struct Tally {
    p50: Vec<f64>,
    p99: Vec<f64>,
    healthy50: Vec<f64>,
    healthy99: Vec<f64>,
    floor50: Vec<f64>,
    floor_healthy50: Vec<f64>,
    missed: u64,
}

/// A pair while it runs.
struct Running<'a> {
    node: &'a mut dyn AnyNode,
    second: Second,
    /// What the standby is told at its opening.
    opening: String,
    bare: Bare,
    work: Workload,
    step: u64,
    missed: u64,
}

/// Runs it. Progress goes to standard error.
///
/// # Errors
/// [`Error`].
pub fn run(settings: &Settings) -> Result<Report, Error> {
    let cores = machine::affinity()?;
    let mut second = Some(Second::start([COMMAND.to_owned()])?);
    let (facts, mut how) = settle(machine::facts());
    let bar = bar(settings.rounds * settings.dirty.len() * TROUBLES.len(), "slices");
    let mut rows = Vec::new();
    for (i, &dirty) in settings.dirty.iter().enumerate() {
        let setup = Setup::primary(group(std::process::id(), i), REGION);
        let work = Workload::new(REGION, dirty, Spread::Scattered);
        let mut node = open(&setup, None)?;
        let taken = match second.take() {
            Some(second) => second,
            None => start(&cores)?,
        };
        let floor = group(std::process::id(), FLOORS + i);
        let standby = serde_json::to_string(&setup.standby()).map_err(std::io::Error::from)?;
        let mut running = Running {
            node: &mut *node,
            second: taken,
            opening: format!("open {standby} {floor} {dirty}"),
            bare: Bare::open(floor, PRIMARY, dirty)?,
            work,
            step: 0,
            missed: 0,
        };
        running.open()?;
        let mut tallies: [Tally; 4] = Default::default();
        for round in 0..settings.rounds {
            for turn in 0..TROUBLES.len() {
                let at = (turn + round) % TROUBLES.len();
                bar.set_message(format!("{}/{}", size_name(dirty), TROUBLES[at].1));
                running.measure(TROUBLES[at].0, settings.cycles, &cores, &mut tallies[at])?;
                bar.inc(1);
            }
        }
        running.second.finish()?;
        rows.extend(TROUBLES.iter().zip(&tallies).map(|((_, name), tally)| row(name, dirty, tally)));
    }
    bar.finish_and_clear();
    how["rounds"] = json!(settings.rounds);
    how["cycles_per_slice"] = json!(settings.cycles);
    how["slow_sleeps_us"] = json!(SLEEP_US);
    Ok(Report { bench: "slow", machine: facts, settings: how, rows })
}

/// Starts a second process that may use all cores: it pins itself, and this one is pinned already.
fn start(cores: &machine::Affinity) -> Result<Second, Error> {
    cores.during(|| Second::start([COMMAND.to_owned()]))
}

impl Running<'_> {
    /// Lets the standby open its node, and leads until it is hot.
    fn open(&mut self) -> Result<(), Error> {
        let opening = self.opening.clone();
        self.ask(&opening)
    }

    /// Asks, and leads until the answer has come.
    fn ask(&mut self, question: &str) -> Result<(), Error> {
        let Self { node, second, work, step, .. } = self;
        second.ask(question)?;
        let mut write = |pen: &mut dyn Pen| write(work, step, pen);
        if !lead_until_answered(*node, second, &mut write, |_| {}, PATIENCE_S)? {
            return Err(Error::Late("the standby's return to hot", PATIENCE_S));
        }
        second.answer()?;
        Ok(())
    }

    fn slice(&mut self, cycles: usize) -> Result<Slice, Error> {
        let Self { node, bare, work, step, missed, .. } = self;
        let mut took = Vec::with_capacity(cycles);
        let mut write = |pen: &mut dyn Pen| write(work, step, pen);
        lead(*node, PAUSE, &mut write, |_| {})?;
        lead(*node, cycles, &mut write, |led| {
            took.push(led.took);
            *missed += led.missed;
        })?;
        let commit = quantiles(&took);
        took.clear();
        let start = clock::now();
        for cycle in 1..=(PAUSE + cycles) as u64 {
            // Listening, as who leads does.
            while clock::now() < start + cycle * PERIOD {
                bare.piece();
            }
            let at = clock::now();
            bare.publish(cycle, false)?;
            took.push(clock::now() - at);
        }
        Ok(Slice { commit, floor: quantiles(&took[PAUSE..]) })
    }

    fn measure(
        &mut self,
        trouble: Trouble,
        cycles: usize,
        cores: &machine::Affinity,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        self.missed = 0;
        self.ask("hot")?;
        let before = self.slice(cycles)?;
        match trouble {
            Trouble::Healthy => {}
            Trouble::Slow => self.ask(&format!("sleep {SLEEP_US}"))?,
            Trouble::Stopped => self.second.signal(Signal::STOP)?,
            // The new process waits for its first question, without a node.
            Trouble::Gone => self.second = start(cores)?,
        }
        let during = self.slice(cycles)?;
        match trouble {
            Trouble::Healthy => {}
            Trouble::Slow => self.ask("sleep 0")?,
            Trouble::Stopped => self.second.signal(Signal::CONT)?,
            Trouble::Gone => self.open()?,
        }
        self.ask("hot")?;
        let after = self.slice(cycles)?;
        let mean = |of: fn(&Slice) -> f64| (of(&before) + of(&after)) / 2.0;
        tally.p50.push(during.commit[0]);
        tally.p99.push(during.commit[1]);
        tally.healthy50.push(mean(|slice| slice.commit[0]));
        tally.healthy99.push(mean(|slice| slice.commit[1]));
        tally.floor50.push(during.floor[0]);
        tally.floor_healthy50.push(mean(|slice| slice.floor[0]));
        tally.missed += self.missed;
        Ok(())
    }
}

fn quantiles(took: &[u64]) -> [f64; 2] {
    let took = histogram(took.iter().copied());
    [0.5, 0.99].map(|q| took.value_at_quantile(q) as f64 / 1000.0)
}

fn write(work: &Workload, step: &mut u64, pen: &mut dyn Pen) {
    *step += 1;
    work.step(*step, |at, bytes| pen.write(at, bytes));
    pen.write(0, &step.to_ne_bytes());
}

fn row(name: &str, dirty: usize, tally: &Tally) -> Row {
    let mut row = Row::new(format!("{}/{}/{name}", size_name(REGION), size_name(dirty)));
    row.put("against", json!("the same primary with a healthy standby, before and after"));
    row.set("p50_us", interval(&tally.p50).median).set("p99_us", interval(&tally.p99).median);
    row.set("healthy_p50_us", interval(&tally.healthy50).median);
    row.set("healthy_p99_us", interval(&tally.healthy99).median);
    let ratio = interval(&ratios(&tally.p50, &tally.healthy50));
    ratio.put(&mut row, "ratio_p50");
    interval(&ratios(&tally.p99, &tally.healthy99)).put(&mut row, "ratio_p99");
    row.set("floor_p50_us", interval(&tally.floor50).median);
    row.set("floor_healthy_p50_us", interval(&tally.floor_healthy50).median);
    interval(&ratios(&tally.floor50, &tally.floor_healthy50)).put(&mut row, "floor_ratio_p50");
    row.set("target_ratio_p50", TARGET).put("within_target", json!(ratio.median <= TARGET));
    row.put("rounds", json!(tally.p50.len())).put("ticks_missed", json!(tally.missed));
    row
}
