//! A chart over time. Contract: every curve is named beside its end or in the key, the kill is at zero, gaps in the
//! data are gaps in the line, and a chart without data says so instead of drawing an empty frame.

use super::scale::{Scale, extent};
use super::svg::{Hang, Ink, Point, Sheet, Type, sheet};
use super::text::{NOT_MEASURED, escape, significant};

/// One line of a chart.
pub(super) struct Curve {
    /// What the reader calls it.
    pub(super) name: String,
    pub(super) ink: Ink,
    pub(super) width: f64,
    /// Milliseconds after the kill, and the value.
    pub(super) points: Vec<Point>,
}

impl Curve {
    pub(super) fn new(name: &str, ink: Ink, width: f64, points: impl Iterator<Item = Point>) -> Self {
        Self { name: name.into(), ink, width, points: points.collect() }
    }
}

/// An instant worth a name, drawn as a flag above the chart.
pub(super) struct Mark {
    pub(super) at_ms: f64,
    pub(super) words: String,
    pub(super) ink: Ink,
}

/// What to draw, apart from how large.
pub(super) struct Chart {
    /// What a screen reader says.
    pub(super) label: String,
    /// Stands above the vertical axis: quantity and unit.
    pub(super) unit: &'static str,
    pub(super) curves: Vec<Curve>,
    pub(super) marks: Vec<Mark>,
    /// Whether the ends of the lines carry their names.
    pub(super) named: bool,
    /// Values the scale spans at least, so that neighbours can be compared.
    pub(super) span: f64,
    /// Values by decades, no lower than this.
    pub(super) decades_from: Option<f64>,
    /// How a value reads on the vertical axis.
    pub(super) show: fn(f64) -> String,
}

/// Room around the plot, in pixels.
struct Margins {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

const FLAG: f64 = 18.0;
const NAME_GAP: f64 = 14.0;
/// More points than this tell the eye nothing.
const POINTS: usize = 900;

impl Chart {
    /// The chart as an `<svg>` of that size.
    pub(super) fn draw(&self, size: Point, class: &str) -> String {
        let values = || self.curves.iter().flat_map(|c| c.points.iter());
        let time = extent(values().map(|p| p.0), 0.0);
        let value = match self.decades_from {
            Some(floor) => extent(values().map(|p| p.1.max(floor)), 0.0),
            None => extent(values().map(|p| p.1), 0.06).map(|range| widened(range, self.span)),
        };
        let (Some(time), Some(value)) = (time, value) else {
            return format!("<p class=\"{class} none\">{}: {NOT_MEASURED}.</p>", escape(&self.label));
        };
        let room = Margins {
            left: if self.decades_from.is_some() { 62.0 } else { 46.0 },
            right: if self.named { size.0.min(500.0) * 0.25 } else { 14.0 },
            top: 20.0 + FLAG * self.marks.len() as f64,
            bottom: 26.0,
        };
        let x = Scale::linear(time, (room.left, size.0 - room.right));
        let up = (size.1 - room.bottom, room.top);
        let y = match self.decades_from {
            Some(_) => Scale::log(value, up),
            None => Scale::linear(value, up),
        };
        let drawing = sheet(size, class, &self.label, |sheet| {
            self.frame(sheet, size, &room, &x, &y);
            self.flags(sheet, size, &room, &x);
            for curve in &self.curves {
                draw_curve(sheet, curve, &x, &y);
            }
            if self.named {
                self.names(sheet, &x, &y, size.0 - room.right);
            }
        });
        let (left, right) = (room.left / size.0, 1.0 - room.right / size.0);
        format!(
            "<div class=\"plot {class}\" data-left=\"{left:.4}\" data-right=\"{right:.4}\" data-from=\"{}\" data-to=\"{}\">{drawing}</div>",
            time.0, time.1
        )
    }

    /// The same curves for the pointer's readout, as JSON.
    pub(super) fn readout(&self) -> serde_json::Value {
        let curves: Vec<_> = self
            .curves
            .iter()
            .map(|c| {
                let thin = c.points.len().div_ceil(1500).max(1);
                let points: Vec<_> = c.points.iter().step_by(thin).collect();
                let shown = |v: f64| if v.is_finite() { (self.show)(v) } else { NOT_MEASURED.into() };
                serde_json::json!({
                    "name": c.name,
                    "ink": c.ink.name(),
                    "t": points.iter().map(|p| p.0).collect::<Vec<f64>>(),
                    "v": points.iter().map(|p| shown(p.1)).collect::<Vec<String>>(),
                })
            })
            .collect();
        serde_json::Value::Array(curves)
    }

    fn frame(&self, sheet: &mut Sheet<'_>, size: Point, room: &Margins, x: &Scale, y: &Scale) {
        let (left, right) = (room.left, size.0 - room.right);
        let (top, bottom) = (room.top, size.1 - room.bottom);
        let small = |hang| Type::new(Ink::Muted, hang).size(12.0);
        let wanted =
            ((bottom - top) / if self.decades_from.is_some() { 30.0 } else { 44.0 }).max(2.0) as usize;
        for tick in y.ticks(wanted) {
            let Some(at) = y.at(tick) else { continue };
            sheet.line((left, at), (right, at), Ink::Grid, 1.0);
            sheet.text((left - 7.0, at), &(self.show)(tick), small(Hang::Right));
        }
        sheet.text((0.0, top - 12.0), self.unit, small(Hang::Left));
        sheet.line((left, bottom), (right, bottom), Ink::Faint, 1.0);
        let wanted = ((right - left) / 64.0).max(2.0) as usize;
        for tick in x.ticks(wanted) {
            let Some(at) = x.at(tick) else { continue };
            sheet.line((at, bottom), (at, bottom + 4.0), Ink::Faint, 1.0);
            let sign = if tick > 0.0 { "+" } else { "" };
            sheet.text((at, bottom + 14.0), &format!("{sign}{}", significant(tick)), small(Hang::Middle));
        }
        if self.named {
            sheet.text((right + 8.0, bottom + 14.0), "ms after the kill", small(Hang::Left));
        }
        if let Some(at) = x.at(0.0).filter(|_| x.within(0.0) && self.marks.is_empty()) {
            sheet.line((at, top), (at, bottom), Ink::Faint, 1.0);
        }
    }

    /// One row a mark, so that marks a millisecond apart never write over each other.
    fn flags(&self, sheet: &mut Sheet<'_>, size: Point, room: &Margins, x: &Scale) {
        let bottom = size.1 - room.bottom;
        for (row, mark) in self.marks.iter().enumerate() {
            let Some(at) = x.at(mark.at_ms).filter(|_| x.within(mark.at_ms)) else { continue };
            let top = 9.0 + FLAG * row as f64;
            sheet.line((at, top - 6.0), (at, bottom), mark.ink, 1.0);
            sheet.text((at + 6.0, top), &mark.words, Type::new(mark.ink, Hang::Left));
        }
    }

    fn names(&self, sheet: &mut Sheet<'_>, x: &Scale, y: &Scale, right: f64) {
        let mut ends: Vec<(f64, f64, &Curve)> = Vec::new();
        for curve in &self.curves {
            let last = curve.points.iter().rev().find(|p| p.1.is_finite());
            if let Some((Some(_), Some(at))) = last.map(|p| (x.at(p.0), y.at(p.1))) {
                ends.push((at, at, curve));
            }
        }
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Neighbours push each other apart until all can be read.
        for _ in 0..60 {
            for i in 1..ends.len() {
                let short = NAME_GAP - (ends[i].1 - ends[i - 1].1);
                if short > 0.0 {
                    ends[i - 1].1 -= short / 2.0;
                    ends[i].1 += short / 2.0;
                }
            }
        }
        for (at, label, curve) in ends {
            let ink = if curve.ink == Ink::Twin { Ink::Muted } else { curve.ink };
            sheet.line((right + 1.0, at), (right + 6.0, label), curve.ink, 1.0);
            sheet.text((right + 9.0, label), &curve.name, Type::new(ink, Hang::Left));
        }
    }
}

/// The range, grown on both sides to at least `span`.
fn widened((lo, hi): (f64, f64), span: f64) -> (f64, f64) {
    let more = (span - (hi - lo)).max(0.0) / 2.0;
    (lo - more, hi + more)
}

/// A curve in pieces: a gap in the data is a gap in the line.
fn draw_curve(sheet: &mut Sheet<'_>, curve: &Curve, x: &Scale, y: &Scale) {
    for piece in curve.points.split(|p| !p.0.is_finite() || !p.1.is_finite()) {
        let pixels: Vec<Point> =
            thinned(piece).into_iter().filter_map(|(t, v)| Some((x.at(t)?, y.at(v)?))).collect();
        match pixels.as_slice() {
            [] => {}
            [one] => sheet.dot(*one, curve.width, curve.ink, 1.0),
            many => sheet.path(many, curve.ink, curve.width),
        }
    }
}

/// At most [`POINTS`] points, keeping the least and the greatest of every stretch.
fn thinned(points: &[Point]) -> Vec<Point> {
    if points.len() <= POINTS {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil(POINTS / 2);
    let mut kept = Vec::with_capacity(POINTS);
    for part in points.chunks(stretch) {
        let low = part.iter().enumerate().min_by(|a, b| a.1.1.total_cmp(&b.1.1)).map(|(i, _)| i);
        let high = part.iter().enumerate().max_by(|a, b| a.1.1.total_cmp(&b.1.1)).map(|(i, _)| i);
        if let (Some(low), Some(high)) = (low, high) {
            kept.push(part[low.min(high)]);
            if low != high {
                kept.push(part[low.max(high)]);
            }
        }
    }
    kept
}

/// The chart for a wide and for a narrow window; CSS shows one of them.
pub(super) fn both(chart: &Chart, height: f64) -> String {
    let mut narrow = chart.draw((400.0, height.min(300.0)), "narrow");
    narrow.insert_str(0, &chart.draw((980.0, height), "wide"));
    narrow
}
