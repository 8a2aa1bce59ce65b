//! A second process that does nothing but follow, well or badly.
//!
//! Contract: it opens its node when asked to, and says when it first heard a frame and when it was hot. Questions are looked for
//! once a millisecond, so they cost the node next to nothing.
//!
//! | question | answer |
//! | --- | --- |
//! | `open SETUP [FLOOR BYTES]` | when the node has become hot: [`Opened`]; it hears the floor's messages of so many bytes too |
//! | `hot` | `hot`, when it is hot and holds the newest cycle it has heard of |
//! | `sleep US` | `sleeping`: from now on it sleeps so long between two turns (0: it spins) |
//! | `close` | `closed`: the node is gone |

use super::node::{AnyNode, Turned, open};
use super::second::{self, Asked};
use super::setup::{STANDBY, Setup};
use crate::bare::Bare;
use crate::error::Error;
use mirror::{Counter, SyncState, clock};
use serde::{Deserialize, Serialize};
use std::net::SocketAddrV4;
use std::time::Duration;

/// The hidden command.
pub const COMMAND: &str = "follow";
/// Nanoseconds between two looks for a question.
const ASKED_EVERY: u64 = 1_000_000;

/// How a node became hot. Times in nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Opened {
    /// It heard its first frame.
    pub first: u64,
    /// It was hot, with a cut.
    pub hot: u64,
}

/// The second process itself.
///
/// # Errors
/// A node failed, or the first process asked what it never asks.
pub fn run() -> Result<(), Error> {
    super::settle_second();
    println!("started");
    let mut node: Option<Box<dyn AnyNode>> = None;
    let mut bare: Option<Bare> = None;
    let (mut sleep, mut asked_at) = (Duration::ZERO, 0);
    let (mut first, mut opening, mut asked_hot) = (None, false, false);
    loop {
        let now = clock::now();
        if node.is_none() || now - asked_at >= ASKED_EVERY {
            asked_at = now;
            match second::asked()? {
                Asked::Nothing => {}
                Asked::Closed => return Ok(()),
                Asked::Question(question) => {
                    let (word, rest) = question.split_once(' ').unwrap_or((&question, ""));
                    match (word, rest.parse()) {
                        ("open", _) => {
                            let (setup, floor) = read(rest).ok_or(Error::Answer(question.clone()))?;
                            node = Some(open(&setup, None)?);
                            bare = floor.map(|(at, bytes)| Bare::open(at, STANDBY, bytes)).transpose()?;
                            (first, opening) = (None, true);
                        }
                        ("hot", _) => asked_hot = true,
                        ("sleep", Ok(us)) => {
                            sleep = Duration::from_micros(us);
                            println!("sleeping");
                        }
                        ("close", _) => {
                            (node, bare, opening, asked_hot) = (None, None, false, false);
                            println!("closed");
                        }
                        _ => return Err(Error::Answer(question)),
                    }
                }
            }
        }
        let Some(node) = &mut node else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        let turned = node.turn(&mut |_| {})?;
        if opening && first.is_none() && node.counter(Counter::FramesHeard) > 0 {
            first = Some(now);
        }
        if matches!(turned, Turned::Cut) && node.state() == SyncState::Hot {
            if let (true, Some(first)) = (std::mem::take(&mut opening), first) {
                let opened = Opened { first, hot: clock::now() };
                println!("{}", serde_json::to_string(&opened).map_err(std::io::Error::from)?);
            }
            if std::mem::take(&mut asked_hot) {
                println!("hot");
            }
        }
        if let Some(bare) = &mut bare {
            while bare.piece().is_some() {}
        }
        if !sleep.is_zero() {
            std::thread::sleep(sleep);
        }
    }
}

/// What an `open` says.
fn read(words: &str) -> Option<(Setup, Option<(SocketAddrV4, usize)>)> {
    let mut words = words.split(' ');
    let setup = serde_json::from_str(words.next()?).ok()?;
    let floor = match (words.next(), words.next()) {
        (Some(at), Some(bytes)) => Some((at.parse().ok()?, bytes.parse().ok()?)),
        _ => None,
    };
    Some((setup, floor))
}
