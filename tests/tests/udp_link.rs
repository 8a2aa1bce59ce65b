//! What is particular to the UDP link: what it refuses at open, its own frames, its counts, and interfaces that fail.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use mirror_core::FrameSink;
use mirror_tests::Namespace;
use mirror_tests::namespace::{LEFT, RIGHT};
use mirror_tests::skip::skip;
use mirror_transport::Link;
use mirror_transport::udp::{NodeFilter, Offload, OpenError, UdpConfig, UdpLink};

/// A group that no other test uses, in this process or in another.
fn group() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(30_000);
    let [_, a, b, c] = std::process::id().to_be_bytes();
    SocketAddr::from(([239, 128 | a & 63, b, c], NEXT.fetch_add(1, Ordering::Relaxed)))
}

fn on_lo() -> UdpConfig {
    UdpConfig { receive_buffer: 4 << 20, send_buffer: 1 << 20, ..UdpConfig::new(group(), "lo") }
}

fn refused(config: &UdpConfig) -> OpenError {
    UdpLink::open(config).expect_err("this configuration is refused")
}

fn assert_says(error: &OpenError, parts: &[&str]) {
    let said = error.to_string();
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing in: {said}");
    }
}

/// Sends `frames` full frames whose first byte is `id`.
fn send(link: &mut UdpLink, id: u8, frames: usize) {
    for _ in 0..frames {
        let frame = link.lend().unwrap();
        frame[0] = id;
        let len = frame.len();
        link.push(len);
    }
    link.flush();
}

/// Receives until `want` frames came or nothing has come for long. Returns the first byte of each.
fn receive(link: &mut UdpLink, want: usize) -> Vec<u8> {
    let mut ids = Vec::new();
    for _ in 0..1000 {
        link.receive(64, &mut |frame| ids.push(frame[0]));
        if ids.len() >= want {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    ids
}

#[test]
fn a_group_that_is_none_is_refused() {
    let error = refused(&UdpConfig { group: "10.1.2.3:5000".parse().unwrap(), ..on_lo() });
    assert!(matches!(error, OpenError::NotMulticast(_)));
    assert_says(&error, &["10.1.2.3:5000", "239.255.255.255"]);
    let error = refused(&UdpConfig { group: "239.1.2.3:0".parse().unwrap(), ..on_lo() });
    assert!(matches!(error, OpenError::NoPort(_)));
}

#[test]
fn an_interface_that_is_missing_is_named_with_those_that_exist() {
    for asked in ["eth77", "192.0.2.1", ""] {
        let error = refused(&UdpConfig { interface: asked.into(), ..on_lo() });
        assert!(matches!(error, OpenError::NoInterface { .. }));
        assert_says(&error, &[&format!("{asked:?}"), "lo (127.0.0.1"]);
    }
}

#[test]
fn an_interface_may_be_named_by_its_address() {
    let config = UdpConfig { interface: "127.0.0.1".into(), ..on_lo() };
    let mut link = UdpLink::open(&config).unwrap();
    assert!(link.describe().contains("on lo"), "{}", link.describe());
    send(&mut link, 1, 3);
    assert_eq!(receive(&mut link, 3), [1, 1, 1], "without a filter a node hears itself");
}

#[test]
fn ipv6_over_the_loopback_interface_is_refused() {
    let error = refused(&UdpConfig { group: "[ff12::4d]:5000".parse().unwrap(), ..on_lo() });
    assert!(matches!(error, OpenError::LoopbackV6 { .. }));
    assert_says(&error, &["lo", "IPv4"]);
}

#[test]
fn a_port_in_use_is_refused() {
    let config = on_lo();
    let holder = UdpSocket::bind(config.group).unwrap();
    let error = refused(&config);
    assert!(matches!(error, OpenError::PortInUse(_)));
    assert_says(&error, &[&config.group.to_string(), &format!("ss -ulnp sport = :{}", config.group.port())]);
    drop(holder);
    // A child that another test starts just now may hold a copy of the socket until it is another program.
    let freed = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        UdpLink::open(&config).is_ok()
    });
    assert!(freed, "the port is free again");
}

#[test]
fn sizes_and_ttls_out_of_range_are_refused() {
    for frame_bytes in [0, 65_508, usize::MAX] {
        let error = refused(&UdpConfig { frame_bytes, ..on_lo() });
        assert!(matches!(error, OpenError::FrameBytes { most: 65_507, .. }));
        assert_says(&error, &[&frame_bytes.to_string(), "65507"]);
    }
    let error = refused(&UdpConfig { ttl: 256, ..on_lo() });
    assert!(matches!(error, OpenError::Ttl(256)));
}

#[test]
fn a_buffer_that_was_not_granted_is_said() {
    assert!(UdpLink::open(&on_lo()).is_ok());
    let link = UdpLink::open(&UdpConfig { receive_buffer: 3 << 30, ..on_lo() }).unwrap();
    assert_eq!(
        link.warnings().iter().filter(|w| w.contains("3221225472")).count(),
        1,
        "{:?}",
        link.warnings()
    );
    assert!(link.describe().contains("3221225472"), "{}", link.describe());
}

#[test]
fn own_frames_are_dropped_and_are_no_drops() {
    for offload in [Offload::Auto, Offload::Off] {
        for loopback in [true, false] {
            let config = UdpConfig { offload, loopback, ..on_lo() };
            let node = |id| {
                let own_node = Some(NodeFilter { offset: 0, id });
                UdpLink::open(&UdpConfig { own_node, ..config.clone() }).unwrap()
            };
            let (mut a, mut b) = (node(1), node(2));
            for round in 1..=10 {
                send(&mut a, 1, 100);
                send(&mut b, 2, 50);
                assert_eq!(receive(&mut a, 50), [2; 50]);
                assert_eq!(receive(&mut b, 100), [1; 100]);
                assert_eq!(a.receive(1000, &mut |_| ()) + b.receive(1000, &mut |_| ()), 0);
                assert_eq!((a.stats().kernel_drops, b.stats().kernel_drops), (0, 0), "round {round}");
            }
        }
    }
}

#[test]
fn drops_are_counted_exactly_beside_own_frames() {
    let mut config = UdpConfig { offload: Offload::Off, receive_buffer: 64 << 10, ..on_lo() };
    let mut a = UdpLink::open(&config).unwrap();
    config.own_node = Some(NodeFilter { offset: 0, id: 2 });
    let mut b = UdpLink::open(&config).unwrap();
    for _ in 0..20 {
        send(&mut a, 1, 50);
        send(&mut b, 2, 50);
    }
    let mut received = 0;
    for _ in 0..1000 {
        received += receive(&mut b, 1).len() as u64;
        if received + b.stats().kernel_drops >= 1000 {
            break;
        }
    }
    assert!(received < 1000, "a small buffer overran");
    assert_eq!(received + b.stats().kernel_drops, 1000);
}

#[test]
fn a_filter_lets_pass_what_is_too_short_for_it() {
    let own_node = Some(NodeFilter { offset: 7, id: 0 });
    let config = on_lo();
    let mut a = UdpLink::open(&config).unwrap();
    let mut b = UdpLink::open(&UdpConfig { own_node, ..config }).unwrap();
    for len in 1..=9 {
        a.lend().unwrap().fill(0);
        a.push(len);
        a.flush();
    }
    assert_eq!(receive(&mut b, 7).len(), 7);
    assert_eq!(b.receive(10, &mut |_| ()), 0);
}

#[test]
fn frames_longer_than_ours_are_counted_and_not_delivered() {
    for offload in [Offload::Auto, Offload::Off] {
        let config = UdpConfig { offload, ..on_lo() };
        let mut long = UdpLink::open(&UdpConfig { frame_bytes: 1473, ..config.clone() }).unwrap();
        let mut ours = UdpLink::open(&config).unwrap();
        send(&mut long, 1, 10);
        long.lend().unwrap()[0] = 2;
        long.push(1472);
        long.flush();
        if offload == Offload::Off {
            ours.receive(3, &mut |_| panic!("ten long frames are before it"));
            assert_eq!(ours.stats().oversized_frames, 3, "the limit bounds the work, too");
        }
        assert_eq!(receive(&mut ours, 1), [2]);
        let stats = ours.stats();
        assert_eq!((stats.oversized_frames, stats.received_frames, stats.kernel_drops), (10, 1, 0));
    }
}

#[test]
fn a_stranger_on_the_same_port_is_heard_only_through_the_group() {
    let config = on_lo();
    let mut link = UdpLink::open(&config).unwrap();
    // Same port, another group that another socket of this host joined: IP_MULTICAST_ALL would let it through.
    let [a, b, c, d] = match config.group {
        SocketAddr::V4(v4) => v4.ip().octets(),
        SocketAddr::V6(_) => unreachable!(),
    };
    let other = UdpConfig { group: SocketAddr::from(([a, b ^ 64, c, d], config.group.port())), ..config };
    let mut other = UdpLink::open(&other).unwrap();
    send(&mut other, 9, 5);
    assert_eq!(receive(&mut other, 5).len(), 5);
    assert_eq!(link.receive(10, &mut |_| ()), 0);
}

/// Two ends of a cable, or a line that says why there are none.
fn cable(name: &str) -> Option<(Namespace, Namespace)> {
    Namespace::pair().map_err(|why| skip(name, &why)).ok()
}

#[test]
fn a_frame_above_the_mtu_is_refused() {
    let Some((left, _right)) = cable("a_frame_above_the_mtu_is_refused") else { return };
    for (group, most) in [("239.1.2.3:5000", 1472), ("[ff12::4d]:5000", 1452)] {
        let config = UdpConfig::new(group.parse().unwrap(), "left");
        let error = left.within(|| refused(&UdpConfig { frame_bytes: most + 1, ..config.clone() }));
        assert!(matches!(error, OpenError::AboveMtu { .. }));
        assert_says(&error, &[&(most + 1).to_string(), "left", "1500", &most.to_string(), "mtu 1501"]);
        left.within(|| UdpLink::open(&UdpConfig { frame_bytes: most, ..config })).unwrap();
    }
}

#[test]
fn an_interface_that_cannot_is_refused() {
    let Some((left, _right)) = cable("an_interface_that_cannot_is_refused") else { return };
    let open = || left.within(|| refused(&UdpConfig::new(group(), "left")));
    left.ip("link set left multicast off").unwrap();
    assert!(matches!(open(), OpenError::InterfaceWithoutMulticast(_)));
    left.ip("link set left multicast on").unwrap();
    left.ip("address flush dev left scope global").unwrap();
    assert!(matches!(open(), OpenError::InterfaceWithoutAddress { family: "IPv4", .. }));
    left.ip("link set left down").unwrap();
    assert!(matches!(open(), OpenError::InterfaceDown(_)));
}

#[test]
fn an_interface_that_goes_down_refuses_frames_and_comes_back() {
    let Some((left, right)) = cable("an_interface_that_goes_down_refuses_frames_and_comes_back") else {
        return;
    };
    for group in [group(), "[ff15::4d]:5000".parse().unwrap()] {
        let config = UdpConfig { frame_bytes: 1400, ..UdpConfig::new(group, "left") };
        let mut a = left.within(|| UdpLink::open(&config)).unwrap();
        let config = UdpConfig { interface: "right".into(), ..config };
        let mut b = right.within(|| UdpLink::open(&config)).unwrap();
        send(&mut a, 1, 100);
        assert_eq!(receive(&mut b, 100).len(), 100);

        left.ip("link set left down").unwrap();
        send(&mut a, 2, 100);
        let stats = a.stats();
        assert_eq!((stats.sent_frames, stats.refused_frames), (100, 100), "{group}");

        left.ip("link set left up").unwrap();
        // IPv6 forgets the addresses of an interface that goes down.
        left.ip(&format!("address add {LEFT}/64 dev left nodad")).unwrap();
        left.await_cable("left", LEFT).unwrap();
        right.await_cable("right", RIGHT).unwrap();
        send(&mut a, 3, 100);
        assert_eq!(receive(&mut b, 100), [3; 100], "{group}: {:?}", a.stats());
        assert!(a.describe().contains("UDP_SEGMENT)"), "still segmenting: {}", a.describe());
    }
}

#[test]
fn an_ipv6_address_that_is_not_ready_is_said() {
    let Some((left, _right)) = cable("an_ipv6_address_that_is_not_ready_is_said") else { return };
    let config =
        UdpConfig { frame_bytes: 1000, ..UdpConfig::new("[ff15::4d]:5000".parse().unwrap(), "left") };
    // An address that still has to be checked for doubles; the check cannot end while the interface is down.
    left.ip("link set left down").unwrap();
    left.ip("address add fd78::1/64 dev left").unwrap();
    assert!(matches!(left.within(|| refused(&config)), OpenError::InterfaceDown(_)));
    left.ip("link set left up").unwrap();
    match left.within(|| UdpLink::open(&config)) {
        // The usual case; but a slow machine may have finished the check.
        Err(error) => assert_says(&error, &["ff15::4d", "left", "try again"]),
        Ok(link) => {
            skip("an_ipv6_address_that_is_not_ready_is_said", format!("ready already, {}", link.describe()))
        }
    }
}

#[test]
fn a_lowered_mtu_costs_speed_and_not_frames() {
    let Some((left, right)) = cable("a_lowered_mtu_costs_speed_and_not_frames") else { return };
    let config = UdpConfig::new(group(), "left");
    let mut a = left.within(|| UdpLink::open(&config)).unwrap();
    let mut b = right.within(|| UdpLink::open(&UdpConfig { interface: "right".into(), ..config })).unwrap();
    left.ip("link set left mtu 1000").unwrap();
    send(&mut a, 1, 100);
    assert_eq!(receive(&mut b, 100).len(), 100);
    let stats = a.stats();
    assert_eq!((stats.sent_frames, stats.refused_frames), (100, 0));
    assert!(a.describe().contains("UDP_SEGMENT was refused"), "{}", a.describe());
}

#[test]
fn a_full_queue_of_the_device_is_counted() {
    let Some((left, _right)) = cable("a_full_queue_of_the_device_is_counted") else { return };
    // 1 Mbit/s and room for two packets.
    if let Err(why) = left.run("tc", "qdisc add dev left root tbf rate 1mbit burst 1600 limit 3200") {
        skip("a_full_queue_of_the_device_is_counted", &why);
        return;
    }
    for offload in [Offload::Auto, Offload::Off] {
        let config = UdpConfig { offload, ..UdpConfig::new(group(), "left") };
        let mut a = left.within(|| UdpLink::open(&config)).unwrap();
        send(&mut a, 1, 200);
        let stats = a.stats();
        assert_eq!(stats.sent_frames + stats.refused_frames, 200);
        assert!(stats.refused_frames > 0, "{offload:?}: {stats:?}");
    }
}
