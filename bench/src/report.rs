//! What a benchmark found: JSON for tools, a table for people, Markdown for pages.
//!
//! Contract: the JSON is that of every benchmark of the project, `{"bench": ..., "rows": [{"case": ..., "p50_us": ...}]}`, with
//! further figures under their own keys. Table and Markdown are made from the JSON alone, so they show no number that it
//! does not have, and an old file can be shown again.

use crate::columns::{Column, TROUBLES, columns};
use crate::machine::Machine;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// A whole result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the benchmark.
    pub bench: &'static str,
    /// Where it ran.
    pub machine: Machine,
    /// How it ran.
    pub settings: Value,
    /// One a case.
    pub rows: Vec<Row>,
}

/// The figures of one case, in the order in which they were put.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Row(Map<String, Value>);

impl Row {
    /// A row for `case`.
    #[must_use]
    pub fn new(case: String) -> Self {
        Self(Map::from_iter([("case".to_owned(), Value::String(case))]))
    }

    /// A figure, kept to three decimals.
    pub fn set(&mut self, key: &str, value: f64) -> &mut Self {
        self.put(key, json!((value * 1000.0).round() / 1000.0))
    }

    /// Anything else.
    pub fn put(&mut self, key: &str, value: Value) -> &mut Self {
        self.0.insert(key.into(), value);
        self
    }
}

impl Report {
    /// As JSON.
    ///
    /// # Panics
    /// Never: every part can be written.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::to_value(self).expect("numbers and texts only")
    }
}

/// Titles and cells.
type Table = (Vec<&'static str>, Vec<Vec<String>>);

/// One for each part that the rows name, in their order.
fn tables(report: &Value) -> Vec<Table> {
    let rows = report["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let bench = report["bench"].as_str().unwrap_or_default();
    let same = |a: &Value, b: &Value| a["part"] == b["part"];
    let cell = |row: &Value, &(_, key, decimals): &Column| match (&row[key], decimals) {
        (Value::Number(n), Some(decimals)) => format!("{:.decimals$}", n.as_f64().unwrap_or(f64::NAN)),
        (Value::String(text), _) => text.clone(),
        (Value::Null, _) => "-".to_owned(),
        (Value::Bool(yes), _) => if *yes { "yes" } else { "no" }.to_owned(),
        (other, _) => other.to_string(),
    };
    let table = |rows: &[Value]| {
        let columns = columns(bench, rows[0]["part"].as_str());
        let rows = rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()).collect();
        (columns.iter().map(|column| column.0).collect(), rows)
    };
    rows.chunk_by(same).map(table).collect()
}

fn head(report: &Value) -> String {
    let m = &report["machine"];
    let text = |v: &Value| v.as_str().unwrap_or("?").to_owned();
    let kind = if m["virtual_machine"] == true { "virtual" } else { "physical" };
    format!(
        "{}, {} cores ({kind}), Linux {}, {}; load {} when it began; against: {}",
        text(&m["cpu"]),
        m["cores"],
        text(&m["kernel"]),
        text(&m["diff"]),
        m["load"],
        text(&report["rows"][0]["against"]),
    )
}

fn troubles(report: &Value) -> Vec<String> {
    let rows = report["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sum = |key| rows.iter().filter_map(|row| row[key].as_u64()).sum::<u64>();
    TROUBLES
        .iter()
        .map(|&(key, words)| (sum(key), words))
        .filter(|t| t.0 > 0)
        .map(|t| format!("{} {}", t.0, t.1))
        .collect()
}

fn closing(report: &Value) -> String {
    let troubles = troubles(report);
    match (report["bench"] == "cycle", troubles.is_empty()) {
        (_, false) => format!("Beside that: {}.", troubles.join(", ")),
        (true, true) => "No cycle lost, no stall above 5 ms, no torn cut, no unplanned takeover.".into(),
        (false, true) => String::new(),
    }
}

/// For people.
#[must_use]
pub fn table(report: &Value) -> String {
    let mut out = head(report) + "\n\n";
    for (titles, rows) in tables(report) {
        let width =
            |i: usize| rows.iter().map(|row| row[i].len()).chain([titles[i].len()]).max().unwrap_or(0);
        let widths: Vec<usize> = (0..titles.len()).map(width).collect();
        let titles = titles.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>();
        for row in std::iter::once(&titles).chain(&rows) {
            for (i, cell) in row.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = if i == 0 {
                    write!(out, "{cell:<w$}", w = widths[0])
                } else {
                    write!(out, "  {cell:>w$}", w = widths[i])
                };
            }
            out.push('\n');
        }
        out.push('\n');
    }
    out + &closing(report) + "\n"
}

/// For a page.
#[must_use]
pub fn markdown(report: &Value) -> String {
    let mut out = format!("{}.\n\n", head(report));
    for (titles, rows) in tables(report) {
        let _ = write!(out, "| {} |\n|", titles.join(" | "));
        out += &(0..titles.len()).map(|i| if i == 0 { " --- |" } else { " ---: |" }).collect::<String>();
        out.push('\n');
        for row in rows {
            let _ = writeln!(out, "| {} |", row.join(" | "));
        }
        out.push('\n');
    }
    out + &closing(report) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_the_json_has_and_says_troubles() {
        let report = json!({"bench": "cycle", "machine": {"cpu": "X", "cores": 2}, "rows": [
            {"case": "udp/64KiB/1KiB/diff", "p50_us": 5.25, "ratio_p50": 1.2, "against": "bare", "lost": 3}]});
        let (table, markdown) = (table(&report), markdown(&report));
        assert!(
            table.contains("5.2") && table.contains("1.20") && table.contains("3 cycles lost"),
            "{table}"
        );
        assert!(markdown.contains("| udp/64KiB/1KiB/diff | 5.2 |"), "{markdown}");
        assert!(markdown.contains("against: bare."), "{markdown}");
    }
}
