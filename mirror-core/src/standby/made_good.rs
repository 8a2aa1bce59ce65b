//! S8: a frame of a cycle made good by the parity of its group.

use super::{Standby, Took};
use crate::planted::{self, Bug};
use crate::region::Counter;
use crate::wire::{DataHeader, Header};
use crate::{Region, parity};

impl Standby {
    /// One checked parity frame, as [`data`](Self::data): if the group lacks one frame, that is made good.
    pub fn parity(
        &mut self,
        region: &mut Region,
        header: &Header,
        data: &DataHeader,
        sum: &[u8],
        now: u64,
    ) -> Took {
        if header.epoch > self.epoch {
            self.begin(region, header.epoch, data.base, data.cycle - 1, now);
        }
        if data.base != self.base {
            region.count(Counter::Unfit, 1);
            return Took::Nothing;
        }
        self.hears(region, header, data.cycle, now);
        let spare = if data.cycle < self.next { None } else { self.place(region, data) };
        let Some((record, index)) = spare.and_then(|record| Some((record, self.lost(record, data)?))) else {
            if let (Some(record), true) = (spare, planted::is(Bug::ParityTwice)) {
                self.staged[record].missing = self.staged[record].missing.saturating_sub(1);
            }
            region.count(Counter::ParitySpare, u64::from(spare.is_some() || data.cycle < self.next));
            return Took::Nothing;
        };
        let mut body = core::mem::take(&mut self.body);
        let took = self.made_good(region, record, &DataHeader { index, ..*data }, sum, &mut body);
        self.body = body;
        match took {
            Some(whole) => {
                region.count(Counter::ParityTaken, 1);
                if whole { self.advance(region, now) } else { Took::Nothing }
            }
            None => Took::Nothing,
        }
    }

    /// The one frame that the parity's group lacks.
    fn lost(&self, record: usize, data: &DataHeader) -> Option<u32> {
        if data.count as usize > self.frames {
            return None;
        }
        let lacks =
            |&index: &u32| self.got[record * self.words + index as usize / 64] >> (index % 64) & 1 == 0;
        let mut lost = parity::members(data.index, data.count).filter(lacks);
        lost.next().filter(|_| lost.next().is_none())
    }

    /// Adds up what the group has, and takes what that leaves of the parity as frame `data.index`. Counts why not.
    fn made_good(
        &mut self,
        region: &mut Region,
        record: usize,
        data: &DataHeader,
        sum: &[u8],
        body: &mut [u8],
    ) -> Option<bool> {
        if sum.len() != body.len() {
            region.count(Counter::Unfit, 1);
            return None;
        }
        body.copy_from_slice(sum);
        let group = data.index % parity::groups(data.count);
        for index in parity::members(group, data.count).filter(|&index| index != data.index) {
            let (cursor, lines) = self.places[record * self.frames + index as usize];
            cursor.add_body(region.recorded(data.cycle), lines as usize, body);
        }
        match data.decode_body(body, region.map().lines) {
            Ok(runs) => self.add(region, record, data, runs),
            Err(_) => {
                region.count(Counter::Unfit, 1);
                None
            }
        }
    }
}
