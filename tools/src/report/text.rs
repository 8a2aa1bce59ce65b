//! Numbers and words for the page. Contract: whatever the input, the result is safe inside HTML text and attributes,
//! and never shows NaN or infinity: those read "not measured".

/// What stands where there is no value.
pub(super) const NOT_MEASURED: &str = "not measured";

/// No-break space between a number and its unit.
const NBSP: char = '\u{a0}';
/// Narrow no-break space between groups of three digits.
const THIN: char = '\u{202f}';

/// Text for HTML, quotes included.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A scheme in a foreign string would look like a reference; it stays readable.
            ':' => out.push_str("&#58;"),
            other => out.push(other),
        }
    }
    out
}

/// Text for HTML, or "not known".
pub(super) fn known(text: &str) -> String {
    if text.trim().is_empty() { "not known".into() } else { escape(text) }
}

/// 12 345 678, in groups of three from five digits up.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(THIN);
        }
        out.push(c);
    }
    out
}

/// A count that may be missing.
pub(super) fn count_or(n: Option<u64>) -> String {
    n.map_or(NOT_MEASURED.into(), count)
}

/// `1 cycle`, `2 cycles`.
pub(super) fn many(n: u64, one: &str) -> String {
    format!("{}{NBSP}{one}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Three significant digits: enough for a measurement.
pub(super) fn significant(value: f64) -> String {
    digits(value, 3)
}

/// Five significant digits: enough to tell one tick, or one millisecond, from the next.
pub(super) fn precise(value: f64) -> String {
    digits(value, 5)
}

/// So many significant digits, without an exponent and without trailing zeros behind the point.
fn digits(value: f64, wanted: i32) -> String {
    if !value.is_finite() {
        return NOT_MEASURED.into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let places = (wanted - 1 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let fixed = format!("{value:.places$}");
    let short = if fixed.contains('.') { fixed.trim_end_matches('0').trim_end_matches('.') } else { &fixed };
    if matches!(short, "-0" | "") { "0".into() } else { short.replace('-', "−") }
}

/// How many digits of a value are shown.
pub(super) type Digits = fn(f64) -> String;

fn with_unit(value: f64, unit: &str, digits: Digits) -> String {
    format!("{}{NBSP}{unit}", digits(value))
}

/// Microseconds, shown as µs, ms or s.
pub(super) fn micros(us: Option<f64>) -> String {
    us.filter(|v| v.is_finite()).map_or(NOT_MEASURED.into(), |v| micros_in(v, significant))
}

/// Microseconds with a choice of digits.
pub(super) fn micros_in(us: f64, digits: Digits) -> String {
    match us.abs() {
        v if v >= 999_500.0 => with_unit(us / 1e6, "s", digits),
        v if v >= 999.5 => with_unit(us / 1e3, "ms", digits),
        _ => with_unit(us, "µs", digits),
    }
}

/// A fraction, shown as a percentage.
pub(super) fn percent(fraction: Option<f64>) -> String {
    fraction.filter(|v| v.is_finite()).map_or(NOT_MEASURED.into(), |v| percent_in(v, significant))
}

/// A fraction with a choice of digits.
pub(super) fn percent_in(fraction: f64, digits: Digits) -> String {
    with_unit(fraction * 100.0, "%", digits)
}

/// Bytes, shown as B, KiB or MiB.
pub(super) fn bytes(n: Option<f64>) -> String {
    match n.filter(|v| v.is_finite()) {
        Some(v) if v >= 1_048_576.0 => with_unit(v / 1_048_576.0, "MiB", significant),
        Some(v) if v >= 1024.0 => with_unit(v / 1024.0, "KiB", significant),
        Some(v) => with_unit(v, "B", significant),
        None => NOT_MEASURED.into(),
    }
}

/// A signed number of milliseconds: `+3.1 ms`.
pub(super) fn after_ms(ms: f64) -> String {
    format!("{}{}{NBSP}ms", if ms > 0.0 { "+" } else { "" }, significant(ms))
}
