//! `cargo xtask fuzz`: the targets of `tests/fuzz`, each for a bounded time.
//!
//! A target is a file `tests/fuzz/fuzz_targets/<name>.rs` and a `[[bin]]` in `tests/fuzz/Cargo.toml`; listing the folder
//! is all there is to finding them. The folder is a workspace of its own, because it needs a nightly toolchain.

use std::fs;
use std::path::Path;

use crate::report::{Outcome, Report};
use crate::shell::Cmd;
use crate::{setup, toolchain};

const TARGETS: &str = "tests/fuzz/fuzz_targets";
/// The most seconds for building a target, on top of what it runs.
const BUILD_LIMIT: u64 = 480;

/// Run the fuzz targets, each for a bounded time.
///
/// A target is a file tests/fuzz/fuzz_targets/NAME.rs with this entry in tests/fuzz/Cargo.toml:
///
///   [[bin]] name = "NAME", path = "fuzz_targets/NAME.rs", test = false, doc = false, bench = false
///
/// What a run learned stays in tests/fuzz/corpus/NAME; an input that crashes lands in tests/fuzz/artifacts/NAME and is
/// run again by: cargo +nightly fuzz run --fuzz-dir tests/fuzz NAME FILE. Neither folder is checked in: an input worth
/// keeping becomes a unit test.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Only this target.
    target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

pub(crate) fn run(args: &Args, report: &mut Report) {
    setup::step(report, &[setup::PACKAGES, setup::FUZZ]);
    steps(report, args.target.as_deref(), args.seconds);
}

/// Adds a step for each target, or for the one named.
pub(crate) fn steps(report: &mut Report, only: Option<&str>, seconds: u64) {
    let all = targets();
    let chosen: Vec<&String> = all.iter().filter(|name| only.is_none_or(|only| only == *name)).collect();
    if chosen.is_empty() {
        return report.step("fuzz", || match only {
            Some(only) if !all.is_empty() => {
                Outcome::Failed(format!("no target {only}; there are {}", all.join(", ")))
            }
            _ => Outcome::Skipped(format!("no targets yet in {TARGETS}")),
        });
    }
    let ready = ready();
    for name in chosen {
        report.step(&format!("fuzz {name}"), || match &ready {
            Ok(()) => fuzz(name, seconds),
            Err(reason) => Outcome::Skipped(reason.clone()),
        });
    }
}

/// Whether cargo-fuzz would be of use: there are targets, and a nightly toolchain to build them.
pub(crate) fn can_be_needed() -> bool {
    !targets().is_empty() && toolchain::has_nightly()
}

fn fuzz(name: &str, seconds: u64) -> Outcome {
    // Ten seconds on one input of a few KiB is a hang.
    let line = format!(
        "cargo +nightly fuzz run --fuzz-dir tests/fuzz {name} -- \
         -max_total_time={seconds} -timeout=10 -print_final_stats=1"
    );
    Cmd::new(&line).limit(BUILD_LIMIT + seconds).run().into()
}

fn ready() -> Result<(), String> {
    if !toolchain::has_nightly() {
        return Err("there is no nightly toolchain".to_owned());
    }
    if !toolchain::has_cargo("fuzz") {
        return Err("cargo-fuzz is not installed".to_owned());
    }
    Ok(())
}

/// The names of all targets, in order.
fn targets() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(TARGETS)
        .into_iter()
        .flatten()
        .filter_map(|entry| target_name(&entry.ok()?.path()))
        .collect();
    names.sort();
    names
}

fn target_name(path: &Path) -> Option<String> {
    let is_source = path.extension().is_some_and(|ext| ext == "rs");
    path.file_stem().filter(|_| is_source).map(|stem| stem.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_rust_files() {
        assert_eq!(target_name(Path::new("x/frame.rs")), Some("frame".to_owned()));
        assert_eq!(target_name(Path::new("x/README.md")), None);
        assert_eq!(target_name(Path::new("x/frame")), None);
    }
}
