//! `cargo xtask test`: every check and every test.

use std::path::PathBuf;
use std::{env, fs, process};

use crate::counts;
use crate::report::{Outcome, Report, Tested};
use crate::shell::Cmd;
use crate::{deny, fuzz, hygiene, miri, setup, soak, toolchain};

/// Where tests append what they skip: see `mirror_tests::skip`.
const SKIP_LOG: &str = "MIRROR_SKIP_LOG";
/// The most seconds that all tests together may take, building them included.
const TESTS_LIMIT: u64 = 20 * 60;
/// How long each fuzz target runs here.
const FUZZ_SECONDS: u64 = 20;

/// Set up what is needed and run every check and test.
///
/// Missing tools are installed after asking; without asking where CI=true; and not at all where there is neither a
/// terminal nor CI=true. What cannot run is skipped by name.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only tests and doctests whose path contains this, and none of the checks.
    filter: Option<String>,
}

pub(crate) fn run(args: &Args, report: &mut Report) {
    if args.filter.is_some() {
        return tests(args, report);
    }
    setup::step(
        report,
        &[setup::PACKAGES, setup::FORMAT_AND_LINT, setup::BARE_TARGET, setup::DENY, setup::MIRI, setup::FUZZ],
    );
    hygiene::steps(report);
    checks(report);
    tests(args, report);
    soak::steps(report);
    deny::steps(report);
    miri::steps(report);
    fuzz::steps(report, None, FUZZ_SECONDS);
}

fn checks(report: &mut Report) {
    report.step("rustfmt", || match toolchain::has_cargo("fmt") {
        true => Cmd::new("cargo fmt --all --check").run().into(),
        false => Outcome::Skipped("rustfmt is not installed".to_owned()),
    });
    report.step("clippy", || match toolchain::has_cargo("clippy") {
        true => Cmd::new("cargo clippy --workspace --all-targets --keep-going -- -D warnings").run().into(),
        false => Outcome::Skipped("clippy is not installed".to_owned()),
    });
    // Libraries only: the command `mirror` and the library `mirror` would write the same pages.
    report.step("docs", || {
        Cmd::new("cargo doc --workspace --lib --no-deps --keep-going")
            .env("RUSTDOCFLAGS", "-D warnings")
            .run()
            .into()
    });
    report.step("no_std", || {
        let plain = "cargo check -p mirror-core --lib --no-default-features";
        if toolchain::has_bare_target() {
            // The checksum crate builds a dynamic library beside itself, and that one wants a panic handler.
            let bare =
                format!("{plain} --features crc-fast/panic-handler --target {}", toolchain::BARE_TARGET);
            Cmd::new(&bare).run().into()
        } else {
            println!("{} is not installed: on this host, where std is within reach", toolchain::BARE_TARGET);
            Cmd::new(plain).run().into()
        }
    });
}

fn tests(args: &Args, report: &mut Report) {
    report.step("tests", || {
        let line = if toolchain::has_cargo("nextest") {
            "cargo nextest run --workspace --no-fail-fast --no-tests=pass"
        } else {
            "cargo test --workspace --tests --no-fail-fast"
        };
        tested(Cmd::new(line).limit(TESTS_LIMIT), args.filter.as_deref())
    });
    report.step("doctests", || {
        let line = "cargo test --workspace --doc --no-fail-fast";
        tested(Cmd::new(line).limit(TESTS_LIMIT), args.filter.as_deref())
    });
}

/// Runs tests with a skip log of their own and counts.
fn tested(mut command: Cmd, filter: Option<&str>) -> Outcome {
    let log: PathBuf = env::temp_dir().join(format!("mirror-skips-{}.log", process::id()));
    if let Some(filter) = filter {
        command = command.arg(filter);
    }
    let (result, output) = command.env(SKIP_LOG, log.to_string_lossy()).run_and_keep();
    let skips = counts::of_skip_log(&fs::read_to_string(&log).unwrap_or_default());
    // Absent where no test skipped anything.
    let _ = fs::remove_file(&log);
    let mut counts = counts::of_runner(&output);
    let ignored = counts::ignored(&output);
    if filter.is_some() {
        // nextest counts what the filter left out as skipped; only what is named was meant to run.
        counts.skipped = ignored.len() as u64;
    }
    Outcome::Tested(Tested { counts, ignored, skips, result })
}
