//! Values that are hashed once. Machines, records and messages are large; states are millions. Two values are one if
//! their 64-bit hashes are: the checker itself tells states apart no better.

use std::{
    cell::RefCell,
    collections::{HashMap, hash_map::DefaultHasher},
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

pub(crate) fn key_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
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

/// A step: what the machine became, and what it wants done.
pub(crate) type Stepped<M, E> = (Kept<M>, Arc<Vec<E>>);

/// Steps already taken, by machine and input. Machines are pure, so a step taken once need not be taken again.
pub(crate) type Steps<M, E> = RefCell<HashMap<(u64, u64), Stepped<M, E>>>;

/// Looks a step up, or takes it.
pub(crate) fn step<M, E>(
    steps: &'static LocalKey<Steps<M, E>>,
    machine: &Kept<M>,
    input: u64,
    take: impl FnOnce(&mut M) -> Vec<E>,
) -> Stepped<M, E>
where
    M: Clone + Hash,
{
    let at = (machine.key(), input);
    if let Some(known) = steps.with_borrow(|steps| steps.get(&at).cloned()) {
        return known;
    }
    let mut next = M::clone(machine);
    let effects = take(&mut next);
    let stepped = (Kept::new(next), Arc::new(effects));
    steps.with_borrow_mut(|steps| steps.insert(at, stepped.clone()));
    stepped
}
