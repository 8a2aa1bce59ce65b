//! `cycle`: from `commit` at the primary to the cut at the standby, over real sockets, beside its floor.
//!
//! Contract: two processes, each pinned to a core of its own. In every round each case and its floor run
//! in short slices one after the other, so that whatever disturbs the machine disturbs both; what is reported are
//! medians over the rounds. Nothing of it outlives the run: memory has no name, and the second process ends with the
//! first, however that ends.

pub mod case;
pub mod follower;
pub mod sides;
mod tally;

use crate::bare::Bare;
use crate::error::Error;
use crate::machine;
use crate::pair::second::Second;
use crate::report::Report;
use case::{Case, groups};
use indicatif::{ProgressBar, ProgressStyle};
use mirror::SyncState;
use sides::{Seen, Side, publish_bare};
use tally::Tally;

/// What is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Rounds, at least 1.
    pub rounds: usize,
    /// Measured cycles of a slice.
    pub cycles: usize,
    /// What is measured.
    pub cases: Vec<Case>,
}

/// One case while it runs.
struct Running {
    side: Box<dyn Side>,
    bare: Bare,
    /// Cycles so far: of the product, of the floor.
    done: [u64; 2],
    tally: Tally,
}

/// Runs it. Progress goes to standard error.
///
/// # Errors
/// [`Error`].
pub fn run(settings: &Settings) -> Result<Report, Error> {
    let mut facts = machine::facts();
    // Before this side is pinned: the other would inherit its one core.
    let mut follower = follower::start(std::process::id(), &settings.cases)?;
    let pinned = machine::pin(0);
    let priority = machine::go_first();
    facts.clock_ns = machine::clock_cost();
    let mut running = Vec::new();
    for (i, &case) in settings.cases.iter().enumerate() {
        let [ours, floor] = groups(std::process::id(), i);
        running.push(Running {
            side: sides::open(&case, 1, ours)?,
            bare: Bare::open(floor, 1, case.work.dirty)?,
            done: [0; 2],
            tally: Tally::new(case),
        });
    }
    let slices = settings.rounds * running.len() * 2;
    let bar = ProgressBar::new(slices as u64).with_style(
        ProgressStyle::with_template("{msg:32} {bar:32} {pos}/{len} slices, {eta} left").expect("a template"),
    );
    bar.set_message("joining");
    join(&mut follower, &mut running)?;
    for round in 0..settings.rounds {
        for i in 0..running.len() {
            // Every other round in the other order, so that neither always follows the same neighbour.
            for turn in [round % 2 == 0, round % 2 != 0] {
                bar.set_message(settings.cases[i].name());
                slice(&mut follower, &mut running, i, turn, settings.cycles + sides::WARM_UP)?;
                bar.inc(1);
            }
            let tally = &mut running[i].tally;
            let cost = sides::capture_cost(&settings.cases[i], facts.clock_ns, settings.cycles.min(300));
            tally.capture(cost);
        }
    }
    bar.finish_and_clear();
    follower.finish()?;
    let rows = running.into_iter().map(|running| running.tally.row()).collect();
    Ok(Report {
        bench: "cycle",
        machine: facts,
        settings: serde_json::json!({
            "rounds": settings.rounds,
            "cycles_per_slice": settings.cycles,
            "warm_up_cycles_per_slice": sides::WARM_UP,
            "period_us": sides::PERIOD / 1000,
            "frame_bytes": crate::micro::FRAME,
            "interface": "lo",
            "wait": "spin",
            "pinned": pinned.is_some(),
            "priority": priority,
        }),
        rows,
    })
}

/// Lets all pairs find each other.
fn join(follower: &mut Second, running: &mut [Running]) -> Result<(), Error> {
    follower.ask("join")?;
    while !follower.answered()? {
        for running in &mut *running {
            running.side.step()?;
        }
    }
    follower.answer()?;
    Ok(())
}

/// One slice of a case (`ours`) or of its floor.
fn slice(
    follower: &mut Second,
    running: &mut [Running],
    i: usize,
    ours: bool,
    cycles: usize,
) -> Result<(), Error> {
    let kind = if ours { "ours" } else { "floor" };
    follower.ask(&format!("{kind} {i} {cycles}"))?;
    follower.answer()?;
    let Running { side, bare, done, tally } = &mut running[i];
    let done = &mut done[usize::from(!ours)];
    let missed = if ours {
        side.publish(*done, cycles)?
    } else {
        publish_bare(bare, *done, cycles)?;
        Some(0)
    };
    *done += cycles as u64;
    tally.slice(ours, &follower.told::<Seen>()?, missed);
    if missed.is_none() {
        // Somebody took over: begin again, all of them, so that the next slices measure what they say.
        join(follower, running)?;
    }
    Ok(())
}

/// Whether a follower in this state can be measured.
fn ready(state: SyncState) -> bool {
    matches!(state, SyncState::Hot | SyncState::Primary)
}
