//! Why a run failed.

use std::io;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The other process, a socket, a file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other process said something that it never says.
    #[error("the second process answered {0:?}")]
    Answer(String),
    /// A node could not be opened.
    #[error("{0}")]
    Open(#[from] mirror::OpenError),
    /// A link could not be opened.
    #[error("{0}")]
    Link(#[from] mirror_transport::udp::OpenError),
    /// A node could not go on.
    #[error("{0}")]
    Loop(#[from] mirror::LoopError),
    /// Nothing came of it in time.
    #[error("{0} did not happen within {1} s: is the machine overloaded?")]
    Late(&'static str, u64),
}
