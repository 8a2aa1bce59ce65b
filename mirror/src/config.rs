//! What a node is told: in code, or in a TOML file.
//!
//! Contract: every setting has its unit in its name, its range in its docs, and a default where one makes sense. What
//! is wrong in a file is answered with the file, the key, the value and the remedy.

use crate::segment::Place;
use mirror_core::takeover::MAX_MEMBERS;
use mirror_core::wire::{MAX_FRAME, MIN_FRAME};
use mirror_transport::WaitMode;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// All settings of a node. [`Config::new`] fills in the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The group's name: the same on all members, different from every other group on the network.
    pub group: String,
    /// This node, 1 to 255, different on every member.
    pub node: u8,
    /// The members that may lead, best first, at most 7; `node` is one of them.
    pub members: Vec<u8>,
    /// An operator's word: begin from nothing although not all members were heard to hold nothing (default false: a blank
    /// node waits for all others, so that none erases what another holds).
    pub begin_alone: bool,
    /// Name and version of the state's layout ("press-line 4"). Members whose label or size differs refuse each other.
    pub layout: String,
    /// Where the region's memory is.
    pub place: Place,
    /// File mode of new memory, of which the owner's 0o600 is part (default 0o600).
    pub mode: u32,
    /// The control cycle, microseconds, 10 to 10,000,000 (default 1000).
    pub period_us: u64,
    /// Where in the period ticks fall, microseconds on the host's monotonic clock, below the period. `None` (default):
    /// wherever the loop begins, and for a successor wherever its predecessor's cycles arrived.
    pub phase_us: Option<u64>,
    /// Cycles of silence after which a standby takes over, 3 to 1000 (default 5).
    pub silence_cycles: u32,
    /// A standby that knows of more cycles than this which it does not hold may not lead, 0 to 1000 (default 2).
    pub max_age_cycles: u32,
    /// For how long it may go on hearing the primary while it lacks them, microseconds; `None` (default): as long as
    /// `silence_cycles`.
    pub max_age_us: Option<u64>,
    /// Most frames of a cycle that one commit sends, 1 to 1,000,000 (default 1024); the next commits send the rest, and make no
    /// cut until it has left.
    pub send_frames: u32,
    /// Whether a cycle of four frames or more is followed by parity, of which a standby makes lost frames without asking
    /// (default true): one frame more for each 8, from 32 frames on each 16.
    pub parity: bool,
    /// Whether a cycle carries the lines of up to three cycles before it where its only frame has room, so that a standby that
    /// lost one of those needs nothing more (default true).
    pub repeats: bool,
    /// An operator's word: lead from the cut found in memory although this node, or its last incarnation, knew of cycles that
    /// it does not hold (default false: it refuses). For the day on which nobody else can.
    pub lead_from_old: bool,
    /// Cycles that are kept to be sent again, and that a standby may be behind before it has to be swept, 2 to 64;
    /// the same on all members. Each takes as much memory as the state. `None` (default): as many as 256 KiB hold, at least 2.
    pub records: Option<u32>,
    /// Cycles that a node listens for when it starts, before it leads a silent group; at least `silence_cycles` times
    /// the number of members, and twice, so that a hot standby of whatever rank comes first (default 100).
    pub patience_cycles: u32,
    /// Longest wait of `begin`, microseconds (default 100,000).
    pub deadline_us: u64,
    /// How changes are found.
    pub track: Track,
    /// How frames travel.
    pub link: LinkConfig,
    /// A second network of its own, on which every frame goes out too, so that either network may fail; the same on all
    /// members (default: none). In a file: `[link.second]`, where all but address and interface are as in `[link]` unless
    /// said otherwise. `frame_bytes` and `wait` are the same as the first's.
    pub second_link: Option<LinkConfig>,
    /// Observers are served: any number of them, which are in nobody's list of members and only read ([`crate::Observer`]).
    /// The same on all members (default: not). In a file: `[observers]`.
    pub observers: Option<ObserversConfig>,
}

/// How observers are served, by hot standbys and on a channel of its own, that a primary does not listen to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObserversConfig {
    /// Multicast address and port of that channel; `None` (default): those of `link`, with the port after it.
    pub address: Option<SocketAddr>,
    /// Most frames that are sent to observers in a period, 1 to 100,000 (default 16).
    pub frames: u32,
    /// As its group's only member, this node serves observers while it leads, in the time of its own cycle (default false:
    /// it takes no notice of them, and they say that nobody serves).
    pub serve_alone: bool,
}

impl Default for ObserversConfig {
    fn default() -> Self {
        Self { address: None, frames: 16, serve_alone: false }
    }
}

/// How changes are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Track {
    /// By comparing: sees every write, costs a pass over the region.
    #[default]
    Diff,
    /// By what the step marks: costs per mark, blind to what is not marked.
    Marked,
}

/// A UDP multicast link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Multicast address and port.
    pub address: SocketAddr,
    /// The interface, by name or by one of its addresses.
    pub interface: String,
    /// Routers that frames may pass, 0 to 255 (default 1: none beyond this network).
    pub ttl: u32,
    /// Whether other nodes on this host hear this one (default true).
    pub loopback: bool,
    /// Largest frame, bytes, 512 to 65,507; the same on all members (default 1472: an Ethernet packet).
    pub frame_bytes: usize,
    /// How the loop waits (default block).
    pub wait: WaitMode,
    /// Receive buffer, bytes; `None` (default): enough for the whole region every cycle during a stall
    /// of 60 ms, at most 64 MiB.
    pub receive_buffer: Option<usize>,
}

impl Config {
    /// Node `node` of the group `group`, which meets at the multicast `address` on `interface`; the region's memory is
    /// named after both. Members: nodes 1 and 2.
    #[must_use]
    pub fn new(group: &str, node: u8, address: SocketAddr, interface: &str) -> Self {
        Self {
            group: group.into(),
            node,
            members: vec![1, 2],
            begin_alone: false,
            layout: String::new(),
            place: Place::Named(format!("{group}-{node}")),
            mode: 0o600,
            period_us: 1000,
            phase_us: None,
            silence_cycles: 5,
            max_age_cycles: 2,
            max_age_us: None,
            send_frames: 1024,
            parity: true,
            repeats: true,
            lead_from_old: false,
            records: None,
            patience_cycles: 100,
            deadline_us: 100_000,
            track: Track::Diff,
            link: LinkConfig {
                address,
                interface: interface.into(),
                ttl: 1,
                loopback: true,
                frame_bytes: 1472,
                wait: WaitMode::Block,
                receive_buffer: None,
            },
            second_link: None,
            observers: None,
        }
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`ConfigError`] names file, key, value and remedy.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let (text, file) = read(path.as_ref())?;
        Self::parse(&text, &file)
    }

    /// Reads TOML text; `file` is what errors call it.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let read: File = deserialize(text, file)?;
        let config = read.into_config().map_err(|bad| bad.in_file(file))?;
        config.check().map_err(|bad| bad.in_file(file))?;
        Ok(config)
    }

    /// Where the observers' channel is, of a node that has one.
    pub(crate) fn observers_address(&self) -> Option<SocketAddr> {
        let observers = self.observers.as_ref()?;
        let mut beside = self.link.address;
        beside.set_port(beside.port().saturating_add(1));
        Some(observers.address.unwrap_or(beside))
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`BadValue`] names key, value and remedy.
    pub fn check(&self) -> Result<(), BadValue> {
        let within = |key, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(BadValue {
                key,
                value: value.to_string(),
                remedy: format!("give a number from {low} to {high}"),
            })
        };
        within("node.id", self.node as u64, 1, 255)?;
        within("node.members (how many)", self.members.len() as u64, 1, MAX_MEMBERS as u64)?;
        within("cycle.period_us", self.period_us, 10, 10_000_000)?;
        within("cycle.phase_us", self.phase_us.unwrap_or(0), 0, self.period_us - 1)?;
        within("cycle.silence_cycles", self.silence_cycles as u64, 3, 1000)?;
        within("cycle.max_age_cycles", self.max_age_cycles as u64, 0, 1000)?;
        within("cycle.max_age_us", self.max_age_us.unwrap_or(1), 1, 3_600_000_000)?;
        within("cycle.send_frames", self.send_frames as u64, 1, 1_000_000)?;
        within("cycle.records", self.records.unwrap_or(2) as u64, 2, 64)?;
        let patience = self.silence_cycles as u64 * (self.members.len() as u64).max(2);
        within("cycle.patience_cycles", self.patience_cycles as u64, patience, 1_000_000)?;
        within("cycle.deadline_us", self.deadline_us, 1, 3_600_000_000)?;
        within("link.ttl", self.link.ttl as u64, 0, 255)?;
        within("link.frame_bytes", self.link.frame_bytes as u64, MIN_FRAME as u64, MAX_FRAME as u64)?;
        let members = format!("{:?}", self.members);
        let bad = |key, value: &str, remedy: &str| {
            Err(BadValue { key, value: value.into(), remedy: remedy.into() })
        };
        // Its owner opens it again for reading and writing.
        if self.mode & 0o600 != 0o600 || self.mode > 0o777 {
            let remedy = "give octal digits from 0600 to 0777 that let the owner read and write";
            return bad("region.mode", &format!("{:04o}", self.mode), remedy);
        }
        if !self.members.contains(&self.node) {
            return bad("node.members", &members, "list all members that may lead, this node among them");
        }
        let twice = |(i, id): (usize, &u8)| *id == 0 || self.members[..i].contains(id);
        if self.members.iter().enumerate().any(twice) {
            return bad("node.members", &members, "list each id from 1 to 255 once");
        }
        if self.group.is_empty() {
            return bad("group.name", "", "name the group, the same on all members");
        }
        let multicast = "give a multicast address, such as 239.255.77.1:7701 or [ff15::77]:7701";
        if !self.link.address.ip().is_multicast() {
            return bad("link.address", &self.link.address.to_string(), multicast);
        }
        if let Some(observers) = &self.observers {
            within("observers.frames", observers.frames as u64, 1, 100_000)?;
            let address = self.observers_address().unwrap_or(self.link.address);
            if !address.ip().is_multicast() {
                return bad("observers.address", &address.to_string(), multicast);
            }
            if address == self.link.address {
                let remedy = "give the observers' channel an address or a port of its own";
                return bad("observers.address", &address.to_string(), remedy);
            }
            if observers.serve_alone && self.members.len() > 1 {
                let remedy = "leave it out: where there are standbys, these serve observers";
                return bad("observers.serve_alone", "true", remedy);
            }
        }
        let Some(second) = &self.second_link else { return Ok(()) };
        within("link.second.ttl", second.ttl as u64, 0, 255)?;
        if !second.address.ip().is_multicast() {
            return bad("link.second.address", &second.address.to_string(), multicast);
        }
        if (second.address, &second.interface) == (self.link.address, &self.link.interface) {
            let remedy = "name the interface of the second network, which shares nothing with the first";
            return bad("link.second.interface", &second.interface, remedy);
        }
        if second.frame_bytes != self.link.frame_bytes {
            let remedy = format!("leave it out, or give {} as in link.frame_bytes", self.link.frame_bytes);
            return bad("link.second.frame_bytes", &second.frame_bytes.to_string(), &remedy);
        }
        if second.wait != self.link.wait {
            let (value, first) = (format!("{:?}", second.wait), format!("{:?}", self.link.wait));
            let remedy = format!("leave it out, or give \"{}\" as in link.wait", first.to_lowercase());
            return bad("link.second.wait", &value.to_lowercase(), &remedy);
        }
        Ok(())
    }
}

/// What is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {key} = {value:?}: {remedy}")]
pub struct ConfigError {
    /// The file.
    pub file: String,
    /// The key, with its table; or where in the file.
    pub key: String,
    /// What stands there.
    pub value: String,
    /// What to do.
    pub remedy: String,
}

/// A setting out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value:?}: {remedy}")]
pub struct BadValue {
    /// The key, as in the file.
    pub key: &'static str,
    /// What it holds.
    pub value: String,
    /// What to do.
    pub remedy: String,
}

impl BadValue {
    pub(crate) fn in_file(self, file: &str) -> ConfigError {
        let Self { key, value, remedy } = self;
        ConfigError { file: file.into(), key: key.into(), value, remedy }
    }
}

/// The text of a file, and what errors call it.
pub(crate) fn read(path: &Path) -> Result<(String, String), ConfigError> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((text, file)),
        Err(e) => Err(ConfigError {
            file,
            key: "(the file)".into(),
            value: e.to_string(),
            remedy: "name a file that exists and can be read".into(),
        }),
    }
}

/// The tables of TOML text.
pub(crate) fn deserialize<F: serde::de::DeserializeOwned>(text: &str, file: &str) -> Result<F, ConfigError> {
    let at =
        |key: String, value: String, remedy: String| ConfigError { file: file.into(), key, value, remedy };
    let table = toml::Deserializer::parse(text).map_err(|e| {
        at(place_in(text, e.span()), first_line(e.message()), "mend the TOML syntax there".into())
    })?;
    serde_path_to_error::deserialize(table).map_err(|e| {
        let (key, inner) = (e.path().to_string(), e.into_inner());
        let value = inner.span().and_then(|s| text.get(s)).unwrap_or("").trim().to_string();
        let message = first_line(inner.message());
        if let Some(missing) = message.strip_prefix("missing field `") {
            let missing = missing.trim_end_matches('`');
            let key = if key == "." { missing.into() } else { format!("{key}.{missing}") };
            return at(key, "(missing)".into(), "add it: it has no default".into());
        }
        at(key, value, remedy(message))
    })
}

/// What the deserializer says, with what to do where that does not follow from it.
fn remedy(message: String) -> String {
    let hints = [
        ("expected u8", "give a whole number from 1 to 255"),
        ("expected u", "give a whole number, without a fraction or a sign"),
        ("socket address", "give an address and a port in quotes, such as \"239.255.77.1:7701\""),
        ("expected a string", "give it in quotes"),
        ("expected a boolean", "give true or false"),
    ];
    match hints.iter().find(|(words, _)| message.contains(words)) {
        Some((_, hint)) => format!("{message}: {hint}"),
        None => message,
    }
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().into()
}

fn place_in(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let before = span.and_then(|s| text.get(..s.start)).unwrap_or_default();
    format!("line {}", before.matches('\n').count() + 1)
}

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    node: NodeTable,
    group: GroupTable,
    #[serde(default)]
    region: RegionTable,
    #[serde(default)]
    cycle: CycleTable,
    #[serde(default)]
    track: TrackTable,
    link: LinkTable,
    observers: Option<ObserversTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObserversTable {
    address: Option<SocketAddr>,
    frames: Option<u32>,
    serve_alone: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeTable {
    id: u8,
    members: Vec<u8>,
    begin_alone: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupTable {
    pub(crate) name: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegionTable {
    pub(crate) layout: Option<String>,
    kind: Option<Kind>,
    name: Option<String>,
    path: Option<PathBuf>,
    mode: Option<String>,
}

impl RegionTable {
    /// Nothing is said of where it is.
    pub(crate) fn is_anywhere(&self) -> bool {
        self.kind.is_none() && self.name.is_none() && self.path.is_none()
    }

    pub(crate) fn mode(&self, usual: u32) -> Result<u32, BadValue> {
        let Some(text) = &self.mode else { return Ok(usual) };
        u32::from_str_radix(text.trim_start_matches("0o"), 8).map_err(|_| BadValue {
            key: "region.mode",
            value: text.clone(),
            remedy: "give octal digits in quotes, such as \"0600\"".into(),
        })
    }

    /// `usual`: its name, if it is named and the file does not say how.
    pub(crate) fn place(self, usual: String) -> Result<Place, BadValue> {
        let bad = |key, value: String, remedy: &str| Err(BadValue { key, value, remedy: remedy.into() });
        match (self.kind, self.name, self.path) {
            (Some(Kind::File), None, None) => {
                bad("region.path", String::new(), "a region in a file needs its path")
            }
            (None | Some(Kind::File), None, Some(path)) => Ok(Place::File(path)),
            (Some(Kind::Memfd), None, None) => Ok(Place::Anonymous),
            (None | Some(Kind::Named), name, None) => Ok(Place::Named(name.unwrap_or(usual))),
            // What would have no effect is a mistake.
            (Some(Kind::Named | Kind::Memfd), _, Some(path)) | (None, Some(_), Some(path)) => {
                let remedy = "leave it out, or set region.kind to \"file\" and leave out region.name";
                bad("region.path", path.display().to_string(), remedy)
            }
            (Some(Kind::Memfd | Kind::File), Some(name), _) => {
                bad("region.name", name, "leave it out, or set region.kind to \"named\"")
            }
        }
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Named,
    File,
    Memfd,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct CycleTable {
    period_us: Option<u64>,
    phase_us: Option<u64>,
    silence_cycles: Option<u32>,
    max_age_cycles: Option<u32>,
    max_age_us: Option<u64>,
    send_frames: Option<u32>,
    parity: Option<bool>,
    repeats: Option<bool>,
    lead_from_old: Option<bool>,
    records: Option<u32>,
    patience_cycles: Option<u32>,
    deadline_us: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct TrackTable {
    #[serde(default)]
    kind: Track,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkTable {
    pub(crate) address: SocketAddr,
    pub(crate) interface: String,
    ttl: Option<u32>,
    loopback: Option<bool>,
    frame_bytes: Option<usize>,
    wait: Option<Wait>,
    receive_buffer: Option<usize>,
    second: Option<Box<LinkTable>>,
}

impl LinkTable {
    /// The first network, and the second, if there is one.
    pub(crate) fn networks(&self, base: &LinkConfig) -> Result<(LinkConfig, Option<LinkConfig>), BadValue> {
        let first = self.over(base);
        let second = match &self.second {
            Some(second) if second.second.is_some() => {
                let (key, remedy) = ("link.second.second", "leave it out: there are at most two networks");
                return Err(BadValue { key, value: String::new(), remedy: remedy.into() });
            }
            second => second.as_ref().map(|second| second.over(&first)),
        };
        Ok((first, second))
    }

    /// What it does not say is as in `base`.
    fn over(&self, base: &LinkConfig) -> LinkConfig {
        LinkConfig {
            address: self.address,
            interface: self.interface.clone(),
            ttl: self.ttl.unwrap_or(base.ttl),
            loopback: self.loopback.unwrap_or(base.loopback),
            frame_bytes: self.frame_bytes.unwrap_or(base.frame_bytes),
            wait: match self.wait {
                Some(Wait::Spin) => WaitMode::Spin,
                Some(Wait::Yield) => WaitMode::Yield,
                Some(Wait::Block) => WaitMode::Block,
                None => base.wait,
            },
            receive_buffer: self.receive_buffer.or(base.receive_buffer),
        }
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Wait {
    Spin,
    Yield,
    Block,
}

impl File {
    fn into_config(self) -> Result<Config, BadValue> {
        let Self { node, group, region, cycle, track, link, observers } = self;
        let base = Config::new(&group.name, node.id, link.address, &link.interface);
        let mode = region.mode(base.mode)?;
        let layout = region.layout.clone().unwrap_or_default();
        let place = region.place(format!("{}-{}", base.group, base.node))?;
        let (first, second_link) = link.networks(&base.link)?;
        Ok(Config {
            members: node.members,
            begin_alone: node.begin_alone.unwrap_or(base.begin_alone),
            layout,
            place,
            mode,
            period_us: cycle.period_us.unwrap_or(base.period_us),
            phase_us: cycle.phase_us,
            silence_cycles: cycle.silence_cycles.unwrap_or(base.silence_cycles),
            max_age_cycles: cycle.max_age_cycles.unwrap_or(base.max_age_cycles),
            max_age_us: cycle.max_age_us,
            send_frames: cycle.send_frames.unwrap_or(base.send_frames),
            parity: cycle.parity.unwrap_or(base.parity),
            repeats: cycle.repeats.unwrap_or(base.repeats),
            lead_from_old: cycle.lead_from_old.unwrap_or(base.lead_from_old),
            records: cycle.records,
            patience_cycles: cycle.patience_cycles.unwrap_or(base.patience_cycles),
            deadline_us: cycle.deadline_us.unwrap_or(base.deadline_us),
            track: track.kind,
            link: first,
            second_link,
            observers: observers.map(|table| {
                let usual = ObserversConfig::default();
                ObserversConfig {
                    address: table.address,
                    frames: table.frames.unwrap_or(usual.frames),
                    serve_alone: table.serve_alone.unwrap_or(usual.serve_alone),
                }
            }),
            group: base.group,
            node: base.node,
        })
    }
}
