//! What happened over all trials. Contract: every trial with a value is one dot, none is averaged away; a stalled machine
//! makes its trial a ring, a torn state an alarm; the median of the others is a stroke with its number.

use super::data::{Kind, Report, Trial};
use super::figures::ink;
use super::scale::{Scale, extent};
use super::summary::median;
use super::svg::{Hang, Ink, Point, Sheet, Type, sheet};
use super::text::{Digits, NOT_MEASURED, micros_in, percent_in, precise, significant};

/// One quantity of a trial.
struct Strip {
    title: &'static str,
    under: &'static str,
    of: fn(&Trial) -> Option<f64>,
    show: fn(f64, Digits) -> String,
    /// Decades where the greatest is this many times the least.
    wide_from: f64,
    /// Whether the values are counts.
    whole: bool,
}

const STRIPS: [Strip; 4] = [
    Strip {
        title: "Detection",
        under: "last sign of life → silence declared",
        of: |t| t.detection_us,
        show: micros_in,
        wide_from: 30.0,
        whole: false,
    },
    Strip {
        title: "Takeover",
        under: "silence declared → first commit",
        of: |t| t.takeover_us,
        show: micros_in,
        wide_from: 30.0,
        whole: false,
    },
    Strip {
        title: "Cycles missed",
        under: "cycles without a fresh output",
        of: |t| t.cycles_missed.map(|n| n as f64),
        show: |v, digits| digits(v),
        wide_from: 300.0,
        whole: true,
    },
    Strip {
        title: "Largest bump",
        under: "distance from the twin, % of span",
        of: |t| t.bump.max,
        show: percent_in,
        wide_from: 30.0,
        whole: false,
    },
];

const SIZE: Point = (470.0, 184.0);
const LEFT: f64 = 44.0;
const ROWS: [(Kind, f64); 2] = [(Kind::Hot, 52.0), (Kind::Cold, 124.0)];
/// Width of the margin for what is beyond the scale.
const ASIDE: f64 = 96.0;

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
        let settings = &report.settings;
        let of = |keep: &dyn Fn(&Trial) -> bool| -> Vec<f64> {
            let kept = report.trials.iter().filter(|t| keep(t));
            kept.filter_map(self.of).filter(|v| v.is_finite()).collect()
        };
        let (all, fair) = (of(&|_| true), of(&|t| !t.stalled(settings)));
        let Some(whole) = extent(all.iter().copied(), 0.0) else {
            return format!("<p class=\"none\">{}: {NOT_MEASURED}.</p>", self.title);
        };
        let (lo, mut hi) = extent(fair.iter().copied(), 0.0).unwrap_or(whole);
        // Stalls that would squeeze the others go to the margin, with their number.
        let aside = whole.1 > hi + 2.0 * (hi - lo).max(0.1 * hi);
        if !aside {
            hi = whole.1;
        }
        let px = (LEFT + 8.0, SIZE.0 - if aside { ASIDE } else { 16.0 });
        let least = all.iter().copied().filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
        let scale = if least.is_finite() && hi / least > self.wide_from {
            Scale::log((least, hi), px)
        } else {
            // From zero, unless all values are far from it.
            let from = if lo > 0.5 * hi && !self.whole { lo - 0.1 * (hi - lo) } else { 0.0 };
            Scale::linear((from, hi + 0.04 * (hi - from)), px)
        };
        sheet(SIZE, "panel", &format!("{}: one dot a trial", self.title), |sheet| {
            self.frame(sheet, &scale, aside);
            for (kind, y) in ROWS {
                self.row(sheet, report, kind, y, &scale);
            }
        })
    }

    fn frame(&self, sheet: &mut Sheet<'_>, scale: &Scale, aside: bool) {
        let bottom = SIZE.1 - 24.0;
        let right = SIZE.0 - if aside { ASIDE } else { 0.0 };
        let look = Type::new(Ink::Muted, Hang::Middle).size(12.0);
        for tick in scale.ticks(4) {
            let Some(x) = scale.at(tick).filter(|_| !self.whole || tick.fract() == 0.0) else { continue };
            sheet.line((x, 12.0), (x, bottom), Ink::Grid, 1.0);
            sheet.text((x, bottom + 13.0), &(self.show)(tick, precise), look);
        }
        sheet.line((LEFT, bottom), (right, bottom), Ink::Faint, 1.0);
        if aside {
            sheet.rect((right + 8.0, 12.0), (SIZE.0, bottom), Ink::Wash, 1.0);
            sheet.text((right + ASIDE / 2.0 + 4.0, bottom + 13.0), "stalled, beyond", look);
        }
    }

    fn row(&self, sheet: &mut Sheet<'_>, report: &Report, kind: Kind, y: f64, scale: &Scale) {
        sheet.text((0.0, y), kind.name(), Type::new(ink(kind), Hang::Left).bold());
        let settings = &report.settings;
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
        let fair = rows.iter().filter(|(t, _)| !t.stalled(settings)).map(|r| r.1);
        if let Some((value, x)) = median(fair).and_then(|m| Some((m, scale.at(m)?))) {
            sheet.line((x, y - 24.0), (x, y + 24.0), Ink::Text, 1.4);
            let (shift, hang) = if x > SIZE.0 - 110.0 { (-5.0, Hang::Right) } else { (5.0, Hang::Left) };
            let look = Type::new(Ink::Text, hang).size(12.0);
            sheet.text((x + shift, y - 27.0), &format!("median {}", (self.show)(value, significant)), look);
        }
        let mut swarm = Swarm::new(rows.len());
        let beyond = |t: &Trial, v: f64| t.stalled(settings) && !scale.within(v);
        let margin = rows.iter().filter(|(t, v)| beyond(t, *v)).map(|r| r.1);
        let alone = margin.clone().count() <= 4;
        if let Some(most) = margin.max_by(f64::total_cmp).filter(|_| !alone) {
            let look = Type::new(ink(kind), Hang::Left).size(12.0);
            sheet.text(
                (SIZE.0 - ASIDE + 14.0, y - 32.0),
                &format!("up to {}", (self.show)(most, significant)),
                look,
            );
        }
        let mut aside = 0_usize;
        for (trial, value) in &rows {
            let stalled = trial.stalled(settings);
            let beyond = beyond(trial, *value);
            let at = if beyond {
                aside += 1;
                let place = (aside - 1) as f64;
                (SIZE.0 - ASIDE + 18.0 + 9.0 * (place / 4.0).floor(), y - 20.0 + 13.0 * (place % 4.0))
            } else {
                let Some(x) = scale.at(*value) else { continue };
                swarm.place(x, y)
            };
            let ink = if trial.torn { Ink::Alarm } else { ink(kind) };
            match stalled {
                true => sheet.ring(at, swarm.radius + 0.8, ink, 1.3),
                false => sheet.dot(at, swarm.radius, ink, 0.62),
            }
            if beyond && alone {
                let look = Type::new(ink, Hang::Left).size(12.0);
                sheet.text((at.0 + 8.0, at.1), &(self.show)(*value, significant), look);
            }
            let note = if stalled { ", machine stalled" } else { "" };
            let words =
                format!("trial {}, {}: {}{note}", trial.index, kind.name(), (self.show)(*value, significant));
            sheet.tip((at.0 - 4.0, at.1 - 4.0), (at.0 + 4.0, at.1 + 4.0), &words);
        }
    }
}

/// Places dots that would lie on each other in stacks, up and down in turn, and full stacks side by side.
struct Swarm {
    radius: f64,
    taken: Vec<u32>,
}

impl Swarm {
    fn new(dots: usize) -> Self {
        Self { radius: if dots > 120 { 1.8 } else { 2.6 }, taken: Vec::new() }
    }

    fn place(&mut self, x: f64, y: f64) -> Point {
        let step = 2.0 * self.radius;
        let column = (x / step).max(0.0) as usize;
        if self.taken.len() <= column {
            self.taken.resize(column + 1, 0);
        }
        let n = self.taken[column];
        self.taken[column] += 1;
        let high = (38.0 / step) as u32;
        let turn = |n: u32| f64::from(n.div_ceil(2)) * if n.is_multiple_of(2) { 1.0 } else { -1.0 };
        // So many that even the stacks beside are full: dots overlap rather than stray.
        (x + turn(n / high % 12) * step, y + turn(n % high) * step)
    }
}
