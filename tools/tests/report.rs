//! The page of a demo run, whatever the run was: it says what the data says, nothing else, and fetches nothing.

#[path = "../examples/report_sample/sample.rs"]
mod sample;

use mirror_tools::report::data::{Bump, Kind, Report, Settings, Summary};
use mirror_tools::report::render;

/// The page with its markup and its scripts cut away, entities resolved and spaces made plain.
fn words(page: &str) -> String {
    let (mut out, mut rest) = (String::new(), page);
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        out.push(' ');
        let tag = &rest[open..];
        let end = ["script", "style"]
            .iter()
            .find(|name| tag[1..].starts_with(**name))
            .and_then(|name| tag.find(&format!("</{name}>")))
            .map_or(0, |at| at + 2);
        rest = &tag[end + tag[end..].find('>').map_or(tag.len() - end, |at| at + 1)..];
    }
    out.push_str(rest);
    for (entity, c) in
        [("&#58;", ":"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    {
        out = out.replace(entity, c);
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What must hold of any page at all.
fn sound(report: &Report) -> String {
    let page = render(report);
    for reference in ["http://", "https://", "//fonts", "@import", "url(", "src=", "href="] {
        let foreign = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!foreign.contains(reference), "the page refers to something outside: {reference}");
    }
    for tag in
        ["svg", "section", "table", "div", "script", "style", "main", "text", "p", "ul", "li", "pre", "dl"]
    {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(
            opened,
            page.matches(&format!("</{tag}>")).count(),
            "<{tag}> is not closed as often as opened"
        );
    }
    let words = words(&page);
    for word in words.split(|c: char| !c.is_alphanumeric()) {
        assert!(
            !["nan", "inf", "infinity", "none", "some", "null"].contains(&word.to_lowercase().as_str()),
            "{word}"
        );
    }
    assert!(
        !page.contains("=\"NaN") && !page.contains("inf\"") && !page.contains("#0001"),
        "a raw value or colour leaked"
    );
    let command = format!(
        "cargo run --release -- demo --trials {} --seed {}",
        report.summary.trials, report.summary.seed
    );
    assert!(words.contains(&command), "{command}");
    words
}

fn again(report: &mut Report) {
    let s = &report.summary;
    report.summary = Summary::of(s.seed, s.trials, &report.trials, &report.settings);
}

#[test]
fn a_run_without_trials_says_so() {
    let words = sound(&Report::default());
    assert!(words.contains("No trial was run"));
    assert!(words.contains("not measured"));
    assert!(!words.contains("no takeover exposed a torn state"), "nothing ran, so nothing was shown to hold");
}

#[test]
fn a_run_without_cold_trials_says_so() {
    let mut report = sample::report(1, 20);
    report.trials.retain(|t| t.kind == Kind::Hot);
    report.traces.retain(|t| t.kind == Kind::Hot);
    again(&mut report);
    let words = sound(&report);
    assert!(words.contains("a cold standby was not measured"));
    assert!(words.contains("cold was not tried"));
}

#[test]
fn a_run_without_hot_trials_says_so() {
    let mut report = sample::report(1, 20);
    report.trials.retain(|t| t.kind == Kind::Cold);
    report.traces.clear();
    again(&mut report);
    let words = sound(&report);
    assert!(words.contains("only a cold standby was tried"));
    assert!(words.contains("The plant around a kill: not measured"));
}

#[test]
fn the_figures_of_the_answer_are_those_of_the_data() {
    let mut report = sample::report(7, 3);
    for t in &mut report.trials {
        let hot = t.kind == Kind::Hot;
        t.stall_ms_max = Some(0.5);
        t.axis_lost = !hot;
        t.detection_us = Some(3_120.0 + t.index as f64);
        t.takeover_us = Some(if hot { 47.25 } else { 333.0 });
        t.cycles_missed = Some(4);
        t.cycles_behind = hot.then_some(2);
        t.bump = Bump { max: Some(if hot { 0.004_21 } else { 0.387 }), ..Bump::default() };
        t.gate_stale_refused = 21;
    }
    again(&mut report);
    let words = sound(&report);
    for shown in [
        "In 3 kills with a hot standby the plant missed at most 4 cycles",
        "bumped by at most 0.421 % of span",
        "against 38.7 % from a cold standby",
        "silence was declared after 3.12 ms",
        "the first commit followed 47.2 µs later",
        "no takeover exposed a torn state and the plant accepted no stale output",
        "0 stale accepted, 126 refused",
        "Axis lost in 0 of 3 hot trials, in 3 of 3 cold ones",
        "Committed cycles lost most 2",
        "In this run both held in all 6 kills",
    ] {
        assert!(words.contains(shown), "the page lacks {shown:?}");
    }
    // The table gives every figure in one unit a column.
    assert!(words.contains("3.121 47.2 4"));
    assert!(words.contains("38.700"));
}

#[test]
fn broken_promises_come_first() {
    let mut report = sample::report(3, 10);
    report.trials[0].torn = true;
    report.trials[2].gate_stale_accepted = 2;
    report.trials[4].stall_ms_max = Some(0.1);
    report.trials[4].axis_lost = true;
    report.trials[6].refused = Some("two frames of cycle 9 are missing".into());
    again(&mut report);
    let words = sound(&report);
    let first =
        words.find("Promise broken: 1 takeover exposed a torn state and the plant accepted 2 stale outputs.");
    assert!(first.is_some_and(|at| at < words.find("In 10 kills").unwrap_or(0).max(200)));
    assert!(words.contains("and lost the axis in 1"));
    assert!(words.contains("1 takeover refused."));
    assert!(words.contains("refused: two frames of cycle 9 are missing"));
    assert!(words.contains("In this run they were broken 3 times"));
    assert!(!words.contains("no takeover exposed") && !words.contains("accepted no stale output"));
}

#[test]
fn a_stall_is_counted_apart_and_excuses_no_torn_state() {
    let mut report = sample::report(5, 4);
    for t in &mut report.trials {
        t.stall_ms_max = Some(1.0);
        t.axis_lost = false;
        t.bump.max = Some(0.001);
    }
    let stalled = &mut report.trials[0];
    (stalled.stall_ms_max, stalled.axis_lost, stalled.bump.max, stalled.torn) =
        (Some(40.0), true, Some(0.9), true);
    again(&mut report);
    let s = &report.summary;
    assert_eq!((s.stalled_trials, s.axis_lost_hot, s.bump_hot_max, s.torn), (1, 0, Some(0.001), 1));
    let words = sound(&report);
    assert!(words.contains("1 trial counted apart") && words.contains("90 % with stalls"));
    assert!(
        words.contains("In 3 kills with a hot standby")
            && words.contains("1 kill more, on a stalled machine")
    );
    assert!(words.contains("Promise broken"));
}

#[test]
fn values_that_were_not_measured_never_show_as_numbers() {
    let mut report = sample::report(2, 6);
    for (i, bad) in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].into_iter().cycle().take(12).enumerate() {
        let t = &mut report.trials[i];
        (t.detection_us, t.takeover_us, t.stall_ms_max) = (Some(bad), Some(bad), Some(bad));
        t.bump = Bump { levels: Some(bad), pumps: None, axis: Some(bad), max: Some(bad) };
        (t.cycles_missed, t.cycles_behind, t.cut_dead, t.cut_exposed) = (None, None, None, None);
    }
    for tick in &mut report.traces[0].ticks {
        tick.axis_real_mm = f64::NAN;
        tick.levels_real_cm = [f64::INFINITY; 4];
        tick.pumps_real_v[0] = f64::NAN;
        tick.deviation = f64::NAN;
    }
    report.traces[1].detected_ms = Some(f64::NAN);
    report.settings = Settings { period_us: Some(f64::NAN), ..Settings::default() };
    again(&mut report);
    let words = sound(&report);
    assert!(words.contains("the number of missed cycles was not measured"));
    assert!(words.contains("the bump was not measured"));
    // A summary that was filled by hand is no more trusted than the rows.
    let s = &mut report.summary;
    (s.bump_hot_max, s.bump_cold_max, s.detection_us_p50) =
        (Some(f64::NAN), Some(f64::INFINITY), Some(f64::NAN));
    assert!(sound(&report).contains("the bump was not measured"));
}

#[test]
fn every_tick_without_a_value_still_makes_a_page() {
    let mut report = sample::report(2, 1);
    for trace in &mut report.traces {
        for tick in &mut trace.ticks {
            tick.time_ms = f64::NAN;
        }
    }
    assert!(sound(&report).contains("Axis position around the kill: not measured"));
    report.traces[0].ticks.truncate(1);
    report.traces[0].ticks[0].time_ms = 0.0;
    sound(&report);
}

#[test]
fn foreign_words_stay_words() {
    let nasty = "<script>alert('x')</script> & \"q\" https://example.org/";
    let mut report = sample::report(4, 3);
    report.machine.cpu = nasty.into();
    report.machine.kernel = nasty.into();
    report.date = Some(nasty.into());
    report.notes.push(nasty.into());
    report.trials[0].refused = Some(nasty.into());
    report.traces[0].level_names = vec![nasty.into(); 4];
    let page = render(&report);
    assert!(!page.contains("<script>alert"));
    assert!(sound(&report).matches(nasty).count() >= 9);
}

#[test]
fn every_trial_is_a_row_and_a_dot() {
    let report = sample::report(9, 25);
    let page = render(&report);
    let body =
        page.split("class=\"trials\"").nth(1).and_then(|t| t.split("</tbody>").next()).unwrap_or_default();
    assert_eq!(body.matches("<tr").count() - 2, 50, "two rows of heading and one for each kill");
    for t in &report.trials {
        let dots = page.matches(&format!("<title>trial {}, {}&#58;", t.index, t.kind.name())).count();
        assert_eq!(dots, 4, "trial {} {} in each of the four plots", t.index, t.kind.name());
    }
}

#[test]
fn json_keeps_the_names_and_the_values() {
    let mut report = sample::report(11, 2);
    report.traces[0].ticks[0].axis_real_mm = f64::NAN;
    report.summary.bump_cold_max = None;
    let json = serde_json::to_value(&report).expect("a report is JSON");
    for key in [
        "seed",
        "trials",
        "torn",
        "refused",
        "gate_violations",
        "gate_refused",
        "cycles_lost_max",
        "detection_us_p50",
        "takeover_us_p50",
        "bump_hot_max",
        "bump_cold_max",
        "axis_lost_hot",
        "axis_lost_cold",
        "stalled_trials",
    ] {
        assert!(json["summary"].get(key).is_some(), "summary.{key}");
    }
    assert_eq!(json["summary"].as_object().map(serde_json::Map::len), Some(14));
    assert!(json["trials"].is_array() && json["settings"].is_object() && json["machine"].is_object());
    let mut back: Report = serde_json::from_value(json).expect("what was written can be read");
    let lost = &mut back.traces[0].ticks[0].axis_real_mm;
    assert!(lost.is_nan());
    *lost = 0.0;
    report.traces[0].ticks[0].axis_real_mm = 0.0;
    assert!(back == report, "the report differs after a round trip");
}
