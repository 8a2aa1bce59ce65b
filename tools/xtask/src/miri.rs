//! `cargo xtask miri`: unit tests of mirror-core under Miri, which finds undefined behaviour.

use crate::counts::{self, Counts};
use crate::report::{Outcome, Report, Tested};
use crate::shell::Cmd;
use crate::{setup, toolchain};

/// The modules of mirror-core whose unit tests run under Miri: those with `unsafe`, and what they rest on. Any part of a
/// test's path will do. Miri is some hundred times slower than the machine, so property tests stay out of it by
/// `#[cfg(not(miri))]`, and a module comes in by being named here. `wire` has no `unsafe`; fuzzing is its place.
pub(crate) const MODULES: &[&str] =
    &["checksum::", "cut::", "gate::", "layout::", "line::", "region::", "track::"];

/// Pointers made from integers are refused. Isolation stays on: mirror-core reads no clock and opens no file.
const FLAGS: &str = "-Zmiri-strict-provenance";
/// The most seconds for building the standard library that Miri interprets.
const SYSROOT_LIMIT: u64 = 300;
/// The most seconds for the tests, building included.
const TESTS_LIMIT: u64 = 600;

/// Run the listed unit tests of mirror-core under Miri.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, report: &mut Report) {
    setup::step(report, &[setup::MIRI]);
    steps(report);
}

/// Adds the step.
pub(crate) fn steps(report: &mut Report) {
    report.step("miri", || {
        if let Err(reason) = ready() {
            return Outcome::Skipped(reason);
        }
        let line = format!("cargo +nightly miri test -p mirror-core --lib -- {}", MODULES.join(" "));
        let (result, output) = Cmd::new(&line).env("MIRIFLAGS", FLAGS).limit(TESTS_LIMIT).run_and_keep();
        match (counts::of_runner(&output), result) {
            (counts, Ok(())) if counts == Counts::default() => {
                Outcome::Skipped(format!("no unit tests yet under {}", MODULES.join(" ")))
            }
            (counts, result) => {
                let ignored = counts::ignored(&output);
                Outcome::Tested(Tested { counts, ignored, skips: Vec::new(), result })
            }
        }
    });
}

fn ready() -> Result<(), String> {
    if !toolchain::has_nightly() {
        return Err("there is no nightly toolchain".to_owned());
    }
    if !toolchain::has_miri() {
        return Err("the nightly toolchain has no miri".to_owned());
    }
    if !toolchain::has_rust_src() {
        return Err(
            "the nightly toolchain has no rust-src, of which Miri's standard library is built".to_owned()
        );
    }
    Cmd::new("cargo +nightly miri setup")
        .limit(SYSROOT_LIMIT)
        .probe()
        .map(drop)
        .map_err(|reason| format!("Miri's standard library does not build: {reason}"))
}
