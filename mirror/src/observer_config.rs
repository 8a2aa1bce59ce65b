//! What an observer is told: in code, or in a TOML file. As [`crate::config`], with fewer keys.

use crate::config::{
    BadValue, Config, ConfigError, GroupTable, LinkConfig, LinkTable, ObserversConfig, RegionTable,
    deserialize, read,
};
use crate::segment::Place;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::Path;

/// All settings of an observer. [`ObserverConfig::new`] fills in the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObserverConfig {
    /// The group's name.
    pub group: String,
    /// Name and version of the state's layout, as the members have it.
    pub layout: String,
    /// Where the region's memory is (default: anonymous). In a named one, or in a file, an observer that is restarted goes on
    /// from the cut that it held, and never shows an older one. Each observer has its own.
    pub place: Place,
    /// File mode of new memory (default 0o600).
    pub mode: u32,
    /// The group's control cycle, microseconds, 10 to 10,000,000 (default 1000).
    pub period_us: u64,
    /// Cycles without a frame after which the primary is silent, 3 to 1000 (default 5).
    pub silence_cycles: u32,
    /// Cycles that may wait for a frame that is late, 2 to 64. `None` (default): as many as 256 KiB hold, at least 2.
    pub records: Option<u32>,
    /// How the members' frames come, as the members have it.
    pub link: LinkConfig,
    /// The second network, if the group has one. (The observers' channel is on the first.)
    pub second_link: Option<LinkConfig>,
    /// Multicast address and port of the observers' channel, as the members have it; `None` (default): those of `link`, with
    /// the port after it.
    pub observers: Option<SocketAddr>,
}

impl ObserverConfig {
    /// An observer of the group that meets at the multicast `address` on `interface`.
    #[must_use]
    pub fn new(group: &str, address: SocketAddr, interface: &str) -> Self {
        let member = Config::new(group, 1, address, interface);
        Self {
            group: member.group,
            layout: member.layout,
            place: Place::Anonymous,
            mode: member.mode,
            period_us: member.period_us,
            silence_cycles: member.silence_cycles,
            records: member.records,
            link: member.link,
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
    /// As [`ObserverConfig::load`].
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let read: File = deserialize(text, file)?;
        let config = read.into_config().map_err(|bad| bad.in_file(file))?;
        config.check().map_err(|bad| bad.in_file(file))?;
        Ok(config)
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`BadValue`] names key, value and remedy.
    pub fn check(&self) -> Result<(), BadValue> {
        // What it shares with a member is checked as a member's.
        let member = Config { node: 1, members: vec![1], patience_cycles: 1_000_000, ..self.as_member() };
        member.check()
    }

    /// What opens memory and links for it. Node 0 is nobody: the kernel keeps other observers' wishes from it. On two networks
    /// anybody's second copy is dropped, because it does not know who the members are.
    pub(crate) fn as_member(&self) -> Config {
        let observers = ObserversConfig { address: self.observers, ..ObserversConfig::default() };
        Config {
            node: 0,
            members: (1..=u8::MAX).collect(),
            layout: self.layout.clone(),
            place: self.place.clone(),
            mode: self.mode,
            period_us: self.period_us,
            silence_cycles: self.silence_cycles,
            records: self.records,
            link: self.link.clone(),
            second_link: self.second_link.clone(),
            observers: Some(observers),
            ..Config::new(&self.group, 0, self.link.address, &self.link.interface)
        }
    }
}

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: GroupTable,
    #[serde(default)]
    region: RegionTable,
    #[serde(default)]
    cycle: CycleTable,
    link: LinkTable,
    #[serde(default)]
    observers: ChannelTable,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct CycleTable {
    period_us: Option<u64>,
    silence_cycles: Option<u32>,
    records: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ChannelTable {
    address: Option<SocketAddr>,
}

impl File {
    fn into_config(self) -> Result<ObserverConfig, BadValue> {
        let Self { group, region, cycle, link, observers } = self;
        let base = ObserverConfig::new(&group.name, link.address, &link.interface);
        let (first, second_link) = link.networks(&base.link)?;
        Ok(ObserverConfig {
            layout: region.layout.clone().unwrap_or_default(),
            mode: region.mode(base.mode)?,
            place: match region.is_anywhere() {
                true => Place::Anonymous,
                false => region.place(format!("{}-observer", base.group))?,
            },
            period_us: cycle.period_us.unwrap_or(base.period_us),
            silence_cycles: cycle.silence_cycles.unwrap_or(base.silence_cycles),
            records: cycle.records,
            link: first,
            second_link,
            observers: observers.address,
            group: base.group,
        })
    }
}
