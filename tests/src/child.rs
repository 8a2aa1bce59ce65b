//! Real processes for tests: the helper binary, its control pipe, and its lines.
//!
//! Contract: a [`Child`] is killed and reaped when it is dropped, however the test ends, and ends by itself when its control
//! pipe does, however the test process ends. Every wait is bounded. Signals go to the process that was started and to no
//! other: it is not reaped before.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// How long a test waits for what must come, before it fails. No test depends on its length.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A started helper process.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    control: Option<ChildStdin>,
    lines: Receiver<String>,
    name: String,
}

impl Child {
    /// Starts the helper binary at `path` with these arguments, parted by spaces.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(path: &str, arguments: &str) -> Self {
        let mut process = Command::new(path)
            .args(arguments.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{path}: {e}"));
        let control = process.stdin.take();
        let out = BufReader::new(process.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        // Ends with the pipe, that is with the process.
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { process, control, lines, name: arguments.into() }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id() as i32).expect("a process id is not zero")
    }

    /// Writes a command to the control pipe. A process that is gone hears nothing, which is no error.
    pub fn tell(&mut self, command: &str) {
        if let Some(control) = &mut self.control {
            let _ = control.write_all(command.as_bytes()).and_then(|()| control.flush());
        }
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap_or_else(|e| panic!("{signal:?} to {}: {e}", self.name));
    }

    /// Waits until it is stopped (by a signal, its own or ours).
    ///
    /// # Panics
    /// If it ends instead, or does not stop within [`PATIENCE`].
    pub fn await_stop(&self) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match waitpid(Some(self.pid()), WaitOptions::UNTRACED | WaitOptions::NOHANG) {
                Ok(Some((_, status))) if status.stopped() => return,
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                other => panic!("{} did not stop but: {other:?}", self.name),
            }
        }
        panic!("{} did not stop", self.name);
    }

    /// Stops it and waits until it is.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        self.await_stop();
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(&mut self) {
        self.process.kill().expect("it was started by us and not reaped");
        self.process.wait().expect("it was killed");
    }

    /// The next line, within [`PATIENCE`]; `None` when its output has ended.
    ///
    /// # Panics
    /// If no line comes.
    pub fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line of {} for {PATIENCE:?}", self.name),
        }
    }

    /// The next line that begins with `word`, within [`PATIENCE`], as its further words. Lines before it are given to
    /// `see`.
    ///
    /// # Panics
    /// If it does not come.
    pub fn until(&self, word: &str, mut see: impl FnMut(&str)) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        let mut last = String::from("(nothing)");
        while Instant::now() < end {
            let Some(line) = self.line() else { break };
            if let Some(rest) =
                line.strip_prefix(word).filter(|rest| rest.is_empty() || rest.starts_with(' '))
            {
                return rest.split_whitespace().map(String::from).collect();
            }
            see(&line);
            last = line;
        }
        panic!("{}: no `{word}`; the last line was: {last}", self.name);
    }

    /// The lines that are there now.
    pub fn drain(&self) -> impl Iterator<Item = String> {
        self.lines.try_iter()
    }

    /// Closes the control pipe, upon which it ends, and gives what it still said.
    ///
    /// # Panics
    /// If it does not end with success.
    pub fn end(mut self) -> Vec<String> {
        self.control = None;
        let mut rest = vec![];
        while let Some(line) = self.line() {
            rest.push(line);
        }
        let status = self.process.wait().expect("it is ours");
        assert!(status.success(), "{}: {status}; it said {rest:?}", self.name);
        rest
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only where it was already reaped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
