//! A made-up run for looking at the page and for its tests: sample data, not a measurement.

use mirror_tools::report::data::{
    Bump, Cut, Hit, Kind, Machine, Report, Settings, Summary, Tick, Trace, Trial,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What marks everything made here.
pub(crate) const LABEL: &str = "sample data, not a measurement";

/// A plausible run of `trials` trials, each killed once hot and once cold.
pub(crate) fn report(seed: u64, trials: u64) -> Report {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let settings = Settings {
        period_us: Some(1000.0),
        silence_cycles: Some(3.0),
        region_bytes: Some(65_536),
        dirty_bytes_per_cycle_p50: Some(1472.0),
        frames_per_cycle: Some(2.0),
        axis_tolerance_ms: Some(12.0),
    };
    let rows: Vec<Trial> =
        (0..trials).flat_map(|i| [trial(&mut rng, i, Kind::Hot), trial(&mut rng, i, Kind::Cold)]).collect();
    Report {
        summary: Summary::of(seed, trials, &rows, &settings),
        trials: rows,
        settings,
        machine: Machine { cpu: format!("Example 9000 ({LABEL})"), kernel: "Linux 6.18".into(), cores: 2 },
        date: Some(LABEL.into()),
        traces: vec![trace(Kind::Hot, 0), trace(Kind::Cold, 0)],
        notes: vec![format!("This page shows {LABEL}.")],
    }
}

fn trial(rng: &mut ChaCha8Rng, index: u64, kind: Kind) -> Trial {
    let stalled = rng.random_bool(0.04);
    let hot = kind == Kind::Hot;
    let detection = 3000.0 + rng.random_range(20.0..180.0) + if stalled { 14_000.0 } else { 0.0 };
    let takeover = if hot { rng.random_range(28.0..95.0) } else { rng.random_range(180.0..420.0) };
    let missed = 3 + u64::from(rng.random_bool(0.3)) + if stalled { 14 } else { 0 };
    let cycle = 4000 + rng.random_range(0..3000);
    let behind = u64::from(hot && rng.random_bool(0.2));
    let scale = if hot { 1.0 + missed as f64 * 0.15 } else { 140.0 };
    let mut share = |low: f64, high: f64| Some(rng.random_range(low..high) * scale);
    let (levels, pumps, axis) = (share(2e-5, 9e-5), share(4e-4, 1.6e-3), share(8e-4, 3.4e-3));
    let max = [levels, pumps, axis].into_iter().flatten().reduce(f64::max);
    Trial {
        index,
        kind,
        hit: [Hit::Idle, Hit::Step, Hit::Commit, Hit::Random][index as usize % 4],
        cut_exposed: hot.then_some(Cut { epoch: 7, cycle: cycle - behind }),
        cut_dead: Some(Cut { epoch: 7, cycle }),
        cycles_behind: hot.then_some(behind),
        detection_us: Some(detection),
        takeover_us: Some(takeover),
        cycles_missed: Some(missed),
        bump: Bump { levels, pumps, axis, max },
        axis_lost: stalled || (!hot && index % 8 != 5),
        stall_ms_max: Some(if stalled { 17.2 } else { rng.random_range(0.05..2.0) }),
        torn: false,
        refused: None,
        gate_stale_accepted: 0,
        gate_stale_refused: u64::from(rng.random_bool(0.1)),
    }
}

fn trace(kind: Kind, trial: u64) -> Trace {
    let mut ticks = Vec::new();
    for ms in -150..600 {
        ticks.push(tick(kind, f64::from(ms)));
    }
    Trace {
        trial,
        kind,
        detected_ms: Some(3.06),
        takeover_ms: Some(if kind == Kind::Hot { 3.11 } else { 3.4 }),
        level_names: ["Upper left", "Upper right", "Lower left", "Lower right"].map(String::from).into(),
        ticks,
    }
}

fn tick(kind: Kind, t: f64) -> Tick {
    let reference = 200.0 + 80.0 * (t * 0.012).sin();
    let twin = 200.0 + 80.0 * ((t - 6.0) * 0.012).sin();
    let after = (t - 4.0).max(0.0);
    let jolt = |size: f64, decay: f64| if t < 1.0 { 0.0 } else { size * (-after / decay).exp() };
    let hot = kind == Kind::Hot;
    let real = if hot {
        twin + jolt(0.35, 30.0)
    } else {
        let fall = (1.0 - (-after / 60.0).exp()) * if t < 1.0 { 0.0 } else { 1.0 };
        twin + fall * (120.0 - twin)
    };
    let level = |i: usize, disturbed: bool| {
        let still = 9.0 + 2.0 * i as f64 + 0.3 * (t * 0.004 + i as f64).sin();
        let swing = (after / 400.0) * (if hot { 0.004 } else { 1.1 + 0.3 * i as f64 });
        if disturbed && t >= 1.0 { still - swing } else { still }
    };
    let pump = |i: usize, disturbed: bool| {
        let still = 3.0 + 0.4 * i as f64 + 0.25 * (t * 0.02).sin();
        let hold = 3.0 + 0.4 * i as f64;
        match (disturbed && t >= 0.0, t < 4.0) {
            (false, _) => still,
            (true, true) => hold,
            (true, false) if hot => still,
            (true, false) => still * (1.0 - (-after / 250.0).exp()),
        }
    };
    let fresh = !(0.0..4.0).contains(&t);
    Tick {
        time_ms: t,
        axis_real_mm: real,
        axis_twin_mm: twin,
        axis_reference_mm: reference,
        levels_real_cm: std::array::from_fn(|i| level(i, true)),
        levels_twin_cm: std::array::from_fn(|i| level(i, false)),
        levels_reference_cm: std::array::from_fn(|i| 9.0 + 2.0 * i as f64),
        pumps_real_v: std::array::from_fn(|i| pump(i, true)),
        pumps_twin_v: std::array::from_fn(|i| pump(i, false)),
        deviation: ((real - twin).abs() / 300.0).max((pump(0, true) - pump(0, false)).abs() / 10.0),
        epoch: if t < 4.0 { 7 } else { 8 },
        cycle: Some(if t < 0.0 {
            (4412.0 + t) as u64
        } else if t < 4.0 {
            4411
        } else {
            (4408.0 + t) as u64
        }),
        fresh,
    }
}
