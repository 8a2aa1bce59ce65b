//! The three ways to wait, for one socket or several.

use crate::{Nanos, WaitMode};
use rustix::event::{PollFd, Timespec, poll};

/// The present time of the clock in which deadlines are given. About 30 ns.
pub(crate) fn now() -> Nanos {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as Nanos * 1_000_000_000 + now.tv_nsec as Nanos
}

/// Waits in the way of `mode`: where that is to sleep, by `block`.
pub(crate) fn wait(mode: WaitMode, block: impl FnOnce()) {
    match mode {
        WaitMode::Spin => std::hint::spin_loop(),
        WaitMode::Yield => rustix::thread::sched_yield(),
        WaitMode::Block => block(),
    }
}

/// Sleeps until something of `fds` is ready or `until` has passed.
pub(crate) fn sleep(fds: &mut [PollFd<'_>], until: Nanos) {
    let left = until.saturating_sub(now());
    let left = Timespec { tv_sec: (left / 1_000_000_000) as _, tv_nsec: (left % 1_000_000_000) as _ };
    // An interruption is an early return, which is allowed.
    let _ = poll(fds, Some(&left));
}
