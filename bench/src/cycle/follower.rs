//! The second process of `cycle`.
//!
//! Contract: that of [`Second`].

use super::case::{Case, cases, groups};
use super::ready;
use super::sides::{self, Side, follow_bare};
use crate::bare::Bare;
use crate::error::Error;
use crate::machine;
use crate::pair::second::Second;
use std::io::{self, BufRead};

/// The hidden command.
pub const COMMAND: &str = "cycle-follower";

/// Starts it, and waits until it has opened all nodes.
///
/// # Errors
/// What the kernel says, or that it ended.
pub fn start(run: u32, cases: &[Case]) -> Result<Second, Error> {
    let names = cases.iter().map(Case::name);
    Second::start([COMMAND.to_owned(), run.to_string()].into_iter().chain(names))
}

/// The second process itself.
///
/// # Errors
/// A node or a socket failed; the first process then finds the line closed.
pub fn run(run: u32, names: &[String]) -> Result<(), Error> {
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    machine::pin(1);
    machine::go_first();
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
