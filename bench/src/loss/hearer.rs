//! The standby's process of `loss` on sockets.
//!
//! Contract: asked `slice PAIR WEATHER SEED FIRST LAST`, it lets its link lose frames, follows until it holds step `LAST` and
//! answers with what it [`Heard`]; then the weather is calm again. `join` is answered when all pairs are hot.

use super::lossy::{Lossy, Switch};
use super::sockets::{WARM_UP, pairs};
use crate::error::Error;
use crate::pair::node::{AnyNode, Turned, open};
use crate::pair::settle_second;
use crate::pair::setup::PERIOD;
use crate::workload::{Stamp, Workload};
use mirror::{Counter, SyncState, clock};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead};

/// The hidden command.
pub const COMMAND: &str = "loss-hearer";
/// A slice without its last cycle so long after its due time is given up, nanoseconds.
const PATIENCE: u64 = 3_000_000_000;

/// A slice.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Heard {
    /// From the commit of each cycle until it or a newer one was held, nanoseconds.
    pub latencies: Vec<u64>,
    /// Cycles held too few, right before each commit.
    pub ages: Vec<u64>,
    /// Cuts exposed, per cent of the cycles.
    pub cuts_percent: f64,
    /// Cuts with a line that was not of their cycle.
    pub torn: u64,
    /// Frames lost on purpose.
    pub dropped: u64,
    /// The last cycle came.
    pub finished: bool,
}

/// Its end of a pair.
struct Ear {
    node: Box<dyn AnyNode>,
    switch: Switch,
    work: Workload,
}

/// The second process itself.
///
/// # Errors
/// A node failed, or the first process ended.
pub fn run(run: u32) -> Result<(), Error> {
    settle_second();
    let mut ears = Vec::new();
    for pair in pairs(run) {
        let (setup, switch) = (pair.setup.standby(), Switch::default());
        let link = Lossy::new(setup.link()?, switch.clone());
        ears.push(Ear { node: open(&setup, Some(Box::new(link)))?, switch, work: pair.work });
    }
    println!("opened");
    for question in io::stdin().lock().lines() {
        let question = question?;
        let words: Vec<u64> = question.split(' ').skip(1).map_while(|word| word.parse().ok()).collect();
        match (question.split(' ').next(), &words[..]) {
            (Some("join"), _) => {
                while !join(&mut ears)? {}
                println!("joined");
            }
            (Some("slice"), &[pair, weather, seed, first, last]) if (pair as usize) < ears.len() => {
                println!("ready");
                let ear = &mut ears[pair as usize];
                ear.switch.set(weather as usize, seed);
                let before = ear.switch.lost().0;
                let mut heard = ear.follow(first, last)?;
                heard.dropped = ear.switch.lost().0 - before;
                ear.switch.set(0, 0);
                println!("{}", serde_json::to_string(&heard).map_err(io::Error::from)?);
            }
            _ => return Err(Error::Answer(question)),
        }
    }
    Ok(())
}

fn join(ears: &mut [Ear]) -> Result<bool, Error> {
    let mut all = true;
    for ear in ears {
        ear.node.turn(&mut |_| {})?;
        all &= ear.node.state() == SyncState::Hot && ear.node.cycle() > 0;
    }
    Ok(all)
}

impl Ear {
    /// Follows the steps `first` to `last`.
    fn follow(&mut self, first: u64, last: u64) -> Result<Heard, Error> {
        let mut heard = Heard::default();
        // Of each cut shown: its step, when its commit began, when it was shown.
        let mut shown: Vec<(u64, u64, u64)> = Vec::with_capacity((last - first + 1) as usize);
        let mut cuts = None;
        let until = clock::now() + (last - first + 1) * PERIOD + PATIENCE;
        while !heard.finished {
            if let Turned::Cut = self.node.turn(&mut |_| {})? {
                let now = clock::now();
                let stamp = Stamp::read(self.node.held());
                if stamp.cycle < first || shown.last().is_some_and(|shown| shown.0 == stamp.cycle) {
                    continue;
                }
                shown.push((stamp.cycle, stamp.at, now));
                heard.torn += u64::from(!self.work.is_whole(stamp.cycle, self.node.held()));
                let exposed = self.node.counter(Counter::Cuts);
                let cycle = self.node.cycle();
                let (from, at) = *cuts.get_or_insert((cycle, exposed));
                heard.finished = stamp.cycle >= last;
                if heard.finished && cycle > from {
                    heard.cuts_percent = 100.0 * (exposed - at) as f64 / (cycle - from) as f64;
                }
            } else if clock::now() > until {
                break;
            }
        }
        (heard.latencies, heard.ages) = sum_up(&shown);
        Ok(heard)
    }
}

/// Latencies, and ages right before each commit, from the cuts shown. A cycle that was never shown itself began a period
/// before the next, and was held when that was.
fn sum_up(shown: &[(u64, u64, u64)]) -> (Vec<u64>, Vec<u64>) {
    // Every step: when its commit began, when it or a newer one was held.
    let mut steps: Vec<(u64, u64)> = Vec::new();
    for pair in shown.windows(2) {
        let [(before, ..), (step, at, held)] = pair else { continue };
        let missed = (1..step - before).rev().map(|ago| (at.saturating_sub(ago * PERIOD), *held));
        steps.extend(missed.chain([(*at, *held)]));
    }
    let latencies = steps.iter().map(|(at, held)| held.saturating_sub(*at)).skip(WARM_UP).collect();
    let mut newest = 0;
    let mut ages = Vec::new();
    for n in 0..steps.len().saturating_sub(1) {
        let next_commit = steps[n + 1].0;
        while newest < steps.len() && steps[newest].1 <= next_commit {
            newest += 1;
        }
        ages.push((n + 1).saturating_sub(newest) as u64);
    }
    (latencies, ages.into_iter().skip(WARM_UP).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_that_were_passed_over_waited_longer_and_age_the_cut() {
        let first = 1000 * PERIOD;
        let calm = |step: u64| (step, first + step * PERIOD, first + step * PERIOD + 10_000);
        let mut shown: Vec<_> = (0..30).map(calm).collect();
        // Steps 30 and 31 come with 32, just after its commit.
        shown.extend((32..40).map(calm));
        let (latencies, ages) = sum_up(&shown);
        let late: Vec<u64> = latencies.iter().copied().filter(|&latency| latency > 10_000).collect();
        assert_eq!(late, [2 * PERIOD + 10_000, PERIOD + 10_000]);
        let old: Vec<u64> = ages.iter().copied().filter(|&age| age > 0).collect();
        assert_eq!(old, [1, 2]);
        assert_eq!(latencies.len(), 39 - WARM_UP);
    }
}
