//! Writes the page of a made-up run (sample data, not a measurement), to look at it:
//! `cargo run -p mirror-tools --example report_sample -- page.html [trials] [seed]`

mod sample;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_else(|| "report_sample.html".into());
    let trials = args.next().and_then(|n| n.parse().ok()).unwrap_or(60);
    let seed = args.next().and_then(|n| n.parse().ok()).unwrap_or(20);
    std::fs::write(path, mirror_tools::report::render(&sample::report(seed, trials)))
}
