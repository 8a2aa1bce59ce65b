//! Every trial, one row each. Contract: nothing is left out and nothing is summed up; what is wrong in a row is said in it.

use super::data::{Cut, Report, Trial};
use super::text::{NOT_MEASURED, count, escape};

const HEAD: &str = "<thead>\
<tr><td colspan=\"3\"></td><th colspan=\"3\">cut (epoch, cycle)</th><th colspan=\"3\">takeover</th>\
<th colspan=\"4\">bump, % of span</th><td></td><th colspan=\"2\">stale outputs</th><td></td></tr>\
<tr><th>#</th><th>standby</th><th>kill hit</th><th>of the dead</th><th>exposed</th><th>behind</th>\
<th>detection ms</th><th>takeover µs</th><th>cycles missed</th>\
<th>levels</th><th>pumps</th><th>axis</th><th>largest</th>\
<th>stall ms</th><th>accepted</th><th>refused</th><th class=\"words\">remarks</th></tr></thead>";

/// The table.
pub(super) fn draw(report: &Report) -> String {
    if report.trials.is_empty() {
        return format!("<p class=\"none\">Trials: {NOT_MEASURED}.</p>");
    }
    let rows: String = report.trials.iter().map(|t| row(report, t)).collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\"><table class=\"trials\">{HEAD}<tbody>{rows}</tbody></table></div>"
    )
}

fn row(report: &Report, t: &Trial) -> String {
    let stalled = t.stalled(&report.settings);
    let mut remarks = Vec::new();
    if t.torn {
        remarks.push("<b class=\"bad\">torn</b>".to_string());
    }
    if t.gate_stale_accepted > 0 {
        remarks.push("<b class=\"bad\">stale output accepted</b>".to_string());
    }
    if t.axis_lost {
        remarks.push("axis lost".to_string());
    }
    if stalled {
        remarks.push("machine stalled".to_string());
    }
    if let Some(why) = &t.refused {
        remarks.push(format!("refused: {}", escape(why)));
    }
    let fixed = |v: Option<f64>, by: f64, places: usize| {
        dash(v.filter(|v| v.is_finite()).map(|v| format!("{:.places$}", v * by)))
    };
    let number = |v: Option<u64>| dash(v.map(count));
    let cells = [
        count(t.index),
        format!("<span class=\"{0}\">{0}</span>", t.kind.name()),
        t.hit.name().into(),
        dash(t.cut_dead.map(cut)),
        dash(t.cut_exposed.map(cut)),
        number(t.cycles_behind),
        fixed(t.detection_us, 1e-3, 3),
        fixed(t.takeover_us, 1.0, 1),
        number(t.cycles_missed),
        fixed(t.bump.levels, 100.0, 3),
        fixed(t.bump.pumps, 100.0, 3),
        fixed(t.bump.axis, 100.0, 3),
        fixed(t.bump.max, 100.0, 3),
        fixed(t.stall_ms_max, 1.0, 2),
        count(t.gate_stale_accepted),
        count(t.gate_stale_refused),
    ];
    let cells: String = cells.iter().map(|c| format!("<td>{c}</td>")).collect();
    format!(
        "<tr{}>{cells}<td class=\"words\">{}</td></tr>",
        if stalled { " class=\"apart\"" } else { "" },
        remarks.join(", ")
    )
}

fn cut(cut: Cut) -> String {
    format!("{},\u{a0}{}", cut.epoch, count(cut.cycle))
}

/// A dash with its meaning on hover and for a screen reader.
fn dash(value: Option<String>) -> String {
    value.unwrap_or_else(|| format!("<abbr title=\"{NOT_MEASURED}\">–</abbr>"))
}
