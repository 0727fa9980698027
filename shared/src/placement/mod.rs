//! Volumes of a restore as Kubernetes is told of them: PersistentVolumes and claims made from those that backupmeta holds
//! (`facts/restore.md` §2.4, §4.2), and which claims that wait get which. Values and functions; nothing here writes anything.

mod backup;
mod name;
mod objects;
mod waiting;
mod zones;

#[cfg(test)]
mod tests;

pub use backup::{Kept, of_backup};
pub use name::pv_name;
pub use objects::{Bound, Goes, LABEL, RESTORED, Rewriting};
pub use waiting::{Group, WaitingClaim, assign};
