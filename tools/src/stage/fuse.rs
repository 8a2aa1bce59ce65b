//! A fuse: the kernel sends this process SIGKILL after a few microseconds, wherever it then is.
//!
//! A signal from another process takes longer to arrive than a step takes to run; a timer of one's own strikes in the
//! middle of it. To the process there is no difference: it ends between two instructions.

use std::io;

/// Lights it: SIGKILL after `ns` nanoseconds.
///
/// # Errors
/// If the kernel gives no timer.
pub fn light(ns: u64) -> io::Result<()> {
    let mut timer = std::ptr::null_mut();
    // SAFETY: all-zero bytes are a valid sigevent (integers and pointers).
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_SIGNAL;
    event.sigev_signo = libc::SIGKILL;
    // SAFETY: both pointers are to live locals of the right types; the timer id is written before it is used.
    let made = unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
    if made != 0 {
        return Err(io::Error::last_os_error());
    }
    let when = libc::itimerspec {
        it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: libc::timespec { tv_sec: 0, tv_nsec: ns.clamp(1, 999_999_999) as _ },
    };
    // SAFETY: `timer` was just made, `when` is a live local, and no old value is asked for.
    match unsafe { libc::timer_settime(timer, 0, &raw const when, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
