//! The second process, and the line that the first speaks to it on.
//!
//! Contract: it is this same program, started with a hidden command; it is asked on its standard input, one line a
//! question, and answers on its standard output, one line each. It ends when its input does, that is with the first
//! process, and the kernel kills it should it be busy then.

use super::case::{Case, cases, groups};
use super::sides::{self, Seen, Side, follow_bare};
use super::{Error, ready};
use crate::bare::Bare;
use crate::machine;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The hidden command.
pub const COMMAND: &str = "cycle-follower";

/// The second process, seen from the first.
#[derive(Debug)]
pub struct Follower {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Follower {
    /// Starts it, and waits until it has opened all nodes.
    ///
    /// # Errors
    /// What the kernel says, or that it ended.
    pub fn start(run: u32, cases: &[Case]) -> Result<Self, Error> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(COMMAND)
            .arg(run.to_string())
            .args(cases.iter().map(Case::name))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("it was piped"));
        let mut follower = Self { child, input, output: BufReader::new(output) };
        follower.answer()?;
        Ok(follower)
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
        let mut fds = [PollFd::new(self.output.get_ref(), PollFlags::IN)];
        Ok(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).map_err(io::Error::from)? > 0)
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

    /// Waits for what it saw in a slice.
    ///
    /// # Errors
    /// The process has ended.
    pub fn seen(&mut self) -> Result<Seen, Error> {
        let line = self.answer()?;
        serde_json::from_str(&line).map_err(|_| Error::Answer(line))
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

impl Drop for Follower {
    fn drop(&mut self) {
        // After `finish` both do nothing. An error leaves nothing to be done.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The second process itself.
///
/// # Errors
/// A node or a socket failed; the first process then finds the line closed.
pub fn run(run: u32, names: &[String]) -> Result<(), Error> {
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    machine::pin(1);
    let _first = machine::First::go();
    let all = cases(false, &[]);
    let mut sides: Vec<(Box<dyn Side>, Bare)> = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let case = all.iter().find(|case| case.name() == *name).ok_or_else(|| Error::Answer(name.clone()))?;
        let [ours, floor] = groups(run, i);
        sides.push((sides::open(case, 2, ours)?, Bare::open(floor, 2, case.work.dirty)?));
    }
    println!("opened");
    for question in io::stdin().lock().lines() {
        let question = question?;
        let words: Vec<&str> = question.split(' ').collect();
        let number = |i: usize| words.get(i).and_then(|word| word.parse::<usize>().ok());
        match (words[0], number(1), number(2)) {
            ("join", ..) => {
                while !step_all(&mut sides)? {}
                println!("joined");
            }
            (kind, Some(i), Some(cycles)) if i < sides.len() => {
                println!("ready");
                let (side, bare) = &mut sides[i];
                let seen = if kind == "ours" { side.follow(cycles)? } else { follow_bare(bare, cycles) };
                println!("{}", serde_json::to_string(&seen).map_err(io::Error::from)?);
            }
            _ => return Err(Error::Answer(question)),
        }
    }
    Ok(())
}

fn step_all(sides: &mut [(Box<dyn Side>, Bare)]) -> Result<bool, Error> {
    let mut all = true;
    for (side, _) in sides {
        all &= ready(side.step()?);
    }
    Ok(all)
}
