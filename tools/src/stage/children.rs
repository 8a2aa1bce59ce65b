//! Starting the demo's processes, and ending them.
//!
//! Contract: whatever happens to the director, no child outlives it: each asks the kernel to be killed with its parent, and
//! a dropped [`Child`] is killed and reaped.

use super::bus::Bus;
use rustix::process::{Pid, Signal};
use rustix::time::{ClockId, Timespec};
use std::io;
use std::process::{Command, Stdio};

/// A process of the demo.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    gone: bool,
}

impl Child {
    /// Starts this program anew with other arguments.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn start(args: &[String]) -> io::Result<Self> {
        let process = Command::new(std::env::current_exe()?).args(args).stdin(Stdio::null()).spawn()?;
        Ok(Self { process, gone: false })
    }

    /// SIGKILL, at once. [`reap`](Self::reap) waits for the end of it.
    ///
    /// # Errors
    /// What the kernel says, if the process is not there any more.
    pub fn kill(&mut self) -> io::Result<()> {
        if self.gone {
            return Ok(()); // reaped: its number may be another's by now
        }
        let pid = Pid::from_child(&self.process);
        rustix::process::kill_process(pid, Signal::KILL).map_err(io::Error::from)
    }

    /// Waits until it is gone.
    pub fn reap(&mut self) {
        self.gone |= self.process.wait().is_ok();
    }

    /// Whether it has ended by itself, and how.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        let status = self.process.try_wait().ok().flatten();
        self.gone |= status.is_some();
        status
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.gone {
            let _ = self.kill();
            self.reap();
        }
    }
}

/// What every child does first: it dies with its parent, and wakes when it asked to.
///
/// # Errors
/// If the parent is gone already.
pub fn settle_in(parent: u32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid().map(Pid::as_raw_nonzero).map(i32::from) != Some(parent as i32) {
        return Err(io::Error::other("the director is gone"));
    }
    wake_precisely();
    Ok(())
}

/// Asks the kernel not to delay this thread's wake-ups (by 50 us, as it may by default).
pub fn wake_precisely() {
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

/// Sleeps until `at`, nanoseconds of `CLOCK_MONOTONIC`.
pub fn sleep_until(at: u64) {
    let at = Timespec { tv_sec: (at / 1_000_000_000) as i64, tv_nsec: (at % 1_000_000_000) as _ };
    // Woken by a signal, it sleeps on.
    while rustix::thread::clock_nanosleep_absolute(ClockId::Monotonic, &at).is_err() {}
}

/// Arguments of the plant's process.
#[must_use]
pub fn plant(bus: &str, seed: u64) -> Vec<String> {
    strings(&["stage-plant", &me(), bus, &seed.to_string()])
}

/// Arguments of a controller's process.
#[must_use]
pub fn controller(settings: &super::controller::Settings) -> Vec<String> {
    let super::controller::Settings { bus, group, address, node } = settings;
    strings(&["stage-controller", &me(), bus, group, &address.to_string(), &node.to_string()])
}

/// Arguments of a cold controller's process.
#[must_use]
pub fn cold(bus: &str, node: usize, epoch: u64) -> Vec<String> {
    strings(&["stage-cold", &me(), bus, &node.to_string(), &epoch.to_string()])
}

fn me() -> String {
    std::process::id().to_string()
}

fn strings(args: &[&str]) -> Vec<String> {
    args.iter().map(|&arg| arg.to_owned()).collect()
}

/// A name for this run's bus that no other run uses.
///
/// # Errors
/// What the kernel says of `/dev/shm`.
pub fn new_bus() -> io::Result<(Bus, String)> {
    let name = format!("mirror-demo-{}-bus", std::process::id());
    Ok((Bus::create(&name)?, name))
}
