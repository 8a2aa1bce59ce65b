//! One drawing. Contract: coordinates are CSS pixels from the top left, colours are the page's variables, and the
//! result is an `<svg>` element that scales with its box and needs nothing from outside.
//!
//! plotters writes whole pixels and literal colours. So everything is drawn ten times as large under a view box, and each
//! [`Ink`] is a colour that nobody else uses, which becomes `var(--name)` in the end: dark and light are then CSS alone.

use plotters::prelude::{
    BLACK, Color, DrawingBackend, IntoFont, RGBColor, SVGBackend, ShapeStyle, TextStyle,
};
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::text::escape;

/// Drawing units in a pixel.
const FINE: f64 = 10.0;

/// A colour of the page, by what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Ink {
    Text,
    Muted,
    Faint,
    Grid,
    Wash,
    Hot,
    Cold,
    Twin,
    Reference,
    Alarm,
    Paper,
}

impl Ink {
    const ALL: [Self; 11] = [
        Self::Text,
        Self::Muted,
        Self::Faint,
        Self::Grid,
        Self::Wash,
        Self::Hot,
        Self::Cold,
        Self::Twin,
        Self::Reference,
        Self::Alarm,
        Self::Paper,
    ];

    /// Name of the CSS variable.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "--text",
            Self::Muted => "--muted",
            Self::Faint => "--faint",
            Self::Grid => "--grid",
            Self::Wash => "--wash",
            Self::Hot => "--hot",
            Self::Cold => "--cold",
            Self::Twin => "--twin",
            Self::Reference => "--reference",
            Self::Alarm => "--alarm",
            Self::Paper => "--paper",
        }
    }

    fn stand_in(self) -> RGBColor {
        RGBColor(0, 1, self as u8)
    }
}

/// Where a text hangs on its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hang {
    Left,
    Middle,
    Right,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    pub(super) size: f64,
    pub(super) ink: Ink,
    pub(super) bold: bool,
    pub(super) hang: Hang,
}

impl Type {
    pub(super) fn new(ink: Ink, hang: Hang) -> Self {
        Self { size: 12.5, ink, bold: false, hang }
    }

    pub(super) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) fn size(self, size: f64) -> Self {
        Self { size, ..self }
    }
}

/// A point, in pixels.
pub(super) type Point = (f64, f64);

/// What is being drawn on.
pub(super) struct Sheet<'a> {
    backend: SVGBackend<'a>,
    tips: String,
}

/// Draws a figure of the given size. `class` tells CSS when to show it, `label` is what a screen reader says.
pub(super) fn sheet(size: Point, class: &str, label: &str, draw: impl FnOnce(&mut Sheet<'_>)) -> String {
    let mut body = String::new();
    let (width, height) = fine(size);
    let backend = SVGBackend::with_string(&mut body, (width as u32, height as u32));
    let mut sheet = Sheet { backend, tips: String::new() };
    draw(&mut sheet);
    let tips = std::mem::take(&mut sheet.tips);
    // The backend writes its end when it goes.
    drop(sheet);
    for ink in Ink::ALL {
        let RGBColor(r, g, b) = ink.stand_in();
        body = body.replace(&format!("#{r:02X}{g:02X}{b:02X}"), &format!("var({})", ink.name()));
    }
    // plotters opens with its own <svg ...>, which names a width in its units: ours scales.
    let inner = body.split_once('>').map_or("", |(_, rest)| rest);
    let inner = inner.trim_end().trim_end_matches("</svg>");
    let inner = inner.replace(" opacity=\"1\"", "").replace(" font-family=\"sans-serif\"", "");
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">{inner}{tips}</svg>",
        escape(label)
    )
}

impl Sheet<'_> {
    pub(super) fn line(&mut self, from: Point, to: Point, ink: Ink, width: f64) {
        let style = stroke(ink, width);
        written(self.backend.draw_line(fine(from), fine(to), &style));
    }

    pub(super) fn path(&mut self, points: &[Point], ink: Ink, width: f64) {
        let style = stroke(ink, width);
        written(self.backend.draw_path(points.iter().copied().map(fine), &style));
    }

    pub(super) fn rect(&mut self, from: Point, to: Point, ink: Ink, alpha: f64) {
        let style = ink.stand_in().mix(alpha).filled();
        written(self.backend.draw_rect(fine(from), fine(to), &style, true));
    }

    pub(super) fn dot(&mut self, at: Point, radius: f64, ink: Ink, alpha: f64) {
        let style = ink.stand_in().mix(alpha).filled();
        written(self.backend.draw_circle(fine(at), (radius * FINE) as u32, &style, true));
    }

    pub(super) fn ring(&mut self, at: Point, radius: f64, ink: Ink, width: f64) {
        let style = stroke(ink, width);
        written(self.backend.draw_circle(fine(at), (radius * FINE) as u32, &style, false));
    }

    /// A text whose middle line is at `at.1`.
    pub(super) fn text(&mut self, at: Point, text: &str, look: Type) {
        let hang = match look.hang {
            Hang::Left => HPos::Left,
            Hang::Middle => HPos::Center,
            Hang::Right => HPos::Right,
        };
        let weight = if look.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = ("sans-serif", look.size * FINE, weight).into_font();
        let color = look.ink.stand_in();
        let style = TextStyle::from(font).color(&color).pos(Pos::new(hang, VPos::Center));
        written(self.backend.draw_text(text, &style, fine(at)));
    }

    /// Words that appear when the pointer rests on the box from `from` to `to`.
    pub(super) fn tip(&mut self, from: Point, to: Point, words: &str) {
        let ((x0, y0), (x1, y1)) = (fine(from), fine(to));
        self.tips.push_str(&format!(
            "<rect class=\"tip\" x=\"{x0}\" y=\"{y0}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
            (x1 - x0).max(1),
            (y1 - y0).max(1),
            escape(words)
        ));
    }
}

fn fine((x, y): Point) -> (i32, i32) {
    ((x * FINE).round() as i32, (y * FINE).round() as i32)
}

fn stroke(ink: Ink, width: f64) -> ShapeStyle {
    let mut style = BLACK.stroke_width((width * FINE) as u32);
    style.color = ink.stand_in().to_rgba();
    style
}

/// The backend writes into a `String`, which has no way to fail.
fn written<E>(result: Result<(), E>) {
    debug_assert!(result.is_ok(), "drawing into memory failed");
}
