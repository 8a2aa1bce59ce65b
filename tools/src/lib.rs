//! What the `mirror` command is made of, as a library, so that tests and examples reach the same code.
//!
//! [`report`] turns the figures of a demo run into one self-contained page.

pub mod report;
