//! Where frames are written: memory that a link lends.
//!
//! Contract: the core asks for the memory of one frame ([`FrameSink::lend`]), writes the frame from its first byte
//! on, and says how long it became ([`FrameSink::push`]). The memory belongs to the link (a UMEM chunk, registered
//! memory, a slot of an iovec), so no copy is forced on any of them. Nothing here blocks or allocates.

/// Memory for frames, lent one frame at a time.
pub trait FrameSink {
    /// The largest frame that this sink carries, in bytes. Constant after construction.
    ///
    /// All frames of one cycle but the last have exactly this length, so that a kernel can segment them.
    fn frame_bytes(&self) -> usize;

    /// Lends the memory of the next frame: exactly [`frame_bytes`](Self::frame_bytes) long, content unspecified.
    ///
    /// `None`: the queue is full and could not be emptied without waiting; the caller counts the frame as refused
    /// and goes on. A lent frame that is not pushed is simply lent again, as it was
    /// left.
    fn lend(&mut self) -> Option<&mut [u8]>;

    /// Queues the first `len` bytes of the frame lent last. `len` is at most [`frame_bytes`](Self::frame_bytes);
    /// a larger value is cut to it. Nothing is queued by a `len` of 0, or when no frame is lent.
    fn push(&mut self, len: usize);
}
