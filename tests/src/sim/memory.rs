//! A node's memory: what a mapping is to a process. It outlives the member that works on it.

use mirror_core::Region;
use mirror_core::region::{AttachError, Found, Identity, Map, Reader};
use std::ptr::NonNull;

#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Page([u8; 4096]);

/// Memory for one region.
pub struct Memory {
    base: NonNull<Page>,
    pages: usize,
    map: Map,
}

impl Memory {
    /// Zeros, enough for `map`.
    #[must_use]
    pub fn new(map: Map) -> Self {
        let pages = map.total.div_ceil(4096);
        let memory: Box<[Page]> = vec![Page([0; 4096]); pages].into_boxed_slice();
        let base = NonNull::from(Box::leak(memory)).cast();
        Self { base, pages, map }
    }

    /// The region in this memory. The one before must be gone, and this value must outlive it: in the simulator both lie in
    /// one node, which takes the region away first.
    ///
    /// # Errors
    /// As [`Region::attach`].
    pub(super) fn attach(&mut self, who: &Identity) -> Result<(Region, Found), AttachError> {
        // SAFETY: as long and as aligned as needed; the caller keeps it alive and has no other region in it (see above).
        unsafe { Region::attach(self.base.cast(), self.pages * 4096, self.map, who) }
    }

    /// Flips bit `bit` of byte `at`, as a cosmic ray or another process would.
    pub(super) fn alter(&mut self, at: usize, bit: u32) {
        assert!(at < self.map.total, "byte {at} of {}", self.map.total);
        // SAFETY: inside the memory; the region in it lends nothing between two calls.
        unsafe { *self.base.cast::<u8>().add(at).as_ptr() ^= 1 << bit };
    }

    /// A view as another process has it. This value must outlive it.
    pub(super) fn reader(&self) -> Option<Reader> {
        // SAFETY: mapped for as long as this value lives; the same node drops the reader first.
        unsafe { Reader::attach(self.base.cast(), self.pages * 4096) }.ok()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let slice = NonNull::slice_from_raw_parts(self.base, self.pages);
        // SAFETY: made by `Box::leak` of a slice of this length; nothing refers to it any more.
        drop(unsafe { Box::from_raw(slice.as_ptr()) });
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("pages", &self.pages).finish_non_exhaustive()
    }
}
