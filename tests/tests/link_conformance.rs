//! Every link passes the one suite.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

use mirror_tests::sealed_link::GROUP;
use mirror_tests::skip::skip;
use mirror_tests::{MemoryNet, Namespace, NullLink, SealedLink};
use mirror_transport::WaitMode;
use mirror_transport::conformance::Group;
use mirror_transport::link_conformance;
use mirror_transport::twin::{Twin, TwinConfig};
use mirror_transport::udp::{Offload, UdpConfig, UdpLink};

/// Large enough for every burst of the suite that is not meant to overrun.
const BUFFER: usize = 4 << 20;

link_conformance!(memory, || memory(1472));
link_conformance!(memory_tiny_frames, || memory(16));
link_conformance!(udp_lo, || udp_lo(1472, Offload::Auto));
link_conformance!(udp_lo_single, || udp_lo(1472, Offload::Off));
link_conformance!(udp_lo_largest_frames, || udp_lo(65_507, Offload::Auto));
link_conformance!(udp_lo_tiny_frames, || udp_lo(16, Offload::Auto));
link_conformance!(udp_cable, || udp_cable(false, 1472, Offload::Auto));
link_conformance!(udp_v6_cable, || udp_cable(true, 1452, Offload::Auto));
link_conformance!(udp_v6_cable_single, || udp_cable(true, 1452, Offload::Off));
link_conformance!(twin_memory, || twin(memory(1472)?, memory(1472)?));
link_conformance!(twin_udp_lo, || twin(udp_lo(1472, Offload::Auto)?, udp_lo(1472, Offload::Auto)?));
link_conformance!(twin_udp_lo_single, || twin(udp_lo(1472, Offload::Off)?, udp_lo(1472, Offload::Off)?));
link_conformance!(twin_first_is_dead, || twin(dead(1472), udp_lo(1472, Offload::Auto)?));
link_conformance!(twin_second_is_dead, || twin(udp_lo(1472, Offload::Auto)?, dead(1472)));

#[allow(clippy::unnecessary_wraps)] // the suite's signature
fn memory(frame_bytes: usize) -> Option<Group> {
    let net = MemoryNet::new(frame_bytes, 1);
    Some(Box::new(move |_wait| Box::new(net.link())))
}

/// Members on two networks. What the suite sends are no frames of the protocol, so it gets sealed.
#[allow(clippy::unnecessary_wraps)] // the suite's signature
fn twin(mut first: Group, mut second: Group) -> Option<Group> {
    let mut members = 0;
    Some(Box::new(move |wait| {
        members += 1;
        let senders: Vec<u8> = (1..=20).filter(|&id| id != members).collect();
        let config = TwinConfig { group: GROUP, senders: &senders, wait, silence: 0 };
        let twin = Twin::new(first(wait), second(wait), &config).expect("frames of one size");
        Box::new(SealedLink::new(Box::new(twin), members))
    }))
}

/// A network that takes every frame and brings none.
fn dead(frame_bytes: usize) -> Group {
    Box::new(move |_wait| Box::new(NullLink::new(frame_bytes)))
}

/// A group that no other test uses, in this process or in another.
fn group(v6: bool) -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let ip: IpAddr = if v6 {
        Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0x4d, u16::from(a), u16::from_be_bytes([b, c])).into()
    } else {
        Ipv4Addr::new(239, 192 | a & 63, b, c).into()
    };
    SocketAddr::new(ip, NEXT.fetch_add(1, Ordering::Relaxed))
}

fn udp(v6: bool, interface: &str, frame_bytes: usize, offload: Offload) -> UdpConfig {
    UdpConfig { frame_bytes, offload, receive_buffer: BUFFER, ..UdpConfig::new(group(v6), interface) }
}

fn udp_lo(frame_bytes: usize, offload: Offload) -> Option<Group> {
    let config = udp(false, "lo", frame_bytes, offload);
    let open =
        move |wait| UdpLink::open(&UdpConfig { wait, ..config.clone() }).expect("lo carries IPv4 multicast");
    // Without the buffer frames would be lost by right.
    if let Some(why) = open(WaitMode::Spin).warnings().iter().find(|w| w.contains("receive")) {
        skip("UDP over lo", why);
        return None;
    }
    Some(Box::new(move |wait| Box::new(open(wait))))
}

/// Members at alternating ends of a cable between two namespaces.
fn udp_cable(v6: bool, frame_bytes: usize, offload: Offload) -> Option<Group> {
    let (left, right) = match Namespace::pair() {
        Ok(pair) => pair,
        Err(why) => {
            skip("UDP over a cable", &why);
            return None;
        }
    };
    let config = udp(v6, "", frame_bytes, offload);
    let mut members = 0;
    Some(Box::new(move |wait| {
        let (end, interface) = if members % 2 == 0 { (&left, "left") } else { (&right, "right") };
        members += 1;
        let config = UdpConfig { wait, interface: interface.into(), ..config.clone() };
        Box::new(end.within(|| UdpLink::open(&config)).expect("a cable carries multicast"))
    }))
}
