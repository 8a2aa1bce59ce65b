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

/// Three significant digits, without an exponent and without trailing zeros behind a unit's worth.
pub(super) fn significant(value: f64) -> String {
    if !value.is_finite() {
        return NOT_MEASURED.into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let places = (2 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let fixed = format!("{value:.places$}");
    let short = if fixed.contains('.') { fixed.trim_end_matches('0').trim_end_matches('.') } else { &fixed };
    if matches!(short, "-0" | "") { "0".into() } else { short.replace('-', "−") }
}

/// A number with its unit.
pub(super) fn with_unit(value: Option<f64>, unit: &str) -> String {
    match value.filter(|v| v.is_finite()) {
        Some(v) => format!("{}{NBSP}{unit}", significant(v)),
        None => NOT_MEASURED.into(),
    }
}

/// Microseconds, shown as µs, ms or s.
pub(super) fn micros(us: Option<f64>) -> String {
    match us.filter(|v| v.is_finite()) {
        Some(v) if v.abs() >= 999_500.0 => with_unit(Some(v / 1e6), "s"),
        Some(v) if v.abs() >= 999.5 => with_unit(Some(v / 1e3), "ms"),
        other => with_unit(other, "µs"),
    }
}

/// A fraction, shown as a percentage.
pub(super) fn percent(fraction: Option<f64>) -> String {
    with_unit(fraction.map(|v| v * 100.0), "%")
}

/// Bytes, shown as B, KiB or MiB.
pub(super) fn bytes(n: Option<f64>) -> String {
    match n.filter(|v| v.is_finite()) {
        Some(v) if v >= 1_048_576.0 => with_unit(Some(v / 1_048_576.0), "MiB"),
        Some(v) if v >= 1024.0 => with_unit(Some(v / 1024.0), "KiB"),
        other => with_unit(other, "B"),
    }
}

/// A signed number of milliseconds: `+3.1 ms`.
pub(super) fn after_ms(ms: f64) -> String {
    format!("{}{}{NBSP}ms", if ms > 0.0 { "+" } else { "" }, significant(ms))
}
