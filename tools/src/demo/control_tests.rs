use super::*;
use crate::demo::{state::SIZE, world};

const LINE: usize = 64;

fn dirty(before: &DemoState, after: &DemoState) -> (usize, usize) {
    let (before, after) = (bytemuck::bytes_of(before), bytemuck::bytes_of(after));
    let bytes = before.iter().zip(after).filter(|(a, b)| a != b).count();
    let lines = before.chunks(LINE).zip(after.chunks(LINE)).filter(|(a, b)| a != b).count();
    (bytes, lines)
}

/// What the text in `state` says: about a seventh of the lines.
#[test]
fn each_cycle_changes_a_seventh_of_the_lines() {
    let mut twin = world::start(2);
    let (mut bytes, mut lines, mut most) = (0, 0, 0);
    const N: usize = 400;
    for _ in 0..N {
        let before = *twin.state;
        twin.step();
        twin.state.seal();
        let (b, l) = dirty(&before, &twin.state);
        (bytes, lines, most) = (bytes + b, lines + l, most.max(l));
    }
    println!("{} bytes in {} lines a cycle, at most {most} of {} lines", bytes / N, lines / N, SIZE / LINE);
    assert!((120..160).contains(&(lines / N)) && most < 170, "{} {most}", lines / N);
}

#[test]
fn a_step_is_a_function_of_the_bytes() {
    let mut twin = world::start(2);
    for dt in [PERIOD_NS, 9 * PERIOD_NS, 30 * PERIOD_NS] {
        twin.step();
        let (mut a, mut b) = (twin.state.clone(), twin.state.clone());
        step(&mut a, dt);
        step(&mut b, dt);
        assert!(bytemuck::bytes_of(&*a) == bytemuck::bytes_of(&*b));
        assert_eq!(a.verify(), Ok(()));
        assert_eq!(a.head.missed - twin.state.head.missed, dt / PERIOD_NS - 1);
    }
}

#[test]
fn a_mixture_of_two_cycles_does_not_verify() {
    let mut twin = world::start(2);
    step(&mut twin.state, PERIOD_NS);
    let before = *twin.state;
    twin.state.inp = twin.world.sense(1);
    step(&mut twin.state, PERIOD_NS);
    let after = *twin.state;
    let mut found = 0;
    for line in 0..SIZE / LINE {
        let range = line * LINE..(line + 1) * LINE;
        let mut mixed = after;
        bytemuck::bytes_of_mut(&mut mixed)[range.clone()]
            .copy_from_slice(&bytemuck::bytes_of(&before)[range]);
        let same = bytemuck::bytes_of(&mixed) == bytemuck::bytes_of(&after);
        assert_eq!(mixed.verify().is_ok(), same, "line {line}");
        found += usize::from(!same);
    }
    assert!(found > 100);
}

/// After a gap the references are where single periods would have taken them.
#[test]
fn references_do_not_notice_a_gap() {
    let twin = world::start(2);
    let (mut once, mut each) = (twin.state.clone(), twin.state);
    for _ in 0..9 {
        advance(&mut each, PERIOD_NS);
    }
    advance(&mut once, 9 * PERIOD_NS);
    assert_eq!(once.axis.reference, each.axis.reference);
    assert_eq!(once.head.tick, each.head.tick);
    // Cells in their next turn, at their own times: the same line, up to single precision.
    for _ in 0..GROUPS {
        advance(&mut once, PERIOD_NS);
        advance(&mut each, PERIOD_NS);
    }
    for (a, b) in once.cells.iter().zip(&each.cells) {
        assert_eq!(a.last_tick, b.last_tick);
        assert!((a.reference[0] - b.reference[0]).abs() < 1e-4, "{} {}", a.reference[0], b.reference[0]);
    }
}

#[test]
fn any_dt_is_taken() {
    let mut state = Box::new(DemoState::cold());
    for dt in [0, 1, u64::MAX] {
        step(&mut state, dt);
        assert_eq!(state.verify(), Ok(()));
    }
    assert_eq!(state.head.tick, 2 + PERIODS_MAX);
    assert!(state.out.volts.is_finite());
}
