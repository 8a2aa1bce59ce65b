//! The region against a plain copy, and against death after every single store.

extern crate std;
use super::store::crash;
use super::*;
use crate::layout::Layout;
use crate::track::{Diff, Marked};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec;
use std::vec::Vec;

/// Page-aligned memory that outlives the regions in it, as shared memory outlives its processes.
pub(crate) struct Memory {
    bytes: Vec<Page>,
    map: Map,
}

#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Page([u8; PAGE]);

fn who() -> Identity {
    Identity { layout: Layout::new("test", 1), group: 1, node: 1, process: 1, boot: 1 }
}

impl Memory {
    pub(crate) fn new(state_bytes: usize) -> Self {
        let map = Map::new(state_bytes, if cfg!(miri) { 1 } else { 3 }).unwrap();
        Self { bytes: vec![Page([0; PAGE]); map.total / PAGE], map }
    }

    fn attach_as(&mut self, who: &Identity) -> Result<(Region, Found), AttachError> {
        let base = NonNull::new(self.bytes.as_mut_ptr().cast()).unwrap();
        // SAFETY: the vector is not touched while the region is used (each test drops the region first), and it is as
        // long as said and aligned to pages.
        unsafe { Region::attach(base, self.map.total, self.map, who) }
    }

    pub(crate) fn attach(&mut self) -> (Region, Found) {
        self.attach_as(&who()).unwrap()
    }

    fn reader(&mut self) -> Result<Reader, ReadError> {
        let base = NonNull::new(self.bytes.as_mut_ptr().cast()).unwrap();
        // SAFETY: as in `attach`.
        unsafe { Reader::attach(base, self.map.total) }
    }
}

fn info(cycle: u64) -> CutInfo {
    CutInfo {
        cut: Cut { epoch: Epoch::new(1, 1, 1), cycle },
        base: Cut::NONE,
        plant: cycle * 10,
        at: cycle * 100,
    }
}

/// Writes cycle `cycle`'s values: some lines change, some are rewritten with the same value.
fn step(live: &mut [u8], cycle: u64) {
    let lines = live.len() / LINE;
    for line in 0..lines {
        if (line as u64 + cycle).is_multiple_of(3) {
            live[line * LINE + 8..line * LINE + 16].copy_from_slice(&cycle.to_le_bytes());
        }
    }
    let end = live.len();
    live[end - 1] = cycle as u8;
}

fn commit(region: &mut Region, cycle: u64) {
    region.capture(&mut Diff::portable(), cycle);
    region.seal(&info(cycle));
    region.settle(false);
}

/// A standby's cycle: lines from a record into image and live.
fn apply(region: &mut Region, cycle: u64) {
    let mut next = region.image().to_vec();
    step(&mut next, cycle);
    let image = region.image().to_vec();
    let mut record = region.record(cycle);
    for line in 0..next.len() / LINE {
        let range = line * LINE..(line + 1) * LINE;
        if next[range.clone()] != image[range.clone()] {
            assert!(record.push(line as u32, &next[range]));
        }
    }
    region.seal(&info(cycle));
    region.settle(true);
}

const STATE: usize = 5 * LINE;

/// The state after each cycle.
fn history(cycles: u64) -> Vec<Vec<u8>> {
    let mut states = vec![vec![0; STATE]];
    for cycle in 1..=cycles {
        let mut next = states.last().unwrap().clone();
        step(&mut next, cycle);
        states.push(next);
    }
    states
}

/// Kills the world after store 0, 1, 2, ... of `run`, attaches again, and looks what is there.
fn crash_everywhere(run: impl Fn(&mut Region, u64)) {
    const CYCLES: u64 = 4;
    let history = history(CYCLES);
    let (mut crashes, mut redone_seen, mut returned_seen) = (0, 0, 0);
    for stores in (0..).step_by(if cfg!(miri) { 7 } else { 1 }) {
        let mut memory = Memory::new(STATE);
        let (mut region, _) = memory.attach();
        let mut finished = 0;
        let result = catch_unwind(AssertUnwindSafe(|| {
            crash::after(Some(stores));
            for cycle in 1..=CYCLES {
                run(&mut region, cycle);
                finished = cycle;
            }
            crash::after(None);
        }));
        crash::after(None);
        let Err(unwound) = result else { break };
        assert!(unwound.is::<crash::Crash>());
        crashes += 1;

        let (region, found) = memory.attach();
        let cut = region.cut();
        assert!(cut.cycle == finished || cut.cycle == finished + 1, "store {stores}: {cut} after {finished}");
        let expected = &history[cut.cycle as usize];
        assert_eq!(region.image()[..STATE], expected[..], "image after store {stores}");
        assert_eq!(region.live()[..STATE], expected[..], "live after store {stores}");
        for line in 0..region.map().lines {
            assert!(region.stamp(line) <= cut.cycle);
        }
        if let Found::Cut { redone, returned, .. } = found {
            redone_seen += usize::from(redone);
            returned_seen += returned;
        }
        // A reader of the dead region sees the same.
        let mut reader = memory.reader().unwrap();
        let (read, bytes) = reader.read().unwrap();
        assert_eq!((read.cut, bytes), (cut, &expected[..]));
    }
    assert!(
        cfg!(miri) || (crashes > 100 && redone_seen > 10),
        "{crashes} crashes, {redone_seen} redone, {returned_seen} returned"
    );
}

#[test]
fn a_primary_that_dies_after_any_store_leaves_a_committed_cut() {
    crash_everywhere(|region, cycle| {
        step(region.live_mut(), cycle);
        commit(region, cycle);
    });
}

#[test]
fn a_standby_that_dies_after_any_store_leaves_a_committed_cut() {
    crash_everywhere(apply);
}

/// A standby that is filled: lines into the live memory, by one order and then by another, until all of it is sealed.
fn fill(region: &mut Region, cycle: u64) {
    let mut next = region.image().to_vec();
    step(&mut next, cycle);
    for line in (0..next.len() / LINE).rev() {
        region.stage(line, &[cycle as u8; LINE]);
    }
    for (line, bytes) in next.chunks_exact(LINE).enumerate() {
        region.stage(line, bytes);
    }
    region.seal_live(&info(cycle));
    region.settle(false);
}

#[test]
fn a_standby_that_dies_while_it_is_filled_leaves_a_committed_cut() {
    crash_everywhere(fill);
}

#[test]
fn one_that_is_filled_between_cycles_that_it_applies_does_too() {
    crash_everywhere(
        |region, cycle| if cycle.is_multiple_of(2) { fill(region, cycle) } else { apply(region, cycle) },
    );
    crash_everywhere(
        |region, cycle| if cycle.is_multiple_of(2) { apply(region, cycle) } else { fill(region, cycle) },
    );
}

#[test]
fn a_recovery_of_a_filled_standby_that_dies_itself_is_recovered_from() {
    let history = history(2);
    for stores in (0..).step_by(if cfg!(miri) { 7 } else { 1 }) {
        let mut memory = Memory::new(STATE);
        let (mut region, _) = memory.attach();
        apply(&mut region, 1);
        region.live_mut().copy_from_slice(&history[2]);
        region.seal_live(&info(2));
        crash::after(Some(stores));
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _ = memory.attach();
        }));
        crash::after(None);
        let (region, found) = memory.attach();
        assert!(matches!(found, Found::Cut { returned: 0, .. }), "store {stores}: {found:?}");
        assert_eq!((region.cut().cycle, &region.image()[..STATE]), (2, &history[2][..]), "store {stores}");
        assert!((0..region.map().lines).all(|line| region.stamp(line) == 2));
        if result.is_ok() {
            assert!(stores > 5);
            break;
        }
    }
}

#[test]
fn a_seal_of_which_half_says_that_the_live_memory_is_whole_is_refused() {
    for damage in 0..2 {
        let mut memory = Memory::new(STATE);
        let (mut region, _) = memory.attach();
        step(region.live_mut(), 1);
        region.capture(&mut Diff::portable(), 1);
        region.seal(&info(1));
        region.live_mut().fill(7);
        region.header().record.0[damage].store(WHOLE, Relaxed);
        let found = memory.attach_as(&who()).map(|(_, found)| found);
        assert!(matches!(found, Err(AttachError::Damaged { open: 1, done: 0, .. })), "{found:?}");
    }
}

#[test]
fn a_reader_follows_one_that_is_filled_from_before_the_seal_to_after_the_move() {
    let history = history(4);
    for stores in (0..).step_by(if cfg!(miri) { 7 } else { 1 }) {
        let mut memory = Memory::new(STATE);
        let (mut region, _) = memory.attach();
        // SAFETY: the memory outlives both; the region writes only what the reader reads as atomics.
        let mut reader = unsafe { Reader::attach(region.base, memory.map.total) }.unwrap();
        apply(&mut region, 1);
        assert_eq!(reader.read().unwrap(), (info(1), &history[1][..]));
        crash::after(Some(stores));
        let result = catch_unwind(AssertUnwindSafe(|| fill(&mut region, 2)));
        crash::after(None);
        match reader.read() {
            Ok((read, bytes)) => {
                assert_eq!(
                    (read, bytes),
                    (info(read.cut.cycle), &history[read.cut.cycle as usize][..]),
                    "{stores}"
                );
            }
            Err(e) => assert_eq!(e, ReadError::Unfinished),
        }
        let (mut region, _) = memory.attach();
        if region.cut().cycle < 2 {
            fill(&mut region, 2);
        }
        assert_eq!(reader.read().unwrap(), (info(2), &history[2][..]), "store {stores}");
        apply(&mut region, 3);
        assert_eq!(reader.read().unwrap(), (info(3), &history[3][..]), "store {stores}");
        if result.is_ok() {
            break;
        }
    }
}

#[test]
fn a_recovery_that_dies_itself_is_recovered_from() {
    let history = history(2);
    for stores in (0..).step_by(if cfg!(miri) { 7 } else { 1 }) {
        let mut memory = Memory::new(STATE);
        let (mut region, _) = memory.attach();
        step(region.live_mut(), 1);
        commit(&mut region, 1);
        step(region.live_mut(), 2);
        region.capture(&mut Diff::portable(), 2);
        region.seal(&info(2));
        crash::after(Some(stores));
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _ = memory.attach();
        }));
        crash::after(None);
        let (region, _) = memory.attach();
        assert_eq!((region.cut().cycle, &region.live()[..STATE]), (2, &history[2][..]), "store {stores}");
        if result.is_ok() {
            assert!(stores > 5);
            break;
        }
    }
}

#[test]
fn a_half_run_step_leaves_no_trace() {
    let mut memory = Memory::new(STATE);
    let (mut region, found) = memory.attach();
    assert_eq!(found, Found::Nothing);
    step(region.live_mut(), 1);
    commit(&mut region, 1);
    let committed = region.live().to_vec();
    step(region.live_mut(), 2);
    let (mut region, found) = memory.attach();
    assert!(matches!(found, Found::Cut { redone: false, returned: 1.., .. }), "{found:?}");
    assert_eq!(region.live(), committed);
    step(region.live_mut(), 2);
    region.roll_back();
    assert_eq!(region.live(), committed);
}

#[test]
fn memory_of_another_layout_node_or_kind_is_refused_and_left_alone() {
    let mut memory = Memory::new(STATE);
    {
        let _ = memory.attach();
    };
    let other = Identity { layout: Layout::new("other", 1), ..who() };
    let error = memory.attach_as(&other).unwrap_err();
    assert!(matches!(error, AttachError::Layout { .. }));
    let text = std::format!("{error}");
    assert!(text.contains("`test`") && text.contains("`other`"), "{text}");
    let error = memory.attach_as(&Identity { node: 2, ..who() }).unwrap_err();
    assert!(matches!(error, AttachError::Other { node: 1, wanted_node: 2, .. }));
    memory.bytes[0].0[..8].copy_from_slice(b"ELF-ELF-");
    assert!(matches!(memory.attach_as(&who()), Err(AttachError::Foreign(_))));
    assert!(matches!(memory.reader(), Err(ReadError::NotARegion { .. })));
}

#[test]
fn a_damaged_seal_is_refused() {
    let mut memory = Memory::new(STATE);
    let (mut region, _) = memory.attach();
    step(region.live_mut(), 1);
    region.capture(&mut Diff::portable(), 1);
    region.seal(&info(1));
    region.header().record.0[1].store(99, Relaxed);
    assert!(matches!(memory.attach_as(&who()), Err(AttachError::Damaged { open: 1, done: 0, lines: 99 })));
}

#[test]
fn memory_of_another_boot_is_cleared_but_its_epochs_are_remembered() {
    let mut memory = Memory::new(STATE);
    let (mut region, _) = memory.attach();
    step(region.live_mut(), 1);
    commit(&mut region, 1);
    region.see_epoch(Epoch::new(9, 1, 1));
    let (region, found) = memory.attach_as(&Identity { boot: 2, ..who() }).unwrap();
    assert_eq!(found, Found::OtherBoot(info(1)));
    assert_eq!((region.cut(), region.epoch_seen()), (Cut::NONE, Epoch::new(9, 1, 1)));
    assert!(region.live().iter().chain(region.image()).all(|&b| b == 0));
}

#[test]
fn trackers_find_exactly_what_a_plain_comparison_finds() {
    for lines in [1usize, 3, 63, 64, 65, 200, 256] {
        for tail in [0, 17] {
            let bytes = lines * LINE - tail;
            let all = Diff::all().map(|d| std::boxed::Box::new(d) as std::boxed::Box<dyn Tracker>);
            for mut tracker in all.chain([std::boxed::Box::new(Marked::new(lines)) as _]) {
                let mut memory = Memory::new(bytes);
                let (mut region, _) = memory.attach();
                let mut seed = lines as u64;
                for cycle in 1..=if cfg!(miri) { 2 } else { 40 } {
                    let mut written = vec![false; lines];
                    for _ in 0..cycle {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let at = (seed >> 33) as usize % bytes;
                        region.live_mut()[at] ^= 1 + (seed >> 60) as u8;
                        tracker.mark(at, 1);
                        written[at / LINE] = true;
                    }
                    let differs: Vec<u32> = (0..lines as u32)
                        .filter(|&l| {
                            let range = l as usize * LINE..(l as usize + 1) * LINE;
                            region.live()[range.clone()] != region.image()[range]
                        })
                        .collect();
                    region.capture(&mut *tracker, cycle);
                    let found: Vec<u32> =
                        region.recorded(cycle).runs.iter().flat_map(|r| r.start..r.end()).collect();
                    if tracker.name() == "marked" {
                        let marked: Vec<u32> = (0..lines as u32).filter(|&l| written[l as usize]).collect();
                        assert_eq!(found, marked);
                    } else {
                        assert_eq!(found, differs, "{} {lines} lines", tracker.name());
                    }
                    region.seal(&info(cycle));
                    region.settle(false);
                    assert_eq!(region.live(), region.image());
                    for &line in &found {
                        assert_eq!(region.stamp(line as usize), cycle);
                    }
                }
            }
        }
    }
}

#[test]
fn marks_beyond_the_region_are_ignored_and_reset_forgets() {
    let mut memory = Memory::new(STATE);
    let (mut region, _) = memory.attach();
    let mut marked = Marked::new(5);
    marked.mark(STATE - 1, usize::MAX);
    marked.mark(STATE + 1000, 8);
    marked.mark(3, 0);
    assert_eq!(region.capture(&mut marked, 1), 1);
    marked.mark(0, STATE);
    marked.reset();
    assert_eq!(region.capture(&mut marked, 1), 0);
}

#[test]
fn the_record_never_overflows() {
    let mut memory = Memory::new(STATE);
    let (mut region, _) = memory.attach();
    let mut record = region.record(7);
    assert!(record.push(0, &[1; 4 * LINE]));
    assert!(!record.push(0, &[2; 2 * LINE]));
    assert!(record.push(4, &[3; LINE]));
    assert_eq!(record.lines(), 5);
    assert_eq!(region.recorded(7).runs, [Run { start: 0, count: 5 }]);
}

#[test]
fn a_reader_follows_by_stamps_and_across_reigns() {
    let mut memory = Memory::new(STATE);
    let (mut region, _) = memory.attach();
    let mut reader = {
        let base = region.base;
        // SAFETY: the memory outlives both; the region writes only what the reader reads as atomics.
        unsafe { Reader::attach(base, memory.map.total) }.unwrap()
    };
    for cycle in 1..=10 {
        step(region.live_mut(), cycle);
        commit(&mut region, cycle);
        let live = region.live()[..STATE].to_vec();
        let (read, bytes) = reader.read().unwrap();
        assert_eq!((read, bytes), (info(cycle), &live[..]));
    }
    // A later reign at a lower cycle: stamps no longer compare.
    region.live_mut()[0] = 99;
    region.capture(&mut Diff::portable(), 5);
    let later = CutInfo { cut: Cut { epoch: Epoch::new(2, 1, 1), cycle: 5 }, ..info(5) };
    region.seal(&later);
    region.settle(false);
    let live = region.live()[..STATE].to_vec();
    assert_eq!(reader.read().unwrap(), (later, &live[..]));
}

#[test]
fn a_reader_says_when_a_commit_is_under_way() {
    let mut memory = Memory::new(STATE);
    let (mut region, _) = memory.attach();
    step(region.live_mut(), 1);
    region.capture(&mut Diff::portable(), 1);
    region.seal(&info(1));
    let base = region.base;
    // SAFETY: as above.
    let mut reader = unsafe { Reader::attach(base, memory.map.total) }.unwrap();
    assert_eq!(reader.read().unwrap_err(), ReadError::Unfinished);
    region.settle(false);
    assert_eq!(reader.read().unwrap().0, info(1));
}

#[test]
fn the_event_log_keeps_the_newest() {
    let mut memory = Memory::new(STATE);
    let (region, _) = memory.attach();
    for i in 0..Events::KEPT + 10 {
        region.event(i, EventKind::Stalled, i * 2);
    }
    let events: Vec<Event> = region.events().collect();
    assert_eq!(events.len() as u64, Events::KEPT);
    assert_eq!((events[0].at, events[0].a), (10, 20));
    assert_eq!(events.last().unwrap().at, Events::KEPT + 9);
}

#[test]
fn a_header_torn_by_a_power_failure_is_another_boots_and_no_damage() {
    let mut memory = Memory::new(STATE);
    let (mut region, _) = memory.attach();
    step(region.live_mut(), 1);
    commit(&mut region, 1);
    region.header().open.0.store(7, Relaxed);
    assert!(matches!(memory.attach_as(&Identity { boot: 2, ..who() }), Ok((_, Found::OtherBoot(_)))));
}
