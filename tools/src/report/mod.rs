//! The page that `mirror demo` leaves behind. Contract: [`render`] is pure; the page is one file that fetches nothing, is
//! complete without a script, and says only what [`data::Report`] says.
//!
//! From the top: the answer in a sentence, the axis around a kill, the takeover by the millisecond, levels and pumps,
//! the distance from the twin, all trials as dots, all trials as a table, and how it was measured.

mod chart;
pub mod data;
mod figures;
mod headline;
mod method;
mod scale;
mod strips;
mod summary;
mod svg;
mod table;
mod text;
mod timeline;

use data::Report;
use figures::Pair;
use text::{NOT_MEASURED, escape, many};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("hover.js");

/// The report as one HTML page.
pub fn render(report: &Report) -> String {
    let pair = Pair::of(report);
    let command = method::command(report);
    let mut body = String::new();
    body.push_str(&format!(
        "<header><p class=\"eyebrow\">Mirror demo{}</p><h1>{}</h1></header>",
        report.date.as_deref().map_or(String::new(), |d| format!(" · {}", escape(d))),
        headline::sentence(report),
    ));
    body.push_str(&format!(
        "<section class=\"answer\">{}<div>{}<p class=\"again\">To repeat it</p><pre><code>{command}</code></pre></div></section>",
        headline::versus(report),
        headline::checks(report),
    ));
    for (title, lead, figure) in over_time(report, &pair) {
        body.push_str(&section(title, &lead, &figure));
    }
    let apart = match report.summary.stalled_trials {
        0 => String::new(),
        _ => " A ring is a trial in which this machine itself stalled; medians leave it out.".into(),
    };
    body.push_str(&section(
        "Every trial",
        &format!(
            "One dot for each kill, {} in all.{apart} A dot in the alarm colour would be a torn state.",
            many(report.trials.len() as u64, "kill")
        ),
        &strips::draw(report),
    ));
    body.push_str(&section(
        "Trial by trial",
        "A <b>cut</b> is (epoch, cycle): whose reign, and which commit of it. <b>Behind</b> is how many committed cycles of the dead \
         primary the exposed cut lacks. Bumps are in percent of span.",
        &table::draw(report),
    ));
    let last = format!(
        "{}<h3 class=\"again\">To repeat it</h3><pre><code>{command}</code></pre>",
        method::draw(report)
    );
    body.push_str(&section("How it was measured", "", &last));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>Mirror demo: {} trials, seed {}</title><style>{STYLE}</style></head>\
         <body><main>{body}</main><script>{SCRIPT}</script></body></html>\n",
        report.summary.trials, report.summary.seed
    )
}

/// The figures that need a trace; without one, a section says so.
fn over_time(report: &Report, pair: &Pair<'_>) -> Vec<(&'static str, String, String)> {
    if pair.is_empty() {
        let none = format!("<p class=\"none\">The plant around a kill: {NOT_MEASURED}.</p>");
        return vec![("The axis around the kill", String::new(), none)];
    }
    let shown = pair.words(report);
    vec![
        (
            "The axis around the kill",
            format!(
                "The same axis behind a <b class=\"hot\">hot</b> and a <b class=\"cold\">cold</b> standby, over the broad grey \
                 path of its <b>twin</b>, which nobody disturbed. Shown: {shown}."
            ),
            figures::axis(report, pair),
        ),
        (
            "The takeover, magnified",
            "Who acts in each millisecond. A full cell is one fresh output that the plant applied, with the last digits of its \
             cycle; an <b>epoch</b> is one reign of one primary, and later reigns have greater numbers. Below: what the \
             first pump was told, over its twin in grey."
                .into(),
            timeline::draw(report, pair),
        ),
        (
            "Levels and pumps",
            "<b class=\"hot\">hot</b> and <b class=\"cold\">cold</b> over the <b class=\"twin\">twin</b> (broad grey) and the \
             <b class=\"reference\">reference</b> (dotted). Milliseconds after the kill."
                .into(),
            figures::process(pair),
        ),
        (
            "Distance from the twin",
            "The worst of all signals at each instant, as a share of its span, on a scale of decades. What is below the scale is \
             drawn on its floor."
                .into(),
            figures::deviation(pair),
        ),
    ]
}

fn section(title: &str, lead: &str, figure: &str) -> String {
    let lead = if lead.is_empty() { String::new() } else { format!("<p class=\"lead\">{lead}</p>") };
    format!("<section><h2>{title}</h2>{lead}{figure}</section>")
}
