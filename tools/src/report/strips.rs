//! What happened over all trials. Contract: every trial with a value is one dot, none is averaged away; a stalled machine
//! makes its trial a ring, a torn state an alarm; the median of the others is a stroke with its number.

use super::data::{Kind, Report, Trial};
use super::figures::ink;
use super::scale::{Scale, extent};
use super::summary::median;
use super::svg::{Hang, Ink, Point, Sheet, Type, sheet};
use super::text::{NOT_MEASURED, micros, percent, significant};

/// One quantity of a trial.
struct Strip {
    title: &'static str,
    under: &'static str,
    of: fn(&Trial) -> Option<f64>,
    show: fn(f64) -> String,
    /// Decades where the greatest is this many times the least.
    wide_from: f64,
}

const STRIPS: [Strip; 4] = [
    Strip {
        title: "Detection",
        under: "last sign of life → silence declared",
        of: |t| t.detection_us,
        show: |v| micros(Some(v)),
        wide_from: 30.0,
    },
    Strip {
        title: "Takeover",
        under: "silence declared → first commit",
        of: |t| t.takeover_us,
        show: |v| micros(Some(v)),
        wide_from: 30.0,
    },
    Strip {
        title: "Cycles missed",
        under: "cycles without a fresh output",
        of: |t| t.cycles_missed.map(|n| n as f64),
        show: significant,
        wide_from: 300.0,
    },
    Strip {
        title: "Largest bump",
        under: "worst distance from the twin, share of span",
        of: |t| t.bump.max,
        show: |v| percent(Some(v)),
        wide_from: 30.0,
    },
];

const SIZE: Point = (470.0, 172.0);
const LEFT: f64 = 44.0;
const ROWS: [(Kind, f64); 2] = [(Kind::Hot, 46.0), (Kind::Cold, 112.0)];
const DOT: f64 = 2.6;

/// The four of them.
pub(super) fn draw(report: &Report) -> String {
    let cells: String = STRIPS
        .iter()
        .map(|s| {
            format!(
                "<div class=\"cell\"><h4>{} <span>{}</span></h4>{}</div>",
                s.title,
                s.under,
                s.draw(report)
            )
        })
        .collect();
    format!("<div class=\"grid two\">{cells}</div>")
}

impl Strip {
    fn draw(&self, report: &Report) -> String {
        let values = || report.trials.iter().filter_map(self.of).filter(|v| v.is_finite());
        let Some((lo, hi)) = extent(values(), 0.0) else {
            return format!("<p class=\"none\">{}: {NOT_MEASURED}.</p>", self.title);
        };
        let px = (LEFT + 8.0, SIZE.0 - 16.0);
        let least = values().filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
        let decades = least.is_finite() && hi / least > self.wide_from;
        let scale = if decades {
            Scale::log((least, hi), px)
        } else {
            // A scale that starts at zero unless all values are far from it.
            let from = if lo > 0.5 * hi { lo - 0.1 * (hi - lo) } else { 0.0 };
            Scale::linear((from, hi + 0.04 * (hi - from)), px)
        };
        sheet(SIZE, "panel", &format!("{}: one dot a trial", self.title), |sheet| {
            self.frame(sheet, &scale);
            for (kind, y) in ROWS {
                self.row(sheet, report, kind, y, &scale);
            }
        })
    }

    fn frame(&self, sheet: &mut Sheet<'_>, scale: &Scale) {
        let bottom = SIZE.1 - 24.0;
        for tick in scale.ticks(5) {
            let Some(x) = scale.at(tick) else { continue };
            sheet.line((x, 12.0), (x, bottom), Ink::Grid, 1.0);
            let look = Type::new(Ink::Muted, Hang::Middle).size(11.0);
            sheet.text((x, bottom + 13.0), &(self.show)(tick), look);
        }
        sheet.line((LEFT, bottom), (SIZE.0, bottom), Ink::Faint, 1.0);
    }

    fn row(&self, sheet: &mut Sheet<'_>, report: &Report, kind: Kind, y: f64, scale: &Scale) {
        sheet.text((0.0, y), kind.name(), Type::new(ink(kind), Hang::Left).bold());
        let rows: Vec<(&Trial, f64)> = report
            .trials
            .iter()
            .filter(|t| t.kind == kind)
            .filter_map(|t| Some((t, (self.of)(t).filter(|v| v.is_finite())?)))
            .collect();
        if rows.is_empty() {
            sheet.text((LEFT + 8.0, y), NOT_MEASURED, Type::new(Ink::Faint, Hang::Left));
            return;
        }
        let mut swarm = Swarm::default();
        for (trial, value) in &rows {
            let Some(x) = scale.at(*value) else { continue };
            let at = (x, y + swarm.lift(x));
            let ink = if trial.torn { Ink::Alarm } else { ink(kind) };
            if trial.stalled(&report.settings) {
                sheet.ring(at, DOT + 0.6, ink, 1.2);
            } else {
                sheet.dot(at, DOT, ink, 0.62);
            }
            let note = if trial.stalled(&report.settings) { ", machine stalled" } else { "" };
            let words = format!("trial {}, {}: {}{note}", trial.index, kind.name(), (self.show)(*value));
            sheet.tip((at.0 - 4.0, at.1 - 4.0), (at.0 + 4.0, at.1 + 4.0), &words);
        }
        let fair = rows.iter().filter(|(t, _)| !t.stalled(&report.settings)).map(|r| r.1);
        let Some((value, x)) = median(fair).and_then(|m| Some((m, scale.at(m)?))) else { return };
        sheet.line((x, y - 22.0), (x, y + 24.0), Ink::Text, 1.4);
        let near_end = x > SIZE.0 - 90.0;
        let (shift, hang) = if near_end { (-4.0, Hang::Right) } else { (4.0, Hang::Left) };
        let look = Type::new(Ink::Text, hang).size(11.0);
        sheet.text((x + shift, y - 26.0), &format!("median {}", (self.show)(value)), look);
    }
}

/// Stacks dots that would lie on each other, up and down in turn, as far as the row is high.
#[derive(Default)]
struct Swarm {
    taken: Vec<u32>,
}

impl Swarm {
    fn lift(&mut self, x: f64) -> f64 {
        let column = (x / (2.0 * DOT)).max(0.0) as usize;
        if self.taken.len() <= column {
            self.taken.resize(column + 1, 0);
        }
        let n = self.taken[column];
        self.taken[column] += 1;
        let step = f64::from(n.div_ceil(2)) * (2.0 * DOT - 0.4);
        let side = if n.is_multiple_of(2) { 1.0 } else { -1.0 };
        // Above the row's height the stack starts over, shifted, so that dots overlap instead of leaving.
        side * if step > 20.0 { step % 20.0 + 1.3 } else { step }
    }
}
