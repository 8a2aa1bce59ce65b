//! Runs commands: shown before they start, live while they run, bounded in time where asked.

use std::io::{self, IsTerminal, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The status with which `timeout` says that it had to end the command.
const TIMED_OUT: i32 = 124;
/// How long output may still come after a command has ended; a process that it left behind may hold the pipe open.
const DRAIN: Duration = Duration::from_secs(2);

/// A command to run in the root of the workspace.
pub(crate) struct Cmd {
    words: Vec<String>,
    vars: Vec<(&'static str, String)>,
    limit: Option<Duration>,
}

impl Cmd {
    /// A command line without quoting: words stand between blanks. See [`arg`](Self::arg) for anything else.
    pub(crate) fn new(line: &str) -> Self {
        Self { words: line.split_whitespace().map(str::to_owned).collect(), vars: Vec::new(), limit: None }
    }

    /// Adds one word, as it is.
    pub(crate) fn arg(mut self, word: impl Into<String>) -> Self {
        self.words.push(word.into());
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.vars.push((name, value.into()));
        self
    }

    /// Ends the command, and what it started, after that many seconds. A bounded command has no standard input.
    pub(crate) fn limit(mut self, seconds: u64) -> Self {
        self.limit = Some(Duration::from_secs(seconds));
        self
    }

    /// Runs it with its output going straight to ours.
    ///
    /// # Errors
    /// In words: could not start, ended with a status, ran past its limit.
    pub(crate) fn run(&self) -> Result<(), String> {
        self.show();
        self.judge(self.command().status())
    }

    /// As [`run`](Self::run), and keeps what was printed on both streams, in the order of printing.
    pub(crate) fn run_and_keep(&self) -> (Result<(), String>, String) {
        self.show();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let result = self.judge(self.tee(&kept));
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        (result, String::from_utf8_lossy(&kept).into_owned())
    }

    /// Runs it silently, without input; gives its standard output if it succeeded.
    ///
    /// # Errors
    /// The last line of standard error that says something, or why it did not run.
    pub(crate) fn probe(&self) -> Result<String, String> {
        let output = self.command().stdin(Stdio::null()).output().map_err(|e| self.no_start(&e))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        let line = complaint.lines().rev().map(str::trim).find(|line| !line.is_empty());
        match line {
            Some(line) if output.status.code() != Some(TIMED_OUT) => Err(line.to_owned()),
            _ => self.judge(Ok(output.status)).map(|()| String::new()),
        }
    }

    fn show(&self) {
        println!("$ {}", self.words.join(" "));
    }

    /// A bounded command runs below `timeout`, which ends the whole process group; `setpriv` ends `timeout` when this
    /// process dies, because Ctrl-C does not reach that group. Both are part of every Debian.
    fn command(&self) -> Command {
        let mut command = match self.limit {
            None => Command::new(&self.words[0]),
            Some(limit) => {
                let mut wrapper = Command::new("setpriv");
                wrapper.args(["--pdeathsig", "TERM", "timeout", "--kill-after=10"]);
                wrapper.arg(limit.as_secs().to_string()).arg(&self.words[0]).stdin(Stdio::null());
                wrapper
            }
        };
        command.args(&self.words[1..]).envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }

    fn tee(&self, kept: &Arc<Mutex<Vec<u8>>>) -> io::Result<ExitStatus> {
        let (mut reader, writer) = io::pipe()?;
        let mut child = {
            // Dropped here, and our ends of the pipe with it: the reader sees the end when the command's own ends close.
            let mut command = self.command();
            if io::stdout().is_terminal() {
                command.env("CARGO_TERM_COLOR", "always");
            }
            command.stdout(writer.try_clone()?).stderr(writer).spawn()?
        };
        let into = Arc::clone(kept);
        let echo = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut chunk) {
                let mut stdout = io::stdout();
                // Nobody may be reading us any more; the command is still to be judged.
                let _ = stdout.write_all(&chunk[..length]).and_then(|()| stdout.flush());
                into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
            }
        });
        let status = child.wait();
        let ended = Instant::now();
        while !echo.is_finished() && ended.elapsed() < DRAIN {
            thread::sleep(Duration::from_millis(5));
        }
        status
    }

    fn judge(&self, status: io::Result<ExitStatus>) -> Result<(), String> {
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => match (self.limit, status.code()) {
                (Some(limit), Some(TIMED_OUT)) => Err(format!("ran past its limit of {} s", limit.as_secs())),
                _ => Err(format!(
                    "{} {} ended with {status}",
                    self.words[0],
                    self.words.get(1).map_or("", |w| w)
                )),
            },
            Err(error) => Err(self.no_start(&error)),
        }
    }

    fn no_start(&self, error: &io::Error) -> String {
        format!("{} could not be started: {error}", self.words[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_are_kept() {
        let (result, kept) = Cmd::new("sh -c").arg("echo one; echo two >&2; exit 3").run_and_keep();
        assert_eq!(kept, "one\ntwo\n");
        assert!(result.is_err_and(|e| e.contains('3')));
    }

    #[test]
    fn a_limit_ends_the_command() {
        let result = Cmd::new("sleep 60").limit(1).run();
        assert_eq!(result, Err("ran past its limit of 1 s".to_owned()));
    }

    #[test]
    fn a_probe_gives_output_or_complaint() {
        assert_eq!(Cmd::new("echo here").probe(), Ok("here".to_owned()));
        assert_eq!(Cmd::new("sh -c").arg("echo sorry >&2; false").probe(), Err("sorry".to_owned()));
        assert!(Cmd::new("/does/not/exist").probe().is_err_and(|e| e.contains("could not be started")));
    }
}
