//! How a test says that it did not run.
//!
//! Contract: a test that lacks something of the machine (a privilege, a device, a kernel feature) calls [`skip`] once and
//! returns. `cargo xtask test` then counts it as skipped instead of passed and lists it with its reason. So one call stands
//! for one whole test; a test that can do half of its work without the thing is two tests.
//!
//! ```no_run
//! # fn network_namespaces() -> Result<(), std::io::Error> { Ok(()) }
//! // At the top of a test:
//! if let Err(error) = network_namespaces() {
//!     return mirror_tests::skip::skip("udp::one_way_partition", format!("no network namespaces: {error}"));
//! }
//! ```
//!
//! The convention behind it is one line, `skipped: <name>: <reason>`, printed and appended to the file that the
//! environment variable `MIRROR_SKIP_LOG` names, if it is set: a runner that hides the output of passing tests hides the
//! printed line. A crate that may not import this one can write the same line itself. The name is without `": "`.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::{env, io};

/// The environment variable that names the file to append to.
pub const SKIP_LOG: &str = "MIRROR_SKIP_LOG";

/// Says that the test `name` is not run, and why; the caller returns. Any thread, any number of processes.
///
/// # Panics
/// If the log cannot be written: a skip that nobody hears of would pass for a test.
pub fn skip(name: &str, reason: impl Display) {
    let line = line(name, &reason.to_string());
    print!("{line}");
    if let Some(log) = env::var_os(SKIP_LOG)
        && let Err(error) = append(Path::new(&log), &line)
    {
        panic!("{SKIP_LOG}: cannot append to {}: {error}", log.display());
    }
}

/// One line, whatever the parts hold.
fn line(name: &str, reason: &str) -> String {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("skipped: {}: {}\n", words(name), words(reason))
}

/// In one write, so that lines of several processes do not mix.
fn append(log: &Path, line: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(log)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_one_line() {
        assert_eq!(line("a::b", "no such\n  device"), "skipped: a::b: no such device\n");
    }

    #[test]
    fn lines_are_appended() {
        let log = env::temp_dir().join(format!("mirror-skip-test-{}", std::process::id()));
        append(&log, &line("a", "b")).unwrap();
        append(&log, &line("c", "d")).unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_file(&log).unwrap();
        assert_eq!(text, "skipped: a: b\nskipped: c: d\n");
    }
}
