//! The standby's process of `whole`.
//!
//! | question | answer |
//! | --- | --- |
//! | `open SETUP FLOOR` | `opened`: node and bare socket of a size |
//! | `hot` | `hot`, as soon as it is |
//! | `ours N` | `ready`, then [`Held`]: step `N` of the product |
//! | `floor N` | `ready`, then [`Held`]: transfer `N` of the floor |

use super::floor;
use crate::bare::Bare;
use crate::error::Error;
use crate::pair::node::{AnyNode, Turned, open};
use crate::pair::settle_second;
use crate::pair::setup::{STANDBY, Setup};
use crate::workload::{Spread, Stamp, Workload};
use mirror::{SyncState, clock};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead};
use std::net::SocketAddrV4;

/// The hidden command.
pub const COMMAND: &str = "whole-hearer";

/// How long a transfer took.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Held {
    /// From when the state was ready until it was held, nanoseconds; `None`: it did not come in time.
    pub took: Option<u64>,
    /// When it was held, nanoseconds of `CLOCK_MONOTONIC`.
    pub at: u64,
    /// It was held with a line that is not of its step.
    pub torn: bool,
}

/// The second process itself.
///
/// # Errors
/// A node or a socket failed, or the first process ended.
pub fn run() -> Result<(), Error> {
    settle_second();
    println!("started");
    let mut ends: Option<(Box<dyn AnyNode>, Bare, Workload)> = None;
    for question in io::stdin().lock().lines() {
        let question = question?;
        let bad = || Error::Answer(question.clone());
        let words: Vec<&str> = question.split(' ').collect();
        let number = words.get(1).and_then(|word| word.parse::<u64>().ok());
        match (words[0], number, &mut ends) {
            ("open", ..) if words.len() == 3 => {
                // The one before goes first: its memory is locked.
                drop(ends.take());
                let setup: Setup = serde_json::from_str(words[1]).map_err(|_| bad())?;
                let floor: SocketAddrV4 = words[2].parse().map_err(|_| bad())?;
                let work = Workload::new(setup.region, setup.region, Spread::Contiguous);
                ends = Some((open(&setup, None)?, Bare::open(floor, STANDBY, setup.region)?, work));
                println!("opened");
            }
            ("hot", _, Some((node, ..))) => {
                while !matches!(node.turn(&mut |_| {})?, Turned::Cut) || node.state() != SyncState::Hot {}
                println!("hot");
            }
            ("ours", Some(number), Some((node, _, work))) => {
                println!("ready");
                println!("{}", json(&follow(&mut **node, work, number)?)?);
            }
            ("floor", Some(number), Some((_, bare, _))) => {
                println!("ready");
                let took = floor::receive(bare, number)?.map(|(at, now)| now.saturating_sub(at));
                println!("{}", json(&Held { took, ..Held::default() })?);
            }
            _ => return Err(bad()),
        }
    }
    Ok(())
}

fn json(held: &Held) -> Result<String, Error> {
    Ok(serde_json::to_string(held).map_err(io::Error::from)?)
}

/// Follows until the state of step `number` is held.
fn follow(node: &mut dyn AnyNode, work: &Workload, number: u64) -> Result<Held, Error> {
    let until = clock::now() + super::PATIENCE_S * 1_000_000_000;
    while clock::now() < until {
        if !matches!(node.turn(&mut |_| {})?, Turned::Cut) {
            continue;
        }
        let now = clock::now();
        let stamp = Stamp::read(node.held());
        if stamp.cycle == number {
            let torn = !work.is_whole(number, node.held());
            return Ok(Held { took: Some(now.saturating_sub(stamp.at)), at: now, torn });
        }
    }
    Ok(Held::default())
}
