//! May this plane take snapshots, and through which of EC2's calls? Asked by dry runs in the form of the real calls, before
//! anything is held.

use super::{
    checks::{Checked, Seen},
    cloud::{Service, cloud_refusal},
    snapshot::alone,
    tags::{CallTags, Tagging, VolumeTags},
    volumes::{Calls, MAX_EXCLUDED},
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
use std::{collections::BTreeSet, time::Duration};

/// Tries of the dry run, with pauses that outlast the 15 s between two snapshots of a volume (`facts/aws.md` A3).
const RIGHT_TRIES: u32 = 4;
const RIGHT_AGAIN: Duration = Duration::from_secs(6);

/// What a dry run goes by.
pub(super) struct Asked<'a> {
    pub(super) attempt: Option<&'a Attempt>,
    pub(super) spec: &'a MemberSpec,
    pub(super) cluster: ClusterId,
    pub(super) calls: &'a Calls,
    pub(super) volume_tags: &'a VolumeTags,
}

/// What this plane may do.
pub(super) struct Rights {
    pub(super) budgets: CallBudgets,
    /// Snapshots may bear what their volumes bear.
    pub(super) copies_tags: bool,
}

/// Asks EC2 for one instance of many, in the very form of the real call: rights go by role, tags and volumes, and each
/// question takes a token from the bucket that the barrier needs. Asked is the call that leaves out most; and where an
/// instance has exactly one volume, also whether that may go alone, which nothing depends on. Where a policy allows certain
/// tags only, the volumes' own are left out. While a barrier is under way here, a person's question takes no token from it.
pub(super) async fn check_rights(env: &PlaneContext, cloud: &Cloud, asked: Asked<'_>) -> Checked<Rights, Seen> {
    let budgets = CallBudgets { sets: env.config.budgets.of(Action::CreateSnapshots), one_volume: None };
    let mut rights = Rights { budgets, copies_tags: true };
    if asked.calls.is_empty() {
        return Ok((rights, String::new().into()));
    }
    if asked.attempt.is_none() && env.is_in_barrier() {
        let text = "a backup is in its barrier in this plane and needs every call of the account; ask again";
        let busy = Refusal::new(Reason::PlaneBusy, text);
        return Ok((rights, Seen::with("EC2 was not asked", Some(busy))));
    }
    let in_sets = asked.calls.iter().filter(|(_, (_, exclude))| exclude.len() <= MAX_EXCLUDED);
    let mut refused = None;
    if let Some((instance, _)) = in_sets.max_by_key(|(_, (_, exclude))| exclude.len()) {
        refused = match asked.sets(env, cloud, instance, asked.volume_tags).await {
            Ok(()) => None,
            Err(Refusal { reason: Reason::AccessDenied, message }) if asked.adds_tags(env, instance) => {
                asked.sets(env, cloud, instance, &VolumeTags::new()).await?;
                rights.copies_tags = false;
                tracing::info!(message, "volumes' own tags are not put on snapshots");
                Some(Refusal::new(Reason::AccessDenied, message))
            }
            Err(refusal) => return Err(refusal),
        };
    }
    let tags = asked.text_of_tags(env, rights.copies_tags);
    let Some((call, volume)) = asked.one_volume(env, rights.copies_tags) else {
        return Ok((rights, Seen::with(format!("{} is allowed; {tags}", Action::CreateSnapshots.name()), refused)));
    };
    let call = alone(&call, &volume);
    match tried(env, cloud, Action::CreateSnapshot, || cloud.ec2.may_create_snapshot(&call)).await {
        Ok(()) => {
            rights.budgets.one_volume = Some(env.config.budgets.of(Action::CreateSnapshot));
            let text = format!("CreateSnapshots and CreateSnapshot are allowed; {tags}");
            Ok((rights, Seen::with(text, refused)))
        }
        Err(error) => {
            if let Some(refusal) = asked.only_alone(&error) {
                return Err(refusal);
            }
            tracing::info!(%error, "CreateSnapshot is not used beside CreateSnapshots");
            let what = format!("{} of {volume}, dry run", Action::CreateSnapshot.name());
            let warning = refused.unwrap_or_else(|| cloud_refusal(Service::Ec2, &what, &error));
            let text = format!("CreateSnapshots is allowed, CreateSnapshot is not used; {tags}");
            Ok((rights, Seen::with(text, Some(warning))))
        }
    }
}

impl Asked<'_> {
    /// The dry run of one instance's call.
    async fn sets(
        &self,
        env: &PlaneContext,
        cloud: &Cloud,
        instance: &InstanceId,
        volume_tags: &VolumeTags,
    ) -> Result<(), Refusal> {
        let Some((volumes, exclude)) = self.calls.get(instance) else { return Ok(()) };
        let call = self.call(env, instance, (volumes, exclude), volume_tags);
        let mut keys = call.tags.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ");
        if call.copy_tags {
            keys += " and each volume's own (CopyTagsFromSource)";
        }
        let what = format!("{} of {instance} with tags {keys}, dry run", Action::CreateSnapshots.name());
        tried(env, cloud, Action::CreateSnapshots, || cloud.ec2.may_create_snapshots(&call))
            .await
            .map_err(|error| cloud_refusal(Service::Ec2, &what, &error))
    }

    fn tagging<'a>(&self, env: &PlaneContext, volume_tags: &'a VolumeTags) -> Tagging<'a> {
        let nobody = Attempt { backup: BackupUid::new("preflight"), number: 0 };
        Tagging::new(env, self.attempt.unwrap_or(&nobody), self.spec, self.cluster, volume_tags)
    }

    /// A call of this instance bears more than ours and the user's tags.
    fn adds_tags(&self, env: &PlaneContext, instance: &InstanceId) -> bool {
        let Some((volumes, _)) = self.calls.get(instance) else { return false };
        let none = VolumeTags::new();
        self.tagging(env, self.volume_tags).of_call(volumes) != self.tagging(env, &none).of_call(volumes)
    }

    /// What becomes of the volumes' own tags.
    fn text_of_tags(&self, env: &PlaneContext, copied: bool) -> String {
        if !copied {
            return "volumes' own tags are not put on snapshots".to_owned();
        }
        let tagging = self.tagging(env, self.volume_tags);
        let cut = self.calls.values().filter(|(volumes, _)| tagging.of_call(volumes).cut).count();
        match cut {
            0 => "snapshots bear their volumes' tags".to_owned(),
            _ => {
                format!("on {cut} of {} instances there is no room for all of the volumes' own tags", self.calls.len())
            }
        }
    }

    fn call(
        &self,
        env: &PlaneContext,
        instance: &InstanceId,
        (volumes, exclude): (&BTreeSet<VolumeId>, &[VolumeId]),
        volume_tags: &VolumeTags,
    ) -> CreateSnapshots {
        let CallTags { tags, copies, .. } = self.tagging(env, volume_tags).of_call(volumes);
        CreateSnapshots {
            instance: instance.clone(),
            exclude: exclude.to_vec(),
            tags,
            copy_tags: copies,
            description: format!("{}/{}, dry run", self.spec.backup_namespace, self.spec.backup_name),
        }
    }

    /// An instance whose one volume CreateSnapshots could not take, and CreateSnapshot may not.
    fn only_alone(&self, error: &CloudError) -> Option<Refusal> {
        let (instance, (_, exclude)) = self.calls.iter().find(|(_, (_, exclude))| exclude.len() > MAX_EXCLUDED)?;
        let text = format!(
            "instance {instance} has {} data volumes that are not TiKV's: CreateSnapshots can leave out {MAX_EXCLUDED}, and \
             CreateSnapshot, which takes its one volume alone, was refused: {error}",
            exclude.len()
        );
        Some(Refusal::new(Reason::ExclusionsTooMany, text))
    }

    /// The first instance with one volume alone.
    fn one_volume(&self, env: &PlaneContext, copied: bool) -> Option<(CreateSnapshots, VolumeId)> {
        let none = VolumeTags::new();
        let volume_tags = if copied { self.volume_tags } else { &none };
        self.calls.iter().find_map(|(instance, (volumes, exclude))| {
            let volume = volumes.first().filter(|_| volumes.len() == 1)?;
            Some((self.call(env, instance, (volumes, exclude), volume_tags), volume.clone()))
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
