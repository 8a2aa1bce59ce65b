//! The in-memory network does what it is told to do to frames, and the same again for the same seed.

use mirror_core::FrameSink;
use mirror_tests::{Fate, Faults, MemoryLink, MemoryNet};
use mirror_transport::Link;

fn send(link: &mut MemoryLink, numbers: impl IntoIterator<Item = u16>) {
    for number in numbers {
        link.lend().unwrap()[..2].copy_from_slice(&number.to_be_bytes());
        link.push(2);
    }
    link.flush();
}

fn receive(link: &mut MemoryLink) -> Vec<u16> {
    let mut numbers = Vec::new();
    link.receive(usize::MAX, &mut |frame| numbers.push(u16::from_be_bytes(frame.try_into().unwrap())));
    numbers
}

#[test]
fn a_hook_decides_about_every_frame_and_receiver() {
    let net = MemoryNet::new(16, 1);
    let (mut a, mut b, mut c) = (net.link(), net.link(), net.link());
    net.set_hook(|passage| match (passage.to, passage.frame[1]) {
        (2, _) => Fate::Arrive,
        (_, 1) => Fate::Lose,
        (_, 2) => Fate::Double,
        (_, 3) => Fate::Overtake(1),
        (_, 4) => Fate::Overtake(100),
        (_, 5) => {
            passage.frame[1] = 55;
            Fate::Arrive
        }
        _ => Fate::Arrive,
    });
    send(&mut a, 0..6);
    assert_eq!(receive(&mut b), [4, 0, 2, 3, 2, 55]);
    assert_eq!(receive(&mut c), [0, 1, 2, 3, 4, 5]);
    assert_eq!(receive(&mut a), [0; 0], "a member does not hear itself");
}

#[test]
fn one_seed_decides_every_fault() {
    let run = |seed| {
        let net = MemoryNet::new(16, seed);
        let (mut a, mut b) = (net.link(), net.link());
        net.set_faults(Faults { lose: 0.1, double: 0.1, reorder: 0.1, corrupt: 0.1 });
        send(&mut a, 0..1000);
        receive(&mut b)
    };
    let first = run(7);
    assert_eq!(first, run(7));
    assert_ne!(first, run(8));
    let missing = (0..1000).filter(|n| !first.contains(n)).count();
    assert!((50..400).contains(&missing), "{missing} of 1000 lost or spoilt");
    assert!(first.windows(2).any(|w| w[0] == w[1]), "some doubled");
    assert!(!first.is_sorted(), "some out of order");
}

#[test]
fn a_receiver_that_does_not_read_loses_and_is_told() {
    let net = MemoryNet::new(16, 1);
    let (mut a, mut b) = (net.link(), net.link());
    send(&mut a, 0..5000);
    let got = receive(&mut b).len() as u64;
    assert!(got < 5000);
    assert_eq!(got + b.stats().kernel_drops, 5000);
}
