//! The few ways in which a region's memory is written. Everything that `commit` and `apply` store goes through
//! here, so that a test can stop the world after every single store.

use crate::line;
use core::sync::atomic::{AtomicU64, Ordering};

/// One word.
#[inline(always)]
pub(super) fn word(at: &AtomicU64, value: u64, order: Ordering) {
    at.store(value, order);
    tick();
}

/// A line that other processes may be reading: word by word, each store whole.
#[inline(always)]
pub(super) fn shared_line(to: &[AtomicU64], from: &[u8]) {
    for (word, bytes) in to.iter().zip(from.chunks_exact(8)) {
        word.store(u64::from_ne_bytes(bytes.try_into().expect("eight bytes")), Ordering::Relaxed);
        tick();
    }
}

/// Lines that only their owner reads.
#[inline(always)]
pub(super) fn private(to: &mut [u8], from: &[u8]) {
    if cfg!(test) {
        for (to, from) in to.chunks_mut(8).zip(from.chunks(8)) {
            to.copy_from_slice(from);
            tick();
        }
    } else {
        line::copy(to, from);
    }
}

#[cfg(not(test))]
#[inline(always)]
fn tick() {}

#[cfg(test)]
pub(super) use crash::tick;

/// A countdown that ends the world after the n-th store.
#[cfg(test)]
pub(crate) mod crash {
    extern crate std;
    use std::cell::Cell;

    std::thread_local!(static LEFT: Cell<Option<u64>> = const { Cell::new(None) });

    /// What a simulated crash unwinds with.
    pub(crate) struct Crash;

    /// After `stores` more stores the running thread unwinds with [`Crash`]; `None`: never.
    pub(crate) fn after(stores: Option<u64>) {
        LEFT.set(stores);
    }

    #[inline]
    pub(crate) fn tick() {
        match LEFT.get() {
            None => {}
            Some(0) => {
                LEFT.set(None);
                std::panic::resume_unwind(std::boxed::Box::new(Crash));
            }
            Some(n) => LEFT.set(Some(n - 1)),
        }
    }
}
