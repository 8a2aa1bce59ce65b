//! `cargo xtask soak`: the simulated cluster (`mirror_tests::sim`) over many seeds, optimised and with assertions.

use std::env;
use std::process::ExitCode;

use crate::report::{Outcome, Report};
use crate::shell::Cmd;

/// Seeds that `cargo xtask test` runs.
const SEEDS: u64 = 20_000;
/// Seeds within which `cargo xtask test` wants each planted bug caught.
const SEEDS_PLANTED: u64 = 20_000;

/// Run the simulated cluster over many seeds.
///
/// Ends with `N seeds, N failures`; a failure shows its seed and options, and the line that replays a shrunk run. With
/// --planted, bugs are planted in mirror-core one by one, and each must be caught: `planted: N of N caught`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many seeds; with --planted, within how many each bug must be caught.
    #[arg(long, default_value_t = SEEDS)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only this one, with every event.
    #[arg(long)]
    seed: Option<u64>,
    /// Changes its options: name=value,name=value.
    #[arg(long, requires = "seed")]
    with: Option<String>,
    /// Plant bugs, to test the tests.
    #[arg(long)]
    planted: bool,
}

/// Runs it alone: its own last line is the last.
pub(crate) fn run(args: &Args) -> ExitCode {
    let mut command = command(args.planted);
    let number = |n: u64| n.to_string();
    command = command.arg("--seeds").arg(number(args.seeds)).arg("--from").arg(number(args.from));
    if let Some(seed) = args.seed {
        command = command.arg("--seed").arg(number(seed));
    }
    if let Some(with) = &args.with {
        command = command.arg("--with").arg(with);
    }
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Adds the two steps of `cargo xtask test`.
pub(crate) fn steps(report: &mut Report) {
    for (name, planted, seeds) in [("soak", false, SEEDS), ("soak planted", true, SEEDS_PLANTED)] {
        report.step(name, || Outcome::from(command(planted).arg("--seeds").arg(seeds.to_string()).run()));
    }
}

fn command(planted: bool) -> Cmd {
    let line = "cargo run --profile soak --package mirror-tests --bin soak --";
    if !planted {
        return Cmd::new(line);
    }
    // A build of its own: the flag reaches every crate, and would throw the plain build away.
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    let command = Cmd::new(line).arg("--planted").env("RUSTFLAGS", format!("{flags} --cfg planted"));
    let this = env::current_exe().unwrap_or_default();
    match this.ancestors().nth(2) {
        Some(target) => command.env("CARGO_TARGET_DIR", target.join("planted").to_string_lossy()),
        None => command,
    }
}
