//! May this plane take snapshots, and through which of EC2's calls? Asked by dry runs in the form of the real calls, before
//! anything is held.

use super::{
    checks::{Checked, Seen},
    cloud::{Service, cloud_refusal},
    snapshot::{all_tags, alone},
    volumes::Calls,
};
use crate::{
    actors::plane_context::PlaneContext,
    budgets::Action,
    ports::{Cloud, CloudError, CreateSnapshots},
};
use shared::{
    ids::{Attempt, BackupUid, ClusterId, InstanceId, VolumeId},
    reason::{Reason, Refusal},
    request::MemberSpec,
    wire::CallBudgets,
};
use std::time::Duration;

/// Tries of the dry run, with pauses that outlast the 15 s between two snapshots of a volume (`facts/aws.md` A3).
const RIGHT_TRIES: u32 = 4;
const RIGHT_AGAIN: Duration = Duration::from_secs(6);

/// What a dry run goes by.
pub(super) struct Asked<'a> {
    pub(super) attempt: Option<&'a Attempt>,
    pub(super) spec: &'a MemberSpec,
    pub(super) cluster: ClusterId,
    pub(super) calls: &'a Calls,
}

/// Asks EC2 for one instance of many, in the very form of the real call: rights go by role, tags and volumes, and each
/// question takes a token from the bucket that the barrier needs. Asked is the call that leaves out most; and where an
/// instance has exactly one volume, also whether that may go alone, which nothing depends on. While a barrier is under way
/// here, a person's question takes no token from it.
pub(super) async fn check_rights(env: &PlaneContext, cloud: &Cloud, asked: Asked<'_>) -> Checked<CallBudgets, Seen> {
    let mut budgets = CallBudgets { sets: env.config.budgets.of(Action::CreateSnapshots), one_volume: None };
    let Some((instance, (_, exclude))) = asked.calls.iter().max_by_key(|(_, (_, exclude))| exclude.len()) else {
        return Ok((budgets, String::new().into()));
    };
    if asked.attempt.is_none() && env.is_in_barrier() {
        let text = "a backup is in its barrier in this plane and needs every call of the account; ask again";
        let busy = Refusal::new(Reason::PlaneBusy, text);
        return Ok((budgets, Seen::with("EC2 was not asked", Some(busy))));
    }
    let call = asked.call(env, instance, exclude);
    let keys = call.tags.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ");
    let what = format!("{} of {instance} with tags {keys}, dry run", Action::CreateSnapshots.name());
    tried(env, cloud, Action::CreateSnapshots, || cloud.ec2.may_create_snapshots(&call))
        .await
        .map_err(|error| cloud_refusal(Service::Ec2, &what, &error))?;
    let Some((call, volume)) = asked.one_volume(env) else {
        return Ok((budgets, format!("{} is allowed", Action::CreateSnapshots.name()).into()));
    };
    let call = alone(&call, &volume);
    match tried(env, cloud, Action::CreateSnapshot, || cloud.ec2.may_create_snapshot(&call)).await {
        Ok(()) => {
            budgets.one_volume = Some(env.config.budgets.of(Action::CreateSnapshot));
            Ok((budgets, "CreateSnapshots and CreateSnapshot are allowed".to_owned().into()))
        }
        Err(error) => {
            tracing::info!(%error, "CreateSnapshot is not used beside CreateSnapshots");
            let what = format!("{} of {volume}, dry run", Action::CreateSnapshot.name());
            let warning = cloud_refusal(Service::Ec2, &what, &error);
            Ok((budgets, Seen::with("CreateSnapshots is allowed; CreateSnapshot is not used", Some(warning))))
        }
    }
}

impl Asked<'_> {
    fn call(&self, env: &PlaneContext, instance: &InstanceId, exclude: &[VolumeId]) -> CreateSnapshots {
        let nobody = Attempt { backup: BackupUid::new("preflight"), number: 0 };
        let attempt = self.attempt.unwrap_or(&nobody);
        CreateSnapshots {
            instance: instance.clone(),
            exclude: exclude.to_vec(),
            tags: all_tags(attempt, &env.config.plane, self.spec, self.cluster),
            description: format!("{}/{}, dry run", self.spec.backup_namespace, self.spec.backup_name),
        }
    }

    /// The first instance with one volume alone.
    fn one_volume(&self, env: &PlaneContext) -> Option<(CreateSnapshots, VolumeId)> {
        self.calls.iter().find_map(|(instance, (volumes, exclude))| {
            let volume = volumes.first().filter(|_| volumes.len() == 1)?;
            Some((self.call(env, instance, exclude), volume.clone()))
        })
    }
}

/// A dry run made again where its answer may be lost, or the same minute has another backup of these volumes: nothing was
/// made.
async fn tried<F>(
    env: &PlaneContext,
    cloud: &Cloud,
    action: Action,
    mut asking: impl FnMut() -> F,
) -> Result<(), CloudError>
where
    F: Future<Output = Result<(), CloudError>>,
{
    let mut tries = 1;
    loop {
        env.permit(&cloud.account, &cloud.region, action).await;
        match asking().await {
            Err(
                CloudError::Throttled(_)
                | CloudError::OutcomeUnknown(_)
                | CloudError::PerVolumeRate(_)
                | CloudError::InvalidState(_),
            ) if tries < RIGHT_TRIES => tries += 1,
            answer => return answer,
        }
        tokio::time::sleep(RIGHT_AGAIN).await;
    }
}
