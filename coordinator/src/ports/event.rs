//! What is seen of objects of any kind, and what is told of them.

/// What happened to objects of a kind. Wake-ups are hints: a resync repeats `Applied` for everything.
#[derive(Clone, Debug)]
pub enum WatchEvent<U, T> {
    /// It exists, like this.
    Applied(Box<T>),
    /// It is gone altogether.
    Gone(U),
    /// The first full list has been delivered.
    Synced,
}

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// For the record.
    Normal,
    /// A person should look.
    Warning,
}
