//! What a region error means to who sent it a flashback or asked it for a checksum (`facts/pd-tikv.md` §1.4, `facts/restore.md` §3.3).

use crate::{edge::proto::errorpb, ports::FlashedBack};
use shared::ts::Ts;

/// What it comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// An answer of the port.
    Answer(FlashedBack),
    /// Somebody else flashes it back; the text says who.
    Foreign(String),
    /// None of those that are known here.
    Unknown(String),
}

/// `start_ts`: of our own flashback.
pub(super) fn meaning(error: &errorpb::Error, start_ts: Ts) -> Meaning {
    let text = |kind: &str| format!("{kind}: {}", error.message);
    let moved = |kind| Meaning::Answer(FlashedBack::Moved(text(kind)));
    let again = |kind| Meaning::Answer(FlashedBack::Again(text(kind)));
    match error {
        errorpb::Error { flashback_not_prepared: Some(_), .. } => Meaning::Answer(FlashedBack::NotPrepared),
        // TiKV before 7.1 does not say whose it is.
        errorpb::Error { flashback_in_progress: Some(other), .. }
            if other.flashback_start_ts != 0 && other.flashback_start_ts != start_ts.0 =>
        {
            Meaning::Foreign(text(&format!("flashback_in_progress under start_ts {}", other.flashback_start_ts)))
        }
        errorpb::Error { flashback_in_progress: Some(_), .. } => again("flashback_in_progress"),
        errorpb::Error { not_leader: Some(_), .. } => moved("not_leader"),
        errorpb::Error { epoch_not_match: Some(_), .. } => moved("epoch_not_match"),
        errorpb::Error { region_not_found: Some(_), .. } => moved("region_not_found"),
        errorpb::Error { key_not_in_region: Some(_), .. } => moved("key_not_in_region"),
        errorpb::Error { store_not_match: Some(_), .. } => moved("store_not_match"),
        errorpb::Error { server_is_busy: Some(_), .. } => again("server_is_busy"),
        errorpb::Error { stale_command: Some(_), .. } => again("stale_command"),
        errorpb::Error { max_timestamp_not_synced: Some(_), .. } => again("max_timestamp_not_synced"),
        errorpb::Error { read_index_not_ready: Some(_), .. } => again("read_index_not_ready"),
        errorpb::Error { proposal_in_merging_mode: Some(_), .. } => again("proposal_in_merging_mode"),
        errorpb::Error { region_not_initialized: Some(_), .. } => again("region_not_initialized"),
        _ => Meaning::Unknown(text("region error")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use errorpb::{Error, FlashbackInProgress};

    fn answer(error: Error) -> Meaning {
        meaning(&Error { message: "why".to_owned(), ..error }, Ts(7))
    }

    fn in_progress(flashback_start_ts: u64) -> Meaning {
        let flashback_in_progress = Some(FlashbackInProgress { region_id: 1, flashback_start_ts });
        answer(Error { flashback_in_progress, ..Error::default() })
    }

    #[test]
    fn our_own_flashback_is_waited_for_and_somebody_elses_is_not() {
        let again = Meaning::Answer(FlashedBack::Again("flashback_in_progress: why".to_owned()));
        assert_eq!(in_progress(7), again);
        assert_eq!(in_progress(0), again, "TiKV 6.5 does not say whose it is");
        assert_eq!(in_progress(8), Meaning::Foreign("flashback_in_progress under start_ts 8: why".to_owned()));
    }

    #[test]
    fn a_region_elsewhere_is_looked_up_and_a_busy_one_asked_again() {
        let moved = |kind: &str| Meaning::Answer(FlashedBack::Moved(format!("{kind}: why")));
        let not_leader = Some(errorpb::NotLeader::default());
        assert_eq!(answer(Error { not_leader, ..Error::default() }), moved("not_leader"));
        let epoch_not_match = Some(errorpb::EpochNotMatch::default());
        assert_eq!(answer(Error { epoch_not_match, ..Error::default() }), moved("epoch_not_match"));
        let server_is_busy = Some(errorpb::ServerIsBusy::default());
        let busy = Meaning::Answer(FlashedBack::Again("server_is_busy: why".to_owned()));
        assert_eq!(answer(Error { server_is_busy, ..Error::default() }), busy);
        let flashback_not_prepared = Some(errorpb::FlashbackNotPrepared::default());
        let not_prepared = Meaning::Answer(FlashedBack::NotPrepared);
        assert_eq!(answer(Error { flashback_not_prepared, ..Error::default() }), not_prepared);
        assert_eq!(answer(Error::default()), Meaning::Unknown("region error: why".to_owned()));
    }
}
