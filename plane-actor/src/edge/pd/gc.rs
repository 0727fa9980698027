//! GC safe points (`facts/pd-tikv.md` §1.10): one call works on every PD from 6.5 on, so GC barriers are not used.

use super::leader::{Fail, Leader, header_fail, status_fail};
use crate::{
    edge::proto::pdpb::{GetGcSafePointRequest, UpdateServiceGcSafePointRequest},
    ports::PortError,
};
use serde::Deserialize;
use shared::{reason::Reason, ts::Ts};

#[derive(Deserialize)]
struct SafePoints {
    // `null` on a cluster where nobody has set one yet.
    #[serde(default)]
    service_gc_safe_points: Option<Vec<ServiceSafePoint>>,
    // From 7.x on only.
    #[serde(default)]
    min_service_gc_safe_point: u64,
    #[serde(default)]
    gc_safe_point: u64,
}

#[derive(Deserialize)]
struct ServiceSafePoint {
    #[serde(default)]
    expired_at: i64,
    #[serde(default)]
    safe_point: u64,
}

impl SafePoints {
    /// The least one that still counts at `now`: PD deletes expired ones only when the next is set, and by its own
    /// clock. Without any, what PD says itself, and at last the GC safe point, below which nothing can be held.
    fn least(&self, now: Ts) -> Ts {
        let seconds = i64::try_from(now.physical_ms() / 1000).unwrap_or(i64::MAX);
        let live = self.service_gc_safe_points.iter().flatten().filter(|entry| entry.expired_at >= seconds);
        match live.map(|entry| entry.safe_point).min() {
            Some(least) => Ts(least),
            None if self.min_service_gc_safe_point != 0 => Ts(self.min_service_gc_safe_point),
            None => Ts(self.gc_safe_point),
        }
    }
}

/// The least service safe point, read without setting any.
pub(super) async fn least_service(leader: &Leader, now: Ts) -> Result<Ts, Fail> {
    Ok(leader.get::<SafePoints>("/gc/safepoint").await?.least(now))
}

/// Sets (or with 0 seconds removes) a service safe point; answers PD's minimum over all services, which alone tells
/// whether it was stored (§1.10).
pub(super) async fn update_service(leader: Leader, service: &str, seconds: i64, at: Ts) -> Result<Ts, Fail> {
    let request = UpdateServiceGcSafePointRequest {
        header: leader.header(),
        service_id: service.as_bytes().to_vec(),
        ttl: seconds,
        safe_point: at.0,
    };
    let answer = leader.grpc().update_service_gc_safe_point(request).await.map_err(|status| {
        if status.message().contains("don't allow update service safe point") {
            let text = format!("PD has pd-server.block-safe-point-v1 set: {}", status.message());
            return Fail::Final(PortError::refused(Reason::SafePointRefused, text));
        }
        status_fail(&status)
    })?;
    let answer = answer.into_inner();
    header_fail(answer.header.as_ref())?;
    Ok(Ts(answer.min_safe_point))
}

/// Data older than this may be gone.
pub(super) async fn safe_point(leader: Leader) -> Result<Ts, Fail> {
    let request = GetGcSafePointRequest { header: leader.header() };
    let answer = leader.grpc().get_gc_safe_point(request).await.map_err(|s| status_fail(&s))?.into_inner();
    header_fail(answer.header.as_ref())?;
    Ok(Ts(answer.safe_point))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least(json: &str) -> u64 {
        let points: SafePoints = serde_json::from_str(json).unwrap();
        points.least(Ts::compose(1_000_000, 0)).0
    }

    #[test]
    fn the_least_live_entry_counts() {
        // 449999999999999999 has no exact f64: a float on the way would show.
        let json = r#"{"service_gc_safe_points":[
            {"service_id":"gc_worker","expired_at":9223372036854775807,"safe_point":449999999999999999},
            {"service_id":"cdc","expired_at":1000,"safe_point":449999999999999998},
            {"service_id":"gone","expired_at":999,"safe_point":7}],"gc_safe_point":5}"#;
        assert_eq!(least(json), 449_999_999_999_999_998);
    }

    #[test]
    fn without_entries_pd_has_the_word() {
        assert_eq!(least(r#"{"service_gc_safe_points":null,"min_service_gc_safe_point":9,"gc_safe_point":5}"#), 9);
        assert_eq!(least(r#"{"gc_safe_point":5}"#), 5);
    }
}
