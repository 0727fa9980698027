//! What coordinator and plane say to each other. The only thing that both halves know of each other (`design.md` §3).
//!
//! ```text
//! coordinator ── Down::Order{attempt, epoch, Order} ──► plane      (QUIC stream per direction, MessagePack frames)
//! coordinator ◄─ Up::Answer{attempt, epoch, Answer} ─── plane
//! ```
//! Orders are idempotent: after a reconnect the coordinator repeats its outstanding order, and the plane repeats its
//! answer. Nothing here is ever retried by the transport.

mod bounds;
mod clean;
mod codec;
mod diagnose;
mod hello;
mod inspect;
mod measure;
mod messages;
mod progress;
mod restore;
mod scan;
mod share;
mod snapshot;
mod unknown;
mod verify;

pub use bounds::{
    DIRECTORIES_MAX, LINES_MAX, PROGRESS_MAX, SNAPSHOTS_MAX, STORES_MAX, TEXT_MAX, TooMuch, VOLUMES_MAX, bounded,
};
pub use clean::{Clean, CleanReport, CleanScope, Cleaned, OldBackup};
pub use codec::{CodecError, MAX_FRAME_BYTES, decode, encode};
pub use diagnose::{BACKUPS_MAX, Diagnose, Diagnosed, PACKED_MAX};
pub use hello::{Hello, MIN_WIRE_VERSION, WIRE_VERSION, Welcome};
pub use inspect::{Inspect, Inspected, PodPlace, RestorePlace, SOURCES_MAX, Source, Target, VolumeKind, VolumeWish};
pub use measure::{MEASURED_AT_ONCE, Measure, Measured};
pub use messages::{
    Abort, Aborted, Answer, Complete, Completed, Confirmed, Cover, Covered, Down, Order, Preflight, PreflightCheck,
    Preflighted, Prepare, Prepared, Recovered, Released, Renew, Renewed, Reserved, Settle, Settled, Suspended, Up,
};
pub use progress::{PlanePhase, Progress};
pub use restore::{
    Built, LookedAt, PlacedVolume, Restore, RestoreAnswer, RestoreOrder, RestoreProgress, RestoreSpec, Restored, Undone,
};
pub use scan::{
    FOLDERS_MAX, KNOWN_MAX, Known, PLACES_MAX, Place, Scan, Scanned, ScannedPlace, UNNAMED_MAX, Unnamed, UnnamedVolumes,
};
pub use share::{AccountPart, CallBudgets, CallShare, Divided, Division};
pub use snapshot::{CallAccepted, Snapshot, Snapshotted};
pub use unknown::{Unknown, unknown_down, unknown_up};
pub use verify::{CertifiedSnapshot, Finding, FindingState, Verified, Verify};
