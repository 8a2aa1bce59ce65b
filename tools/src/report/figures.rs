//! The figures over time: the axis, the process and the distance from the twin, around one hot and one cold kill.
//! Contract: hot and cold are drawn on the same scales, always beside what the plant would have done undisturbed.

use super::chart::{Chart, Curve, Mark, both};
use super::data::{Kind, Report, Tick, Trace};
use super::scale::extent;
use super::svg::Ink;
use super::text::{NOT_MEASURED, after_ms, escape, percent, precise};

/// The traces that the page draws.
pub(super) struct Pair<'a> {
    pub(super) hot: Option<&'a Trace>,
    pub(super) cold: Option<&'a Trace>,
}

impl<'a> Pair<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let first = |kind| report.traces.iter().find(|t| t.kind == kind && !t.ticks.is_empty());
        Self { hot: first(Kind::Hot), cold: first(Kind::Cold) }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &'a Trace> {
        self.cold.into_iter().chain(self.hot)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hot.is_none() && self.cold.is_none()
    }

    /// Which trials are drawn, in words.
    pub(super) fn words(&self, report: &Report) -> String {
        let each: Vec<String> = self
            .hot
            .into_iter()
            .chain(self.cold)
            .map(|t| {
                format!(
                    "trial {} ({}{})",
                    t.trial,
                    t.kind.name(),
                    if lost(report, t) { ", axis lost" } else { "" }
                )
            })
            .collect();
        each.join(" and ")
    }

    /// Real curves of both, on top of the twin's, on top of the reference.
    fn curves(&self, real: fn(&Tick, usize) -> f64, twin: fn(&Tick, usize) -> f64, i: usize) -> Vec<Curve> {
        let of = |trace: &Trace, f: fn(&Tick, usize) -> f64| -> Vec<(f64, f64)> {
            trace.ticks.iter().map(|t| (t.time_ms, f(t, i))).collect()
        };
        let mut curves = Vec::new();
        if let Some(first) = self.hot.or(self.cold) {
            let path = of(first, twin);
            // Two kills of one trial share their twin; only a twin of its own is a line of its own.
            if let Some(other) = self.cold.filter(|c| !std::ptr::eq(*c, first)) {
                let path_cold = of(other, twin);
                if !alike(&path, &path_cold) {
                    curves.push(Curve::new("twin of cold", Ink::Twin, 3.0, path_cold.into_iter()));
                }
            }
            curves.push(Curve::new("twin", Ink::Twin, 6.0, path.into_iter()));
        }
        for trace in self.each() {
            let width = if trace.kind == Kind::Hot { 2.0 } else { 1.8 };
            curves.push(Curve::new(trace.kind.name(), ink(trace.kind), width, of(trace, real).into_iter()));
        }
        curves
    }
}

/// The colour of a kind.
pub(super) fn ink(kind: Kind) -> Ink {
    match kind {
        Kind::Hot => Ink::Hot,
        Kind::Cold => Ink::Cold,
    }
}

fn alike(a: &[(f64, f64)], b: &[(f64, f64)]) -> bool {
    let Some((lo, hi)) = extent(a.iter().map(|p| p.1), 0.0) else { return true };
    a.len() == b.len() && a.iter().zip(b).all(|(p, q)| (p.1 - q.1).abs() <= 0.01 * (hi - lo))
}

fn lost(report: &Report, trace: &Trace) -> bool {
    report.trials.iter().any(|t| t.index == trace.trial && t.kind == trace.kind && t.axis_lost)
}

/// When the kill, the notice and the first commit were.
pub(super) fn marks(pair: &Pair<'_>) -> Vec<Mark> {
    let mut marks = vec![Mark { at_ms: 0.0, words: "primary killed".into(), ink: Ink::Text }];
    for trace in pair.hot.into_iter().chain(pair.cold) {
        let shown = |ms: Option<f64>| ms.filter(|v| v.is_finite());
        let words = match (shown(trace.detected_ms), shown(trace.takeover_ms)) {
            (Some(d), Some(t)) => format!("silence declared {}, first commit {}", after_ms(d), after_ms(t)),
            (Some(d), None) => format!("silence declared {}, takeover {NOT_MEASURED}", after_ms(d)),
            (None, Some(t)) => format!("first commit {}", after_ms(t)),
            (None, None) => continue,
        };
        let at_ms = shown(trace.takeover_ms).or(shown(trace.detected_ms)).unwrap_or_default();
        marks.push(Mark { at_ms, words: format!("{}: {words}", trace.kind.name()), ink: ink(trace.kind) });
    }
    marks
}

/// The axis position around the kill.
pub(super) fn axis(report: &Report, pair: &Pair<'_>) -> String {
    let mut curves = pair.curves(|t, _| t.axis_real_mm, |t, _| t.axis_twin_mm, 0);
    if let Some(trace) = pair.hot.or(pair.cold) {
        let path = trace.ticks.iter().map(|t| (t.time_ms, t.axis_reference_mm));
        curves.insert(0, Curve::new("reference", Ink::Reference, 1.2, path));
    }
    for curve in &mut curves {
        let lost = pair.each().any(|t| t.kind.name() == curve.name && lost(report, t));
        if lost {
            curve.name.push_str(", axis lost");
        }
    }
    let chart = Chart {
        label: "Axis position around the kill".into(),
        unit: "mm",
        curves,
        marks: marks(pair),
        named: true,
        span: 0.0,
        decades_from: None,
        show: precise,
    };
    figure(&[chart], 400.0)
}

/// The distance from the twin, by decades.
pub(super) fn deviation(pair: &Pair<'_>) -> String {
    const FLOOR: f64 = 1e-6;
    let curves = pair
        .each()
        .map(|trace| {
            let path = trace.ticks.iter().map(|t| (t.time_ms, t.deviation));
            Curve::new(trace.kind.name(), ink(trace.kind), 1.8, path)
        })
        .collect();
    let chart = Chart {
        label: "Distance from the undisturbed twin".into(),
        unit: "% of span",
        curves,
        marks: marks(pair),
        named: true,
        span: 0.0,
        decades_from: Some(FLOOR),
        show: |v| percent(Some(v)),
    };
    figure(&[chart], 320.0)
}

/// Levels and pumps, one small chart each.
pub(super) fn process(pair: &Pair<'_>) -> String {
    let names = pair.hot.or(pair.cold).map(|t| t.level_names.as_slice()).unwrap_or_default();
    let mut panels = Vec::new();
    for i in 0..4 {
        let mut curves = pair.curves(|t, i| t.levels_real_cm[i], |t, i| t.levels_twin_cm[i], i);
        if let Some(trace) = pair.hot.or(pair.cold) {
            let path = trace.ticks.iter().map(|t| (t.time_ms, t.levels_reference_cm[i]));
            curves.insert(0, Curve::new("reference", Ink::Reference, 1.2, path));
        }
        let name = names.get(i).cloned().unwrap_or_else(|| format!("Level {}", i + 1));
        panels.push((name, "cm", curves));
    }
    for i in 0..2 {
        let curves = pair.curves(|t, i| t.pumps_real_v[i], |t, i| t.pumps_twin_v[i], i);
        panels.push((format!("Pump {}", i + 1), "V", curves));
    }
    // One centimetre, and one volt, is as long in each panel as in the next.
    let widest = |unit: &str| {
        let of = panels.iter().filter(|p| p.1 == unit);
        of.filter_map(|p| extent(p.2.iter().flat_map(|c| &c.points).map(|p| p.1), 0.06))
            .map(|(lo, hi)| hi - lo)
            .fold(0.0, f64::max)
    };
    let (centimetres, volts) = (widest("cm"), widest("V"));
    let panels = panels.into_iter().map(|(name, unit, curves)| {
        let chart = Chart {
            label: name.clone(),
            unit,
            curves,
            marks: Vec::new(),
            named: false,
            span: if unit == "cm" { centimetres } else { volts },
            decades_from: None,
            show: precise,
        };
        let drawing = chart.draw((320.0, 190.0), "panel");
        format!("<div class=\"cell\"><h4>{}</h4>{}</div>", escape(&name), hover(&drawing, &chart))
    });
    format!("<div class=\"grid\">{}</div>", panels.collect::<String>())
}

fn figure(charts: &[Chart], height: f64) -> String {
    charts.iter().map(|c| hover(&both(c, height), c)).collect()
}

/// A drawing with what its readout needs. Without a script the drawing alone is complete.
fn hover(drawing: &str, chart: &Chart) -> String {
    let data = chart.readout().to_string().replace('<', "\\u003c");
    format!(
        "<div class=\"hover\" data-unit=\"{}\">{drawing}<script type=\"application/json\">{data}</script></div>",
        if chart.decades_from.is_some() { "" } else { chart.unit }
    )
}
