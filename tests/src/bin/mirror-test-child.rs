//! What the tests across processes run: a real loop, a look from outside, or bare commits to be stepped through.
//!
//! `mirror-test-child loop KEY=VALUE...` runs a node and says what it does, a line each; a byte on its standard input is a
//! command (below), and its end ends it. `namespace=PATH interface=NAME` puts it where its network is. `look` reads a
//! region until then. `commits` and `applies` work on a region in the memory file at descriptor 0.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use mirror::{Config, Found, Look, Node, Place, Track, Turn};
use mirror_core::region::{Identity, Map};
use mirror_core::track::Diff;
use mirror_core::{Cut, LINE, Layout, Region};
use mirror_tests::memory::{LABEL, RECORDS};
use mirror_tests::plant::{Busy, Large, Plant, Small, Tiny};
use mirror_tests::{NullLink, namespace, stepped};

/// The last command heard on the standard input: `o` stop before the next output, `s` stop in the next step.
static COMMAND: AtomicU8 = AtomicU8::new(0);
static ENDED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    // A stopped process does not see its control pipe end.
    let killed = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    killed.expect("any process may ask for it");
    let mut words = std::env::args().skip(1);
    let role = words.next().unwrap_or_default();
    let settings: HashMap<String, String> =
        words.filter_map(|word| word.split_once('=').map(|(k, v)| (k.into(), v.into()))).collect();
    let result = match (role.as_str(), settings.get("size").map(String::as_str)) {
        ("loop", Some("busy")) => run::<2040, 2>(&settings),
        ("loop", Some("large")) => run::<32_760, 1024>(&settings),
        ("loop", _) => run::<1016, 4>(&settings),
        ("look", Some("large")) => look::<32_760, 1024>(&settings),
        ("look", _) => look::<1016, 4>(&settings),
        ("commits" | "applies" | "recovers", _) => commit_under_the_microscope(&role),
        _ => Err(format!("no role `{role}`").into()),
    };
    const { assert!(size_of::<Small>() == 8192 && size_of::<Busy>() == 16_384) };
    const { assert!(size_of::<Large>() == 262_144 && size_of::<Tiny>() == 1024) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error {error}"));
            ExitCode::FAILURE
        }
    }
}

type Failure = Box<dyn std::error::Error>;

/// One write, so that a line is whole or not there when this process is killed.
fn say(line: &str) {
    // A reader that is gone ends us by the control pipe.
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

fn listen_for_commands() {
    std::thread::spawn(|| {
        for byte in std::io::stdin().lock().bytes() {
            match byte {
                Ok(byte) => COMMAND.store(byte, Relaxed),
                Err(_) => break,
            }
        }
        ENDED.store(true, Relaxed);
    });
}

/// Stops this process if `command` was the last that came.
fn stop_if(command: u8) -> bool {
    let told = COMMAND.compare_exchange(command, 0, Relaxed, Relaxed).is_ok();
    if told {
        say("stopping");
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)
            .expect("a process may stop itself");
    }
    told
}

fn config(settings: &HashMap<String, String>) -> Result<Config, Failure> {
    let get = |key: &str| settings.get(key).map(String::as_str);
    let number = |key: &str, or: u64| get(key).map_or(Ok(or), str::parse);
    let group = get("group").ok_or("no group")?;
    let address = get("address").unwrap_or("239.255.0.1:29999").parse()?;
    let mut config = Config::new(group, number("node", 1)? as u8, address, get("interface").unwrap_or("lo"));
    config.members = (1..=number("members", 2)? as u8).collect();
    config.layout = get("layout").unwrap_or(LABEL).into();
    config.period_us = number("period", 2000)?;
    config.silence_cycles = number("silence", 150)? as u32;
    config.patience_cycles =
        number("patience", config.members.len().max(2) as u64 * u64::from(config.silence_cycles))? as u32;
    config.deadline_us = 20_000;
    config.begin_alone = number("alone", 1)? == 1;
    config.records = Some(number("records", RECORDS as u64)? as u32);
    config.track = if get("track") == Some("marked") { Track::Marked } else { Track::Diff };
    config.link.receive_buffer = get("buffer").map(str::parse).transpose()?;
    Ok(config)
}

fn run<const WORDS: usize, const EVERY: u64>(settings: &HashMap<String, String>) -> Result<(), Failure> {
    if let Some(path) = settings.get("namespace") {
        namespace::enter_at(path).map_err(|e| format!("{path}: {e}"))?;
    }
    let config = config(settings)?;
    let mut node = if settings.get("link").is_some_and(|link| link == "null") {
        Node::<Plant<WORDS, EVERY>>::open_on(&config, Box::new(NullLink::new(1472)))?
    } else {
        Node::open(&config)?
    };
    match node.found() {
        Found::Cut { info, redone, returned } => {
            say(&format!("open {} {} {redone} {returned}", info.cut.epoch.0, info.cut.cycle));
        }
        Found::Nothing => say("open 0 0 false 0"),
        Found::OtherBoot(_) => return Err("a region of another boot".into()),
    }
    listen_for_commands();
    let writer = u64::from(std::process::id()) << 8 | u64::from(config.node);
    let mut waits = String::new();
    while !ENDED.load(Relaxed) {
        match node.begin()? {
            Turn::Lead(mut lead) => {
                waits.clear();
                if let Some(t) = lead.takeover() {
                    let (cause, token) = (format!("{:?}", t.cause), t.token().0);
                    let line = format!(
                        "lead {cause} {} {} {} {} {}",
                        token.epoch.0,
                        t.cut.epoch.0,
                        t.cut.cycle,
                        t.may_act(),
                        t.missed
                    );
                    say(&line);
                    say(&format!("out {} {} {}", token.epoch.0, token.cycle, t.may_act()));
                }
                lead.check().map_err(|e| format!("leads from {e}"))?;
                lead.step(writer);
                if config.track == Track::Marked {
                    let at = Plant::<WORDS, EVERY>::changing(lead.cycle);
                    lead.mark(0, LINE);
                    at.for_each(|line| lead.mark((line + 1) * LINE, LINE));
                }
                let late = stop_if(b's');
                let done = lead.commit()?;
                let late = stop_if(b'o') | late;
                let (cut, may_act) = (done.token().0, done.may_act());
                say(&format!("out {} {} {may_act}", cut.epoch.0, cut.cycle));
                if late {
                    say(&format!("late {} {} {may_act}", cut.epoch.0, cut.cycle));
                }
            }
            Turn::Follow(view) => {
                waits.clear();
                let cycle = view.check().map_err(|e| format!("follows {e}"))?;
                if cycle != view.cut().cycle {
                    return Err(format!("{} shows the state of cycle {cycle}", view.cut()).into());
                }
                say(&format!("follow {} {cycle}", view.cut().epoch.0));
            }
            Turn::Wait(why) => {
                let why = format!("{why:?}");
                if waits != why {
                    say(&format!("wait {why}"));
                    waits = why;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Reads the region of another process, as fast as it can.
fn look<const WORDS: usize, const EVERY: u64>(settings: &HashMap<String, String>) -> Result<(), Failure> {
    let place = Place::Named(settings.get("region").ok_or("no region")?.clone());
    let mut look = Look::open(&place)?;
    listen_for_commands();
    let (mut reads, mut overtaken, mut cuts) = (0u64, 0u64, 0u64);
    let mut last = Cut::NONE;
    say("looking");
    while !ENDED.load(Relaxed) {
        let Ok((info, bytes)) = look.read() else {
            // The owner is too fast, or dead in the middle of a move until its successor comes.
            overtaken += 1;
            continue;
        };
        let cycle = Plant::<WORDS, EVERY>::check_bytes(bytes)?;
        if cycle != info.cut.cycle {
            return Err(format!("{} shows the state of cycle {cycle}", info.cut).into());
        }
        if info.cut < last {
            return Err(format!("{} after {last}", info.cut).into());
        }
        reads += 1;
        cuts += u64::from(info.cut != last);
        last = info.cut;
    }
    say(&format!("looked {reads} {cuts} {overtaken}"));
    Ok(())
}

/// Commits or applies a few cycles, or attaches, between two stops. No instruction between them is of anything else.
fn commit_under_the_microscope(role: &str) -> Result<(), Failure> {
    let file = std::os::fd::BorrowedFd::borrow_raw;
    // SAFETY: descriptor 0 is open: the parent put the memory file there.
    let file = unsafe { file(0) };
    let map = Map::new(size_of::<Tiny>(), 3)?;
    let memory = memmap2::MmapOptions::new().len(map.total).populate().map_raw(&file)?;
    let base = std::ptr::NonNull::new(memory.as_mut_ptr()).ok_or("mapped at zero")?;
    let who = Identity { layout: Layout::new(LABEL, size_of::<Tiny>()), ..stepped::WHO };
    if role == "recovers" {
        stepped::trace_me();
    }
    // SAFETY: mapped until the end of this function, by this process alone but for its tracer, which only reads.
    let (mut region, _) = unsafe { Region::attach(base, map.total, map, &who) }?;
    match role {
        "commits" => {
            let mut tracker = Diff::new();
            stepped::trace_me();
            for cycle in 1..=stepped::CYCLES {
                stepped::commit(&mut region, &mut tracker, cycle);
            }
        }
        "applies" => {
            let frames = stepped::cycles();
            stepped::trace_me();
            for (cycle, lines) in frames.iter().enumerate() {
                stepped::apply(&mut region, lines, cycle as u64 + 1);
            }
        }
        _ => {}
    }
    stepped::stop();
    Ok(())
}
