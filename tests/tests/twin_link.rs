//! What is particular to a link over two networks: copies, damage, a network without room, a flood, and the health of each.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use mirror_core::FrameSink;
use mirror_tests::child::PATIENCE;
use mirror_tests::sealed_link::{GROUP, HEADER, seal};
use mirror_tests::{Fate, MemoryLink, MemoryNet};
use mirror_transport::twin::{Twin, TwinConfig};
use mirror_transport::udp::{UdpConfig, UdpLink};
use mirror_transport::{Link, LinkStats, Nanos, WaitMode};

const FRAME: usize = HEADER + 8;

/// A link over these two that knows the frames of nodes 1 and 2.
fn twin(first: impl Link + 'static, second: impl Link + 'static) -> Twin {
    let config = TwinConfig { group: GROUP, senders: &[1, 2], wait: WaitMode::Block, silence: 0 };
    Twin::new(Box::new(first), Box::new(second), &config).unwrap()
}

/// Two networks, and a member of both.
fn networks() -> ([MemoryNet; 2], Twin) {
    let nets = [MemoryNet::new(FRAME, 1), MemoryNet::new(FRAME, 2)];
    let member = twin(nets[0].link(), nets[1].link());
    (nets, member)
}

/// Sends the frames of node `node` with these numbers; each carries its number.
fn send(link: &mut dyn Link, node: u8, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        let frame = link.lend().unwrap();
        frame[HEADER..].copy_from_slice(&number.to_le_bytes());
        seal(frame, node, number);
        link.push(FRAME);
    }
    link.flush();
}

/// What has arrived, by the number that each frame carries.
fn receive(link: &mut dyn Link) -> Vec<u64> {
    let mut numbers = vec![];
    while link.receive(50, &mut |frame| {
        numbers.push(u64::from_le_bytes(frame[HEADER..].try_into().unwrap()));
    }) >= 50
    {}
    numbers
}

#[test]
fn a_copy_damaged_on_one_network_does_not_cost_the_good_one() {
    for bit in 0..FRAME * 8 {
        for bad in [0, 1] {
            let (nets, mut tx) = networks();
            let mut rx = twin(nets[0].link(), nets[1].link());
            nets[bad].set_hook(move |passage| {
                passage.frame[bit / 8] ^= 1 << (bit % 8);
                Fate::Arrive
            });
            send(&mut tx, 1, [5]);
            let mut good = 0;
            rx.receive(10, &mut |frame| good += u64::from(mirror_core::wire::is_sound(frame)));
            assert_eq!(good, 1, "bit {bit} on network {bad}");
        }
    }
}

#[test]
fn what_either_network_brings_arrives_once() {
    for seed in 0..20 {
        let (nets, mut tx) = networks();
        let mut rx = twin(nets[0].link(), nets[1].link());
        let brought = Arc::new(Mutex::new(BTreeSet::new()));
        for (net, multiplier) in nets.iter().zip([7, 11]) {
            let (brought, mut state) = (Arc::clone(&brought), seed + 1u64);
            net.set_hook(move |passage| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(multiplier);
                let number = u64::from_le_bytes(passage.frame[HEADER..].try_into().unwrap());
                let fate = match (state >> 33) % 10 {
                    0..3 => Fate::Lose,
                    3..5 => Fate::Double,
                    5..7 => Fate::Overtake(5),
                    _ => Fate::Arrive,
                };
                if fate != Fate::Lose {
                    brought.lock().unwrap().insert(number);
                }
                fate
            });
        }
        let mut got = vec![];
        for burst in 0..100 {
            send(&mut tx, 2, burst * 37 + 1..=burst * 37 + 37);
            got.extend(receive(&mut rx));
        }
        let (arrived, brought) = (BTreeSet::from_iter(got.iter().copied()), brought.lock().unwrap());
        assert_eq!(arrived.len(), got.len(), "seed {seed}: none twice");
        assert_eq!(arrived, *brought, "seed {seed}: all that a network brought");
        assert!(brought.len() > 3200, "{} of 3700", brought.len());
        assert_eq!(rx.stats().received_frames, got.len() as u64);
    }
}

#[test]
fn what_cannot_be_told_apart_is_handed_on_twice() {
    let (nets, mut tx) = networks();
    let mut rx = twin(nets[0].link(), nets[1].link());
    // No member; and frames of no protocol at all.
    send(&mut tx, 9, [1]);
    assert_eq!(receive(&mut rx), [1, 1]);
    tx.lend().unwrap().fill(7);
    tx.push(FRAME);
    tx.flush();
    assert_eq!(receive(&mut rx).len(), 2);
    assert_eq!((rx.stats().received_frames, rx.stats().second_copies), (4, 0));
    assert!(rx.networks().iter().all(|network| network.received_frames == 0 && network.heard_at == 0));
}

/// A link without room for more than `room` frames between two flushes.
struct Narrow {
    link: MemoryLink,
    room: usize,
    left: usize,
}

impl Narrow {
    fn new(net: &MemoryNet, room: usize) -> Self {
        Self { link: net.link(), room, left: room }
    }
}

impl FrameSink for Narrow {
    fn frame_bytes(&self) -> usize {
        self.link.frame_bytes()
    }
    fn lend(&mut self) -> Option<&mut [u8]> {
        if self.left > 0 { self.link.lend() } else { None }
    }
    fn push(&mut self, len: usize) {
        self.left -= 1;
        self.link.push(len);
    }
}

impl Link for Narrow {
    fn describe(&self) -> String {
        "narrow".into()
    }
    fn flush(&mut self) {
        self.left = self.room;
        self.link.flush();
    }
    fn receive(&mut self, limit: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        self.link.receive(limit, sink)
    }
    fn wait(&mut self, until: Nanos) {
        self.link.wait(until);
    }
    fn stats(&mut self) -> LinkStats {
        self.link.stats()
    }
}

#[test]
fn a_network_without_room_does_not_hold_up_the_other() {
    for narrow in [0, 1] {
        let (nets, mut rx) = networks();
        let rooms = if narrow == 0 { [3, 100] } else { [100, 3] };
        let mut tx = twin(Narrow::new(&nets[0], rooms[0]), Narrow::new(&nets[1], rooms[1]));
        send(&mut tx, 1, 1..=10);
        assert_eq!(receive(&mut rx), Vec::from_iter(1..=10));
        let stats = tx.stats();
        assert_eq!((stats.sent_frames, stats.refused_frames), (10, 0), "{stats:?}");
        let counts = tx.networks().iter().map(|network| (network.sent_frames, network.refused_frames));
        let (full, cut) = ((10, 0), (3, 7));
        assert_eq!(Vec::from_iter(counts), if narrow == 0 { [cut, full] } else { [full, cut] });
    }
    // Neither has room: no frame is lent, and the caller counts it.
    let (nets, _) = networks();
    let mut tx = twin(Narrow::new(&nets[0], 0), Narrow::new(&nets[1], 0));
    assert!(tx.lend().is_none());
    tx.push(FRAME);
    tx.flush();
    assert_eq!(tx.stats(), LinkStats::default());
}

#[test]
fn a_flood_on_one_network_does_not_silence_the_other() {
    for flooded in [0, 1] {
        let (nets, mut rx) = networks();
        let (mut stranger, mut member) = (nets[flooded].link(), nets[1 - flooded].link());
        send(&mut stranger, 9, 1..=4000);
        send(&mut member, 1, [1]);
        let mut heard = false;
        for limit in [1, 1, 10] {
            rx.receive(limit, &mut |frame| heard |= frame[34] == 1);
        }
        assert!(heard, "the {flooded} network is flooded");
        // And with nothing at the other, the whole limit is the flood's.
        assert_eq!(rx.receive(101, &mut |_| ()), 101);
    }
}

#[test]
fn the_health_of_each_network_is_told_apart() {
    let (nets, mut tx) = networks();
    let mut rx = twin(nets[0].link(), nets[1].link());
    let mut count = 0;
    // The second loses every tenth frame.
    nets[1].set_hook(move |_| {
        count += 1;
        if count % 10 == 0 { Fate::Lose } else { Fate::Arrive }
    });
    for burst in 0..20 {
        send(&mut tx, 1, burst * 100 + 1..=burst * 100 + 100);
        assert_eq!(receive(&mut rx).len(), 100);
    }
    let stats = rx.stats();
    assert_eq!((stats.received_frames, stats.second_copies), (2000, 1800));
    let [first, second] = rx.networks() else { panic!("two networks") };
    assert_eq!((first.received_frames, second.received_frames), (2000, 1800));
    // Of the last 1,024 nobody says yet that they will not come.
    assert_eq!((first.missing_frames, second.missing_frames), (0, (2000 - 1024) / 10));
    assert!(first.heard_at > 0 && second.heard_at > 0);

    // One network is silent while the other is heard, never both.
    for (quiet, heard) in [(0, 1), (1, 0), (0, 1)] {
        let (mut member, number) = (nets[heard].link(), 3000 + 10 * quiet as u64);
        nets[heard].set_hook(|_| Fate::Arrive);
        send(&mut member, 2, [number]);
        receive(&mut rx);
        rx.stats();
        let silent = rx.networks().iter().map(|network| network.silent);
        assert_eq!(Vec::from_iter(silent), if quiet == 0 { [true, false] } else { [false, true] });
    }
}

#[test]
fn networks_with_frames_of_different_sizes_are_refused() {
    let config = TwinConfig { group: GROUP, senders: &[1], wait: WaitMode::Spin, silence: 0 };
    let (first, second) = (MemoryNet::new(600, 1).link(), MemoryNet::new(1472, 1).link());
    let said = Twin::new(Box::new(first), Box::new(second), &config).unwrap_err().to_string();
    assert!(said.contains("600") && said.contains("1472") && said.contains("smaller"), "{said}");
}

#[test]
fn a_sleeping_receiver_is_woken_by_either_network() {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let on = |port| {
        let group = SocketAddr::from(([239, 128 | a & 63, b, c], port));
        let config = UdpConfig { frame_bytes: FRAME, ..UdpConfig::new(group, "lo") };
        UdpLink::open(&config).unwrap()
    };
    let mut rx = twin(on(28_100), on(28_101));
    let mut members = [on(28_100), on(28_101)];
    for number in 1..=10 {
        send(&mut members[number as usize % 2], 1, [number]);
        let until = mirror::clock::now() + PATIENCE.as_nanos() as u64;
        let mut got = vec![];
        while got.is_empty() {
            rx.wait(until);
            got = receive(&mut rx);
        }
        assert_eq!(got, [number]);
        assert!(mirror::clock::now() < until, "it slept through frame {number}");
    }
}
