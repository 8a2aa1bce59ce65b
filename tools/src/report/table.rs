//! Every trial, one row each. Contract: nothing is left out and nothing is summed up; what is wrong in a row is said in it.

use super::data::{Cut, Report, Trial};
use super::text::{NOT_MEASURED, count, escape, micros, percent, significant};

const HEAD: &str = "<thead><tr>\
<th>#</th><th>standby</th><th>kill hit</th><th>cut of the dead</th><th>cut exposed</th><th>behind</th>\
<th>detection</th><th>takeover</th><th>missed</th>\
<th>bump: levels</th><th>pumps</th><th>axis</th><th>largest</th>\
<th>stall</th><th>stale acc. / ref.</th><th class=\"words\">remarks</th></tr></thead>";

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
        remarks.push("machine stalled, counted apart".to_string());
    }
    if let Some(why) = &t.refused {
        remarks.push(format!("refused: {}", escape(why)));
    }
    let bump = |v: Option<f64>| dash(v.filter(|v| v.is_finite()).map(|v| percent(Some(v))));
    let time = |v: Option<f64>| dash(v.filter(|v| v.is_finite()).map(|v| micros(Some(v))));
    let number = |v: Option<u64>| dash(v.map(count));
    let cells = [
        count(t.index),
        format!("<span class=\"{0}\">{0}</span>", t.kind.name()),
        t.hit.name().into(),
        dash(t.cut_dead.map(cut)),
        dash(t.cut_exposed.map(cut)),
        number(t.cycles_behind),
        time(t.detection_us),
        time(t.takeover_us),
        number(t.cycles_missed),
        bump(t.bump.levels),
        bump(t.bump.pumps),
        bump(t.bump.axis),
        bump(t.bump.max),
        dash(t.stall_ms_max.filter(|v| v.is_finite()).map(|v| format!("{}\u{a0}ms", significant(v)))),
        format!("{} / {}", count(t.gate_stale_accepted), count(t.gate_stale_refused)),
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
