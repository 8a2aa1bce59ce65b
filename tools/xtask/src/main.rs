//! Development tasks, started as `cargo xtask <task>`.
//!
//! | task | what it does |
//! | --- | --- |
//! | `test [filter]` | sets up what the tests need, then runs every check and every test |
//! | `fuzz [target] [--seconds N]` | runs the targets of `tests/fuzz` for a bounded time |
//! | `soak [--seeds N] [--seed S] [--planted]` | runs the simulated cluster over many seeds |
//! | `miri` | runs the unit tests of mirror-core that [`miri::MODULES`] names under Miri |
//! | `deny` | checks licences, sources, bans and, where they can be had, advisories |
//!
//! One file per task. Each adds steps to one [`report::Report`], which goes on after a failure and ends with the line
//! `N passed, N failed, N skipped`; the exit status is non-zero if anything failed. What cannot run on a machine is
//! skipped by name and with the reason, never silently. `soak` alone ends with a line of its own: `N seeds, N failures`.

mod counts;
mod deny;
mod fuzz;
mod hygiene;
mod miri;
mod report;
mod setup;
mod shell;
mod soak;
mod test;
mod toolchain;
mod unsafe_list;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development tasks of Mirror. Each runs all its steps, also after a failure, and ends with
/// `N passed, N failed, N skipped`.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Test(test::Args),
    Fuzz(fuzz::Args),
    Soak(soak::Args),
    Miri(miri::Args),
    Deny(deny::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = env::set_current_dir(root()) {
        eprintln!("cannot enter the workspace at {}: {error}", root().display());
        return ExitCode::FAILURE;
    }
    let mut report = report::Report::new();
    match cli.task {
        Task::Test(args) => test::run(&args, &mut report),
        Task::Fuzz(args) => fuzz::run(&args, &mut report),
        Task::Soak(args) => return soak::run(&args),
        Task::Miri(args) => miri::run(&args, &mut report),
        Task::Deny(args) => deny::run(&args, &mut report),
    }
    report.finish()
}

/// The root of the workspace. Asked of cargo at run time: a build folder may be shared by several checkouts.
fn root() -> PathBuf {
    let here =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.join("../..")
}
