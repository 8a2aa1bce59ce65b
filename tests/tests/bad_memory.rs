//! Memory that is not what a node needs: shortened, filled with something else, damaged, full, read-only, another's, or no
//! memory at all. Every case is an error at open with the place and the reason, never a panic, a SIGBUS or a state, and
//! what was there stays as it was.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use mirror::{Config, Look, Node, OpenError, Place, SegmentError, Turn};
use mirror_core::region::{AttachError, Map, PAGE};
use mirror_tests::NullLink;
use mirror_tests::child::PATIENCE;
use mirror_tests::plant::Small;
use mirror_tests::skip::skip;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A folder of a test, removed with what is in it. In `/dev/shm`, where regions live.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/mirror-test-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn config(&self) -> Config {
        config(&self.0.join("region"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn config(path: &Path) -> Config {
    let mut config = Config::new("bad-memory", 1, "239.255.0.1:29999".parse().unwrap(), "lo");
    config.place = Place::File(path.into());
    config.members = vec![1];
    config.records = Some(2);
    (config.period_us, config.silence_cycles, config.patience_cycles) = (500, 40, 80);
    config
}

fn open(config: &Config) -> Result<Node<Small>, OpenError> {
    Node::open_on(config, Box::new(NullLink::new(1472)))
}

fn path(config: &Config) -> PathBuf {
    PathBuf::from(config.place.to_string())
}

/// A region in which a few cycles were committed; gives its bytes.
fn committed(config: &Config) -> Vec<u8> {
    let mut node = open(config).unwrap();
    let (mut done, end) = (0, Instant::now() + PATIENCE);
    while done < 5 {
        assert!(Instant::now() < end, "{:?}", node.why());
        if let Turn::Lead(mut lead) = node.begin().unwrap() {
            lead.step(1);
            lead.commit().unwrap();
            done += 1;
        }
    }
    drop(node);
    std::fs::read(path(config)).unwrap()
}

/// Opens the region with this content, which must fail and leave the content alone; gives the error.
fn refuses(config: &Config, content: &[u8]) -> OpenError {
    std::fs::write(path(config), content).unwrap();
    let error = open(config).err().unwrap_or_else(|| panic!("{} bytes were taken", content.len()));
    assert!(std::fs::read(path(config)).unwrap() == content, "touched: {error}");
    let text = error.to_string();
    assert!(text.contains(&config.place.to_string()), "{text}");
    error
}

#[test]
fn a_shortened_region_is_refused() {
    let folder = Folder::new("short");
    let config = folder.config();
    let whole = committed(&config);
    let total = Map::new(size_of::<Small>(), 2).unwrap().total;
    assert_eq!(whole.len(), total);
    for length in [1, 7, 8, 64, PAGE - 1, PAGE, PAGE + 1, total - PAGE, total - 1] {
        let error = refuses(&config, &whole[..length]);
        let OpenError::Region { source: AttachError::Small { got, need }, .. } = error else {
            panic!("{length}: {error}")
        };
        assert_eq!((got, need), (length, total));
        // A look from outside is no more credulous.
        let look = Look::open(&config.place);
        assert!(matches!(look, Err(SegmentError::NotARegion { .. })), "{length}: {look:?}");
    }
    // Longer is harmless: what is there is there.
    let mut longer = whole.clone();
    longer.resize(total + 5000, 0xa5);
    std::fs::write(path(&config), &longer).unwrap();
    assert_eq!(open(&config).unwrap().cut().cycle, 5);
}

#[test]
fn something_else_is_refused_also_when_it_begins_with_zeros() {
    let folder = Folder::new("garbage");
    let config = folder.config();
    let total = Map::new(size_of::<Small>(), 2).unwrap().total;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for zeros in [0, 8, 200, 4096, 5 * PAGE, total - 1] {
        let mut content = vec![0; total];
        rng.fill(&mut content[zeros..]);
        content[total - 1] |= 1;
        let error = refuses(&config, &content);
        let OpenError::Region { source: AttachError::Foreign(_), .. } = error else { panic!("{error}") };
    }
}

#[test]
fn a_region_half_made_by_a_killed_process_is_made_anew() {
    let folder = Folder::new("half-made");
    let config = folder.config();
    let mut content = committed(&config);
    // All of the header's first words but the one that is stored last; what follows them was never touched.
    let open_word = 128;
    content[..8].fill(0);
    content[open_word..].fill(0);
    std::fs::write(path(&config), &content).unwrap();
    let node = open(&config).unwrap();
    assert_eq!(node.found(), mirror::Found::Nothing);
}

#[test]
fn a_header_with_any_bit_flipped_is_opened_or_refused_but_nothing_breaks() {
    let folder = Folder::new("flips");
    let config = folder.config();
    let whole = committed(&config);
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..400 {
        let mut content = whole.clone();
        // Where the words are that mean something.
        for _ in 0..rng.random_range(1..4) {
            content[rng.random_range(0..704)] ^= 1 << rng.random_range(0..8);
        }
        std::fs::write(path(&config), &content).unwrap();
        if let Ok(mut look) = Look::open(&config.place) {
            let _ = (look.read().is_ok(), look.events().count(), look.layout().to_string());
        }
        match open(&config) {
            Ok(_) => taken += 1,
            Err(OpenError::Region { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 50 && taken > 10, "{refused} refused, {taken} taken");
}

/// Runs `work` on a thread with a file system of 256 KiB of its own at `folder`, which goes with the thread.
fn with_small_file_system(folder: &Path, work: impl FnOnce() + Send) -> Result<(), String> {
    let text = |s: &str| std::ffi::CString::new(s).unwrap();
    let (none, root, tmpfs) = (text("none"), text("/"), text("tmpfs"));
    let (at, size) = (text(folder.to_str().unwrap()), text("size=256k,mode=700"));
    std::thread::scope(|scope| {
        let ran = scope.spawn(|| {
            let last = std::io::Error::last_os_error;
            // SAFETY: calls with valid, terminated strings. The mount namespace is this thread's alone and ends with it.
            unsafe {
                if libc::unshare(libc::CLONE_NEWNS) != 0 {
                    return Err(format!("no mount namespace: {}", last()));
                }
                let private = libc::MS_REC | libc::MS_PRIVATE;
                if libc::mount(none.as_ptr(), root.as_ptr(), std::ptr::null(), private, std::ptr::null()) != 0
                {
                    return Err(format!("no private mounts: {}", last()));
                }
                if libc::mount(tmpfs.as_ptr(), at.as_ptr(), tmpfs.as_ptr(), 0, size.as_ptr().cast()) != 0 {
                    return Err(format!("no tmpfs: {}", last()));
                }
            }
            work();
            Ok(())
        });
        ran.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn a_full_file_system_is_an_error_at_open_and_never_a_sigbus() {
    let folder = Folder::new("full");
    let config = folder.config();
    let total = Map::new(size_of::<Small>(), 2).unwrap().total;
    let ran = with_small_file_system(&folder.0, || {
        // All but 32 KiB.
        std::fs::write(folder.0.join("ballast"), vec![1; (256 - 32) << 10]).unwrap();
        let full = |what: &str| match open(&config).err() {
            Some(OpenError::Segment(error @ SegmentError::Full { .. })) => {
                let text = error.to_string();
                for part in [total.to_string(), "32768".into(), config.place.to_string(), "enlarge".into()] {
                    assert!(text.contains(&part), "{what}: no {part} in: {text}");
                }
            }
            other => panic!("{what}: {other:?}"),
        };
        full("new");
        assert_eq!(std::fs::metadata(path(&config)).map_or(0, |m| m.blocks()), 0, "it holds on to memory");
        // A file that has its length but not its memory, as a sparse copy leaves it.
        std::fs::File::create(path(&config)).unwrap().set_len(total as u64).unwrap();
        full("sparse");
        std::fs::remove_file(folder.0.join("ballast")).unwrap();
        // What has its memory needs no more.
        committed(&config);
        let rest = std::fs::write(folder.0.join("ballast"), vec![1; 256 << 10]);
        assert!(rest.is_err(), "the file system should be full");
        assert_eq!(open(&config).unwrap().cut().cycle, 5);
    });
    if let Err(why) = ran {
        skip("bad_memory::full_file_system", why.as_str());
    }
}

#[test]
fn a_read_only_file_system_is_an_error_that_says_so() {
    let folder = Folder::new("read-only");
    let config = folder.config();
    let ran = with_small_file_system(&folder.0, || {
        let whole = committed(&config);
        let at = std::ffi::CString::new(folder.0.to_str().unwrap()).unwrap();
        let flags = libc::MS_REMOUNT | libc::MS_RDONLY;
        // SAFETY: as where it was mounted.
        let done = unsafe { libc::mount(at.as_ptr(), at.as_ptr(), at.as_ptr(), flags, std::ptr::null()) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
        let error = open(&config).unwrap_err().to_string();
        assert!(error.contains(&config.place.to_string()) && error.contains("Read-only"), "{error}");
        // To look takes no right to write.
        let mut look = Look::open(&config.place).unwrap();
        assert_eq!(Small::check_bytes(look.read().unwrap().1), Ok(5));
        assert!(std::fs::read(path(&config)).unwrap() == whole);
    });
    if let Err(why) = ran {
        skip("bad_memory::read_only_file_system", why.as_str());
    }
}

#[test]
fn what_is_no_regular_file_is_refused_and_keeps_its_mode() {
    let folder = Folder::new("irregular");
    let pipe = folder.0.join("pipe");
    let null = folder.0.join("null");
    let node = |path: &Path, kind, device| {
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, device).map_err(|e| e.to_string())?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).map_err(|e| e.to_string())
    };
    node(&pipe, rustix::fs::FileType::Fifo, 0).unwrap();
    // A device of one's own, so that a failure does no harm to the machine's.
    let device = node(&null, rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 3));
    let folder_itself = folder.0.join("folder");
    std::fs::create_dir(&folder_itself).unwrap();
    let link = folder.0.join("link");
    std::os::unix::fs::symlink(folder.0.join("elsewhere"), &link).unwrap();
    for path in [&pipe, &folder_itself, &link].into_iter().chain(device.is_ok().then_some(&null)) {
        let before = std::fs::symlink_metadata(path).unwrap().mode();
        let error = open(&config(path)).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert_eq!(std::fs::symlink_metadata(path).unwrap().mode(), before, "{error}");
    }
    assert!(!folder.0.join("elsewhere").exists());
}

#[test]
fn a_region_of_another_user_is_refused() {
    let folder = Folder::new("stranger");
    let config = folder.config();
    let whole = committed(&config);
    if let Err(e) = std::os::unix::fs::chown(path(&config), Some(12_345), None) {
        return skip("bad_memory::stranger", format!("no chown: {e}"));
    }
    let error = open(&config).unwrap_err();
    assert!(matches!(&error, OpenError::Segment(SegmentError::Stranger { uid: 12_345, .. })), "{error:?}");
    assert!(error.to_string().contains("user 12345"), "{error}");
    assert!(std::fs::read(path(&config)).unwrap() == whole);
}
