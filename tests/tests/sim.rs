//! The simulated cluster, as an ordinary test: some seeds, the same run twice, a failure made smaller.
//!
//! `cargo xtask soak` runs many more.

use mirror_tests::sim::run::run_expecting;
use mirror_tests::sim::{Options, Stats, Trace, expect::Expect, run, run_with, shrink};

/// Seeds run here.
const SEEDS: u64 = 500;

#[test]
fn every_promise_holds_under_every_seed() {
    let mut stats = Stats::default();
    for seed in 0..SEEDS {
        match run(seed) {
            Ok(one) => stats.add(&one),
            Err(failure) => panic!("{failure}"),
        }
    }
    // The seeds are not mild.
    assert!(stats.takeovers > SEEDS && stats.crashes > SEEDS / 2 && stats.stalls > SEEDS / 2, "{stats}");
    assert!(stats.watched > 10 * SEEDS && stats.served > SEEDS && stats.reopened > SEEDS / 10, "{stats}");
    assert!(stats.fenced > SEEDS / 10 && stats.open > SEEDS && stats.overflows > 0, "{stats}");
    assert!(stats.altered > SEEDS / 20 && stats.repaired > SEEDS / 50, "{stats}");
}

#[test]
fn a_seed_decides_everything() {
    for seed in 0..20 {
        let (one, two) = (run(seed).unwrap(), run(seed).unwrap());
        assert_eq!(one, two, "seed {seed}");
        assert_ne!(one.hash, run(seed + 1).unwrap().hash);
    }
}

#[test]
fn a_failure_is_shrunk_and_replayed_by_its_line() {
    // Nobody settles as fast as this run is told to expect.
    let broken = |options: &Options| Expect { settle: 1, operator: 0, ..Expect::records(options) };
    let check = |seed, options: &Options| run_expecting(seed, *options, broken(options), Trace::default());
    let failure = (0..).find_map(|seed| check(seed, &Options::from_seed(seed)).err()).unwrap();
    assert_eq!(failure.violation.checker, "convergence");
    let small = shrink(&failure, 500, &|seed, options| check(seed, options));
    assert_eq!(small.violation.checker, "convergence");
    assert_eq!((small.options.nodes, small.options.lines, small.options.cycles), (2, 1, 1));

    let line = small.replay();
    let with = line.split_once(" --with ").unwrap().1;
    let mut options = Options::from_seed(small.seed);
    options.set_all(with).unwrap();
    let again = check(small.seed, &options).unwrap_err();
    assert_eq!((again.at, again.violation), (small.at, small.violation));
    assert!(run_with(small.seed, options, Trace::default()).is_ok(), "the expectation was at fault");
}
