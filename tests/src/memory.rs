//! Memory for regions: aligned to pages, outliving the regions in it as shared memory outlives its processes.

use std::ptr::NonNull;

use bytemuck::Pod;
use mirror::{Look, Place};
use mirror_core::region::{AttachError, Found, Identity, Map, PAGE};
use mirror_core::{Layout, Region, checksum};

#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Page([u8; PAGE]);

/// Records of the regions that test processes open unless they are told otherwise: so few that what is lost is soon
/// lost for good.
pub const RECORDS: usize = 2;

/// The layout label of every state that the helper processes keep.
pub const LABEL: &str = "plant";

/// Shows `look` what a successor of the dead owner of `place` would find, taken as it would take it, but of a copy.
///
/// # Panics
/// If there is no region of this `group`, `node` and state there.
pub fn left_behind<T: Pod, R>(
    place: &Place,
    group: &str,
    node: u8,
    look: impl FnOnce(&mut Region, Found) -> R,
) -> R {
    let records = Look::open(place).unwrap_or_else(|e| panic!("{place}: {e}")).map().records;
    let mut memory = Memory::with_records(size_of::<T>(), records);
    let bytes = std::fs::read(place.to_string()).unwrap_or_else(|e| panic!("{place}: {e}"));
    memory.bytes_mut().copy_from_slice(&bytes);
    let who = Identity {
        layout: Layout::new(LABEL, size_of::<T>()),
        group: checksum::of(group.as_bytes()),
        node,
        process: 1,
        boot: mirror::clock::boot(),
    };
    memory.attach(&who, look).unwrap_or_else(|e| panic!("{place}: {e}"))
}

/// A named region of a test, removed when the test ends.
#[derive(Debug)]
pub struct Named(pub Place);

impl Drop for Named {
    fn drop(&mut self) {
        // Nothing can be done about a failure while a test that failed unwinds.
        let _ = mirror::unlink(&self.0);
    }
}

/// Memory for one region.
pub struct Memory {
    pages: Vec<Page>,
    map: Map,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("map", &self.map).finish_non_exhaustive()
    }
}

impl Memory {
    /// Zeros, for a state of `state_bytes` bytes.
    ///
    /// # Panics
    /// If no region can have that size.
    #[must_use]
    pub fn new(state_bytes: usize) -> Self {
        Self::with_records(state_bytes, 3)
    }

    /// As [`new`](Self::new), with as many records.
    ///
    /// # Panics
    /// If no region can have that size.
    #[must_use]
    pub fn with_records(state_bytes: usize, records: usize) -> Self {
        let map = Map::new(state_bytes, records).expect("a size that a region can have");
        Self { pages: vec![Page([0; PAGE]); map.total / PAGE], map }
    }

    /// Offsets and sizes.
    #[must_use]
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: pages are bytes without padding.
        unsafe { std::slice::from_raw_parts(self.pages.as_ptr().cast(), self.pages.len() * PAGE) }
    }

    /// All bytes, for writing.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: pages are bytes without padding.
        unsafe { std::slice::from_raw_parts_mut(self.pages.as_mut_ptr().cast(), self.pages.len() * PAGE) }
    }

    /// Takes the memory as a region, and hands it to `look` with what was found.
    ///
    /// # Errors
    /// Those of [`Region::attach`].
    pub fn attach<T>(
        &mut self,
        who: &Identity,
        look: impl FnOnce(&mut Region, Found) -> T,
    ) -> Result<T, AttachError> {
        let base = NonNull::new(self.pages.as_mut_ptr().cast()).expect("a vector is never at zero");
        // SAFETY: as long as said and aligned to pages; `self` is borrowed for as long as the region lives, which is
        // until the end of this function, since `look` only borrows it.
        let (mut region, found) = unsafe { Region::attach(base, self.map.total, self.map, who) }?;
        Ok(look(&mut region, found))
    }
}
