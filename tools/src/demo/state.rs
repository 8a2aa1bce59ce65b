//! The controller's whole state: 65,536 bytes of fixed layout, plain data without padding, every section on a 64-byte line.
//! It certifies itself: `seal` is a CRC-64 over every other byte, so a mixture of two cycles does not verify.
//!
//! | at | bytes | what | changes each cycle |
//! | --- | --- | --- | --- |
//! | 0 | 64 | [`Header`] | yes |
//! | 64 | 2112 | [`Inputs`] | all: every sensor is read every cycle, and carries noise |
//! | 2176 | 2112 | [`Outputs`] | the head, and the pumps of one group (256 bytes) |
//! | 4288 | 256 | [`AxisState`] | most |
//! | 4544 | 49152 | 256 x [`CellState`] | one group of 32 cells: 6144 bytes, one eighth |
//! | 53696 | 8192 | 128 x [`TrendSlot`] | one slot: 64 bytes |
//! | 61888 | 3584 | 56 x [`Event`] | a slot when an alarm changes |
//! | 65472 | 64 | [`Tail`] with the seal | yes |
//!
//! So 139 of the 1024 lines, one seventh of the region, change in a usual cycle, and in them 2.7 KB of bytes; a test in
//! [`super::control`] counts them.

use super::{CELLS, axis, recipe};
use bytemuck::{Pod, Zeroable};
use core::mem::{offset_of, size_of};
use crc_fast::{CrcAlgorithm, checksum};

/// Bytes of the state.
pub const SIZE: usize = 65_536;
/// Slots of the trend ring, one written each cycle.
pub const TREND: usize = 128;
/// Slots of the event ring.
pub const EVENTS: usize = 56;
/// The first word of every state: "MIRDEMO1".
pub const MAGIC: u64 = u64::from_le_bytes(*b"MIRDEMO1");

/// What this cycle is.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: u64,
    /// Steps of the controller since its cold start.
    pub cycle: u64,
    /// Control time in periods since the cold start, missed ones included.
    pub tick: u64,
    /// The `dt` of the last step, ns.
    pub dt_ns: u64,
    /// Periods in which no step was made.
    pub missed: u64,
    /// Steps after at least one missed period.
    pub gaps: u64,
    /// Events written since the cold start.
    pub events: u64,
    /// Cell updates since the cold start.
    pub updates: u64,
}

/// What the plant publishes: one tick's sensors.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub struct Inputs {
    /// The plant's tick.
    pub tick: u64,
    /// Measured gap of the axis, m.
    pub gap: f64,
    /// Measured current of the axis, A.
    pub current: f64,
    /// Not used, zero.
    pub reserved: [u64; 5],
    /// Measured lower levels of every cell, cm.
    pub levels: [[f32; 2]; CELLS],
}

/// What the controller commands.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub struct Outputs {
    /// The plant's tick whose sensors these outputs answer.
    pub tick: u64,
    /// The cycle that made them.
    pub cycle: u64,
    /// Voltage of the axis's coil, V.
    pub volts: f64,
    /// Not used, zero.
    pub reserved: [u64; 5],
    /// Pump voltages of every cell, V.
    pub pumps: [[f32; 2]; CELLS],
}

/// The axis: reference generator, observer, feedback.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct AxisState {
    /// Phase of the reference: sine and cosine.
    pub phase: [f64; 2],
    /// Amplitude of the reference now, m.
    pub amplitude: f64,
    /// Recipe step ([`recipe::LIFT`] first).
    pub step: u64,
    /// Periods spent in the recipe step.
    pub timer: u64,
    /// Reference: gap, and its first three derivatives.
    pub reference: [f64; 4],
    /// Observer: gap, m; speed, m/s; current, A.
    pub observer: [f64; 3],
    /// Observer: acceleration that the model does not explain, m/s^2.
    pub push: f64,
    /// 1 once the observer took its first measurement.
    pub observing: u64,
    /// Integral of the gap's error, m s.
    pub integral: f64,
    /// The voltage commanded last, V.
    pub volts: f64,
    /// The voltage commanded before that, V.
    pub volts_before: f64,
    /// Last innovation of the observer: gap, m; current, A.
    pub innovation: [f64; 2],
    /// Sum of the gap's error times the period, m s.
    pub absolute_error: f64,
    /// Largest error of the gap since the last recipe step, m.
    pub peak_error: f64,
    /// Cycles in which the voltage was at its limit.
    pub saturated: u64,
    /// Alarm bits, see [`super::levitate`].
    pub alarms: u64,
    /// Not used, zero.
    pub reserved: [u64; 9],
}

/// One cell: references, filters, integrators, recipe, alarms, counters.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct CellState {
    /// References of the lower levels, on their way to the recipe's targets, cm.
    pub reference: [f32; 2],
    /// The recipe's targets, cm.
    pub target: [f32; 2],
    /// Filtered lower levels, cm.
    pub filtered: [f32; 2],
    /// PI integrators, V.
    pub integral: [f32; 2],
    /// Pump voltages, V.
    pub pumps: [f32; 2],
    /// Observer of the unmeasured upper levels, cm.
    pub upper: [f32; 2],
    /// Lowest filtered levels of this recipe step, cm.
    pub lowest: [f32; 2],
    /// Highest filtered levels of this recipe step, cm.
    pub highest: [f32; 2],
    /// Alarm bits, see [`super::control`].
    pub alarms: u32,
    /// Recipe step.
    pub step: u32,
    /// Tank seconds spent in the recipe step.
    pub timer: f32,
    /// Times the recipe came to its end.
    pub batches: u32,
    /// Control time of the last update, in periods.
    pub last_tick: u64,
    /// Updates since the cold start.
    pub updates: u64,
    /// Updates in which each pump was at a limit.
    pub saturated: [u32; 2],
    /// Volume each pump has moved, by its nominal gain, cm^3.
    pub volume: [f64; 2],
    /// Integral of the largest absolute error, cm s.
    pub absolute_error: f64,
    /// The last sixteen filtered levels of tank 1, cm.
    pub trace: [f32; 16],
}

/// One cycle in the trend ring.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct TrendSlot {
    /// Control time.
    pub tick: u64,
    /// The plant's tick.
    pub plant_tick: u64,
    /// Reference and estimate of the gap, m.
    pub gap: [f64; 2],
    /// Voltage of the axis, V.
    pub volts: f64,
    /// Current of the axis, A.
    pub current: f64,
    /// Reference, level and pump of tank 1 of one cell of the group, and which cell.
    pub cell: [f32; 4],
}

/// An alarm that came or went.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Event {
    /// Control time.
    pub tick: u64,
    /// The cell, or [`CELLS`] for the axis.
    pub source: u64,
    /// Alarm bits before.
    pub before: u64,
    /// Alarm bits now.
    pub now: u64,
    /// What was measured: levels in cm, or gap in m and current in A.
    pub values: [f64; 2],
    /// What was asked for.
    pub references: [f64; 2],
}

/// The end of the state.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Tail {
    /// The header's cycle again: visible when even the two ends disagree.
    pub cycle: u64,
    /// Not used, zero.
    pub reserved: [u64; 6],
    /// CRC-64/NVME of all bytes before it.
    pub seal: u64,
}

/// The state that is mirrored.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct DemoState {
    /// What this cycle is.
    pub head: Header,
    /// The sensors of this cycle.
    pub inp: Inputs,
    /// The outputs of this cycle.
    pub out: Outputs,
    /// The axis.
    pub axis: AxisState,
    /// The tanks.
    pub cells: [CellState; CELLS],
    /// The last [`TREND`] cycles.
    pub trend: [TrendSlot; TREND],
    /// The last [`EVENTS`] alarms.
    pub events: [Event; EVENTS],
    /// The seal.
    pub tail: Tail,
}

const _: () = {
    assert!(size_of::<DemoState>() == SIZE);
    assert!(size_of::<Header>() == 64 && size_of::<TrendSlot>() == 64 && size_of::<Event>() == 64);
    assert!(size_of::<Inputs>() == 2112 && size_of::<Outputs>() == 2112);
    assert!(size_of::<AxisState>() == 256 && size_of::<CellState>() == 192);
    assert!(offset_of!(DemoState, inp) == 64);
    assert!(offset_of!(DemoState, out) == 2176);
    assert!(offset_of!(DemoState, axis) == 4288);
    assert!(offset_of!(DemoState, cells) == 4544);
    assert!(offset_of!(DemoState, trend) == 53_696);
    assert!(offset_of!(DemoState, events) == 61_888);
    assert!(offset_of!(DemoState, tail) == 65_472);
    assert!(offset_of!(DemoState, tail) + offset_of!(Tail, seal) == SIZE - 8);
};

/// Why a state is not one committed cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The first word is not [`MAGIC`].
    Magic(u64),
    /// The two ends name different cycles.
    Cycle {
        /// In the header.
        head: u64,
        /// In the tail.
        tail: u64,
    },
    /// The bytes do not match the seal.
    Seal {
        /// As stored.
        stored: u64,
        /// As computed.
        computed: u64,
    },
}

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Magic(word) => {
                write!(f, "not a demo state: it begins with {word:#018x}, not {MAGIC:#018x}")
            }
            Self::Cycle { head, tail } => {
                write!(f, "a mixture: begins in cycle {head}, ends in cycle {tail}")
            }
            Self::Seal { stored, computed } => {
                write!(f, "a mixture: sealed as {stored:#018x}, its bytes give {computed:#018x}")
            }
        }
    }
}

impl core::error::Error for Broken {}

impl DemoState {
    /// What a fresh process starts with: integrators zero, observers blank, recipes at their first step, which for the axis is
    /// to lift the ball off its post.
    #[must_use]
    pub fn cold() -> Self {
        let mut state = Self::zeroed();
        state.head.magic = MAGIC;
        state.axis.phase = [0.0, 1.0];
        state.axis.step = recipe::LIFT;
        state.axis.reference = [axis::TRAVEL, 0.0, 0.0, 0.0];
        state.seal();
        state
    }

    /// Closes the cycle: the last thing a step does.
    pub fn seal(&mut self) {
        self.tail.cycle = self.head.cycle;
        self.tail.seal = self.checksum();
    }

    /// Whether these bytes are exactly one sealed cycle.
    ///
    /// # Errors
    /// [`Broken`] says what does not fit: the bytes are a mixture of cycles, damaged, or something else altogether.
    pub fn verify(&self) -> Result<(), Broken> {
        if self.head.magic != MAGIC {
            return Err(Broken::Magic(self.head.magic));
        }
        let (head, tail) = (self.head.cycle, self.tail.cycle);
        if head != tail {
            return Err(Broken::Cycle { head, tail });
        }
        let (stored, computed) = (self.tail.seal, self.checksum());
        if stored != computed {
            return Err(Broken::Seal { stored, computed });
        }
        Ok(())
    }

    fn checksum(&self) -> u64 {
        checksum(CrcAlgorithm::Crc64Nvme, &bytemuck::bytes_of(self)[..SIZE - size_of::<u64>()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cold_state_verifies_and_any_changed_byte_does_not() {
        let state = DemoState::cold();
        assert_eq!(state.verify(), Ok(()));
        for at in (0..SIZE).step_by(977).chain([SIZE - 1, SIZE - 9]) {
            let mut other = state;
            bytemuck::bytes_of_mut(&mut other)[at] ^= 0x10;
            assert!(other.verify().is_err(), "byte {at}");
        }
    }
}
