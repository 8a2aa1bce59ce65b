//! Finding the interface that the configuration names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;

use super::error::{At, OpenError};
use super::sys;

/// A network interface, as it was at open.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
    /// Bytes of the largest packet, IP header included.
    pub(super) mtu: usize,
    pub(super) is_loopback: bool,
    /// The IPv4 address by which it was named, so that frames come from that one; unspecified: any of its own.
    pub(super) source_v4: Ipv4Addr,
}

impl Interface {
    /// The interface that `asked` names, if it can carry `group`. `fd` is any socket of the same network namespace.
    pub(super) fn find(asked: &str, group: SocketAddr, fd: impl AsFd) -> Result<Self, OpenError> {
        let entries = sys::interfaces().at("listing the interfaces")?;
        let asked_address = asked.parse::<IpAddr>().ok();
        let by_name = entries.iter().find(|e| e.name == asked);
        let by_address = || entries.iter().find(|e| asked_address.is_some() && e.address == asked_address);
        let Some(found) = by_name.or_else(by_address) else {
            return Err(OpenError::NoInterface { asked: asked.into(), present: list(&entries) });
        };
        let name = found.name.clone();
        let has = |flag: i32| found.flags & flag as u32 != 0;
        let is_loopback = has(libc::IFF_LOOPBACK);
        if !has(libc::IFF_UP) {
            return Err(OpenError::InterfaceDown(name));
        }
        // A loopback interface does not claim to carry multicast, and carries it (IPv4 only).
        if is_loopback && group.is_ipv6() {
            return Err(OpenError::LoopbackV6 { group, interface: name });
        }
        if !is_loopback && !has(libc::IFF_MULTICAST) {
            return Err(OpenError::InterfaceWithoutMulticast(name));
        }
        let same_family = |a: &IpAddr| a.is_ipv6() == group.is_ipv6();
        // Without one the kernel would borrow the address of another interface, and receivers would distrust it.
        if !entries.iter().any(|e| e.name == name && e.address.as_ref().is_some_and(same_family)) {
            let family = if group.is_ipv6() { "IPv6" } else { "IPv4" };
            return Err(OpenError::InterfaceWithoutAddress { interface: name, family });
        }
        Ok(Self {
            index: rustix::net::netdevice::name_to_index(&fd, &name)
                .map_err(Into::into)
                .at("asking for the interface's index")?,
            mtu: sys::mtu(&fd, &name).at("asking for the interface's MTU (SIOCGIFMTU)")?,
            name,
            is_loopback,
            source_v4: match asked_address {
                Some(IpAddr::V4(address)) => address,
                _ => Ipv4Addr::UNSPECIFIED,
            },
        })
    }
}

/// `eth0 (10.0.0.1, fe80::1), lo (127.0.0.1)`
fn list(entries: &[sys::Entry]) -> String {
    let mut names: Vec<&str> = entries.iter().map(|e| e.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let with_addresses = |name: &&str| {
        let addresses: Vec<String> =
            entries.iter().filter(|e| e.name == *name).filter_map(|e| Some(e.address?.to_string())).collect();
        if addresses.is_empty() { (*name).to_owned() } else { format!("{name} ({})", addresses.join(", ")) }
    };
    names.iter().map(with_addresses).collect::<Vec<_>>().join(", ")
}
