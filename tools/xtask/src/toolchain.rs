//! What of Rust is installed.

use std::path::Path;

use crate::shell::Cmd;

/// The bare target on which mirror-core is checked: it has no `std` at all.
pub(crate) const BARE_TARGET: &str = "aarch64-unknown-none";

pub(crate) fn has_cargo(subcommand: &str) -> bool {
    Cmd::new("cargo").arg(subcommand).arg("--version").probe().is_ok()
}

/// Through `rustup run`, which never installs anything on its own.
pub(crate) fn has_nightly() -> bool {
    Cmd::new("rustup run nightly rustc --version").probe().is_ok()
}

pub(crate) fn has_miri() -> bool {
    Cmd::new("rustup run nightly cargo miri --version").probe().is_ok()
}

/// Miri builds its own standard library from these sources.
pub(crate) fn has_rust_src() -> bool {
    Cmd::new("rustup run nightly rustc --print sysroot")
        .probe()
        .is_ok_and(|sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust/library/Cargo.toml").exists())
}

pub(crate) fn has_bare_target() -> bool {
    Cmd::new("rustc --print sysroot")
        .probe()
        .is_ok_and(|sysroot| Path::new(&sysroot).join("lib/rustlib").join(BARE_TARGET).is_dir())
}
