//! `kill -9` between any two instructions.
//!
//! A real process commits, applies and recovers on a region in a memory file while this one lets it run a single instruction at a
//! time (ptrace). After each, the memory is what a successor would find if the process were killed there: it is copied, attached,
//! and must be the last committed cut or the one being committed, byte for byte. Where an instruction changed nothing in
//! the memory, the finding before it stands.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use memmap2::{MmapOptions, MmapRaw};
use mirror_core::region::{Found, Identity};
use mirror_core::{LINE, Layout};
use mirror_tests::memory::LABEL;
use mirror_tests::plant::Tiny;
use mirror_tests::skip::skip;
use mirror_tests::{Memory, stepped};

const CHILD: &str = env!("CARGO_BIN_EXE_mirror-test-child");

fn who() -> Identity {
    Identity { layout: Layout::new(LABEL, size_of::<Tiny>()), ..stepped::WHO }
}

/// A memory file that a child works on and this process looks at.
struct Shared {
    file: File,
    memory: MmapRaw,
}

impl Shared {
    fn new(content: &[u8]) -> Self {
        let file = rustix::fs::memfd_create("mirror-stepped", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let file = File::from(file);
        file.set_len(content.len() as u64).unwrap();
        let memory = MmapOptions::new().len(content.len()).map_raw(&file).unwrap();
        // SAFETY: just mapped, that long, and nobody else has it yet.
        unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr(), memory.len()) }.copy_from_slice(content);
        Self { file, memory }
    }

    /// What stands there; only while the child is stopped.
    fn bytes(&self) -> &[u8] {
        // SAFETY: mapped as long as `self` lives; the child, the only writer, is stopped whenever this is called.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), self.memory.len()) }
    }
}

/// A traced child, killed and reaped in any case.
struct Traced(Child);

impl Traced {
    /// Runs it to its first stop. An error says why it cannot be traced.
    fn start(role: &str, shared: &Shared) -> Result<Self, String> {
        let stdin = Stdio::from(shared.file.try_clone().unwrap());
        let traced = Self(Command::new(CHILD).arg(role).stdin(stdin).spawn().unwrap());
        let signal = traced.await_stop().ok_or("the child ended")?;
        assert_eq!(signal, libc::SIGSTOP);
        match traced.request(libc::PTRACE_SETOPTIONS, libc::PTRACE_O_EXITKILL as usize) {
            0 => Ok(traced),
            _ => Err(format!("ptrace: {}", std::io::Error::last_os_error())),
        }
    }

    fn request(&self, request: libc::c_uint, data: usize) -> libc::c_long {
        // SAFETY: requests that read and write no memory of this process.
        unsafe { libc::ptrace(request, self.0.id() as libc::pid_t, 0usize, data) }
    }

    /// The signal that stopped it, or `None` when it is gone.
    fn await_stop(&self) -> Option<i32> {
        let mut status = 0;
        // SAFETY: `status` is valid for the write. An untraced child that stops would not be reported without WUNTRACED.
        let got = unsafe { libc::waitpid(self.0.id() as libc::pid_t, &raw mut status, libc::WUNTRACED) };
        (got > 0 && libc::WIFSTOPPED(status)).then(|| libc::WSTOPSIG(status))
    }

    /// Runs one instruction; `false` at the second stop.
    fn step(&self) -> bool {
        assert_eq!(self.request(libc::PTRACE_SINGLESTEP, 0), 0, "{}", std::io::Error::last_os_error());
        match self.await_stop() {
            Some(libc::SIGTRAP) => true,
            Some(libc::SIGSTOP) => false,
            other => panic!("the child was stopped by {other:?}"),
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    instructions: u64,
    /// Instructions that changed the memory, each followed by an attach.
    changes: u64,
    redone: u64,
    returned: u64,
    /// Memories in which a sealed record was not moved to the end.
    half_moved: Vec<Vec<u8>>,
}

/// Steps a child of this role through all it does, from `content` on, whose cut is `first`.
fn walk(role: &str, content: &[u8], first: u64, last: u64) -> Result<Seen, String> {
    let history = stepped::history();
    let shared = Shared::new(content);
    let traced = Traced::start(role, &shared)?;
    let mut copy = Memory::new(size_of::<Tiny>());
    let (mut seen, mut before, mut cut) = (Seen::default(), vec![], first);
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if shared.bytes() != before {
            before.clear();
            before.extend_from_slice(shared.bytes());
            copy.bytes_mut().copy_from_slice(&before);
            let found = copy.attach(&who(), |region, found| {
                let at = format!("{role}, instruction {}: {}", seen.instructions, region.cut());
                let now = region.cut().cycle;
                assert!(now == cut || now == cut + 1, "{at} after cycle {cut}");
                assert!(now == 0 || region.committed() == stepped::info(now), "{at}");
                let wanted = &history[now as usize];
                assert!(region.image() == wanted, "{at}: the image is not that of the cycle");
                assert!(region.live() == wanted, "{at}: the live memory is not that of the cycle");
                for line in 0..size_of::<Tiny>() / LINE {
                    assert!(region.stamp(line) <= now, "{at}: line {line} was stamped in the future");
                }
                cut = now;
                found
            });
            seen.changes += 1;
            if let Found::Cut { redone, returned, .. } = found.unwrap_or_else(|e| panic!("{role}: {e}")) {
                seen.returned += u64::from(returned > 0);
                if redone {
                    seen.redone += 1;
                    seen.half_moved.push(before.clone());
                }
            }
        }
        if !traced.step() {
            break;
        }
        seen.instructions += 1;
        assert!(Instant::now() < end, "{role}: not through after {} instructions", seen.instructions);
    }
    assert_eq!(cut, last, "{role}");
    println!(
        "{role}: {} instructions, {} changed the memory, {} redone, {} half-run steps",
        seen.instructions, seen.changes, seen.redone, seen.returned
    );
    Ok(seen)
}

fn blank() -> Vec<u8> {
    vec![0; Memory::new(size_of::<Tiny>()).bytes().len()]
}

#[test]
fn a_primary_killed_at_any_instruction_leaves_exactly_one_cut() {
    let seen = match walk("commits", &blank(), 0, stepped::CYCLES) {
        Ok(seen) => seen,
        Err(why) => return skip("crash_any_instruction::primary", why.as_str()),
    };
    // Floors that an optimised build reaches too, whose instructions are far fewer and move more at once.
    assert!(seen.instructions > 1_000 && seen.changes > 100, "{} of {}", seen.changes, seen.instructions);
    assert!(seen.redone > 40 && seen.returned > 20, "{} redone, {} returned", seen.redone, seen.returned);

    // The successor, too, may be killed while it redoes the move.
    for from in [0, seen.half_moved.len() / 2, seen.half_moved.len() - 1] {
        let content = &seen.half_moved[from];
        let mut copy = Memory::new(size_of::<Tiny>());
        copy.bytes_mut().copy_from_slice(content);
        let cut = copy.attach(&who(), |region, _| region.cut().cycle).unwrap();
        let again = walk("recovers", content, cut, cut).expect("it was traced before");
        // Each begins with a sealed record and half-run live memory, and ends with neither.
        assert!(again.instructions > 200 && again.redone > 0 && again.changes > again.redone, "from {from}");
    }
}

#[test]
fn a_standby_killed_at_any_instruction_leaves_exactly_one_cut() {
    let seen = match walk("applies", &blank(), 0, stepped::CYCLES) {
        Ok(seen) => seen,
        Err(why) => return skip("crash_any_instruction::standby", why.as_str()),
    };
    assert!(seen.instructions > 1_000 && seen.changes > 100, "{} of {}", seen.changes, seen.instructions);
    assert!(seen.redone > 40, "{} redone", seen.redone);
}
