//! What a restore's PersistentVolumes are called: a function of the restore, so that writing one again is writing the same one.

use crate::{ids::PlaneId, plane_name::object_name};
use siphasher::sip::SipHasher24;
use std::hash::Hasher;

/// Longest name: some drivers and tools put it into a label.
const MOST: usize = 63;
/// Of the restore's uid, for people: they tell two restores apart by it.
const UID: usize = 8;

/// `isochron-<uid>-<plane>-<ordinal>-<volume>`. What does not fit, or can be in no name, is cut, and a sum of the whole stands for it.
#[must_use]
pub fn pv_name(restore: &str, plane: &PlaneId, ordinal: u32, volume: &str) -> String {
    let uid: String = restore.chars().take(UID).collect();
    let whole = format!("isochron-{uid}-{}-{ordinal}-{volume}", object_name(plane.as_str()));
    let name: String = whole.chars().map(|sign| if plain(sign) { sign } else { '-' }).collect();
    if name == whole && name.len() <= MOST && name.ends_with(|sign: char| sign != '-' && sign != '.') {
        return name;
    }
    let mut hasher = SipHasher24::new();
    for text in [restore, plane.as_str(), volume] {
        hasher.write(text.as_bytes());
        hasher.write(&[0]);
    }
    hasher.write(&ordinal.to_le_bytes());
    let sum = format!("{:016x}", hasher.finish());
    // Signs of a name are ASCII, so it can be cut anywhere.
    let head = name.get(..MOST - sum.len() - 1).unwrap_or(&name).trim_end_matches(['-', '.']);
    format!("{head}-{sum}")
}

fn plain(sign: char) -> bool {
    sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-'
}
