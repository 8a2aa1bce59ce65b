//! Regions and frames in plain memory: the core without a network or a kernel.
//!
//! Contract: everything is allocated and touched by the constructors.

use mirror_core::region::{Identity, Map, PAGE};
use mirror_core::{FrameSink, Layout, Region};
use std::alloc::{Layout as Shape, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A region in memory of its own.
#[derive(Debug)]
pub struct OwnRegion {
    region: Region,
    base: NonNull<u8>,
    shape: Shape,
}

impl OwnRegion {
    /// A new region for `bytes` bytes of state.
    ///
    /// # Panics
    /// If no region can have that size.
    #[must_use]
    pub fn new(bytes: usize, node: u8) -> Self {
        Self::with_records(bytes, node, 2)
    }

    /// As [`new`](Self::new), with as many records.
    ///
    /// # Panics
    /// If no region can have that size.
    #[must_use]
    pub fn with_records(bytes: usize, node: u8, records: usize) -> Self {
        let map = Map::new(bytes, records).expect("a size that a region can have");
        let shape = Shape::from_size_align(map.total, PAGE).expect("a size that memory can have");
        // SAFETY: the size is not zero: a region has a header.
        let base = NonNull::new(unsafe { alloc_zeroed(shape) }).unwrap_or_else(|| handle_alloc_error(shape));
        let who = Identity { layout: layout(bytes), group: 1, node, process: 0, boot: 1 };
        // SAFETY: just allocated, zero, aligned to a page, used by nobody else, and freed after the region is gone.
        let (region, _) = unsafe { Region::attach(base, map.total, map, &who) }.expect("zero memory is free");
        let mut own = Self { region, base, shape };
        // A zeroed allocation shares one page of zeros until it is written.
        for at in (map.live..map.total).step_by(PAGE) {
            // SAFETY: inside the allocation, which `own` alone refers to.
            unsafe { own.base.add(at).write_volatile(0) };
        }
        own.region.live_mut()[0] = 0;
        own
    }
}

/// The layout of a state of `bytes` bytes.
#[must_use]
pub fn layout(bytes: usize) -> Layout {
    Layout::new("bench", bytes)
}

impl Drop for OwnRegion {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this shape; `Region` has no destructor that could still look at it.
        unsafe { dealloc(self.base.as_ptr(), self.shape) }
    }
}

impl Deref for OwnRegion {
    type Target = Region;
    fn deref(&self) -> &Region {
        &self.region
    }
}

impl DerefMut for OwnRegion {
    fn deref_mut(&mut self) -> &mut Region {
        &mut self.region
    }
}

/// Keeps the frames of a cycle.
#[derive(Clone, Debug)]
pub struct Tray {
    frame_bytes: usize,
    bytes: Box<[u8]>,
    lens: Vec<usize>,
}

impl Tray {
    /// Room for `frames` frames of `frame_bytes`.
    #[must_use]
    pub fn new(frame_bytes: usize, frames: usize) -> Self {
        Self { frame_bytes, bytes: vec![0xA5; frame_bytes * frames].into(), lens: Vec::with_capacity(frames) }
    }

    /// Forgets all frames.
    pub fn clear(&mut self) {
        self.lens.clear();
    }

    /// The frames, in order.
    pub fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.frame_bytes).zip(&self.lens).map(|(bytes, &len)| &bytes[..len])
    }
}

impl FrameSink for Tray {
    fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    fn lend(&mut self) -> Option<&mut [u8]> {
        self.bytes.chunks_mut(self.frame_bytes).nth(self.lens.len())
    }

    fn push(&mut self, len: usize) {
        self.lens.push(len.min(self.frame_bytes));
    }
}
