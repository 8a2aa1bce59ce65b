//! A node of any of some sizes, behind one trait.
//!
//! Contract: what is measured is the product's own turn. Writing the state is not part of a commit's time.

use super::setup::Setup;
use crate::error::Error;
use mirror::{Config, Counter, Lead, LoopError, Node, OpenError, SyncState, Turn, clock};
use mirror_transport::Link;

/// The sizes of state that there are: each is a type of its own.
pub const SIZES: [usize; 5] = [64 << 10, 1 << 20, 16 << 20, 32 << 20, 64 << 20];

/// Where a step writes.
pub trait Pen {
    /// Writes and marks.
    fn write(&mut self, at: usize, bytes: &[u8]);
}

impl<const N: usize> Pen for Lead<'_, [u8; N]> {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        Lead::write(self, at, bytes);
    }
}

/// A cycle that was led.
#[derive(Clone, Copy, Debug)]
pub struct Led {
    /// When its commit began, nanoseconds.
    pub at: u64,
    /// What the commit took, nanoseconds.
    pub took: u64,
    /// Ticks missed before it.
    pub missed: u64,
}

/// What a turn brought.
#[derive(Clone, Copy, Debug)]
pub enum Turned {
    /// Nothing to do now.
    Nothing,
    /// A new cut is held.
    Cut,
    /// A cycle was led.
    Led(Led),
}

/// A node, whatever the size of its state.
pub trait AnyNode {
    /// One turn without waiting. If it leads, `step` writes and the cycle is committed.
    ///
    /// # Errors
    /// What the node says.
    fn turn(&mut self, step: &mut dyn FnMut(&mut dyn Pen)) -> Result<Turned, LoopError>;

    /// What is held.
    fn held(&self) -> &[u8];

    /// Cold, joining, hot or primary.
    fn state(&self) -> SyncState;

    /// Value of a counter.
    fn counter(&self, counter: Counter) -> u64;

    /// The cycle held.
    fn cycle(&self) -> u64;
}

impl<const N: usize> AnyNode for Node<[u8; N]> {
    fn turn(&mut self, step: &mut dyn FnMut(&mut dyn Pen)) -> Result<Turned, LoopError> {
        Ok(match self.try_begin()? {
            Some(Turn::Lead(mut lead)) => {
                step(&mut lead);
                let missed = lead.missed();
                let at = clock::now();
                lead.commit()?;
                Turned::Led(Led { at, took: clock::now() - at, missed })
            }
            Some(Turn::Follow(_)) => Turned::Cut,
            _ => Turned::Nothing,
        })
    }

    fn held(&self) -> &[u8] {
        Self::held(self)
    }

    fn state(&self) -> SyncState {
        Node::state(self)
    }

    fn counter(&self, counter: Counter) -> u64 {
        Node::counter(self, counter)
    }

    fn cycle(&self) -> u64 {
        self.cut().cycle
    }
}

/// Opens it; on a link of the caller's, if there is one.
///
/// # Errors
/// What the node says.
///
/// # Panics
/// If its size is not one of [`SIZES`].
pub fn open(setup: &Setup, link: Option<Box<dyn Link>>) -> Result<Box<dyn AnyNode>, Error> {
    const K: usize = 1 << 10;
    let config = setup.config();
    Ok(match setup.region / K {
        64 => sized::<{ 64 * K }>(&config, link)?,
        1024 => sized::<{ 1024 * K }>(&config, link)?,
        0x4000 => sized::<{ 0x4000 * K }>(&config, link)?,
        0x8000 => sized::<{ 0x8000 * K }>(&config, link)?,
        0x10000 => sized::<{ 0x10000 * K }>(&config, link)?,
        other => panic!("no type has a state of {other} KiB: see SIZES"),
    })
}

fn sized<const N: usize>(
    config: &Config,
    link: Option<Box<dyn Link>>,
) -> Result<Box<dyn AnyNode>, OpenError> {
    Ok(match link {
        Some(link) => Box::new(Node::<[u8; N]>::open_on(config, link)?),
        None => Box::new(Node::<[u8; N]>::open(config)?),
    })
}
