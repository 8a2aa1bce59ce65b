//! The second process, and the line that the first speaks to it on.
//!
//! Contract: it is this same program, started with a hidden command; it is asked on its standard input, one line a
//! question, and answers on its standard output, one line each. It ends when its input does, that is with the first
//! process, and the kernel kills it should it be busy then.

use crate::error::Error;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The second process, seen from the first.
#[derive(Debug)]
pub struct Second {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Second {
    /// Starts this program with these arguments, and waits until it says something.
    ///
    /// # Errors
    /// What the kernel says, or that it ended.
    pub fn start(arguments: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        let mut second = Self::begin(arguments)?;
        second.answer()?;
        Ok(second)
    }

    /// As [`start`](Self::start), but does not wait.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn begin(arguments: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("it was piped"));
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// Asks a question.
    ///
    /// # Errors
    /// The process has ended.
    pub fn ask(&mut self, question: &str) -> Result<(), Error> {
        let input = self.input.as_mut().expect("only finish closes it");
        writeln!(input, "{question}")?;
        Ok(input.flush()?)
    }

    /// Whether an answer stands ready.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn answered(&mut self) -> Result<bool, Error> {
        Ok(!self.output.buffer().is_empty() || readable(self.output.get_ref())?)
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// The process has ended.
    pub fn answer(&mut self) -> Result<String, Error> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(Error::Io(io::Error::other("the second process has ended")));
        }
        Ok(line.trim_end().to_owned())
    }

    /// Waits for an answer in JSON.
    ///
    /// # Errors
    /// The process has ended, or says something else.
    pub fn told<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let line = self.answer()?;
        serde_json::from_str(&line).map_err(|_| Error::Answer(line))
    }

    /// Sends it a signal: `STOP`, `CONT`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        Ok(kill_process(Pid::from_child(&self.child), signal).map_err(io::Error::from)?)
    }

    /// Ends it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn finish(mut self) -> Result<(), Error> {
        self.input = None;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Second {
    /// Kills it, and waits until it is gone.
    fn drop(&mut self) {
        // After `finish` both do nothing. An error leaves nothing to be done.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether something can be read, or the other end is closed. Never waits.
///
/// # Errors
/// What the kernel says.
pub fn readable(file: &impl AsFd) -> Result<bool, Error> {
    let mut fds = [PollFd::new(file, PollFlags::IN)];
    Ok(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).map_err(io::Error::from)? > 0)
}

/// What stands on the line for a second process that must not wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing now.
    Nothing,
    /// A question.
    Question(String),
    /// There will be none any more.
    Closed,
}

/// Looks, and never waits.
///
/// # Errors
/// What the kernel says.
pub fn asked() -> Result<Asked, Error> {
    if !readable(&io::stdin())? {
        return Ok(Asked::Nothing);
    }
    // One question is asked at a time, so none hides in the buffer behind the one that is read.
    let mut line = String::new();
    let closed = io::stdin().lock().read_line(&mut line)? == 0;
    Ok(if closed { Asked::Closed } else { Asked::Question(line.trim_end().to_owned()) })
}
