//! Installs what is missing: with a person at the terminal after asking, with `CI=true` without, else not at all.

use std::env;
use std::io::{self, IsTerminal, Write};

use crate::report::{Outcome, Report};
use crate::shell::Cmd;
use crate::{fuzz, toolchain};

/// Something that a step or a test needs.
pub(crate) struct Need {
    name: &'static str,
    why: &'static str,
    missing: fn() -> bool,
    install: Install,
}

enum Install {
    /// The Debian package of that name.
    Apt,
    /// A command line, and the most seconds it may take.
    Command(&'static str, u64),
}

/// Debian packages beyond what Rust itself needs (a C compiler and linker), each with its reason.
pub(crate) const PACKAGES: &[Need] = &[
    Need {
        name: "iproute2",
        why: "tests with real sockets run in network namespaces of their own (ip netns, ip link)",
        missing: || Cmd::new("ip -Version").probe().is_err(),
        install: Install::Apt,
    },
    Need {
        name: "g++",
        why: "libFuzzer, under the fuzz targets, is C++",
        missing: || fuzz::can_be_needed() && Cmd::new("c++ --version").probe().is_err(),
        install: Install::Apt,
    },
];

pub(crate) const FORMAT_AND_LINT: &[Need] = &[
    Need {
        name: "rustfmt",
        why: "formatting",
        missing: || !toolchain::has_cargo("fmt"),
        install: Install::Command("rustup component add rustfmt", 300),
    },
    Need {
        name: "clippy",
        why: "lints",
        missing: || !toolchain::has_cargo("clippy"),
        install: Install::Command("rustup component add clippy", 300),
    },
];

pub(crate) const BARE_TARGET: &[Need] = &[Need {
    name: "aarch64-unknown-none",
    why: "mirror-core is no_std, which only a target without std proves",
    missing: || !toolchain::has_bare_target(),
    install: Install::Command("rustup target add aarch64-unknown-none", 300),
}];

pub(crate) const DENY: &[Need] = &[Need {
    name: "cargo-deny",
    why: "licences and sources of what we depend on",
    missing: || !toolchain::has_cargo("deny"),
    install: Install::Command("cargo install cargo-deny --locked --version ^0.20", 1200),
}];

pub(crate) const MIRI: &[Need] = &[Need {
    name: "miri",
    why: "undefined behaviour in mirror-core (with rust-src; only where a nightly toolchain is)",
    missing: || toolchain::has_nightly() && !(toolchain::has_miri() && toolchain::has_rust_src()),
    install: Install::Command("rustup component add --toolchain nightly miri rust-src", 300),
}];

pub(crate) const FUZZ: &[Need] = &[Need {
    name: "cargo-fuzz",
    why: "the fuzz targets (only where a nightly toolchain is)",
    missing: || fuzz::can_be_needed() && !toolchain::has_cargo("fuzz"),
    install: Install::Command("cargo install cargo-fuzz --locked", 600),
}];

enum Consent {
    Given,
    Ask,
    Refused(&'static str),
}

/// One step that sees to all of `needs`. What stays missing is no failure: the steps and tests that need it skip
/// themselves by name.
pub(crate) fn step(report: &mut Report, needs: &[&[Need]]) {
    report.step("setup", || {
        let missing: Vec<&Need> = needs.iter().copied().flatten().filter(|need| (need.missing)()).collect();
        if missing.is_empty() {
            return Outcome::Passed;
        }
        println!("missing:");
        for need in &missing {
            println!("  {}: {}\n    $ {}", need.name, need.why, need.command_line());
        }
        match consent() {
            Consent::Given => install(&missing),
            Consent::Ask if yes("Install these now? [y/N] ") => install(&missing),
            Consent::Ask => left_out(&missing, "not wanted"),
            Consent::Refused(reason) => left_out(&missing, reason),
        }
    });
}

fn consent() -> Consent {
    if env::var("CI").is_ok_and(|value| value == "true") {
        Consent::Given
    } else if io::stdin().is_terminal() {
        Consent::Ask
    } else {
        Consent::Refused("nobody to ask: standard input is no terminal, and CI is not `true`")
    }
}

fn yes(question: &str) -> bool {
    print!("{question}");
    let mut answer = String::new();
    io::stdout().flush().is_ok()
        && io::stdin().read_line(&mut answer).is_ok()
        && matches!(answer.trim(), "y" | "Y" | "yes")
}

fn install(needs: &[&Need]) -> Outcome {
    if needs.iter().any(|need| matches!(need.install, Install::Apt)) {
        if io::stdin().is_terminal() && !is_root() {
            // The only place where a password can be asked for. Without one, the packages are reported below.
            let _ = Cmd::new("sudo -v").run();
        }
        // Old lists may do; what cannot be installed with them is reported below.
        let _ = as_root("apt-get update -qq").limit(300).run();
    }
    let left: Vec<&Need> = needs.iter().copied().filter(|need| need.command().run().is_err()).collect();
    if left.is_empty() { Outcome::Passed } else { left_out(&left, "could not be installed") }
}

fn left_out(needs: &[&Need], reason: &str) -> Outcome {
    let names: Vec<&str> = needs.iter().map(|need| need.name).collect();
    Outcome::Skipped(format!("{} not installed: {reason}", names.join(", ")))
}

impl Need {
    fn command_line(&self) -> String {
        match self.install {
            Install::Apt => format!("apt-get install -y -qq --no-install-recommends {}", self.name),
            Install::Command(line, _) => line.to_owned(),
        }
    }

    fn command(&self) -> Cmd {
        match self.install {
            Install::Apt => as_root(&self.command_line()).limit(300),
            Install::Command(line, limit) => Cmd::new(line).limit(limit),
        }
    }
}

fn is_root() -> bool {
    Cmd::new("id -u").probe().is_ok_and(|id| id == "0")
}

/// Below sudo where we are not root. Bounded commands have no input, so it must not ask.
fn as_root(line: &str) -> Cmd {
    let line = if is_root() { line.to_owned() } else { format!("sudo -n {line}") };
    Cmd::new(&line).env("DEBIAN_FRONTEND", "noninteractive")
}
