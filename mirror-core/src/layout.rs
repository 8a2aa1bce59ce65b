//! The layout of the state: what two members must agree on before one may apply the other's lines.
//!
//! Contract: equal hashes mean the same size, the same label, the same endianness and the same pointer width, as
//! far as 64 bits can tell. Field by field comparison needs a schema, which the label stands for: change the label
//! when fields move.

use crate::checksum;
use bytemuck::{Pod, Zeroable};
use core::fmt;

/// Bytes kept of a layout's name.
pub const NAME: usize = 40;

/// Name, size and hash of a layout. 56 bytes, as it stands in a region's header and in status frames.
#[derive(Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Layout {
    /// What the frames carry; two members with different hashes never apply each other's lines.
    pub hash: u64,
    /// Size of the state in bytes.
    pub bytes: u64,
    /// UTF-8, padded with zeros, cut at a character boundary.
    name: [u8; NAME],
}

impl Layout {
    /// The layout of a state of `bytes` bytes; `label` names it and its version ("press-line 4").
    #[must_use]
    pub fn new(label: &str, bytes: usize) -> Self {
        let mut cut = label.len().min(NAME);
        while !label.is_char_boundary(cut) {
            cut -= 1;
        }
        let mut name = [0; NAME];
        name[..cut].copy_from_slice(&label.as_bytes()[..cut]);
        let shape = [cfg!(target_endian = "big") as u8, size_of::<usize>() as u8];
        let parts = [checksum::of(label.as_bytes()), bytes as u64, checksum::of(&shape)];
        Self { hash: checksum::of(bytemuck::bytes_of(&parts.map(u64::to_le))), bytes: bytes as u64, name }
    }

    /// A layout as another member described it. Any bytes are accepted; the name is shown as far as it is UTF-8.
    #[must_use]
    pub const fn from_parts(hash: u64, bytes: u64, name: [u8; NAME]) -> Self {
        Self { hash, bytes, name }
    }

    /// The bytes of the name, padded with zeros.
    #[must_use]
    pub const fn name_bytes(&self) -> &[u8; NAME] {
        &self.name
    }

    /// The name, as far as it is UTF-8.
    #[must_use]
    pub fn name(&self) -> &str {
        let end = self.name.iter().position(|&b| b == 0).unwrap_or(NAME);
        match core::str::from_utf8(&self.name[..end]) {
            Ok(name) => name,
            Err(e) => core::str::from_utf8(&self.name[..e.valid_up_to()]).unwrap_or(""),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        if name.is_empty() {
            write!(f, "hash {:016x}", self.hash)
        } else {
            write!(f, "`{}` ({} bytes, hash {:016x})", name.escape_debug(), self.bytes, self.hash)
        }
    }
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::ToString;

    #[test]
    fn size_and_label_change_the_hash() {
        let a = Layout::new("press 1", 4096);
        assert_eq!(a, Layout::new("press 1", 4096));
        assert_ne!(a.hash, Layout::new("press 2", 4096).hash);
        assert_ne!(a.hash, Layout::new("press 1", 4160).hash);
    }

    #[test]
    fn long_labels_differ_beyond_what_is_kept_and_are_cut_at_a_character() {
        let a = Layout::new(&"ä".repeat(30), 64);
        let b = Layout::new(&("ä".repeat(29) + "b"), 64);
        assert_ne!(a.hash, b.hash);
        assert_eq!(a.name(), "ä".repeat(20));
    }

    #[test]
    fn any_name_bytes_can_be_shown() {
        let l = Layout::from_parts(1, 2, [0xff; NAME]);
        assert_eq!(l.name(), "");
        assert_eq!(l.to_string(), "hash 0000000000000001");
    }
}
