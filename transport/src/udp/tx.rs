//! The sending half: frames side by side in one buffer, sent by as few system calls as the kernel allows.
//!
//! Contract: never waits. Frames of equal size make one batch; a shorter one ends it. A batch is one send that the
//! kernel cuts up (`UDP_SEGMENT`), or one datagram a frame (`sendmmsg`). What is refused is counted and forgotten.

use std::io;

use socket2::Socket;

use super::config::Offload;
use super::sys;

/// The most frames in one segmented send. Kernels before 6.9 take no more.
const MOST_SEGMENTS: usize = 64;

/// Whether the kernel cuts a batch into frames, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segmenting {
    On,
    NotAsked,
    /// The kernel refused with this error number.
    Refused(i32),
}

#[derive(Debug)]
pub(super) struct Sender {
    socket: Socket,
    frame_bytes: usize,
    /// Room for one batch. Frame `i` stands at `i * frame_bytes`.
    batch: Box<[u8]>,
    /// The lengths of the queued frames.
    lens: Box<[usize]>,
    queued: usize,
    /// A frame is lent: the one after the last that is queued.
    lent: bool,
    segmenting: Segmenting,
    pub(super) sent_frames: u64,
    pub(super) sent_bytes: u64,
    pub(super) refused_frames: u64,
    /// Sends the kernel took, each of which it carries as one piece to the sockets of this host.
    pub(super) sent_pieces: u64,
}

impl Sender {
    /// `socket` is connected and does not block; `most_bytes` bounds one send.
    pub(super) fn new(socket: Socket, frame_bytes: usize, most_bytes: usize, offload: Offload) -> Self {
        let frames = (most_bytes / frame_bytes).clamp(1, MOST_SEGMENTS);
        let segmenting = match offload {
            Offload::Off => Segmenting::NotAsked,
            Offload::Auto => match set_segment(&socket, frame_bytes) {
                Ok(()) => Segmenting::On,
                Err(error) => Segmenting::Refused(error.raw_os_error().unwrap_or(0)),
            },
        };
        Self {
            socket,
            frame_bytes,
            // Not zero, so that its pages are there before the first cycle.
            batch: vec![0xA5; frames * frame_bytes].into(),
            lens: vec![0; frames].into(),
            queued: 0,
            lent: false,
            segmenting,
            sent_frames: 0,
            sent_bytes: 0,
            refused_frames: 0,
            sent_pieces: 0,
        }
    }

    pub(super) fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    pub(super) fn segmenting(&self) -> Segmenting {
        self.segmenting
    }

    /// The most frames that leave by one system call.
    pub(super) fn batch_frames(&self) -> usize {
        self.lens.len()
    }

    pub(super) fn lend(&mut self) -> &mut [u8] {
        // A short frame can only be the last of a segmented send.
        let ended = self.segmenting == Segmenting::On
            && self.lens[..self.queued].last().is_some_and(|&len| len < self.frame_bytes);
        if ended || self.queued == self.lens.len() {
            self.flush();
        }
        self.lent = true;
        &mut self.batch[self.queued * self.frame_bytes..][..self.frame_bytes]
    }

    pub(super) fn push(&mut self, len: usize) {
        if self.lent && len > 0 {
            self.lens[self.queued] = len.min(self.frame_bytes);
            self.queued += 1;
        }
        self.lent = false;
    }

    pub(super) fn flush(&mut self) {
        // The lent frame's place is about to be another's.
        self.lent = false;
        if self.queued == 0 {
            return;
        }
        let bytes: usize = self.lens[..self.queued].iter().sum();
        let taken = match self.segmenting {
            Segmenting::On => self.send_segmented(bytes),
            Segmenting::NotAsked | Segmenting::Refused(_) => self.send_singly(),
        };
        self.sent_frames += taken as u64;
        self.sent_bytes += self.lens[..taken].iter().sum::<usize>() as u64;
        self.refused_frames += (self.queued - taken) as u64;
        self.queued = 0;
    }

    /// Sends the queued frames as one piece. Returns how many frames the kernel took: all or none.
    fn send_segmented(&mut self, bytes: usize) -> usize {
        let error = match self.socket.send(&self.batch[..bytes]) {
            Ok(_) => {
                self.sent_pieces += 1;
                return self.queued;
            }
            Err(error) => error.raw_os_error().unwrap_or(0),
        };
        // What an interface that cannot segment, or a lowered MTU, answers.
        if !matches!(error, libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP) {
            return 0;
        }
        // Others may be to blame (an interface that went down, too): only if the same frames pass singly is it the
        // segmentation, and given up for good.
        if set_segment(&self.socket, 0).is_err() {
            return 0;
        }
        let taken = self.send_singly();
        if taken > 0 || set_segment(&self.socket, self.frame_bytes).is_err() {
            self.segmenting = Segmenting::Refused(error);
        }
        taken
    }

    /// Sends the queued frames as one datagram each. Returns how many, from the first on, the kernel took.
    fn send_singly(&mut self) -> usize {
        let mut sent = 0;
        while sent < self.queued {
            let rest = &self.batch[sent * self.frame_bytes..];
            match sys::send_batch(&self.socket, rest, self.frame_bytes, &self.lens[sent..self.queued]) {
                Ok(taken) if taken > 0 => sent += taken,
                // Trying the others would only repeat the answer.
                _ => break,
            }
        }
        self.sent_pieces += sent as u64;
        sent
    }
}

fn set_segment(socket: &Socket, bytes: usize) -> io::Result<()> {
    // At most 65,527.
    sys::set_int(socket, libc::SOL_UDP, libc::UDP_SEGMENT, bytes as i32)
}
