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
        // `ip` names the other namespace by a thread in it.
        right.within(|| {
            let there = rustix::thread::gettid().as_raw_nonzero();
            left.ip(&format!("link add left type veth peer name right netns {there}"))
        })?;
        for (namespace, device, host, v6) in [(&left, "left", 1, LEFT), (&right, "right", 2, RIGHT)] {
            namespace.ip(&format!("address add 10.77.0.{host}/24 dev {device}"))?;
            namespace.ip(&format!("address add {v6}/64 dev {device} nodad"))?;
            namespace.ip(&format!("link set {device} up"))?;
        }
        left.await_cable("left", LEFT)?;
        right.await_cable("right", RIGHT)?;
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
