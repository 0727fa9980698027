//! Values that are hashed once. Machines, records and messages are large; states are millions. Two values are one if
//! their 64-bit hashes are: the checker itself tells states apart no better.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::Arc,
    thread::LocalKey,
};

/// A shared value with its hash.
pub(crate) struct Kept<T> {
    key: u64,
    value: Arc<T>,
}

/// Eight bytes at a time, each mixed by a multiplication whose halves are folded (as wyhash does): several times faster
/// than the standard library's hasher where nothing is optimised, and nobody chooses keys to harm a test.
struct Folding(u64);

impl Folding {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64 ^ (product >> 64) as u64).wrapping_add(0xa076_1d64_78bd_642f).rotate_left(23);
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        self.mix(bytes.len() as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

pub(crate) fn key_of(value: &impl Hash) -> u64 {
    let mut hasher = Folding(0x2d35_8dcc_aa6c_78a5);
    value.hash(&mut hasher);
    hasher.finish()
}

impl<T: Hash> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { key: key_of(&value), value: Arc::new(value) }
    }
}

impl<T> Kept<T> {
    pub(crate) fn key(&self) -> u64 {
        self.key
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { key: self.key, value: self.value.clone() }
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Kept<T> {}

impl<T> Hash for Kept<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl<T: fmt::Debug> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// A step: what the value became, and what is to be done.
pub(crate) type Stepped<M, E> = (Kept<M>, Arc<Vec<E>>);

/// Steps already taken, by value and input. Machines are pure, so a step taken once need not be taken again.
pub(crate) type Steps<M, E> = RefCell<HashMap<(u64, u64), Stepped<M, E>>>;

/// Looks a step up, or takes it.
pub(crate) fn step<M, E>(
    steps: &'static LocalKey<Steps<M, E>>,
    value: &Kept<M>,
    input: u64,
    take: impl FnOnce(&mut M) -> Vec<E>,
) -> Stepped<M, E>
where
    M: Clone + Hash,
{
    let at = (value.key(), input);
    if let Some(known) = steps.with_borrow(|steps| steps.get(&at).cloned()) {
        return known;
    }
    let mut next = M::clone(value);
    let effects = take(&mut next);
    let stepped = (Kept::new(next), Arc::new(effects));
    steps.with_borrow_mut(|steps| steps.insert(at, stepped.clone()));
    stepped
}
