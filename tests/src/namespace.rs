//! Network namespaces for tests, without names: the kernel removes one, and the devices in it, when the last socket,
//! thread and file of it are closed, so nothing is left behind however a test ends.

use std::fs::File;
use std::io;
use std::net::{Ipv6Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// The IPv6 address of the left end of [`Namespace::pair`].
pub const LEFT: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
/// The IPv6 address of its right end.
pub const RIGHT: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2);

/// A network namespace. Sockets opened within it stay in it, whichever thread uses them.
#[derive(Debug)]
pub struct Namespace {
    file: File,
}

impl Namespace {
    /// A new namespace with nothing but `lo`, which is up.
    ///
    /// # Errors
    ///
    /// In words, why there is none: usually that this takes root, or that there is no `ip` command.
    pub fn new() -> Result<Self, String> {
        let made = on_a_thread(|| {
            // SAFETY: of the ways in which unsharing can break others, none is had by a network namespace: file
            // descriptors and memory stay shared, and this thread ends before anyone else could be surprised.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET)? };
            File::open("/proc/thread-self/ns/net")
        });
        let namespace = Self { file: made.map_err(|e| format!("no network namespace: {e}"))? };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Two namespaces joined by a cable: `left` in the first, 10.77.0.1 and [`LEFT`], and `right` in the second,
    /// 10.77.0.2 and [`RIGHT`].
    ///
    /// # Errors
    ///
    /// As [`Namespace::new`].
    pub fn pair() -> Result<(Self, Self), String> {
        let (left, right) = (Self::new()?, Self::new()?);
        plug(&left, "left", &right, "right", 77)?;
        Ok((left, right))
    }

    /// As [`Namespace::pair`], with a second cable: `left2`, 10.78.0.1, and `right2`, 10.78.0.2.
    ///
    /// # Errors
    ///
    /// As [`Namespace::new`].
    pub fn pair_with_two_cables() -> Result<(Self, Self), String> {
        let (left, right) = Self::pair()?;
        plug(&left, "left2", &right, "right2", 78)?;
        Ok((left, right))
    }

    /// Waits until the kernel has noticed that the cable of `device` is plugged in and lets `address` be used. Both come
    /// a moment later, and what is sent before is lost unseen. IPv6 comes last, so that is what to look for.
    ///
    /// # Errors
    ///
    /// In words, after a bounded number of tries.
    pub fn await_cable(&self, device: &str, address: Ipv6Addr) -> Result<(), String> {
        let ready = || {
            self.ip(&format!("-6 route get ff12::1 oif {device}"))?;
            self.within(|| UdpSocket::bind((address, 0))).map_err(|e| format!("{address}: {e}"))
        };
        let mut tries = 0;
        loop {
            match ready() {
                Err(why) if tries == 400 => return Err(why),
                Err(_) => tries += 1,
                Ok(_) => return Ok(()),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where other processes find it for as long as this one holds it: for [`enter_at`].
    #[must_use]
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }

    /// Runs `ip` with these arguments in the namespace.
    ///
    /// # Errors
    ///
    /// What `ip` said, or that it could not be run.
    pub fn ip(&self, arguments: &str) -> Result<(), String> {
        self.run("ip", arguments)
    }

    /// Runs a command with these arguments, parted by spaces, in the namespace.
    ///
    /// # Errors
    ///
    /// What the command said, or that it could not be run.
    pub fn run(&self, command: &str, arguments: &str) -> Result<(), String> {
        let run = || Command::new(command).args(arguments.split_whitespace()).output();
        let output = self.within(run).map_err(|e| format!("{command}: {e}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{command} {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Runs `work` on a thread in the namespace.
    ///
    /// # Panics
    ///
    /// If the namespace cannot be entered, or `work` panics.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        on_a_thread(|| {
            enter(&self.file).expect("a namespace that was made can be entered");
            work()
        })
    }
}

/// Joins two namespaces by a cable: 10.`net`.0.1 and fd`net`::1 at `left_end`, the same with 2 at `right_end`.
fn plug(left: &Namespace, left_end: &str, right: &Namespace, right_end: &str, net: u8) -> Result<(), String> {
    // `ip` names the other namespace by a thread in it.
    right.within(|| {
        let there = rustix::thread::gettid().as_raw_nonzero();
        left.ip(&format!("link add {left_end} type veth peer name {right_end} netns {there}"))
    })?;
    let ends = [(left, left_end, 1), (right, right_end, 2)];
    for (namespace, device, host) in ends {
        namespace.ip(&format!("address add 10.{net}.0.{host}/24 dev {device}"))?;
        namespace.ip(&format!("address add fd{net}::{host}/64 dev {device} nodad"))?;
        namespace.ip(&format!("link set {device} up"))?;
    }
    for (namespace, device, host) in ends {
        let v6 = format!("fd{net}::{host}").parse().map_err(|e| format!("fd{net}::{host}: {e}"))?;
        namespace.await_cable(device, v6)?;
    }
    Ok(())
}

/// Moves the calling thread, and with it the threads that it will start, into the namespace at [`Namespace::path`]. Called
/// first of all, it moves a process.
///
/// # Errors
///
/// What the kernel says: usually that the process which held the namespace is gone.
pub fn enter_at(path: &str) -> io::Result<()> {
    enter(&File::open(path)?)
}

fn enter(file: &File) -> io::Result<()> {
    Ok(move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?)
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
