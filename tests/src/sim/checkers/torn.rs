//! Never torn: whatever a node exposes is exactly what was committed under that cut.

use super::{Check, ensure};
use crate::sim::history::History;
use mirror_core::region::Reader;
use mirror_core::{LINE, Region};

const NAME: &str = "torn";

/// The image is the cut that the region names, and the live memory equals it, if it is `settled`: no step runs, nothing written waits
/// for its cut, and no staging is being filled. Of a line that is `spoiled` nothing is known.
///
/// # Errors
/// The first line that differs.
pub fn region(
    history: &History,
    region: &Region,
    place: usize,
    settled: bool,
    spoiled: Option<usize>,
) -> Check {
    let info = region.committed();
    let id = place + 1;
    let Some(entry) = history.get(info.cut) else {
        return ensure(false, NAME, || format!("node {id} exposes {}, which nobody committed", info.cut));
    };
    let parts = [("image", region.image()), ("live memory", region.live())];
    for (what, bytes) in parts.into_iter().take(1 + usize::from(settled)) {
        let line = first_difference(bytes, &entry.bytes, spoiled);
        ensure(line.is_none(), NAME, || {
            let line = line.unwrap_or_default();
            format!("the {what} of node {id} is not {}: line {line} differs", info.cut)
        })?;
    }
    ensure((info.base, info.plant) == (entry.base, entry.plant), NAME, || {
        format!(
            "node {id} holds {} with base {} and control time {}, committed with {} and {}",
            info.cut, info.base, info.plant, entry.base, entry.plant
        )
    })
}

/// What another process reads is the cut that it is told.
///
/// # Errors
/// As [`region`].
pub fn reader(history: &History, reader: &mut Reader, held: &Region, place: usize) -> Check {
    let id = place + 1;
    match reader.read() {
        Ok((info, bytes)) => {
            let entry = history.get(info.cut).filter(|entry| entry.bytes[..bytes.len()] == *bytes);
            ensure(entry.is_some() && info == held.committed(), NAME, || {
                format!("a reader at node {id} was given something else than {}", info.cut)
            })
        }
        Err(error) => ensure(false, NAME, || format!("a reader at node {id}: {error}")),
    }
}

fn first_difference(a: &[u8], b: &[u8], but: Option<usize>) -> Option<usize> {
    if a == b {
        return None;
    }
    let mut lines = a.chunks(LINE).zip(b.chunks(LINE)).enumerate();
    lines.find(|&(line, (a, b))| a != b && Some(line) != but).map(|(line, _)| line)
}
