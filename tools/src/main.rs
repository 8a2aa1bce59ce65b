//! The `mirror` command.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(e) => {
            eprintln!("mirror: {e}");
            ExitCode::FAILURE
        }
    }
}
