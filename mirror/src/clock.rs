//! The one clock of the loop: `CLOCK_MONOTONIC`, in nanoseconds.

use mirror_transport::Nanos;
use rustix::time::{ClockId, clock_gettime};

/// Now. About 30 ns.
#[must_use]
pub fn now() -> Nanos {
    let t = clock_gettime(ClockId::Monotonic);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// Half of the kernel's boot id: differs after every boot, and in every container with a kernel of its own.
#[must_use]
pub fn boot() -> u64 {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or(0)
}
