//! The primary of a pair: leads, and notes what each commit took.

use super::node::{AnyNode, Led, Pen, Turned};
use super::second::Second;
use crate::error::Error;
use mirror::clock;

/// For how long anything is waited for, seconds.
pub const PATIENCE_S: u64 = 15;

/// Leads `cycles` cycles; `step` writes each.
///
/// # Errors
/// The node stopped, or does not lead.
pub fn lead(
    node: &mut dyn AnyNode,
    cycles: usize,
    step: &mut dyn FnMut(&mut dyn Pen),
    mut led: impl FnMut(Led),
) -> Result<(), Error> {
    let (mut ran, mut last) = (0, clock::now());
    while ran < cycles {
        match node.turn(step)? {
            Turned::Led(one) => {
                (ran, last) = (ran + 1, clock::now());
                led(one);
            }
            _ if clock::now() > last + PATIENCE_S * 1_000_000_000 => {
                return Err(Error::Late("a cycle of the primary", PATIENCE_S));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Leads until the second process answers, `patience` seconds at most. Says whether it did.
///
/// # Errors
/// The node stopped, or the second process ended.
pub fn lead_until_answered(
    node: &mut dyn AnyNode,
    second: &mut Second,
    step: &mut dyn FnMut(&mut dyn Pen),
    mut led: impl FnMut(Led),
    patience: u64,
) -> Result<bool, Error> {
    let until = clock::now() + patience * 1_000_000_000;
    while clock::now() < until {
        if let Turned::Led(one) = node.turn(step)? {
            led(one);
            if second.answered()? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
