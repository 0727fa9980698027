//! Which timers of a machine run, and when each is due.

use crate::time::Instant;
use std::collections::BTreeMap;

/// At most one due time for each name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Timers<T>(BTreeMap<T, Instant>);

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Copy + Ord> Timers<T> {
    /// Starts it, or moves it.
    pub(crate) fn set(&mut self, timer: T, at: Instant) {
        self.0.insert(timer, at);
    }

    /// Starts it, or moves it nearer.
    pub(crate) fn set_sooner(&mut self, timer: T, at: Instant) {
        self.0.entry(timer).and_modify(|due| *due = at.min(*due)).or_insert(at);
    }

    /// Says when it would have been due; `None`: it did not run.
    pub(crate) fn stop(&mut self, timer: T) -> Option<Instant> {
        self.0.remove(&timer)
    }

    pub(crate) fn stop_all(&mut self) {
        self.0.clear();
    }

    /// When it is due; `None`: it does not run.
    pub(crate) fn at(&self, timer: T) -> Option<Instant> {
        self.0.get(&timer).copied()
    }

    pub(crate) fn runs(&self, timer: T) -> bool {
        self.0.contains_key(&timer)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that run, in the order of their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = T> {
        self.0.keys().copied()
    }

    /// Those that run, with their due times.
    pub(crate) fn due(&self) -> impl Iterator<Item = (Instant, T)> {
        self.0.iter().map(|(timer, at)| (*at, *timer))
    }

    /// The next one; of several at one moment the first by name.
    pub(crate) fn next(&self) -> Option<(Instant, T)> {
        self.due().min()
    }
}

impl<T: Copy + Ord> FromIterator<(T, Instant)> for Timers<T> {
    fn from_iter<I: IntoIterator<Item = (T, Instant)>>(timers: I) -> Self {
        Self(timers.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_due_time_for_each_name() {
        let mut timers = Timers::default();
        assert!(timers.is_empty() && timers.next().is_none());
        timers.set('b', Instant(5));
        timers.set('a', Instant(5));
        timers.set('c', Instant(9));
        assert_eq!(timers.next(), Some((Instant(5), 'a')));
        timers.set_sooner('c', Instant(12));
        assert_eq!(timers.at('c'), Some(Instant(9)));
        timers.set_sooner('c', Instant(3));
        timers.set_sooner('d', Instant(4));
        assert_eq!(timers.due().min(), Some((Instant(3), 'c')));
        timers.set('c', Instant(8));
        assert_eq!((timers.stop('c'), timers.stop('c')), (Some(Instant(8)), None));
        assert_eq!(timers.names().collect::<Vec<_>>(), ['a', 'b', 'd']);
        assert!(timers.runs('a') && !timers.runs('c'));
        timers.stop_all();
        assert!(timers.is_empty());
    }
}
