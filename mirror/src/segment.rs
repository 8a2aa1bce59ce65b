//! Memory for a region: named, in a file, or anonymous.
//!
//! Contract: what is mapped exists. Its size is reserved when it is opened (a full `/dev/shm` is an error at open, not a
//! SIGBUS in the loop); it belongs to one process at a time, by a lock that the kernel releases when that process is
//! gone, however it went; it stays after `kill -9`, for the next owner or for a look; and only [`unlink`] removes it. Mode
//! 0600 unless asked otherwise, close-on-exec, not inherited by a fork.

use memmap2::{Advice, MmapOptions, MmapRaw};
use mirror_core::region::Reader;
use rustix::fs::{FallocateFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::ptr::NonNull;

/// Where a region's memory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Named shared memory: `/dev/shm/mirror-NAME`. Any process of the host finds it by name.
    Named(String),
    /// A file. On a disk its pages may be written back at any time: use a tmpfs if that disturbs.
    File(PathBuf),
    /// Memory without a name (memfd): gone with its last user.
    Anonymous,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Named(name) => write!(f, "/dev/shm/mirror-{name}"),
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Anonymous => f.write_str("anonymous memory"),
        }
    }
}

/// Why memory for a region cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// A name that cannot name a segment.
    #[error("`{0}` cannot name a region: use 1 to 200 letters, digits, `.`, `_` or `-`")]
    Name(String),
    /// Another process owns it.
    #[error("{place} is in use by a live process{}: stop that process, or give this node another region name", owner(*.pid))]
    Taken {
        /// Which memory.
        place: Place,
        /// The owner, where it said so.
        pid: Option<u32>,
    },
    /// There is not enough room.
    #[error(
        "{place} needs {need} bytes and its file system has {free} free: remove old segments (ls -l /dev/shm), or enlarge it (mount -o remount,size=... /dev/shm)"
    )]
    Full {
        /// Which memory.
        place: Place,
        /// Bytes needed.
        need: usize,
        /// Bytes free.
        free: u64,
    },
    /// It belongs to somebody else.
    #[error(
        "{place} belongs to user {uid}, not to this one: another program made it, use another region name"
    )]
    Stranger {
        /// Which memory.
        place: Place,
        /// Its owner.
        uid: u32,
    },
    /// It is a folder, a device, a pipe or the like.
    #[error("{0} is not a file: name one, or a path where none is yet")]
    Irregular(Place),
    /// There is none.
    #[error("there is no region at {0}: no node has opened it since this host was booted")]
    Missing(Place),
    /// It is not what it should be.
    #[error("{place} is no region: {source}")]
    NotARegion {
        /// Which memory.
        place: Place,
        /// Why.
        source: mirror_core::region::ReadError,
    },
    /// A system call failed.
    #[error("{step} {place}: {source}")]
    System {
        /// What was tried.
        step: &'static str,
        /// On which memory.
        place: Place,
        /// What the kernel answered.
        source: std::io::Error,
    },
}

fn owner(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// Memory owned by this process. Unmapped and unlocked when dropped, never unlinked.
#[derive(Debug)]
pub(crate) struct Segment {
    memory: MmapRaw,
    /// Holds the lock.
    _file: OwnedFd,
    /// What could not be had and does no harm but to timing.
    pub(crate) warnings: Vec<String>,
}

impl Segment {
    /// Takes the memory at `place`, making and reserving `bytes` bytes if there is none.
    pub(crate) fn own(place: &Place, bytes: usize, mode: u32) -> Result<Self, SegmentError> {
        let system =
            |step| move |e: Errno| SegmentError::System { step, place: place.clone(), source: e.into() };
        let file = open(place, true, mode)?;
        // The lock first: whoever holds it alone decides what an empty or half-made file becomes.
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(SegmentError::Taken { place: place.clone(), pid: holder(file.as_fd()) });
            }
            Err(e) => return Err(system("lock")(e)),
        }
        let stat = rustix::fs::fstat(&file).map_err(system("look at"))?;
        let me = rustix::process::geteuid().as_raw();
        if stat.st_uid != me {
            return Err(SegmentError::Stranger { place: place.clone(), uid: stat.st_uid });
        }
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(SegmentError::Irregular(place.clone()));
        }
        let new = stat.st_size == 0;
        let length = if new { bytes } else { stat.st_size as usize };
        if new {
            rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(system("set the mode of"))?;
        }
        // Not only of new memory: a sparse copy has its length, but not its pages.
        let keep = if new { FallocateFlags::empty() } else { FallocateFlags::KEEP_SIZE };
        if let Err(e) = rustix::fs::fallocate(&file, keep, 0, length as u64) {
            let free = rustix::fs::fstatvfs(&file).map_or(0, |s| s.f_bavail * s.f_frsize);
            if new {
                // Left empty, so that the next attempt finds what this one found.
                let _ = rustix::fs::ftruncate(&file, 0);
            }
            return Err(match e {
                Errno::NOSPC => SegmentError::Full { place: place.clone(), need: length, free },
                e => system("reserve")(e),
            });
        }
        let memory = MmapOptions::new()
            .len(length)
            .populate()
            .map_raw(&file)
            .map_err(|source| SegmentError::System { step: "map", place: place.clone(), source })?;
        let mut warnings = Vec::new();
        if let Err(e) = memory.lock() {
            warnings.push(format!(
                "{place}: {length} bytes could not be locked into memory ({e}); pages may be reclaimed under memory \
                 pressure. Raise the limit: ulimit -l, LimitMEMLOCK= in the unit, or CAP_IPC_LOCK"
            ));
        }
        if let Err(e) = memory.advise(Advice::DontFork) {
            warnings.push(format!("{place}: would be inherited by a fork ({e})"));
        }
        Ok(Self { memory, _file: file, warnings })
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        NonNull::new(self.memory.as_mut_ptr()).expect("a mapping is never at zero")
    }

    pub(crate) fn bytes(&self) -> usize {
        self.memory.len()
    }
}

fn open(place: &Place, create: bool, mode: u32) -> Result<OwnedFd, SegmentError> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let flags =
        if create { flags | OFlags::CREATE } else { OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW };
    let mode = Mode::from_raw_mode(mode);
    let opened = match place {
        Place::Named(_) | Place::File(_) => rustix::fs::open(path(place)?, flags, mode),
        Place::Anonymous => rustix::fs::memfd_create("mirror", rustix::fs::MemfdFlags::CLOEXEC),
    };
    opened.map_err(|e| match e {
        Errno::NOENT if !create => SegmentError::Missing(place.clone()),
        e => SegmentError::System { step: "open", place: place.clone(), source: e.into() },
    })
}

fn path(place: &Place) -> Result<PathBuf, SegmentError> {
    match place {
        Place::File(path) => Ok(path.clone()),
        Place::Named(name) => {
            let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty() || name.len() > 200 || !name.chars().all(fits) {
                return Err(SegmentError::Name(name.clone()));
            }
            Ok(PathBuf::from(place.to_string()))
        }
        Place::Anonymous => Err(SegmentError::Missing(Place::Anonymous)),
    }
}

/// The process that the region in `file` says owns it.
fn holder(file: BorrowedFd<'_>) -> Option<u32> {
    let length = rustix::fs::fstat(file).ok()?.st_size as usize;
    let memory = MmapOptions::new().len(length).map_raw_read_only(&file).ok()?;
    let base = NonNull::new(memory.as_mut_ptr())?;
    // SAFETY: the mapping lives until the end of this function; a region's file never shrinks while it is owned, and
    // its owner is alive (it holds the lock).
    let reader = unsafe { Reader::attach(base, memory.len()) }.ok()?;
    Some(reader.owner()).filter(|&pid| pid != 0)
}

/// Removes the memory's name, if it has one. Who has it mapped keeps it.
///
/// # Errors
/// [`SegmentError`] if the name is impossible or the kernel refuses; none if there was nothing.
pub fn unlink(place: &Place) -> Result<(), SegmentError> {
    if *place == Place::Anonymous {
        return Ok(());
    }
    match rustix::fs::unlink(path(place)?) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(SegmentError::System { step: "remove", place: place.clone(), source: e.into() }),
    }
}

/// A look at a region from outside: of a live process or of a dead one. Its owner never notices.
#[derive(Debug)]
pub struct Look {
    reader: Reader,
    _memory: MmapRaw,
}

impl Look {
    /// Looks at the region at `place`.
    ///
    /// # Errors
    /// [`SegmentError::Missing`], [`SegmentError::NotARegion`], or what the kernel says.
    pub fn open(place: &Place) -> Result<Self, SegmentError> {
        let file = open(place, false, 0)?;
        let system = |step| move |source| SegmentError::System { step, place: place.clone(), source };
        let length = rustix::fs::fstat(&file).map_err(|e| system("look at")(e.into()))?.st_size as usize;
        let not_a_region = |source| SegmentError::NotARegion { place: place.clone(), source };
        if length == 0 {
            return Err(not_a_region(mirror_core::region::ReadError::NotARegion { bytes: 0, magic: 0 }));
        }
        let memory = MmapOptions::new().len(length).map_raw_read_only(&file).map_err(system("map"))?;
        let base = NonNull::new(memory.as_mut_ptr()).expect("a mapping is never at zero");
        // SAFETY: `memory` is kept beside the reader and dropped after it. A region's file is never shortened by
        // this library; whoever truncates it by hand takes the risk for all its users.
        let reader = unsafe { Reader::attach(base, length) }.map_err(not_a_region)?;
        Ok(Self { reader, _memory: memory })
    }
}

impl Deref for Look {
    type Target = Reader;
    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Look {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}
