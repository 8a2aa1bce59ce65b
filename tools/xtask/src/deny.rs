//! `cargo xtask deny`: what may come in from outside, as `deny.toml` says.

use crate::report::{Outcome, Report};
use crate::shell::Cmd;
use crate::{setup, toolchain};

/// The advisory database, as in `deny.toml`.
const ADVISORIES: &str = "https://github.com/RustSec/advisory-db";
/// The most seconds to find out whether it can be reached, and to fetch and check it.
const REACH_LIMIT: u64 = 10;
const CHECK_LIMIT: u64 = 180;

/// Check licences, sources, bans and, where the advisory database can be reached, advisories.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, report: &mut Report) {
    setup::step(report, &[setup::DENY]);
    steps(report);
}

/// Adds the steps.
pub(crate) fn steps(report: &mut Report) {
    let installed = toolchain::has_cargo("deny");
    let absent = || Outcome::Skipped("cargo-deny is not installed".to_owned());
    report.step("deny", || match installed {
        true => Cmd::new("cargo deny check --hide-inclusion-graph licenses bans sources").run().into(),
        false => absent(),
    });
    report.step("advisories", || match installed {
        true => advisories(),
        false => absent(),
    });
}

/// An advisory that is published tomorrow fails tomorrow's run; a machine that cannot see the database cannot tell.
fn advisories() -> Outcome {
    let reach = Cmd::new("git ls-remote --exit-code --quiet").arg(ADVISORIES).arg("HEAD");
    match reach.env("GIT_TERMINAL_PROMPT", "0").limit(REACH_LIMIT).probe() {
        Ok(_) => Cmd::new("cargo deny check advisories").limit(CHECK_LIMIT).run().into(),
        Err(reason) => Outcome::Skipped(format!("the advisory database cannot be reached: {reason}")),
    }
}
