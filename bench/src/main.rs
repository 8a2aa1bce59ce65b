//! `mirror-bench`: what a mirrored cycle costs, beside its floor. See README.md beside this crate for the method.

use clap::{Args, Parser, Subcommand};
use mirror_bench::cycle::{self, case::REGIONS, case::cases, follower};
use mirror_bench::loss::{self, hearer as loss_hearer};
use mirror_bench::pair::{follow, node::SIZES};
use mirror_bench::report::{self, Report};
use mirror_bench::whole::{self, hearer as whole_hearer};
use mirror_bench::workload::{parse_size, size_name};
use mirror_bench::{capture, join, machine, slow};
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
    /// How old the standby's cut is when frames are lost: in simulation, and on sockets.
    Loss {
        /// Only one of the two parts.
        #[arg(long, value_enum)]
        only: Option<LossPart>,
        /// Simulated cycles of a case [default: 10000, quick: 1000].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        simulated: Option<u64>,
        /// Seed of every loss and every step.
        #[arg(long, value_name = "S", default_value_t = 1)]
        seed: u64,
        /// In simulation without parity, and without lines of earlier cycles that ride along.
        #[arg(long)]
        plain: bool,
        /// Rounds on sockets, each of every weather over every pair [default: 7, quick: 3].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        rounds: Option<u32>,
        /// Measured cycles of a slice on sockets [default: 1000, quick: 300].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..100_000))]
        cycles: Option<u32>,
        #[command(flatten)]
        out: Out,
    },
    /// A standby that joins a primary at work.
    Join {
        /// Joins of each size [default: 15, quick: 6].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        rounds: Option<u32>,
        /// Cycles of a slice without a join [default: 300, quick: 200].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..100_000))]
        cycles: Option<u32>,
        /// Only regions of these sizes, of 1MiB 16MiB 64MiB.
        #[arg(long, value_name = "SIZE", num_args = 1.., value_parser = large_region)]
        sizes: Vec<usize>,
        #[command(flatten)]
        out: Out,
    },
    /// A whole region changed at once: until the standby holds it.
    Whole {
        /// Rounds of each size [default: 41, quick: 21].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        rounds: Option<u32>,
        /// Only regions of these sizes, of 1MiB 32MiB.
        #[arg(long, value_name = "SIZE", num_args = 1.., value_parser = large_region)]
        sizes: Vec<usize>,
        #[command(flatten)]
        out: Out,
    },
    /// The primary's commit with a standby that is slow, stopped or gone.
    Slow {
        /// Rounds [default: 15, quick: 7].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        rounds: Option<u32>,
        /// Cycles of a slice, at most 200 [default: 200, quick: 60].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
        cycles: Option<u32>,
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
    #[command(name = loss_hearer::COMMAND, hide = true)]
    LossHearer { run: u32 },
    #[command(name = whole_hearer::COMMAND, hide = true)]
    WholeHearer,
    #[command(name = follow::COMMAND, hide = true)]
    Follow,
}

/// A part of `loss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LossPart {
    /// In virtual time.
    Simulation,
    /// Over UDP on `lo`.
    Sockets,
}

impl Command {
    /// It spins on two cores: it runs in a session of its own, whose priority it raises.
    fn spins(&self) -> bool {
        match self {
            Self::Cycle { .. }
            | Self::Capture { .. }
            | Self::Join { .. }
            | Self::Whole { .. }
            | Self::Slow { .. } => true,
            Self::Loss { only, .. } => *only != Some(LossPart::Simulation),
            _ => false,
        }
    }
}

#[derive(Args)]
struct Out {
    /// Less of everything, ten to twenty seconds.
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

fn large_region(text: &str) -> Result<usize, String> {
    let bytes = parse_size(text)?;
    let names = SIZES.map(size_name).join(", ");
    SIZES.contains(&bytes).then_some(bytes).ok_or(format!("there are {names}"))
}

/// `asked`, or else `usual`, or in a quick run `quick`.
fn number(asked: Option<u32>, out: &Out, usual: usize, quick: usize) -> usize {
    asked.map_or(if out.quick { quick } else { usual }, |asked| asked as usize)
}

fn sizes(asked: Vec<usize>, usual: &[usize]) -> Vec<usize> {
    if asked.is_empty() { usual.to_vec() } else { asked }
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    if command.spins() {
        match machine::in_own_session() {
            Ok(None) => {}
            Ok(Some(status)) => return ExitCode::from(status as u8),
            Err(error) => {
                eprintln!("mirror-bench: starting in a session of its own: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    if command.spins() && machine::cores().len() < 2 {
        eprintln!("mirror-bench: one core only: both sides share it, and the figures show the scheduler");
    }
    match run(command) {
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
            out.give(&cycle::run(&settings)?)
        }
        Command::Loss { only, simulated, seed, plain, rounds, cycles, out } => {
            let simulated = simulated.unwrap_or(if out.quick { 1000 } else { 10_000 });
            let settings = loss::Settings {
                simulated: if only == Some(LossPart::Sockets) { 0 } else { simulated },
                seed,
                plain,
                rounds: if only == Some(LossPart::Simulation) { 0 } else { number(rounds, &out, 7, 3) },
                cycles: number(cycles, &out, 1000, 300),
            };
            out.give(&loss::run(&settings)?)
        }
        Command::Join { rounds, cycles, sizes: asked, out } => {
            const M: usize = 1 << 20;
            let usual: &[usize] = if out.quick { &[M, 16 * M] } else { &[M, 16 * M, 64 * M] };
            let regions = sizes(asked, usual);
            let (rounds, cycles) = (number(rounds, &out, 15, 6), number(cycles, &out, 300, 200));
            out.give(&join::run(&join::Settings { rounds, cycles, regions })?)
        }
        Command::Whole { rounds, sizes: asked, out } => {
            let regions = sizes(asked, &[1 << 20, 32 << 20]);
            out.give(&whole::run(&whole::Settings { rounds: number(rounds, &out, 41, 21), regions })?)
        }
        Command::Slow { rounds, cycles, out } => {
            let (rounds, cycles) = (number(rounds, &out, 15, 7), number(cycles, &out, 200, 60));
            let dirty = if out.quick { vec![16 << 10] } else { vec![1 << 10, 16 << 10] };
            out.give(&slow::run(&slow::Settings { rounds, cycles, dirty })?)
        }
        Command::Capture { out } => {
            let batches = if out.quick { 1000 } else { 5000 };
            out.give(&capture::run(&capture::works(out.quick), batches, machine::go_first()))
        }
        Command::Show { file, markdown } => {
            let report = serde_json::from_slice(&std::fs::read(file)?)?;
            print!("{}", if markdown { report::markdown(&report) } else { report::table(&report) });
            Ok(())
        }
        Command::Follower { run, cases } => Ok(follower::run(run, &cases)?),
        Command::LossHearer { run } => Ok(loss_hearer::run(run)?),
        Command::WholeHearer => Ok(whole_hearer::run()?),
        Command::Follow => Ok(follow::run()?),
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
