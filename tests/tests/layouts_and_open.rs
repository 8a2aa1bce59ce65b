//! Members of different layouts, and opens that must fail: each with an error that names the value, the limit and the
//! remedy, and with nothing left behind.

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use mirror::{Config, Counter, Found, Look, Node, OpenError, Place, SegmentError, SyncState, Turn};
use mirror_tests::child::PATIENCE;
use mirror_tests::memory::{Named, RECORDS};
use mirror_tests::plant::{Small, Tiny};
use mirror_tests::{Child, Fate, MemoryNet, NullLink};

const CHILD: &str = env!("CARGO_BIN_EXE_mirror-test-child");

/// The group's address for this test run.
fn address(port: u16) -> SocketAddr {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    ([239, 64 | a & 63, b, c], port).into()
}

fn name(of: &str) -> String {
    format!("open-{of}-{}", std::process::id())
}

/// A node that is alone, and leads soon.
fn alone(name: &str) -> Config {
    let mut config = Config::new(name, 1, address(29_200), "lo");
    config.members = vec![1];
    config.silence_cycles = 20;
    config.patience_cycles = 40;
    config.records = Some(RECORDS as u32);
    config
}

fn open(config: &Config) -> Result<Node<Small>, OpenError> {
    Node::open_on(config, Box::new(NullLink::new(1472)))
}

/// Commits a few cycles.
fn lead(node: &mut Node<Small>, cycles: u64) {
    let end = Instant::now() + PATIENCE;
    let mut done = 0;
    while done < cycles {
        assert!(Instant::now() < end, "{:?}", node.why());
        if let Turn::Lead(mut lead) = node.begin().unwrap() {
            lead.step(1);
            lead.commit().unwrap();
            done += 1;
        }
    }
}

fn said(error: &impl std::error::Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

fn size_of_place(place: &Place) -> Option<u64> {
    std::fs::metadata(place.to_string()).ok().map(|m| m.len())
}

#[test]
fn a_newcomer_of_another_layout_stops_and_the_primary_goes_on() {
    let (group, address) = (name("layout"), address(29_201));
    let _regions = [1, 2].map(|node| Named(Place::Named(format!("{group}-{node}"))));
    let first = Child::start(CHILD, &format!("loop group={group} address={address} node=1"));
    let word = |words: &[String], at: usize| words[at].parse::<u64>().unwrap();
    let before = word(&first.until("out", |_| {}), 1);
    // The shorter its patience, the fewer of the primary's rare status frames it hears before it would lead itself.
    for patience in ["silence=3 patience=6", "silence=10 patience=20", "silence=150 patience=300"] {
        for size in ["layout=other", "layout=other size=large"] {
            let newcomer = format!("loop group={group} address={address} node=2 {patience} {size}");
            let newcomer = Child::start(CHILD, &newcomer);
            let error = newcomer.until("error", |line| assert!(!line.starts_with("out"), "it leads: {line}"));
            let error = error.join(" ");
            for layout in ["`plant` (8192 bytes", "`other` ("] {
                assert!(error.contains(layout), "{error}");
            }
            drop(newcomer);
            mirror::unlink(&Place::Named(format!("{group}-2"))).unwrap();
        }
    }
    let mut last = before;
    while last < before + 300 {
        let next = first.until("out", |line| panic!("{line}"));
        assert_eq!(word(&next, 1), last + 1);
        last += 1;
    }
    let look = Look::open(&Place::Named(format!("{group}-1"))).unwrap();
    assert_eq!((look.counter(Counter::Fenced), look.state()), (0, Some(SyncState::Primary)));
}

#[test]
fn a_newcomer_of_another_layout_does_not_stop_a_standby() {
    let net = MemoryNet::new(1472, 1);
    let group = name("layout-standby");
    let config = |node| {
        let mut config = Config::new(&group, node, address(29_202), "lo");
        config.place = Place::Anonymous;
        config.members = vec![1, 2, 3];
        config.silence_cycles = 400;
        config.patience_cycles = 1200;
        // The third is blank, and never tells so to anybody of the others' layout.
        config.begin_alone = true;
        config
    };
    // The third hears nobody, so nothing tells it to stop.
    net.set_hook(|passage| if passage.to == 2 { Fate::Lose } else { Fate::Arrive });
    let mut first = Node::<Small>::open_on(&config(1), Box::new(net.link())).unwrap();
    let mut second = Node::<Small>::open_on(&config(2), Box::new(net.link())).unwrap();
    let mut third = Node::<Tiny>::open_on(&config(3), Box::new(net.link())).unwrap();
    let (end, mut followed, mut heard) = (Instant::now() + PATIENCE, 0, 0);
    while followed < 300 || heard < 3 {
        assert!(Instant::now() < end, "followed {followed} cycles, {heard} foreign frames");
        if let Some(Turn::Lead(mut lead)) = first.try_begin().unwrap() {
            lead.step(1);
            lead.commit().unwrap();
        }
        if let Some(Turn::Follow(view)) = second.try_begin().expect("a standby of the group goes on") {
            assert_eq!(view.check(), Ok(view.cut().cycle));
            followed += 1;
        }
        if second.state() == SyncState::Hot {
            let _ = third.try_begin();
        }
        heard = second.counter(Counter::RejectLayout);
        std::thread::sleep(Duration::from_micros(100));
    }
    assert!(first.counter(Counter::RejectLayout) > 0);
}

#[test]
fn a_region_in_use_names_the_process() {
    let group = name("taken");
    let place = Place::Named(format!("{group}-1"));
    let _region = Named(place.clone());
    let mut child = Child::start(CHILD, &format!("loop group={group} node=1 members=1 link=null"));
    child.until("open", |_| {});
    let error = open(&alone(&group)).unwrap_err();
    assert!(
        matches!(&error, OpenError::Segment(SegmentError::Taken { pid, .. }) if *pid == Some(child.id())),
        "{error:?}"
    );
    said(&error, &[&child.id().to_string(), &place.to_string(), "another region name"]);
    // The failed attempt changed nothing: the owner goes on, and after its death the region is had.
    child.until("out", |_| {});
    child.until("out", |_| {});
    child.kill();
    let config = Config { layout: "plant".into(), ..alone(&group) };
    assert!(matches!(open(&config).unwrap().found(), Found::Cut { .. }));
}

#[test]
fn a_region_of_another_node_group_or_layout_is_left_alone() {
    let config = alone(&name("other"));
    let _region = Named(config.place.clone());
    lead(&mut open(&config).unwrap(), 5);
    let content = std::fs::read(config.place.to_string()).unwrap();
    let others = [
        (Config { node: 2, members: vec![2], ..config.clone() }, ["node 1", "node 2"]),
        (Config { group: "another".into(), ..config.clone() }, ["group", "use another name"]),
        (Config { layout: "press 2".into(), ..config.clone() }, ["`Plant<1016, 4>`", "`press 2`"]),
    ];
    for (other, words) in others {
        let error = open(&other).unwrap_err();
        said(&error, &words);
        said(&error, &[&config.place.to_string()]);
    }
    let error = Node::<Tiny>::open_on(&config, Box::new(NullLink::new(1472))).unwrap_err();
    said(&error, &["8192 bytes", "1024 bytes", "remove the segment"]);
    assert!(std::fs::read(config.place.to_string()).unwrap() == content, "a refused region was touched");
    assert!(matches!(open(&config).unwrap().found(), Found::Cut { redone: false, returned: 0, .. }));
}

#[test]
fn a_region_survives_and_goes_only_when_it_is_unlinked() {
    let config = alone(&name("survives"));
    let _region = Named(config.place.clone());
    let mut node = open(&config).unwrap();
    assert_eq!(node.found(), Found::Nothing);
    lead(&mut node, 10);
    let cut = node.cut();
    drop(node);
    let mut look = Look::open(&config.place).unwrap();
    let (info, bytes) = look.read().unwrap();
    assert_eq!((info.cut, Small::check_bytes(bytes)), (cut, Ok(10)));
    // A half-run step, given up by the process's end, leaves no trace.
    let mut node = open(&config).unwrap();
    assert!(matches!(node.found(), Found::Cut { info, .. } if info.cut == cut));
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Turn::Lead(mut lead) = node.begin().unwrap() {
            lead.step(1);
            std::mem::forget(lead);
            break;
        }
    }
    drop(node);
    let node = open(&config).unwrap();
    assert!(matches!(node.found(), Found::Cut { info, returned: 1.., .. } if info.cut == cut));
    drop(node);
    mirror::unlink(&config.place).unwrap();
    assert!(matches!(Look::open(&config.place).unwrap_err(), SegmentError::Missing(_)));
    mirror::unlink(&config.place).unwrap();
    assert_eq!(open(&config).unwrap().found(), Found::Nothing);
}

#[test]
fn the_mode_is_private_by_default_and_can_be_set() {
    let mode = |place: &Place| std::fs::metadata(place.to_string()).unwrap().permissions().mode() & 0o7777;
    let config = alone(&name("mode"));
    let _region = Named(config.place.clone());
    drop(open(&config).unwrap());
    assert_eq!(mode(&config.place), 0o600);
    mirror::unlink(&config.place).unwrap();
    // Whatever the umask says.
    for wanted in [0o640, 0o666] {
        drop(open(&Config { mode: wanted, ..config.clone() }).unwrap());
        assert_eq!(mode(&config.place), wanted);
        mirror::unlink(&config.place).unwrap();
    }
    // Its owner must be able to open it again.
    for bad in [0, 0o200, 0o400, 0o460, 0o1600] {
        let error = open(&Config { mode: bad, ..config.clone() }).unwrap_err();
        said(&error, &["region.mode", &format!("{bad:04o}"), "0600"]);
    }
    assert_eq!(size_of_place(&config.place), None);
}

#[test]
fn what_is_wrong_with_the_name_or_the_network_is_said_and_leaves_nothing() {
    let config = alone(&name("network"));
    let fails = |config: &Config, words: &[&str]| {
        let error = Node::<Small>::open(config).unwrap_err();
        said(&error, words);
        assert_eq!(size_of_place(&config.place), None, "{error}");
    };
    let link = |change: &dyn Fn(&mut Config)| {
        let mut config = config.clone();
        change(&mut config);
        config
    };
    fails(&link(&|c| c.link.interface = "no-such0".into()), &["\"no-such0\"", "there are: ", "lo"]);
    let plain = "192.0.2.1:7000".parse().unwrap();
    fails(&link(&|c| c.link.address = plain), &["link.address", "192.0.2.1:7000", "multicast address"]);
    fails(&link(&|c| c.link.address.set_port(0)), &["port", "65535"]);
    fails(&link(&|c| c.link.frame_bytes = 65_508), &["link.frame_bytes", "65508", "65507"]);
    fails(&link(&|c| c.link.frame_bytes = 511), &["link.frame_bytes", "511", "512"]);
    let busy = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    let port = busy.local_addr().unwrap().port();
    fails(&link(&|c| c.link.address.set_port(port)), &[&port.to_string(), "take another port"]);
    for bad in ["", "a/b", "..ä", &"x".repeat(201)] {
        let named = link(&|c| c.place = Place::Named(bad.into()));
        said(&open(&named).unwrap_err(), &["cannot name a region", "1 to 200"]);
    }
}

#[test]
fn a_link_whose_frames_are_too_small_or_too_large_is_refused() {
    for frame in [0, 511, 65_508, 1 << 20] {
        let config = Config { place: Place::Anonymous, ..alone("frames") };
        let error = Node::<Small>::open_on(&config, Box::new(NullLink::new(frame))).unwrap_err();
        said(&error, &[&frame.to_string(), "512", "65507"]);
    }
}

#[test]
fn the_shortest_and_the_longest_period_open() {
    for period_us in [10, 11, 19, 20, 10_000_000] {
        let config = Config { place: Place::Anonymous, period_us, ..alone("periods") };
        let mut node = open(&config).unwrap();
        let end = Instant::now() + Duration::from_millis(5);
        while Instant::now() < end {
            drop(node.try_begin().unwrap());
        }
    }
}
