//! Runs the simulated cluster over many seeds: see `cargo xtask soak`, which builds and starts this.

use clap::Parser;
use mirror_tests::sim::{Failure, Options, Stats, Trace, run, run_with, shrink};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Runs that shrinking may take.
const SHRINK_RUNS: usize = 2000;
/// Failures after which the rest is not run any more.
const ENOUGH: usize = 10;
/// How often progress is shown.
const SHOW: Duration = Duration::from_secs(10);

/// The simulated cluster over many seeds.
#[derive(Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only this one, with every event.
    #[arg(long)]
    seed: Option<u64>,
    /// Changes its options: name=value,name=value.
    #[arg(long, default_value = "", requires = "seed")]
    with: String,
    /// Plants every known bug in turn, and counts those that some seed catches.
    #[arg(long)]
    planted: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match (args.planted, args.seed) {
        (true, _) => planted(args.seeds),
        (false, Some(seed)) => replay(seed, &args.with),
        (false, None) => soak(args.from, args.seeds),
    }
}

/// Runs seeds on all cores, until `stop` failed. Gives what failed, in order of seeds.
fn sweep(from: u64, seeds: u64, stop: usize, show: bool) -> (u64, Vec<Failure>, Stats) {
    let (next, done, start) = (AtomicU64::new(0), AtomicU64::new(0), Instant::now());
    let result = Mutex::new((vec![], Stats::default()));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let worker = || {
        loop {
            let number = next.fetch_add(1, Relaxed);
            if number >= seeds {
                break;
            }
            let outcome = run(from + number);
            done.fetch_add(1, Relaxed);
            let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(stats) => result.1.add(&stats),
                Err(failure) => {
                    result.0.push(*failure);
                    if result.0.len() >= stop {
                        next.store(seeds, Relaxed);
                    }
                }
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let mut shown = start;
        while show && workers.iter().any(|worker| !worker.is_finished()) {
            thread::sleep(Duration::from_millis(50));
            if shown.elapsed() >= SHOW {
                shown = Instant::now();
                println!(
                    "{} of {seeds} seeds after {:.0} s",
                    done.load(Relaxed),
                    start.elapsed().as_secs_f64()
                );
            }
        }
    });
    let (mut failures, stats) = result.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|failure: &Failure| failure.seed);
    (done.load(Relaxed), failures, stats)
}

fn soak(from: u64, seeds: u64) -> ExitCode {
    let start = Instant::now();
    let (done, failures, stats) = sweep(from, seeds, ENOUGH, true);
    let took = start.elapsed().as_secs_f64();
    println!("{stats}");
    println!("{:.0} seeds/s, trace {:016x}", done as f64 / took, stats.hash);
    for failure in &failures {
        println!("\n{failure}");
    }
    if let Some(first) = failures.first() {
        let small = shrink(first, SHRINK_RUNS, &|seed, options| run_with(seed, *options, Trace::default()));
        println!("\nshrunk: {}", small.violation.what);
        println!("  replay: cargo xtask soak {}", small.replay());
    }
    println!("\n{done} seeds, {} failures", failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64, with: &str) -> ExitCode {
    let mut options = Options::from_seed(seed);
    if let Err(error) = options.set_all(with) {
        eprintln!("--with: {error}");
        return ExitCode::FAILURE;
    }
    println!("seed {seed}: {options}");
    match run_with(seed, options, Trace::new(true)) {
        Ok(stats) => {
            println!("{stats}\ntrace {:016x}\n\n1 seeds, 0 failures", stats.hash);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}\n\n1 seeds, 1 failures");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(planted))]
fn planted(_seeds: u64) -> ExitCode {
    eprintln!("no bugs are planted in this build: use cargo xtask soak --planted");
    ExitCode::FAILURE
}

/// Each bug must be caught within `seeds` seeds.
#[cfg(planted)]
fn planted(seeds: u64) -> ExitCode {
    use mirror_core::planted::{Bug, set};
    let mut caught = 0;
    println!("{:<20} {:>6}  {:<12} what", "bug", "seeds", "checker");
    for &bug in Bug::ALL {
        set(Some(bug));
        let (done, failures, _) = sweep(0, seeds, 1, false);
        let name = format!("{bug:?}");
        match failures.first() {
            Some(Failure { seed, violation, .. }) => {
                caught += 1;
                println!("{name:<20} {:>6}  {:<12} {}", seed + 1, violation.checker, violation.what);
            }
            None => println!("{name:<20} {done:>6}  NOT CAUGHT"),
        }
    }
    set(None);
    println!("\nplanted: {caught} of {} caught", Bug::ALL.len());
    if caught == Bug::ALL.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
