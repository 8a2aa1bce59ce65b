//! Observers of a real group on the loopback interface: members and observers with sockets of their own, run by turns in one
//! process, the observers on links that lose a part of what comes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mirror::{
    Config, Counter, Cut, Node, Observer, ObserverConfig, ObserversConfig, Place, Standing, SyncState, Turn,
    clock,
};
use mirror_core::wire::{Frame, own_node_offset};
use mirror_core::{FrameSink, checksum};
use mirror_tests::LossyLink;
use mirror_tests::child::PATIENCE;
use mirror_tests::memory::Named;
use mirror_tests::plant::{Large, Small};
use mirror_transport::Link;
use mirror_transport::udp::{NodeFilter, UdpConfig, UdpLink};

/// Frames for observers in a period, at most.
const BUDGET: u32 = 8;

fn address(port: u16) -> SocketAddr {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    SocketAddr::from(([239, 64 | a & 63, b, c], port))
}

/// Three members that may lead, and those who watch them.
struct Group {
    name: String,
    port: u16,
    nodes: [Option<Node<Small>>; 3],
    watchers: Vec<Watcher>,
}

/// An observer, and the last cut that it gave.
struct Watcher {
    observer: Observer<Small>,
    last: Cut,
    cuts: u64,
}

impl Watcher {
    fn look(&mut self) {
        if let Some(cut) = self.observer.listen().unwrap() {
            let (state, read) = self.observer.read().expect("it has just exposed a cut");
            assert_eq!((read, state.check()), (cut, Ok(cut.cycle)));
            assert!(cut > self.last, "from {} to {cut}", self.last);
            self.last = cut;
            self.cuts += 1;
        }
    }
}

impl Group {
    fn new(name: &str, port: u16) -> Self {
        let mut group = Self {
            name: format!("{name}-{}", std::process::id()),
            port,
            nodes: [const { None }; 3],
            watchers: vec![],
        };
        group.nodes = [1, 2, 3].map(|id| Some(group.member(id)));
        group.until("all follow", |group| {
            let states = group.nodes.each_ref().map(|node| node.as_ref().map(Node::state));
            states == [SyncState::Primary, SyncState::Hot, SyncState::Hot].map(Some)
        });
        group
    }

    fn member(&self, id: u8) -> Node<Small> {
        let mut config = Config::new(&self.name, id, address(self.port), "lo");
        config.members = vec![1, 2, 3];
        config.place = Place::Anonymous;
        (config.silence_cycles, config.patience_cycles) = (200, 600);
        config.observers = Some(ObserversConfig { frames: BUDGET, ..ObserversConfig::default() });
        Node::open(&config).unwrap()
    }

    fn watch(&self, place: Place, loss: f64, seed: u64) -> Watcher {
        let mut config = ObserverConfig::new(&self.name, address(self.port), "lo");
        (config.place, config.silence_cycles) = (place, 200);
        let link = |port, seed| {
            let own_node = Some(NodeFilter { offset: own_node_offset() as u16, id: 0 });
            let udp = UdpConfig { own_node, ..UdpConfig::new(address(port), "lo") };
            Box::new(LossyLink::new(UdpLink::open(&udp).unwrap(), loss, seed))
        };
        let observer =
            Observer::open_on(&config, link(self.port, seed), link(self.port + 1, seed + 100)).unwrap();
        let last = observer.read().map_or(Cut::NONE, |(_, cut)| cut);
        Watcher { observer, last, cuts: 0 }
    }

    fn node(&self, id: usize) -> &Node<Small> {
        self.nodes[id - 1].as_ref().unwrap()
    }

    /// Everybody looks once; who leads commits.
    fn turn(&mut self) {
        for node in self.nodes.iter_mut().flatten() {
            match node.try_begin().unwrap() {
                Some(Turn::Lead(mut lead)) => {
                    lead.step(1);
                    lead.commit().unwrap();
                }
                Some(Turn::Follow(view)) => assert_eq!(view.check(), Ok(view.cut().cycle)),
                _ => {}
            }
        }
        self.watchers.iter_mut().for_each(Watcher::look);
        std::thread::sleep(Duration::from_micros(50));
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(
                Instant::now() < end,
                "never: {what}; {:?}",
                self.watchers.iter().map(|w| w.last).collect::<Vec<_>>()
            );
            self.turn();
        }
    }

    /// Until everybody who watches holds a cycle that is committed from now on, for so many cycles.
    fn follow(&mut self, cycles: u64) {
        let leads = |node: &&Node<Small>| node.state() == SyncState::Primary;
        let wanted = self.nodes.iter().flatten().find(leads).unwrap().cut().cycle + cycles;
        self.until("the observers follow", |group| group.watchers.iter().all(|w| w.last.cycle >= wanted));
    }
}

#[test]
fn lossy_observers_follow_and_the_primary_never_hears_of_them() {
    let mut group = Group::new("observers", 29_600);
    let kept = Place::Named(format!("{}-observer", group.name));
    let _region = Named(kept.clone());
    let places = [Place::Anonymous, Place::Anonymous, kept.clone()];
    group.watchers = places.into_iter().zip(1..).map(|(place, seed)| group.watch(place, 0.1, seed)).collect();
    group.follow(200);
    assert!(group.watchers.iter().all(|watcher| watcher.cuts > 20));
    let served = |group: &Group, id| group.node(id).counter(Counter::FramesServed);
    let first = group.node(1);
    for counter in [Counter::WishesHeard, Counter::FramesServed, Counter::Misplaced, Counter::RejectField] {
        assert_eq!(first.counter(counter), 0, "{}", counter.name());
    }
    assert!(first.counter(Counter::StatusTaken) > 0, "what it hears is members' word");
    assert!(served(&group, 2) > 0 && group.node(2).counter(Counter::WishesTaken) > 0);

    // What a read may demand.
    let reading = &group.watchers[0];
    let (observer, last) = (&reading.observer, reading.last);
    let hour = Duration::from_secs(3600);
    assert_eq!(observer.read_at_least(last, hour).unwrap().cut(), last);
    let later = Cut { cycle: last.cycle + 1_000_000, ..last };
    let refused = observer.read_at_least(later, hour).unwrap_err();
    assert_eq!((refused.held, refused.wanted, refused.max_age), (Some(last), later, hour));
    let said = refused.to_string();
    assert!(said.contains(&last.to_string()) && said.contains(&later.to_string()), "{said}");
    let refused = observer.read_at_least(Cut::NONE, Duration::ZERO).unwrap_err();
    assert!(refused.staleness.is_some_and(|age| age.time > Duration::ZERO), "{refused}");

    // The serving standby is gone. (The next may have served before, if it was not told in time that another does.)
    group.nodes[1] = None;
    let before = served(&group, 3);
    group.until("the next serves", |group| served(group, 3) > before);
    group.follow(200);

    // An observer is restarted, and goes on from where it was.
    let Watcher { observer, last, .. } = group.watchers.pop().unwrap();
    drop(observer);
    let again = group.watch(kept, 0.1, 77);
    assert_eq!(again.last, last);
    group.watchers.push(again);
    group.follow(100);

    // The primary is gone: its successor is followed.
    group.nodes[0] = None;
    group.nodes[1] = Some(group.member(2));
    group.until("the third leads", |group| group.node(3).state() == SyncState::Primary);
    group.follow(100);
    assert!(group.watchers.iter().all(|w| w.last.epoch.node() == 3));
}

#[test]
fn a_mad_observer_costs_the_budget_and_the_standby_follows_every_cycle() {
    let mut group = Group::new("mad", 29_602);
    group.watchers = vec![group.watch(Place::Anonymous, 0.2, 5)];
    let mut mad = UdpLink::open(&UdpConfig::new(address(group.port + 1), "lo")).unwrap();
    let mut wish = None;
    group.until("a wish", |_| {
        mad.receive(64, &mut |frame| {
            if matches!(Frame::decode(frame, usize::MAX), Ok(Frame::Wish(..))) {
                wish = Some(frame.to_vec());
            }
        });
        wish.is_some()
    });
    let mut wish = wish.unwrap();
    // For everything, from nothing, having heard all there is to hear of this server; and noise beside it.
    wish.truncate(152);
    wish[124] = 2;
    wish[128..136].fill(0xff);
    wish[136..144].fill(0);
    wish[144..152].copy_from_slice(&[0, 0, 0, 0, 255, 255, 255, 255]);
    let length = (wish.len() as u16).to_le_bytes();
    wish[6..8].copy_from_slice(&length);
    let check = checksum::of_frame(&wish[16..]).to_le_bytes();
    wish[8..16].copy_from_slice(&check);
    let standby = |group: &Group, counter| group.node(2).counter(counter);
    let (began, gaps) = (clock::now(), standby(&group, Counter::Gaps));
    let before = standby(&group, Counter::FramesServed);
    let until = group.node(1).cut().cycle + 300;
    let mut sent = 0u64;
    group.until("300 cycles", |group| {
        for n in 0..200u64 {
            let frame = mad.lend().expect("the queue is flushed");
            frame[..wish.len()].copy_from_slice(&wish);
            if n % 4 == 0 {
                frame[20 + (sent % 100) as usize] ^= 1;
            }
            mad.push(wish.len());
            sent += 1;
        }
        mad.flush();
        group.node(2).cut().cycle >= until
    });
    let periods = (clock::now() - began) / 1_000_000 + 2;
    let served = standby(&group, Counter::FramesServed) - before;
    assert!(served > 0 && served <= periods * u64::from(BUDGET), "{served} frames in {periods} periods");
    let heard = standby(&group, Counter::WishesHeard);
    assert!(heard > 100 && heard <= sent, "{heard} of {sent}");
    assert!(standby(&group, Counter::WishesRefused) > 0 && standby(&group, Counter::WishesTaken) > 0);
    assert_eq!(standby(&group, Counter::Gaps), gaps, "it lost no cycle over it");
    assert_eq!(group.node(1).counter(Counter::WishesHeard), 0);
    group.follow(100);
}

#[test]
fn an_observer_opened_by_its_configuration_says_why_it_holds_nothing() {
    let config = ObserverConfig::new("nobody", address(29_604), "lo");
    let mut alone = Observer::<Small>::open(&config).unwrap();
    assert_eq!(alone.poll(clock::now() + 2_000_000), Ok(None));
    assert_eq!((alone.read().is_none(), alone.staleness(), alone.progress()), (true, None, None));
    assert_eq!(alone.standing(), Standing::Silent { silent: None });
    let refused = alone.read_at_least(Cut::NONE, Duration::MAX).unwrap_err();
    assert!(refused.to_string().contains("no primary was ever heard"), "{refused}");
    // Nothing is served where members were not told to. It comes late, when everything has been written once.
    drop(alone);
    let mut lone = Config::new("nobody", 1, address(29_604), "lo");
    (lone.members, lone.place) = (vec![1], Place::Anonymous);
    let mut lone = Node::<Large>::open(&lone).unwrap();
    let config = ObserverConfig { silence_cycles: 1000, ..config };
    let mut alone: Option<Observer<Large>> = None;
    let end = Instant::now() + PATIENCE;
    while lone.cut().cycle < 50 {
        assert!(Instant::now() < end, "{lone:?}");
        if let Some(Turn::Lead(mut lead)) = lone.try_begin().unwrap() {
            lead.step(1);
            lead.commit().unwrap();
        }
        if lone.cut().cycle == 20 && alone.is_none() {
            alone = Some(Observer::open(&config).unwrap());
        }
        if let Some(alone) = &mut alone {
            alone.listen().unwrap();
        }
    }
    let alone = alone.unwrap();
    let Standing::Unserved { progress } = alone.standing() else { panic!("{:?}", alone.standing()) };
    assert!(0 < progress.lacking && progress.lacking < progress.lines, "some lines came with the cycles");
    let said = alone.read_at_least(Cut::NONE, Duration::MAX).unwrap_err().to_string();
    assert!(said.contains("nothing is held") && said.contains("no hot standby"), "{said}");
}
