//! The answer, before anything else. Contract: every word of it follows from the data; what failed comes first, what was
//! not measured says so, and a stalled machine excuses no wrong state and no stale output.

use super::data::{Kind, Report};
use super::summary::Group;
use super::text::{NOT_MEASURED, count, count_or, many, micros, percent, significant};

/// The one sentence, as HTML with its figures in bold. A broken promise is a sentence of its own, and the first.
pub(super) fn sentence(report: &Report) -> String {
    let s = &report.summary;
    let (hot, cold) = (report.group(Kind::Hot), report.group(Kind::Cold));
    if report.trials.is_empty() {
        return "No trial was run, so nothing here is measured.".into();
    }
    let mut broken = Vec::new();
    if s.torn > 0 {
        broken.push(format!("{} exposed a torn state", many(s.torn, "takeover")));
    }
    if s.gate_violations > 0 {
        broken.push(format!("the plant accepted {}", many(s.gate_violations, "stale output")));
    }
    let mut out = match broken.as_slice() {
        [] => String::new(),
        parts => format!("<b class=\"bad\">Promise broken: {}.</b> ", parts.join(" and ")),
    };
    out.push_str(&if hot.rows == 0 {
        format!("In {} only a cold standby was tried", many(cold.rows, "kill"))
    } else {
        let missed = match hot.missed_max {
            None => format!("the number of missed cycles was {NOT_MEASURED}"),
            Some(0) => "the plant missed <b>no cycle</b>".into(),
            Some(n) => format!("the plant missed at most <b>{}</b>", many(n, "cycle")),
        };
        format!("In {} with a hot standby {missed}", many(hot.rows - hot.stalled, "kill"))
    });
    out.push_str(&match (finite(s.bump_hot_max), finite(s.bump_cold_max)) {
        (Some(h), Some(c)) => format!(
            " and was bumped by at most <b>{} of span</b>, against <b>{}</b> from a cold standby",
            percent(Some(h)),
            percent(Some(c))
        ),
        (Some(h), None) => format!(
            " and was bumped by at most <b>{} of span</b> (a cold standby was {NOT_MEASURED})",
            percent(Some(h))
        ),
        (None, Some(c)) => format!(", and it bumped the plant by up to <b>{} of span</b>", percent(Some(c))),
        (None, None) => format!("; the bump was {NOT_MEASURED}"),
    });
    if s.axis_lost_hot > 0 {
        out.push_str(&format!(", and lost the axis in <b class=\"bad\">{}</b>", count(s.axis_lost_hot)));
    }
    if hot.rows > 0 {
        out.push_str(&match (finite(s.detection_us_p50), finite(s.takeover_us_p50)) {
            (None, None) => format!("; the times of the takeover were {NOT_MEASURED}"),
            (detection, takeover) => format!(
                ": silence was declared after <b>{}</b>, the first commit followed <b>{}</b> later (medians)",
                micros(detection),
                micros(takeover)
            ),
        });
    }
    out.push_str(match (s.torn, s.gate_violations) {
        (0, 0) => ", no takeover exposed a torn state and the plant accepted no stale output",
        (0, _) => ", no takeover exposed a torn state",
        (_, 0) => ", the plant accepted no stale output",
        _ => "",
    });
    if hot.stalled > 0 {
        let are = if hot.stalled == 1 { "is" } else { "are" };
        out.push_str(&format!(
            "; {} more, on a stalled machine, {are} counted apart",
            many(hot.stalled, "kill")
        ));
    }
    out + "."
}

/// The checks under the sentence: what held, what did not.
pub(super) fn checks(report: &Report) -> String {
    let s = &report.summary;
    let (hot, cold) = (report.group(Kind::Hot), report.group(Kind::Cold));
    if report.trials.is_empty() {
        return String::new();
    }
    let mut out = String::from("<ul class=\"checks\">");
    let mut add = |state: &str, head: String, body: &str| {
        out.push_str(&format!("<li class=\"{state}\"><b>{head}</b> {body}</li>"));
    };
    let state = |n: u64| if n == 0 { "ok" } else { "bad" };
    add(
        state(s.torn),
        format!("{} torn.", count(s.torn)),
        if s.torn == 0 {
            "Every takeover exposed exactly one committed cycle, or nothing."
        } else {
            "A takeover exposed something that no commit ever was. This breaks the promise."
        },
    );
    add(
        state(s.gate_violations),
        format!("{} stale accepted,", count(s.gate_violations)),
        &format!(
            "{} refused. The Gate is the check beside the actuator: it refuses any output older than the newest (epoch, cycle) it has seen.",
            count(s.gate_refused)
        ),
    );
    add(
        if s.axis_lost_hot == 0 { "ok" } else { "bad" },
        format!("Axis lost in {} of {} hot", count(s.axis_lost_hot), count(hot.rows - hot.stalled)),
        &if cold.rows == 0 {
            "trials; cold was not tried.".to_string()
        } else {
            format!(
                "trials, in {} of {} cold ones.",
                count(s.axis_lost_cold),
                count(cold.rows - cold.stalled)
            )
        },
    );
    if s.refused > 0 {
        add(
            "note",
            format!("{} refused.", many(s.refused, "takeover")),
            "The standby was not complete and said so instead of leading from half a state.",
        );
    }
    if s.stalled_trials > 0 {
        add(
            "note",
            format!("{} counted apart.", many(s.stalled_trials, "trial")),
            &format!(
                "This machine itself stood still for longer than the axis tolerates{}. They are in every figure and in the checks of state and Gate, but not in medians, maxima and lost axes; {} of them lost the axis.",
                report
                    .settings
                    .axis_tolerance_ms
                    .map_or(String::new(), |ms| format!(" ({} ms)", significant(ms))),
                count(hot.axis_lost_stalled + cold.axis_lost_stalled)
            ),
        );
    }
    out + "</ul>"
}

/// A figure of one group, as it is shown.
type Cell = fn(&Group) -> String;

/// Hot beside cold, in one small table.
pub(super) fn versus(report: &Report) -> String {
    let (hot, cold) = (report.group(Kind::Hot), report.group(Kind::Cold));
    let apart = |g: &Group| {
        if g.stalled > 0 { format!(" <small>{} apart</small>", count(g.stalled)) } else { String::new() }
    };
    let also = |shown: String, all: String| {
        if shown == all { shown } else { format!("{shown} <small>{all} with stalls</small>") }
    };
    let missed = |g: &Group| also(count_or(g.missed_max), count_or(g.missed_max_all));
    let bump = |g: &Group| also(percent(g.bump_max), percent(g.bump_max_all));
    let lines: [(&str, &str, Cell); 4] = [
        ("Silence declared after", "median", |g| micros(g.detection_us_p50)),
        ("First commit after that", "median", |g| micros(g.takeover_us_p50)),
        ("Cycles missed", "median", |g| g.missed_p50.map_or(NOT_MEASURED.into(), significant)),
        ("Bump", "median", |g| percent(g.bump_p50)),
    ];
    let mut body = String::new();
    let mut row = |name: &str, kind: &str, h: String, c: String| {
        let cell = |group: &Group, v: String| match group.rows {
            0 => format!("<td class=\"none\">{NOT_MEASURED}</td>"),
            _ if v == NOT_MEASURED => format!("<td class=\"none\">{v}</td>"),
            _ => format!("<td>{v}</td>"),
        };
        body.push_str(&format!(
            "<tr><th scope=\"row\">{name} <span>{kind}</span></th>{}{}</tr>",
            cell(&hot, h),
            cell(&cold, c)
        ));
    };
    row("Kills", "", count(hot.rows) + &apart(&hot), count(cold.rows) + &apart(&cold));
    for (name, kind, of) in lines {
        row(name, kind, of(&hot), of(&cold));
        match name {
            "Cycles missed" => row("Cycles missed", "most", missed(&hot), missed(&cold)),
            "Bump" => row("Bump", "largest", bump(&hot), bump(&cold)),
            _ => {}
        }
    }
    // A cold standby holds no state to be behind with.
    row("Committed cycles lost", "most", count_or(hot.behind_max), "no state held".into());
    row("Axis lost", "", count(hot.axis_lost), count(cold.axis_lost));
    row("Torn states", "", count(hot.torn), count(cold.torn));
    row("Takeovers refused", "", count(hot.refused), count(cold.refused));
    row("Stale outputs accepted", "", count(hot.stale_accepted), count(cold.stale_accepted));
    row("Stale outputs refused", "", count(hot.stale_refused), count(cold.stale_refused));
    format!(
        "<table class=\"versus\"><thead><tr><td></td><th scope=\"col\" class=\"hot\">hot</th><th scope=\"col\" class=\"cold\">cold</th></tr></thead><tbody>{body}</tbody></table>"
    )
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|v| v.is_finite())
}
