//! How it was measured, what it claims and what it does not, and how to do it again. Contract: the figures come from the
//! data, and nothing is claimed here that the checks at the top do not show.

use super::data::Report;
use super::text::{NOT_MEASURED, bytes, count, escape, known, many, micros, significant};

/// The words of the page that are the same for every run, with this run's settings between them.
pub(super) fn draw(report: &Report) -> String {
    let notes: String = report.notes.iter().map(|n| format!("<p>{}</p>", escape(n))).collect();
    format!(
        "<div class=\"columns\"><div>{METHOD}{notes}</div><div><h3>What is claimed, and what is not</h3><p>{PROMISE} {}</p>{CLAIMS}</div></div>\
         <div class=\"columns\"><div><h3>Settings</h3>{}</div><div><h3>Machine</h3>{}</div></div>",
        kept(report),
        settings(report),
        machine(report)
    )
}

/// The command that repeats the run.
pub(super) fn command(report: &Report) -> String {
    let s = &report.summary;
    format!("cargo run --release -- demo --trials {} --seed {}", s.trials, s.seed)
}

const METHOD: &str = "<h3>How</h3>\
<p>A primary runs the plant's controller and multicasts what each cycle changed. In each trial it is killed at a \
chosen place in its cycle: idle, in the step, in the commit, or at a random instant. A <b class=\"hot\">hot</b> \
standby held the state all along and goes on from the newest complete cut. A <b class=\"cold\">cold</b> standby \
starts the same program without any state, as after a restart.</p>\
<p>Each plant is compared with its undisturbed <b>twin</b>: the same plant under a controller that nobody kills. The \
<b>bump</b> is the largest distance between the two, each signal divided by its span: the takeover's effect alone, not the \
controller's ordinary error.</p>\
<p>A state is <b>torn</b> if what the successor exposed is not, byte for byte, one cycle that was committed. \
<b>Detection</b> runs from the last sign of life to the moment silence is declared; <b>takeover</b> from there to the \
successor's first commit. A cycle is <b>missed</b> if the plant got no fresh output in it and held the last one.</p>";

const PROMISE: &str = "A takeover exposes exactly one committed cycle of known age, or refuses and says why; the plant \
accepts no output of an older reign after a newer one's. Every trial checks both, and no stall of the machine excuses them.";

const CLAIMS: &str = "<ul><li>Detection here is by silence: its time is mostly the configured wait, chosen, not achieved.</li>\
<li>Killing a process is one kind of failure. A stopped process, a lost host and a cut cable are others, and are not \
in this page.</li>\
<li>Times are those of this machine. On a shared or virtual one the tails show the neighbours; medians are the \
steadier figure, and a maximum over a few trials is no bound.</li>\
<li>The plant is simulated. It shows what a bump means to one process, not what yours will do.</li>\
<li>This is no safety function.</li></ul>";

fn kept(report: &Report) -> String {
    let s = &report.summary;
    match (report.trials.len(), s.torn + s.gate_violations) {
        (0, _) => "No trial was run.".into(),
        (_, 0) => format!("In this run both held in all {} kills.", count(report.trials.len() as u64)),
        (_, n) => format!("<b class=\"bad\">In this run they were broken {}.</b>", many(n, "time")),
    }
}

fn settings(report: &Report) -> String {
    let s = &report.settings;
    let number = |v: Option<f64>| v.map_or(NOT_MEASURED.into(), significant);
    list(&[
        ("Control period", micros(s.period_us)),
        ("Silence declared after", cycles(s.silence_cycles)),
        ("Mirrored region", bytes(s.region_bytes.map(|n| n as f64))),
        ("Changed in a cycle, median", bytes(s.dirty_bytes_per_cycle_p50)),
        ("Frames in a cycle", number(s.frames_per_cycle)),
        (
            "Stall that sets a trial apart",
            s.axis_tolerance_ms.map_or("not set".into(), |v| format!("above {}\u{a0}ms", significant(v))),
        ),
        ("Seed", report.summary.seed.to_string()),
        ("Trials", count(report.summary.trials)),
    ])
}

fn machine(report: &Report) -> String {
    let m = &report.machine;
    let mut rows = vec![
        ("Processor", known(&m.cpu)),
        ("Cores", if m.cores == 0 { "not known".into() } else { count(m.cores) }),
        ("Kernel", known(&m.kernel)),
    ];
    if let Some(date) = &report.date {
        rows.push(("Date", escape(date)));
    }
    list(&rows)
}

fn cycles(n: Option<f64>) -> String {
    match n {
        Some(v) if v.is_finite() => {
            format!("{}\u{a0}cycle{}", significant(v), if v == 1.0 { "" } else { "s" })
        }
        _ => NOT_MEASURED.into(),
    }
}

fn list(rows: &[(&str, String)]) -> String {
    let rows: String = rows.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>")).collect();
    format!("<dl>{rows}</dl>")
}
