//! Memory for regions: aligned to pages, outliving the regions in it as shared memory outlives its processes.

use std::ptr::NonNull;

use mirror_core::Region;
use mirror_core::region::{AttachError, Found, Identity, Map, PAGE};

#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Page([u8; PAGE]);

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
        let map = Map::new(state_bytes).expect("a size that a region can have");
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
