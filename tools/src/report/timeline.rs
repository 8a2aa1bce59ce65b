//! The takeover magnified: who acts in each millisecond. Contract: every tick of the window is one cell in exactly one of
//! three lanes, the old primary's, the successor's, or the plant holding the last output; an old epoch's output that was
//! accepted after a newer one is drawn as an alarm.

use super::data::{Kind, Report, Tick, Trace};
use super::figures::{Pair, ink};
use super::scale::{Scale, extent};
use super::svg::{Hang, Ink, Point, Sheet, Type, sheet};
use super::text::{NOT_MEASURED, after_ms, count, significant};

/// What a pump was told in a tick.
type Volts = fn(&Tick) -> f64;

/// The window, in milliseconds around the kill.
const WINDOW: (f64, f64) = (-5.0, 20.0);
const LANE: f64 = 24.0;
const PUMP: f64 = 60.0;
const HEAD: f64 = 56.0;

/// Both kills, one above the other on one time axis.
pub(super) fn draw(report: &Report, pair: &Pair<'_>) -> String {
    let traces: Vec<&Trace> = pair.hot.into_iter().chain(pair.cold).collect();
    let pumps = traces.iter().flat_map(|t| window(t)).flat_map(|t| [t.pumps_real_v[0], t.pumps_twin_v[0]]);
    let volts = extent(pumps, 0.1).unwrap_or((0.0, 1.0));
    traces
        .iter()
        .map(|trace| {
            let block = Block { trace, dead: dead_epoch(report, trace), volts };
            block.draw((980.0, 152.0), "wide") + &block.draw((400.0, 76.0), "narrow")
        })
        .collect()
}

struct Block<'a> {
    trace: &'a Trace,
    /// Epoch of the primary that was killed.
    dead: u64,
    volts: (f64, f64),
}

impl Block<'_> {
    fn draw(&self, (width, left): Point, class: &str) -> String {
        let right = width - 8.0;
        let x = Scale::linear(WINDOW, (left, right));
        let kind = self.trace.kind;
        let height = HEAD + 3.0 * LANE + 22.0 + PUMP + 24.0;
        let label = format!("Who acts in each millisecond, {} standby: {}", kind.name(), self.gap());
        let drawing = sheet((width, height), class, &label, |sheet| {
            let bold = Type::new(ink(kind), Hang::Left).bold().size(14.0);
            sheet.text((0.0, 10.0), &format!("{} standby", capital(kind)), bold);
            let wide = class == "wide";
            self.lanes(sheet, &x, left, wide);
            self.marks(sheet, &x, wide);
            self.say_later(sheet, right);
            self.pump(sheet, &x, left);
            let bottom = height - 24.0;
            for tick in x.ticks(if wide { 25 } else { 6 }) {
                let Some(at) = x.at(tick) else { continue };
                let small = Type::new(Ink::Muted, Hang::Middle).size(11.5);
                let sign = if tick > 0.0 { "+" } else { "" };
                sheet.line((at, bottom), (at, bottom + 4.0), Ink::Faint, 1.0);
                sheet.text((at, bottom + 13.0), &format!("{sign}{}", significant(tick)), small);
            }
            sheet.line((left, bottom), (right, bottom), Ink::Faint, 1.0);
            if wide {
                let small = Type::new(Ink::Muted, Hang::Right).size(11.5);
                sheet.text((left - 12.0, bottom + 13.0), "ms after the kill", small);
            }
        });
        format!("<div class=\"{class}\">{drawing}</div>")
    }

    fn lanes(&self, sheet: &mut Sheet<'_>, x: &Scale, left: f64, wide: bool) {
        let next = self.successor();
        let new = next.map_or(String::new(), |e| format!(" · epoch {e}"));
        let names = if wide {
            [
                format!("primary · epoch {}", self.dead),
                format!("successor{new}"),
                "plant holds the last output".into(),
            ]
        } else {
            ["primary".into(), "successor".into(), "plant holds".into()]
        };
        let (from, to) = (x.at(WINDOW.0).unwrap_or(left), x.at(WINDOW.1).unwrap_or(left));
        for (lane, name) in names.iter().enumerate() {
            let top = HEAD + LANE * lane as f64;
            sheet.rect((from, top + 2.0), (to, top + LANE - 2.0), Ink::Wash, 1.0);
            sheet.text((left - 12.0, top + LANE / 2.0), name, Type::new(Ink::Muted, Hang::Right).size(11.5));
        }
        let mut newest = 0;
        for tick in window(self.trace) {
            let stale = tick.fresh && tick.epoch < newest;
            newest = newest.max(tick.epoch);
            let (lane, ink, alpha) = match (tick.fresh, tick.epoch > self.dead) {
                _ if stale => (0.0, Ink::Alarm, 1.0),
                (true, false) => (0.0, Ink::Muted, 0.85),
                (true, true) => (1.0, ink(self.trace.kind), 0.95),
                (false, _) => (2.0, Ink::Faint, 0.45),
            };
            let (Some(from), Some(to)) = (x.at(tick.time_ms), x.at(tick.time_ms + 1.0)) else { continue };
            let top = HEAD + LANE * lane;
            let (a, b) = ((from + 1.0, top + 2.0), (to - 0.5, top + LANE - 2.0));
            if b.0 <= a.0 {
                continue;
            }
            sheet.rect(a, b, ink, alpha);
            if let Some(cycle) = tick.cycle.filter(|_| wide && tick.fresh) {
                let look = Type::new(Ink::Paper, Hang::Middle).size(10.0);
                sheet.text(((a.0 + b.0) / 2.0, top + LANE / 2.0), &format!("{:03}", cycle % 1000), look);
            }
            sheet.tip(a, b, &words(tick, stale));
        }
        self.say_gap(sheet, x);
    }

    fn marks(&self, sheet: &mut Sheet<'_>, x: &Scale, wide: bool) {
        let bottom = HEAD + 3.0 * LANE + 22.0 + PUMP;
        let flags = [
            (Some(0.0), "killed", Ink::Text, HEAD - 24.0, 1.0),
            (self.trace.detected_ms, "silence declared", Ink::Muted, HEAD - 24.0, 1.0),
            (self.trace.takeover_ms, "first commit", ink(self.trace.kind), HEAD - 9.0, 1.0),
        ];
        for (at, name, ink, row, width) in flags {
            let Some(ms) = at.filter(|v| v.is_finite() && x.within(*v)) else { continue };
            let Some(px) = x.at(ms) else { continue };
            let words = if ms == 0.0 || !wide { name.into() } else { format!("{name} {}", after_ms(ms)) };
            // Killed stands before its line, so that a notice soon after has its own room.
            let (shift, hang) = if ms == 0.0 { (-5.0, Hang::Right) } else { (5.0, Hang::Left) };
            sheet.line((px, row - 6.0), (px, bottom), ink, width);
            sheet.text((px + shift, row), &words, Type::new(ink, hang).size(11.5));
        }
    }

    /// A first commit that is beyond the window is still said.
    fn say_later(&self, sheet: &mut Sheet<'_>, right: f64) {
        if let Some(ms) = self.trace.takeover_ms.filter(|ms| ms.is_finite() && *ms > WINDOW.1) {
            let look = Type::new(ink(self.trace.kind), Hang::Right).size(11.5);
            sheet.text((right, HEAD - 9.0), &format!("first commit {} →", after_ms(ms)), look);
        }
    }

    /// How long the plant held the last output, beside the cells that show it.
    fn say_gap(&self, sheet: &mut Sheet<'_>, x: &Scale) {
        let held = window(self.trace).filter(|t| t.time_ms >= 0.0 && !t.fresh).last();
        let end = held.map_or(0.0, |t| t.time_ms + 1.0);
        let row = HEAD + 2.5 * LANE;
        let (at, hang, ink) =
            if end > 10.0 { (0.0, Hang::Right, Ink::Muted) } else { (end, Hang::Left, Ink::Text) };
        if let Some(px) = x.at(at) {
            let shift = if hang == Hang::Left { 7.0 } else { -7.0 };
            sheet.text((px + shift, row), &self.gap(), Type::new(ink, hang).size(11.5));
        }
    }

    /// What the first pump was told, as the steps that it is.
    fn pump(&self, sheet: &mut Sheet<'_>, x: &Scale, left: f64) {
        let top = HEAD + 3.0 * LANE + 16.0;
        let y = Scale::linear(self.volts, (top + PUMP, top));
        let small = Type::new(Ink::Muted, Hang::Right).size(11.5);
        for tick in y.ticks(2) {
            let Some(at) = y.at(tick) else { continue };
            sheet.line((left, at), (x.at(WINDOW.1).unwrap_or(left), at), Ink::Grid, 1.0);
            sheet.text((left - 12.0, at), &format!("{} V", significant(tick)), small);
        }
        sheet.text((left - 12.0, top - 4.0), "pump 1", small);
        let paths: [(Volts, Ink, f64); 2] =
            [(|t| t.pumps_twin_v[0], Ink::Twin, 5.0), (|t| t.pumps_real_v[0], ink(self.trace.kind), 1.8)];
        for (of, ink, width) in paths {
            let mut steps = Vec::new();
            for tick in window(self.trace) {
                let (from, to) = (x.at(tick.time_ms), x.at(tick.time_ms + 1.0));
                if let (Some(from), Some(to), Some(at)) = (from, to, y.at(of(tick))) {
                    steps.extend([(from, at), (to, at)]);
                }
            }
            if steps.len() > 1 {
                sheet.path(&steps, ink, width);
            }
        }
    }

    fn successor(&self) -> Option<u64> {
        self.trace.ticks.iter().map(|t| t.epoch).find(|e| *e > self.dead)
    }

    /// How long the plant went without, in words.
    fn gap(&self) -> String {
        if !window(self.trace).any(|t| t.time_ms >= 0.0) {
            return format!("the takeover itself is {NOT_MEASURED}");
        }
        // Of the whole trace: a long takeover outlasts the window.
        let held = self.trace.ticks.iter().filter(|t| t.time_ms >= 0.0 && !t.fresh).count() as u64;
        match held {
            0 => "a fresh output in every millisecond".into(),
            n => format!("{} ms without a fresh output", count(n)),
        }
    }
}

fn window(trace: &Trace) -> impl Iterator<Item = &Tick> {
    trace.ticks.iter().filter(|t| (WINDOW.0..WINDOW.1).contains(&t.time_ms))
}

fn dead_epoch(report: &Report, trace: &Trace) -> u64 {
    let trial = report.trials.iter().find(|t| t.index == trace.trial && t.kind == trace.kind);
    let before = trace.ticks.iter().rev().find(|t| t.time_ms < 0.0).or(trace.ticks.first());
    before.map(|t| t.epoch).or(trial.and_then(|t| t.cut_dead).map(|c| c.epoch)).unwrap_or_default()
}

fn words(tick: &Tick, stale: bool) -> String {
    let what = match (stale, tick.fresh) {
        (true, _) => "stale output accepted",
        (false, true) => "fresh output",
        (false, false) => "the last output held",
    };
    let cycle = tick.cycle.map_or(String::new(), |c| format!(", cycle {c}"));
    format!(
        "{}: {what}, epoch {}{cycle}, pump 1 at {} V",
        after_ms(tick.time_ms),
        tick.epoch,
        significant(tick.pumps_real_v[0])
    )
}

fn capital(kind: Kind) -> &'static str {
    match kind {
        Kind::Hot => "Hot",
        Kind::Cold => "Cold",
    }
}
