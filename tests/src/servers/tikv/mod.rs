//! A TiKV protocol server: what `facts/pd-tikv.md` says of a store as a client and as PD see it, without a storage
//! engine; what it answers to a hold is [`crate::models::tikv`]'s. Every store has an address and a runtime of its own, so
//! that stopping one cuts its connections as a killed process does. With a PD it registers its stores and regions there and keeps them alive (§8.3).

mod backup;
mod cluster;
mod content;
mod debug;
mod imports;
mod launch;
mod layout;
mod pd;
mod regions;
mod restored;
mod state;
mod status;
mod table;

pub use cluster::{StoreSpec, TikvCluster};
pub use restored::{Content, CopyImage, Half, Image, Images, Pace, RestoredTikv, SnapshotOf, Version};
pub use state::{Counters, Knobs, Mode};
pub use table::{RegionView, Suspended};

/// Server side of TiKV's services; messages are the plane actor's own types.
mod proto {
    #![allow(clippy::all, missing_docs, unreachable_pub)]
    pub(super) mod backup {
        tonic::include_proto!("backup");
    }
    pub(super) mod debugpb {
        tonic::include_proto!("debugpb");
    }
    pub(super) mod import_sstpb {
        tonic::include_proto!("import_sstpb");
    }
    pub(super) mod recover_data {
        tonic::include_proto!("recover_data");
    }
    pub(super) mod tikvpb {
        tonic::include_proto!("tikvpb");
    }
}
