//! Region errors as TiKV tells them.

use crate::models::restored::RegionError;
use plane_actor::edge::proto::errorpb;
use shared::ids::RegionId;

/// The error of a region that is not as it was asked for.
pub(super) fn region_error(region: RegionId, error: RegionError) -> errorpb::Error {
    let region_id = region.0;
    let mut told = errorpb::Error { message: format!("{error}: region {region}"), ..errorpb::Error::default() };
    match error {
        RegionError::NotLeader | RegionError::Down => {
            told.not_leader = Some(errorpb::NotLeader { region_id, leader: None });
        }
        RegionError::NotFound => told.region_not_found = Some(errorpb::RegionNotFound { region_id }),
        RegionError::Epoch => told.epoch_not_match = Some(errorpb::EpochNotMatch::default()),
        RegionError::Store => told.store_not_match = Some(errorpb::StoreNotMatch::default()),
        // Told in words alone.
        RegionError::Peer | RegionError::Locked(_) => {}
        RegionError::Keys => told.key_not_in_region = Some(errorpb::KeyNotInRegion { region_id, ..Default::default() }),
        RegionError::NotApplied => told.read_index_not_ready = Some(errorpb::ReadIndexNotReady {}),
        RegionError::Merging => {
            told.proposal_in_merging_mode = Some(errorpb::ProposalInMergingMode { region_id });
        }
        RegionError::NoQuorum => told.server_is_busy = Some(errorpb::ServerIsBusy::default()),
        RegionError::InFlashback(start_ts) => {
            let flashback_start_ts = start_ts.0;
            told.flashback_in_progress = Some(errorpb::FlashbackInProgress { region_id, flashback_start_ts });
        }
        RegionError::NotPrepared => {
            told.flashback_not_prepared = Some(errorpb::FlashbackNotPrepared { region_id });
        }
    }
    told
}
