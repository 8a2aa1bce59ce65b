//! Two nodes on two networks: either cable may be taken down and come back, no cycle is lost, and the health of each network
//! tells which it was.

use std::net::SocketAddr;
use std::time::Instant;

use mirror::{Config, Counter, Event, EventKind, Look, NetworkHealth, Node, Place, SyncState, Turn};
use mirror_tests::Namespace;
use mirror_tests::child::PATIENCE;
use mirror_tests::memory::Named;
use mirror_tests::plant::Small;
use mirror_tests::skip::skip;

fn config(name: &str, node: u8, port: u16, interfaces: [&str; 2]) -> Config {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let address = SocketAddr::from(([239, 64 | a & 63, b, c], port));
    let mut config = Config::new(&format!("{name}-{}", std::process::id()), node, address, interfaces[0]);
    let mut second = config.link.clone();
    second.address.set_port(port + 1);
    second.interface = interfaces[1].into();
    config.second_link = Some(second);
    // This test stands still for longer than five cycles while it runs commands.
    config.silence_cycles = 400;
    config.patience_cycles = 800;
    config
}

/// A primary and its standby, run by turns, and what is left of them in named memory.
struct Two {
    lead: Node<Small>,
    follow: Node<Small>,
    regions: [Named; 2],
}

impl Two {
    fn new(configs: [Config; 2], open: impl Fn(usize, &Config) -> Node<Small>) -> Self {
        let regions = configs.each_ref().map(|config| Named(config.place.clone()));
        let [mut lead, mut follow] = [0, 1].map(|n| open(n, &configs[n]));
        let end = Instant::now() + PATIENCE;
        while follow.state() != SyncState::Hot {
            assert!(Instant::now() < end, "no standby: {lead:?}, {follow:?}");
            if let Some(Turn::Lead(mut turn)) = lead.try_begin().unwrap() {
                turn.step(1);
                turn.commit().unwrap();
            }
            follow.try_begin().unwrap();
        }
        let mut two = Self { lead, follow, regions };
        two.cycle();
        two
    }

    /// One cycle, committed by the one and followed by the other.
    fn cycle(&mut self) {
        let Self { lead, follow, .. } = self;
        let end = Instant::now() + PATIENCE;
        let cut = loop {
            assert!(Instant::now() < end, "no turn: {lead:?}");
            follow.try_begin().unwrap();
            if let Some(Turn::Lead(mut turn)) = lead.try_begin().unwrap() {
                turn.step(1);
                break turn.commit().unwrap().cut();
            }
        };
        loop {
            assert!(Instant::now() < end, "{cut} does not come: {follow:?}");
            if let Some(Turn::Follow(view)) = follow.try_begin().unwrap() {
                assert_eq!(view.check(), Ok(view.cut().cycle));
                if view.cut() == cut {
                    return;
                }
            }
        }
    }

    /// Runs cycles until both sides' health fits.
    fn until(&mut self, what: &str, fits: impl Fn([NetworkHealth; 2], [NetworkHealth; 2]) -> bool) {
        let end = Instant::now() + PATIENCE;
        let now = |node: &Node<Small>| Vec::from_iter(node.networks()).try_into().expect("two networks");
        while !fits(now(&self.lead), now(&self.follow)) {
            let seen: [[NetworkHealth; 2]; 2] = [now(&self.lead), now(&self.follow)];
            assert!(Instant::now() < end, "never: {what}; {seen:#?}");
            self.cycle();
        }
    }

    /// What each says that happened to its networks, in order: silent or back, and which.
    fn told(&self) -> [Vec<(EventKind, u64)>; 2] {
        self.regions.each_ref().map(|region| {
            let look = Look::open(&region.0).unwrap();
            let known = |event: Event| {
                let kinds = [EventKind::NetworkSilent, EventKind::NetworkBack];
                kinds.into_iter().find(|&kind| kind as u64 == event.kind).map(|kind| (kind, event.a))
            };
            look.events().filter_map(known).collect()
        })
    }
}

#[test]
fn a_cable_of_two_goes_down_and_up_and_no_cycle_is_lost() {
    let (left, right) = match Namespace::pair_with_two_cables() {
        Ok(pair) => pair,
        Err(why) => return skip("a cable of two goes down and up", &why),
    };
    let ends = [["left", "left2"], ["right", "right2"]];
    let configs = [0, 1].map(|n| config("two-networks", n as u8 + 1, 29_200, ends[n]));
    let mut two = Two::new(configs, |n, config| [&left, &right][n].within(|| Node::open(config)).unwrap());
    two.until("both are heard", |lead, follow| {
        [lead, follow].concat().iter().all(|network| !network.silent && network.received_frames > 0)
    });
    let counters = [Counter::Gaps, Counter::RejectDamaged, Counter::Takeovers];
    let before = counters.map(|counter| two.follow.counter(counter));
    for lost in [0, 1] {
        let heard = 1 - lost;
        let missing = two.follow.networks().nth(lost).unwrap().missing_frames;
        left.ip(&format!("link set {} down", ends[0][lost])).unwrap();
        two.until("the lost network is told, at both ends", |lead, follow| {
            lead[lost].silent && follow[lost].silent
        });
        two.until("what it does not bring is counted", |lead, follow| {
            assert!(!lead[heard].silent && !follow[heard].silent);
            follow[lost].missing_frames > missing + 100 && lead[lost].refused_frames > 100
        });
        if lost == 0 {
            assert_eq!(
                two.follow.networks().nth(1).unwrap().missing_frames,
                0,
                "of the one that was not touched"
            );
        }
        left.ip(&format!("link set {} up", ends[0][lost])).unwrap();
        two.until("it is back", |lead, follow| !lead[lost].silent && !follow[lost].silent);
        // Until it is not the newcomer any more: the other goes next.
        let received = two.follow.networks().nth(lost).unwrap().received_frames;
        two.until("it carries on", |_, follow| follow[lost].received_frames > received + 100);
    }
    assert_eq!(counters.map(|counter| two.follow.counter(counter)), before, "{counters:?}");
    assert!(two.follow.counter(Counter::SecondCopies) > 0);
    let (silent, back) = (EventKind::NetworkSilent, EventKind::NetworkBack);
    let wanted = vec![(silent, 1), (back, 1), (silent, 2), (back, 2)];
    assert_eq!(two.told(), [wanted.clone(), wanted]);
    // From outside, too.
    let look = Look::open(&two.regions[1].0).unwrap();
    for counter in
        [Counter::FirstNetworkReceived, Counter::SecondNetworkReceived, Counter::SecondNetworkMissing]
    {
        assert!(look.counter(counter) > 100, "{counter:?}");
    }
}

#[test]
fn a_network_that_cannot_be_opened_is_named() {
    let open = |interfaces| {
        let mut config = config("two-networks-refused", 1, 29_204, interfaces);
        config.place = Place::Anonymous;
        Node::<Small>::open(&config).map(|node| node.warnings().join("; ")).map_err(|e| e.to_string())
    };
    for (interfaces, which, table) in
        [(["nope0", "lo"], "first", "[link]"), (["lo", "nope0"], "second", "[link.second]")]
    {
        let said = open(interfaces).unwrap_err();
        for part in [&format!("the {which} network ({table}): "), "\"nope0\"", "there are:"] {
            assert!(said.contains(part), "no {part} in: {said}");
        }
    }
    // Two on one interface are allowed, and it is said what that is worth.
    let said = open(["lo", "lo"]).unwrap();
    assert!(said.contains("both networks are on lo"), "{said}");
}

#[test]
fn a_member_with_one_network_runs_with_one_that_has_two_which_says_so() {
    let configs = [1, 2].map(|node| {
        let mut config = config("two-networks-mixed", node, 29_208, ["lo", "lo"]);
        config.second_link = config.second_link.filter(|_| node == 1);
        config
    });
    let mut two = Two::new(configs, |_, config| Node::open(config).unwrap());
    let silent = |node: &Node<Small>| Vec::from_iter(node.networks().map(|network| network.silent));
    let end = Instant::now() + PATIENCE;
    while silent(&two.lead) != [false, true] {
        assert!(Instant::now() < end, "{:?}", silent(&two.lead));
        two.cycle();
    }
    assert_eq!(silent(&two.follow), [false; 0]);
    assert_eq!(two.told(), [vec![(EventKind::NetworkSilent, 2)], vec![]]);
    assert_eq!(two.lead.networks().nth(1).unwrap().heard_at, 0);
}

#[test]
fn one_network_has_no_health_apart() {
    let mut config = config("two-networks-one", 1, 29_206, ["lo", "lo"]);
    (config.second_link, config.place) = (None, Place::Anonymous);
    let node = Node::<Small>::open(&config).unwrap();
    assert_eq!(node.networks().count(), 0);
}
