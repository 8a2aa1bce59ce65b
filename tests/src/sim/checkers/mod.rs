//! One file per promise. A checker hears what happens, knows nothing of how it is brought about, and says what was broken.
//!
//! | file | promise |
//! | --- | --- |
//! | [`torn`] | whatever is exposed is exactly one committed cut, in image, live memory and a reader's copy |
//! | [`backwards`] | a memory never returns to an older cut, and a restart finds exactly the cut that was sealed |
//! | `unique` ([`super::history`]) | no two contents under one cut |
//! | [`successor`] | who succeeds stands on a committed cut, at most so many behind the dead primary's last |
//! | [`reign`] | one primary per epoch, none beyond its fence, none on an accusation by the stalled; control time grows |
//! | [`foreign`] | damaged and foreign frames have no effect |
//! | [`accounting`] | every frame heard is counted once, under its outcome |
//! | [`progress`] | a connected standby goes on exposing cuts, single losses notwithstanding |
//! | [`convergence`] | after the faults there is one primary, and everybody is in step with it |
//! | [`rot`] | what alters a standby's memory is found within the bound that the standby gives, and repaired |
//! | [`repair`] | what a primary sends on account of standbys is bounded |

pub mod accounting;
pub mod backwards;
pub mod convergence;
pub mod foreign;
pub mod progress;
pub mod reign;
pub mod repair;
pub mod rot;
pub mod successor;
pub mod torn;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub checker: &'static str,
    /// What was seen.
    pub what: String,
}

/// What a checker says.
pub type Check = Result<(), Violation>;

/// `Ok` if `holds`; else `what` was broken.
pub(crate) fn ensure(holds: bool, checker: &'static str, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(Violation { checker, what: what() }) }
}
