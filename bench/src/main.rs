//! `mirror-bench`: what a mirrored cycle costs, beside its floor. See README.md beside this crate for the method.

use clap::{Args, Parser, Subcommand};
use mirror_bench::cycle::{self, case::REGIONS, case::cases, follower};
use mirror_bench::report::{self, Report};
use mirror_bench::workload::{parse_size, size_name};
use mirror_bench::{capture, machine};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures Mirror beside a floor in the same run.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Commit at the primary to cut at the standby, over UDP multicast on `lo`.
    Cycle {
        /// Rounds, each of every case and its floor [default: 7, quick: 3].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        rounds: Option<u32>,
        /// Measured cycles of a slice [default: 600, quick: 200].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..100_000))]
        cycles: Option<u32>,
        /// Only regions of these sizes, such as 4KiB 64KiB.
        #[arg(long, value_name = "SIZE", num_args = 1.., value_parser = region)]
        sizes: Vec<usize>,
        #[command(flatten)]
        out: Out,
    },
    /// Finding what changed, by comparison.
    Capture {
        #[command(flatten)]
        out: Out,
    },
    /// Shows a result again.
    Show {
        /// A file that `--json` wrote.
        file: PathBuf,
        /// As Markdown.
        #[arg(long)]
        markdown: bool,
    },
    #[command(name = follower::COMMAND, hide = true)]
    Follower { run: u32, cases: Vec<String> },
}

#[derive(Args)]
struct Out {
    /// Less of everything, about ten seconds.
    #[arg(long)]
    quick: bool,
    /// Writes all figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Prints the table as Markdown.
    #[arg(long)]
    markdown: bool,
}

fn region(text: &str) -> Result<usize, String> {
    let bytes = parse_size(text)?;
    let names = REGIONS.map(size_name).join(", ");
    REGIONS.contains(&bytes).then_some(bytes).ok_or(format!("there are {names}"))
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mirror-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Cycle { rounds, cycles, sizes, out } => {
            let (most_rounds, most_cycles) = if out.quick { (3, 200) } else { (7, 600) };
            let settings = cycle::Settings {
                rounds: rounds.unwrap_or(most_rounds) as usize,
                cycles: cycles.unwrap_or(most_cycles) as usize,
                cases: cases(out.quick, &sizes),
            };
            if machine::cores().len() < 2 {
                eprintln!(
                    "mirror-bench: one core only: both sides share it, and the figures show the scheduler"
                );
            }
            out.give(&cycle::run(&settings)?)
        }
        Command::Capture { out } => {
            let batches = if out.quick { 1000 } else { 5000 };
            out.give(&capture::run(&capture::works(out.quick), batches))
        }
        Command::Show { file, markdown } => {
            let report = serde_json::from_slice(&std::fs::read(file)?)?;
            print!("{}", if markdown { report::markdown(&report) } else { report::table(&report) });
            Ok(())
        }
        Command::Follower { run, cases } => Ok(follower::run(run, &cases)?),
    }
}

impl Out {
    fn give(&self, report: &Report) -> Result<(), Box<dyn Error>> {
        let report = report.json();
        if let Some(file) = &self.json {
            std::fs::write(file, serde_json::to_string_pretty(&report)? + "\n")?;
        }
        print!("{}", if self.markdown { report::markdown(&report) } else { report::table(&report) });
        Ok(())
    }
}
