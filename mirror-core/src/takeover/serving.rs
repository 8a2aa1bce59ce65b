//! A member's part in serving observers: [`crate::serve`] has the rule.

use super::{Member, Settings};
use crate::planted::{self, Bug};
use crate::region::Counter;
use crate::sweep::Reign;
use crate::wire::{Frame, Ids, SyncState};
use crate::{FrameSink, Region};

impl Member {
    /// The reign that this node serves observers of, if it is the one to do so ([`crate::serve`] has the rule).
    fn served(&self, now: u64) -> Option<Reign> {
        let Settings { members, ids, status_every, serve_alone, .. } = &self.settings;
        if let Some(primary) = &self.primary {
            let alone = members.iter().all(|&id| id == 0 || id == ids.node);
            return (alone && *serve_alone).then(|| Reign { epoch: primary.epoch(), base: primary.base() });
        }
        if planted::is(Bug::NobodyServes) {
            return None;
        }
        let rank = members.iter().position(|id| *id == ids.node)?;
        let serves =
            self.state() == SyncState::Hot && !self.service.another_serves(rank, now, 3 * status_every);
        serves.then(|| self.standby.reign()).flatten().map(|(reign, _)| reign)
    }

    /// Whether the observers' channel need be read at all: not by who leads a group of several.
    #[must_use]
    pub fn may_serve(&self) -> bool {
        !self.leads() || self.settings.serve_alone
    }

    /// Takes one frame of the observers' channel. Any bytes may come. The caller bounds how many it takes between two looks at
    /// the members' channel.
    pub fn hear_observer(&mut self, region: &Region, bytes: &[u8], now: u64) {
        region.count(Counter::WishesHeard, 1);
        let Some(reign) = self.served(now) else { return };
        let ids = Ids { layout: self.settings.layout.hash, node: 0, ..self.settings.ids };
        match Frame::decode(bytes, region.map().lines) {
            Ok(Frame::Wish(header, wish)) if header.ids == ids => {
                self.service.hear(region, reign, (&header, &wish), now, 4 * self.settings.period);
            }
            _ => region.count(Counter::WishesRefused, 1),
        }
    }

    /// Sends observers what they lack, as far as the budget lasts, if it is this node's to do so. Says whether frames wait to
    /// be flushed. `sink` is the observers' channel.
    pub fn serve(&mut self, region: &Region, now: u64, sink: &mut dyn FrameSink) -> bool {
        let Some(reign) = self.served(now) else {
            self.service.rest();
            return false;
        };
        let budget = (self.settings.serve_budget, self.settings.period);
        self.service.send(region, reign, budget, now, sink) > 0
    }
}
