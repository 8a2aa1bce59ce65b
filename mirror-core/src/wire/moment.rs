//! What every frame that carries lines of a reign begins with: of which cycle it speaks.

use super::header::BODY;
use super::{Header, Reject, put_u64, u64_at};
use crate::{Cut, Epoch};

const AT_BASE_EPOCH: usize = BODY;
const AT_BASE_CYCLE: usize = BODY + 8;
const AT_CYCLE: usize = BODY + 16;
const AT_PLANT: usize = BODY + 24;
/// Where the fields of the kind go on.
pub(super) const END: usize = BODY + 32;

/// Cycles and control times stay below this, so that nothing that is added to one wraps: 292 years in nanoseconds.
const MOST: u64 = 1 << 63;

/// A cycle of a reign.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) base: Cut,
    pub(super) cycle: u64,
    pub(super) plant: u64,
}

impl Moment {
    /// `bytes` are at least [`END`] long.
    pub(super) fn decode(header: &Header, flags: u8, bytes: &[u8]) -> Result<Self, Reject> {
        let field = |field, value| Reject::Field { field, value };
        let moment = Self {
            base: Cut { epoch: Epoch(u64_at(bytes, AT_BASE_EPOCH)), cycle: u64_at(bytes, AT_BASE_CYCLE) },
            cycle: u64_at(bytes, AT_CYCLE),
            plant: u64_at(bytes, AT_PLANT),
        };
        if flags != 0 {
            return Err(field("flags", flags.into()));
        }
        if header.epoch <= moment.base.epoch {
            return Err(field("epoch", header.epoch.0));
        }
        if moment.cycle <= moment.base.cycle || moment.cycle >= MOST {
            return Err(field("cycle", moment.cycle));
        }
        if moment.plant >= MOST {
            return Err(field("plant time", moment.plant));
        }
        Ok(moment)
    }

    pub(super) fn encode(&self, bytes: &mut [u8]) {
        put_u64(bytes, AT_BASE_EPOCH, self.base.epoch.0);
        put_u64(bytes, AT_BASE_CYCLE, self.base.cycle);
        put_u64(bytes, AT_CYCLE, self.cycle);
        put_u64(bytes, AT_PLANT, self.plant);
    }
}
