//! From what was measured to the report, and to the lines that a person reads.

use super::bus::TraceTick;
use super::director::Measured;
use super::{SILENCE_CYCLES, plant};
use crate::demo::{PERIOD_NS, axis, state};
use crate::report::data::{Bump, Cut, Kind, Machine, Report, Settings, Summary, Tick, Trace, Trial};

/// The row of one kill.
#[must_use]
pub fn trial(index: u64, m: &Measured) -> Trial {
    let cut = |cut: mirror::Cut| Cut { epoch: cut.epoch.counter().into(), cycle: cut.cycle };
    let (exposed, dead) = (m.exposed.map(|e| e.0), m.dead.map(|d| d.0));
    let behind =
        exposed.zip(dead).filter(|(e, d)| e.epoch == d.epoch).map(|(e, d)| d.cycle - e.cycle.min(d.cycle));
    let us = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e3;
    let [levels, pumps, axis] = m.bump;
    Trial {
        index,
        kind: m.kind,
        hit: m.hit,
        cut_exposed: exposed.map(cut),
        cut_dead: dead.map(cut),
        cycles_behind: behind,
        detection_us: m.took_over.map(|(decided, _)| us(m.killed_at, decided)),
        takeover_us: m.took_over.map(|(decided, committed)| us(decided, committed)),
        cycles_missed: m.missed,
        bump: Bump {
            levels: Some(levels),
            pumps: Some(pumps),
            axis: Some(axis),
            max: Some(levels.max(pumps).max(axis)),
        },
        axis_lost: m.lost,
        stall_ms_max: Some(m.stall as f64 / 1e6),
        torn: m.torn,
        refused: m.refused_at.map(|newest| {
            format!("the standby had missed a frame: it knew of cycle {newest} and did not hold every cycle before it")
        }),
        gate_stale_accepted: m.stale.0,
        gate_stale_refused: m.stale.1,
    }
}

/// The milliseconds around a kill.
#[must_use]
pub fn trace(index: u64, m: &Measured) -> Trace {
    let ms = |at: u64| (at as f64 - m.killed_at as f64) / 1e6;
    let tick = |t: &TraceTick| Tick {
        time_ms: ms(t.at),
        axis_real_mm: t.axis[0] * 1e3,
        axis_twin_mm: t.axis[1] * 1e3,
        axis_reference_mm: t.axis[2] * 1e3,
        levels_real_cm: t.levels,
        levels_twin_cm: t.levels_twin,
        levels_reference_cm: t.levels_reference,
        pumps_real_v: t.pumps,
        pumps_twin_v: t.pumps_twin,
        deviation: t.deviation,
        epoch: mirror::Epoch(t.epoch).counter().into(),
        cycle: Some(t.cycle),
        fresh: t.fresh != 0,
    };
    Trace {
        trial: index,
        kind: m.kind,
        detected_ms: m.took_over.map(|(decided, _)| ms(decided)),
        takeover_ms: m.took_over.map(|(_, committed)| ms(committed)),
        level_names: plant::SHOWN_CELLS.map(|cell| format!("cell {cell}, tank 1")).into(),
        ticks: m.trace.iter().map(tick).collect(),
    }
}

/// The whole report. `unplanned`: takeovers that no kill asked for.
#[must_use]
pub fn report(seed: u64, trials: u64, measured: &[(u64, Measured)], unplanned: u64) -> Report {
    let rows: Vec<Trial> = measured.iter().map(|(index, m)| trial(*index, m)).collect();
    let first = |kind| measured.iter().find(|(_, m)| m.kind == kind).map(|(index, m)| trace(*index, m));
    let hot = || measured.iter().filter(|(_, m)| m.kind == Kind::Hot);
    let settings = Settings {
        period_us: Some(PERIOD_NS as f64 / 1e3),
        silence_cycles: Some(f64::from(SILENCE_CYCLES)),
        region_bytes: Some(state::SIZE as u64),
        dirty_bytes_per_cycle_p50: median(hot().map(|(_, m)| m.cycle.0 as f64).collect()),
        frames_per_cycle: median(hot().map(|(_, m)| m.cycle.1 as f64).collect()),
        axis_tolerance_ms: Some(axis::TOLERANCE_TICKS as f64 * PERIOD_NS as f64 / 1e6),
    };
    let mut notes = vec![
        "All processes ran on one machine, without real-time priority and without cores of their own: plant, two \
         controllers and the director share what there is."
            .to_owned(),
        "The tanks run 60 times faster than the laboratory's: one 1 ms cycle is 60 ms of their time. The axis runs in \
         its own time."
            .to_owned(),
        "Detection here is silence alone: the time is chosen, not reached. Until the role rules stand, only the Gate \
         at the actuators excludes two primaries."
            .to_owned(),
    ];
    if unplanned > 0 {
        notes.push(format!(
            "{unplanned} takeovers were not asked for: a controller stood still for longer than the silence allows, its \
             standby took over, and the Gate refused what the old one still sent."
        ));
    }
    Report {
        summary: Summary::of(seed, trials, &rows, &settings),
        trials: rows,
        settings,
        machine: machine(),
        date: None,
        traces: [first(Kind::Hot), first(Kind::Cold)].into_iter().flatten().collect(),
        notes,
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn machine() -> Machine {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu =
        cpuinfo.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let uname = rustix::system::uname();
    Machine {
        cpu: cpu.unwrap_or("not known").to_owned(),
        kernel: format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy()),
        cores: std::thread::available_parallelism().map_or(0, |n| n.get() as u64),
    }
}

/// One line for a person.
#[must_use]
pub fn line(row: &Trial, killed: usize) -> String {
    let ms = |us: Option<f64>| us.map_or("-".into(), |us| format!("{:.2} ms", us / 1e3));
    let us = |us: Option<f64>| us.map_or("-".into(), |us| format!("{us:.0} us"));
    let percent = |f: Option<f64>| f.map_or("-".into(), |f| format!("{:.3} %", f * 100.0));
    let stall = row
        .stall_ms_max
        .filter(|&ms| ms > SILENCE_CYCLES as f64)
        .map_or(String::new(), |ms| format!(" (the machine stood still for {ms:.0} ms)"));
    let lost = if row.axis_lost { ", axis LOST" } else { "" };
    let head =
        format!("{:>4}  {:<4}  node {killed} killed, {:<6}", row.index, row.kind.name(), row.hit.name());
    if let Some(why) = &row.refused {
        return format!("{head}  REFUSED: {why}{stall}");
    }
    let missed = row.cycles_missed.map_or("-".into(), |n| n.to_string());
    let behind = match (row.cut_exposed, row.cycles_behind) {
        (Some(cut), Some(n)) => format!("cut {} exposed, {n} behind; ", cut.cycle),
        (Some(cut), None) => format!("cut {} exposed; ", cut.cycle),
        (None, _) => "nothing held; ".into(),
    };
    format!(
        "{head}  {behind}detected {}, took over {}; {missed} cycles missed; bump {}{lost}{}{stall}",
        ms(row.detection_us),
        us(row.takeover_us),
        percent(row.bump.max),
        if row.torn { ", TORN" } else { "" },
    )
}

/// The answer, for a person.
#[must_use]
pub fn summary(s: &Summary) -> String {
    let us = |v: Option<f64>| v.map_or("not measured".into(), |v| format!("{:.2} ms", v / 1e3));
    let small = |v: Option<f64>| v.map_or("not measured".into(), |v| format!("{v:.0} us"));
    let percent = |v: Option<f64>| v.map_or("not measured".into(), |v| format!("{:.3} % of span", v * 100.0));
    let ratio = match (s.bump_hot_max, s.bump_cold_max) {
        (Some(hot), Some(cold)) if cold > 0.0 => format!(", {:.2} % of the cold one", hot / cold * 100.0),
        _ => String::new(),
    };
    [
        format!("torn states                 {}", s.torn),
        format!("takeovers refused           {}", s.refused),
        format!("gate violations             {} (outputs of an older epoch accepted)", s.gate_violations),
        format!("gate refusals               {} (outputs of an older epoch refused)", s.gate_refused),
        format!(
            "committed cycles lost       {} at most",
            s.cycles_lost_max.map_or("-".into(), |n| n.to_string())
        ),
        format!(
            "death to silence declared   {} (median; {SILENCE_CYCLES} cycles of silence are asked for)",
            us(s.detection_us_p50)
        ),
        format!("declared to first commit    {} (median)", small(s.takeover_us_p50)),
        format!("largest bump, hot           {}{ratio}", percent(s.bump_hot_max)),
        format!("largest bump, cold          {}", percent(s.bump_cold_max)),
        format!("axis lost                   {} hot, {} cold", s.axis_lost_hot, s.axis_lost_cold),
        format!("stalled trials              {} (counted apart)", s.stalled_trials),
    ]
    .join("\n")
}
