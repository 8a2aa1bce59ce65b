//! What happens next: events in order of time, and of their making where times are equal.

use super::clock::Nanos;
use super::network::Parcel;
use super::observer::Channel;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::rc::Rc;

/// What happens.
#[derive(Debug)]
pub enum What {
    /// A node looks around.
    Turn(usize),
    /// A frame reaches a node.
    Arrive(usize, Parcel),
    /// A frame reaches an observer.
    Watch(usize, Channel, Rc<[u8]>),
    /// An observer looks around.
    Look(usize),
    /// A wish of an observer reaches a node.
    Wish(usize, Rc<[u8]>),
    /// A crashed node is started.
    Start(usize),
    /// A period of true time has passed.
    Period,
}

#[derive(Debug)]
struct Event {
    at: Nanos,
    number: u64,
    what: What,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Events to come.
#[derive(Debug, Default)]
pub struct Queue {
    heap: BinaryHeap<Reverse<Event>>,
    /// Events ever made.
    pub made: u64,
}

impl Queue {
    /// Adds one.
    pub fn push(&mut self, at: Nanos, what: What) {
        self.made += 1;
        self.heap.push(Reverse(Event { at, number: self.made, what }));
    }

    /// Takes the next.
    pub fn pop(&mut self) -> Option<(Nanos, What)> {
        self.heap.pop().map(|Reverse(event)| (event.at, event.what))
    }
}
