//! One CreateVolume, until EC2 has answered it. Its token is the same in every try: a reply that was lost is answered by the next
//! one, with the volume that the first has made.

use super::{Wish, WishedVolume, choice::nth, ec2::Ec2};
use crate::{
    actors::{
        plane_context::length,
        work::cloud::{Service, cloud_refusal, throttled},
    },
    budgets::Action,
    ports::{CloudError, NewVolume, VolumeInfo},
};
use shared::{
    backoff::{Backoff, seed},
    reason::{Reason, Refusal},
    restore::{VolumeCall, tags},
    time::Millis,
};

/// Tries of one call: about three minutes of them, which outlasts a throttle or an outage of seconds.
const TRIES: u32 = 24;
const WAIT: Backoff = Backoff { first: Millis(1_000), cap: Millis(10_000) };
/// Looks for a volume whose token EC2 knows with other words; describes lag by seconds as a rule (`facts/aws.md` A2).
const LOOKS: u32 = 6;
const CREATE: Action = Action::CreateVolume;

/// Asks for a volume for the `time`th time.
pub(super) async fn ask(ec2: Ec2<'_>, wish: &Wish<'_>, one: &WishedVolume, time: u32) -> Result<VolumeInfo, Refusal> {
    let WishedVolume { call, tags } = one;
    let plane = &ec2.env.config.plane;
    let of = VolumeCall { restore: wish.restore, attempt: wish.attempt, plane, snapshot: &call.snapshot, nth: time };
    let tags = tags::numbered(tags, wish.attempt, time);
    let new = NewVolume { call: call.clone(), token: of.token(), tags };
    let mut last = CloudError::OutcomeUnknown("not asked".to_owned());
    for tried in 1..=TRIES {
        ec2.permit(CREATE).await;
        match throttled(ec2.env, ec2.cloud, CREATE, ec2.cloud.volumes.create_volume(&new).await) {
            Ok(info) => return Ok(info),
            Err(error) if error.code() == Some("IdempotentParameterMismatch") => {
                return asked_otherwise(ec2, wish, one, time, &error).await;
            }
            Err(error @ (CloudError::Throttled(_) | CloudError::OutcomeUnknown(_) | CloudError::InvalidState(_))) => {
                last = error;
            }
            Err(error) => return Err(refused(one, &error)),
        }
        tokio::time::sleep(length(WAIT.wait(tried, seed(call.snapshot.as_str())))).await;
    }
    Err(refused(one, &last))
}

/// The token is known with other words: the plane's own tags (`aws.tags`) were changed since. The volume is there all the same.
async fn asked_otherwise(
    ec2: Ec2<'_>,
    wish: &Wish<'_>,
    one: &WishedVolume,
    time: u32,
    error: &CloudError,
) -> Result<VolumeInfo, Refusal> {
    for looked in 1..=LOOKS {
        let found = ec2.find(wish.restore).await?;
        let made = super::choice::choose(&found, wish, one).filter(|info| nth(info) == time);
        if let Some(info) = made {
            return Ok(info.clone());
        }
        tokio::time::sleep(length(WAIT.wait(looked, seed(one.call.snapshot.as_str())))).await;
    }
    Err(refused(one, error))
}

/// Which volume there is not, and why.
fn refused(one: &WishedVolume, error: &CloudError) -> Refusal {
    let what = format!("{} of {} in {}", CREATE.name(), one.call.snapshot, one.call.zone);
    let refusal = cloud_refusal(Service::Ec2, &what, error);
    let reason = match error {
        CloudError::Quota(_) => Reason::VolumeQuota,
        CloudError::Refused { .. } | CloudError::NotFound(_) | CloudError::InvalidState(_) => Reason::VolumeFailed,
        _ => refusal.reason,
    };
    Refusal::new(reason, refusal.message)
}
