//! The arguments of `mirror`, and what each command does.

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use mirror_tools::report::data::{Hit, Kind};
use mirror_tools::report::{self};
use mirror_tools::stage::director::Stage;
use mirror_tools::stage::{children, controller, outcome, plant};
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Keeps the state of two or more real-time controllers in step, and lets a standby carry on when one dies.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Kill controllers of a running plant, and see what the plant notices.
    ///
    /// A plant of 256 quadruple tanks and a magnetically levitated axis is controlled by two processes that keep each
    /// other's state in step over real multicast on loopback, at 1 kHz. The one that leads is killed with SIGKILL, again and
    /// again; beside it, the same failure with a fresh process instead of a standby. Needs neither root nor a prepared
    /// machine.
    ///
    /// Example: mirror demo --trials 50 --seed 7 --json demo.json --report demo.html
    Demo(Demo),
    #[command(hide = true)]
    StagePlant { parent: u32, bus: String, seed: u64 },
    #[command(hide = true)]
    StageController { parent: u32, bus: String, group: String, address: SocketAddr, node: u8 },
    #[command(hide = true)]
    StageCold { parent: u32, bus: String, node: usize, epoch: u64 },
}

#[derive(Debug, Args)]
struct Demo {
    /// How often to kill, each time once with a hot standby and once without.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    trials: u64,
    /// Decides noise, references, and where in the cycle the kills are aimed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the page with the plots.
    #[arg(long, value_name = "FILE", default_value = "mirror-demo.html")]
    report: PathBuf,
}

type Outcome = Result<ExitCode, Box<dyn Error>>;

impl Cli {
    pub(crate) fn run(self) -> Outcome {
        match self.command {
            Command::Demo(demo) => demo.run(),
            Command::StagePlant { parent, bus, seed } => {
                children::settle_in(parent)?;
                plant::run(&bus, seed)?;
                Ok(ExitCode::SUCCESS)
            }
            Command::StageController { parent, bus, group, address, node } => {
                children::settle_in(parent)?;
                controller::run(&controller::Settings { bus, group, address, node })?;
                Ok(ExitCode::SUCCESS)
            }
            Command::StageCold { parent, bus, node, epoch } => {
                children::settle_in(parent)?;
                controller::run_cold(&bus, node, epoch)?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Where the kills are aimed, in turn.
const AIMS: [Hit; 3] = [Hit::Commit, Hit::Step, Hit::Random];

impl Demo {
    fn run(&self) -> Outcome {
        let bar = ProgressBar::new(self.trials * 2);
        bar.set_style(ProgressStyle::with_template(
            "{spinner} {msg} {wide_bar} {pos}/{len} kills, {eta} left",
        )?);
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        bar.set_message("starting the plant and two controllers");
        println!(
            "256 quadruple tanks, a levitated axis, two controllers, 64 KiB of state, 1 kHz, multicast on lo\n"
        );
        let mut stage = Stage::raise(self.seed)?;
        let mut measured = vec![];
        for index in 1..=self.trials {
            for kind in [Kind::Hot, Kind::Cold] {
                bar.set_message(match kind {
                    Kind::Hot => "killing the primary, a standby holds its state",
                    Kind::Cold => "killing both, a fresh process starts",
                });
                let m = stage.trial(kind, AIMS[(index - 1) as usize % AIMS.len()])?;
                let row = outcome::trial(index, &m);
                say(&bar, &outcome::line(&row, m.killed));
                measured.push((index, m));
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        let report = outcome::report(self.seed, self.trials, &measured, stage.unplanned);
        drop(stage);
        println!("\n{}", outcome::summary(&report.summary));
        for note in report.notes.iter().skip(3) {
            println!("note: {note}");
        }
        if let Some(path) = &self.json {
            std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")
                .map_err(|e| format!("{}: {e}", path.display()))?;
        }
        std::fs::write(&self.report, report::render(&report))
            .map_err(|e| format!("{}: {e}", self.report.display()))?;
        println!("\nthe page with the plots: {}", self.report.display());
        let broken = report.summary.torn + report.summary.gate_violations;
        Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Prints a line above the bar, also where no terminal shows the bar.
fn say(bar: &ProgressBar, line: &str) {
    if bar.is_hidden() {
        println!("{line}");
    } else {
        bar.println(line);
    }
}
