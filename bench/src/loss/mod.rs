//! `loss`: how old the standby's cut is when frames are lost.
//!
//! Contract: two parts. In simulation ([`sim`]): virtual time, deterministic, every cut checked. On sockets ([`sockets`]): two
//! processes over UDP on `lo`, whose links drop frames that they have received; every kind of loss runs
//! interleaved with none, over the same pair.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`case`], [`weather`] | how much a cycle changes and where; which frames are lost |
//! | [`sim`], [`pipe`], [`model`] | the event loop, a wire, what each cut must hold |
//! | [`lossy`], [`sockets`], [`hearer`] | a link that loses; the primary's process; the standby's |

pub mod case;
pub mod hearer;
pub mod lossy;
pub mod model;
pub mod pipe;
pub mod sim;
pub mod sockets;
pub mod weather;

use crate::machine;
use crate::report::{Report, Row};
use case::{Case, Target};
use indicatif::{ProgressBar, ProgressStyle};
use pipe::{AROUND, Count};
use serde_json::json;
use sim::Outcome;

/// What is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Simulated cycles of a case; 0: no simulation.
    pub simulated: u64,
    /// Seed of everything.
    pub seed: u64,
    /// In simulation neither parity nor lines that ride along.
    pub plain: bool,
    /// Rounds on sockets; 0: none.
    pub rounds: usize,
    /// Measured cycles of a slice on sockets.
    pub cycles: usize,
}

/// Runs both parts. Progress goes to standard error.
///
/// # Errors
/// What the sockets' part says; the simulation has none.
pub fn run(settings: &Settings) -> Result<Report, crate::error::Error> {
    let mut facts = machine::facts();
    let mut rows = simulate(settings);
    let mut how = json!({});
    if settings.rounds > 0 {
        let (machine, settings, more) = sockets::run(settings, facts)?;
        (facts, how) = (machine, settings);
        rows.extend(more);
    }
    how["simulated_cycles"] = json!(settings.simulated);
    how["seed"] = json!(settings.seed);
    how["plain"] = json!(settings.plain);
    how["rounds"] = json!(settings.rounds);
    how["cycles_per_slice"] = json!(settings.cycles);
    how["simulation"] = json!({
        "period_us": sim::PERIOD / 1000, "step_us": sim::STEP / 1000, "latency_us": sim::LATENCY / 1000,
        "look_us": sim::LOOK / 1000, "records": sim::RECORDS, "lines": case::LINES, "frame_bytes": case::FRAME,
        "bytes_around_a_frame": AROUND,
    });
    Ok(Report { bench: "loss", machine: facts, settings: how, rows })
}

/// A bar for `steps` steps.
#[must_use]
pub fn bar(steps: usize, what: &str) -> ProgressBar {
    let template = format!("{{msg:32}} {{bar:32}} {{pos}}/{{len}} {what}, {{eta}} left");
    ProgressBar::new(steps as u64)
        .with_style(ProgressStyle::with_template(&template).expect("a template without a mistake"))
}

fn simulate(settings: &Settings) -> Vec<Row> {
    if settings.simulated == 0 {
        return Vec::new();
    }
    let cases = Case::all();
    let bar = bar(cases.len(), "cases");
    let mut rows = Vec::new();
    for case in cases {
        bar.set_message(case.name());
        rows.push(row(&case, &sim::run(&case, settings.simulated, settings.seed, !settings.plain)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    rows
}

fn row(case: &Case, outcome: &Outcome) -> Row {
    let Outcome { ages, cuts, cycles, longest_gap, not_hot, torn, takeovers, sent: [down, up] } = outcome;
    let age = |q| ages.value_at_quantile(q);
    let ages = [age(0.5), age(0.99), age(0.999), ages.max()];
    // What the data's frames would have without anything else in them.
    let plain = (case.plain_bytes() as u64 + case.frames() as u64 * AROUND) as f64 / case.frames() as f64
        * down.data.frames as f64;
    let percent = |bytes: f64| 100.0 * bytes / plain.max(1.0);
    let of = |count: Count| percent(count.bytes as f64);
    let carried = percent(down.data.bytes as f64 - plain);
    let statuses = percent((down.status.bytes + up.status.bytes) as f64);
    let extra = of(down.repair) + of(down.parity) + carried;
    let share = 100.0 * *cuts as f64 / *cycles as f64;
    let mut row = Row::new(case.name());
    row.put("part", json!("simulation")).put("against", json!("nothing: simulated, virtual time"));
    for (key, age) in ["age_p50", "age_p99", "age_p999", "age_max"].into_iter().zip(ages) {
        row.put(key, json!(age));
    }
    row.set("cuts_percent", share).put("longest_gap", json!(longest_gap));
    row.set("not_hot_percent", 100.0 * *not_hot as f64 / *cycles as f64);
    row.put("repaired_frames", json!(down.repair.frames));
    row.set("repair_percent", of(down.repair)).set("parity_percent", of(down.parity));
    row.set("carried_percent", carried).set("status_percent", statuses).set("extra_percent", extra);
    row.set("lost_percent", 100.0 * down.lost as f64 / down.frames().max(1) as f64);
    row.put("frames_sent", json!(down.frames())).put("frames_refused", json!(down.refused));
    row.set("frames_a_cycle", down.data.frames as f64 / (*cycles + sim::WARM_UP) as f64);
    row.put("data_frames", json!(down.data.frames)).put("statuses", json!(up.status.frames));
    row.put("cycles", json!(cycles)).put("torn", json!(torn)).put("unplanned_takeovers", json!(takeovers));
    let Target { ages: oldest, cuts: least, extra: most } = case.target();
    let within = [
        oldest.map(|oldest| ages.iter().zip(&oldest).all(|(age, most)| age <= most)),
        least.map(|least| share >= least),
        most.map(|most| extra <= most),
    ];
    if within.iter().any(Option::is_some) {
        row.put("within_target", json!(within.iter().flatten().all(|yes| *yes)));
        row.put("target_ages", json!(oldest)).put("target_cuts_percent", json!(least));
        row.put("target_extra_percent", json!(most));
    }
    row
}
