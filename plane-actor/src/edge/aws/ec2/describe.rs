//! The describes: always by owner and by something, in pages that are followed to the end, never with an empty list of
//! ids (`facts/aws.md` A2: without any of these the answer is every snapshot the account may use, public ones included).

use super::{CHUNK, Ec2Edge, convert, filter};
use crate::{
    edge::aws::errors::{cloud_error, unreadable},
    ports::{CloudError, Counted, Found, InstanceVolumes, SnapshotInfo, VolumeAt, VolumeSum},
};
use aws_sdk_ec2::{
    operation::{
        describe_instances::builders::DescribeInstancesFluentBuilder,
        describe_volumes::builders::DescribeVolumesFluentBuilder,
    },
    types::{Filter, SnapshotState},
};
use shared::ids::{InstanceId, SnapshotId, VolumeId};

/// Rows of one page: the most that EC2 takes.
const PAGE: i32 = 1000;

/// Pages of one describe. An account may hold 100,000 snapshots in a Region (100 pages); pages may be short or empty,
/// because a filter is applied after a page is cut.
const PAGES: usize = 1000;

const SNAPSHOTS: &str = "ec2:DescribeSnapshots";
const VOLUMES: &str = "ec2:DescribeVolumes";
const INSTANCES: &str = "ec2:DescribeInstances";

/// Follows `nextToken` and ends: after [`PAGES`], or when a token comes twice, which would go round for ever.
pub(super) struct Pages {
    action: &'static str,
    left: usize,
    token: Option<String>,
}

impl Pages {
    pub(super) fn of(action: &'static str) -> Self {
        Self { action, left: PAGES, token: None }
    }

    /// The token of the next page; `None` after the last. A page with rows after it may itself be empty.
    pub(super) fn next(&mut self, token: Option<&str>) -> Result<Option<String>, CloudError> {
        let token = token.filter(|token| !token.is_empty()).map(str::to_owned);
        self.left = self.left.saturating_sub(1);
        if token.is_some() && (token == self.token || self.left == 0) {
            return Err(unreadable(self.action, "no end: a page token came twice, or more than 1000 pages"));
        }
        self.token.clone_from(&token);
        Ok(token)
    }
}

impl Ec2Edge {
    /// Own snapshots that match every filter: one page.
    pub(super) async fn snapshots_page(
        &self,
        filters: Vec<Filter>,
        token: Option<String>,
    ) -> Result<Found, CloudError> {
        let call = self.client.describe_snapshots().owner_ids("self").set_filters(Some(filters)).max_results(PAGE);
        let answer = call.set_next_token(token).send().await.map_err(|error| cloud_error(SNAPSHOTS, &error))?;
        let snapshots =
            answer.snapshots().iter().map(|one| convert::snapshot(SNAPSHOTS, one)).collect::<Result<_, _>>()?;
        let next = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        Ok(Found { snapshots, next })
    }

    /// The same, every page.
    pub(super) async fn snapshots_by_filter(&self, filters: Vec<Filter>) -> Result<Vec<SnapshotInfo>, CloudError> {
        let mut found = Vec::new();
        let mut pages = Pages::of(SNAPSHOTS);
        let mut token = None;
        loop {
            let page = self.snapshots_page(filters.clone(), token).await?;
            found.extend(page.snapshots);
            token = pages.next(page.next.as_deref())?;
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Own snapshots of these volumes in these states: one page.
    pub(super) async fn snapshots_of(
        &self,
        volumes: &[VolumeId],
        states: &[&str],
        token: Option<String>,
    ) -> Result<Found, CloudError> {
        if volumes.is_empty() || volumes.len() > CHUNK {
            return Err(CloudError::Refused {
                code: "InvalidParameterValue".into(),
                message: format!("snapshots of {} volumes: 1 to {CHUNK} are asked for at a time", volumes.len()),
            });
        }
        let filters = vec![
            filter("volume-id", volumes.iter().map(|volume| volume.0.clone())),
            filter("status", states.iter().map(|state| (*state).to_owned())),
        ];
        self.snapshots_page(filters, token).await
    }

    /// All own snapshots: one page.
    pub(super) async fn count_page(&self, token: Option<String>) -> Result<Counted, CloudError> {
        let call = self.client.describe_snapshots().owner_ids("self").max_results(PAGE);
        let answer = call.set_next_token(token).send().await.map_err(|error| cloud_error(SNAPSHOTS, &error))?;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let pending = answer.snapshots().iter().filter(|one| one.state() == Some(&SnapshotState::Pending));
        let next = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        Ok(Counted { snapshots: count(answer.snapshots().len()), pending: count(pending.count()), next })
    }

    /// At most [`CHUNK`] own snapshots by id, without those that EC2 does not show (yet). One missing id fails the whole
    /// call, and the error need not say which; then the same ids are asked for once more as a filter, which leaves out
    /// what it does not find. So one chunk costs two calls at most, however many are missing.
    pub(super) async fn snapshots_by_id(&self, ids: &[SnapshotId]) -> Result<Vec<SnapshotInfo>, CloudError> {
        debug_assert!(!ids.is_empty() && ids.len() <= CHUNK);
        let names: Vec<String> = ids.iter().map(|id| id.0.clone()).collect();
        // MaxResults beside ids is refused, so this is one page.
        let call = self.client.describe_snapshots().owner_ids("self").set_snapshot_ids(Some(names.clone()));
        match call.send().await.map_err(|error| cloud_error(SNAPSHOTS, &error)) {
            Ok(answer) => answer.snapshots().iter().map(|one| convert::snapshot(SNAPSHOTS, one)).collect(),
            Err(CloudError::NotFound(_)) => self.snapshots_by_filter(vec![filter("snapshot-id", names)]).await,
            Err(error) => Err(error),
        }
    }

    /// One missing id fails the whole call; then they are asked for as a filter, as with snapshots.
    pub(super) async fn volumes_by_id(&self, ids: &[VolumeId], found: &mut Vec<VolumeAt>) -> Result<(), CloudError> {
        let names: Vec<String> = ids.iter().map(|id| id.0.clone()).collect();
        let (call, before) = (self.client.describe_volumes(), found.len());
        match self.volumes_of(call.clone().set_volume_ids(Some(names.clone())), found).await {
            Err(CloudError::NotFound(_)) => {
                found.truncate(before);
                self.volumes_of(call.filters(filter("volume-id", names)), found).await
            }
            outcome => outcome,
        }
    }

    /// Sizes of all volumes of a type: one page.
    pub(super) async fn sum_page(&self, kind: &str, token: Option<String>) -> Result<VolumeSum, CloudError> {
        let call = self.client.describe_volumes().filters(filter("volume-type", [kind.to_owned()])).max_results(PAGE);
        let answer = call.set_next_token(token).send().await.map_err(|error| cloud_error(VOLUMES, &error))?;
        let sizes = answer.volumes().iter().filter_map(|volume| u64::try_from(volume.size()?).ok());
        let next = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        Ok(VolumeSum { gib: sizes.fold(0, u64::saturating_add), next })
    }

    async fn volumes_of(
        &self,
        mut call: DescribeVolumesFluentBuilder,
        found: &mut Vec<VolumeAt>,
    ) -> Result<(), CloudError> {
        let mut pages = Pages::of(VOLUMES);
        loop {
            let answer = call.clone().send().await.map_err(|error| cloud_error(VOLUMES, &error))?;
            for volume in answer.volumes() {
                found.push(convert::volume(VOLUMES, volume)?);
            }
            match pages.next(answer.next_token())? {
                Some(token) => call = call.next_token(token),
                None => return Ok(()),
            }
        }
    }

    /// The same of instances.
    pub(super) async fn instances_by_id(
        &self,
        ids: &[InstanceId],
        found: &mut Vec<InstanceVolumes>,
    ) -> Result<(), CloudError> {
        let names: Vec<String> = ids.iter().map(|id| id.0.clone()).collect();
        let (call, before) = (self.client.describe_instances(), found.len());
        match self.instances_of(call.clone().set_instance_ids(Some(names.clone())), found).await {
            Err(CloudError::NotFound(_)) => {
                found.truncate(before);
                self.instances_of(call.filters(filter("instance-id", names)), found).await
            }
            outcome => outcome,
        }
    }

    async fn instances_of(
        &self,
        mut call: DescribeInstancesFluentBuilder,
        found: &mut Vec<InstanceVolumes>,
    ) -> Result<(), CloudError> {
        let mut pages = Pages::of(INSTANCES);
        loop {
            let answer = call.clone().send().await.map_err(|error| cloud_error(INSTANCES, &error))?;
            for instance in answer.reservations().iter().flat_map(|reservation| reservation.instances()) {
                found.push(convert::instance(INSTANCES, instance)?);
            }
            match pages.next(answer.next_token())? {
                Some(token) => call = call.next_token(token),
                None => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_at_an_empty_token_a_repeated_one_and_the_bound() {
        let mut pages = Pages::of(SNAPSHOTS);
        assert_eq!(pages.next(Some("a")), Ok(Some("a".into())));
        assert_eq!(pages.next(Some("b")), Ok(Some("b".into())));
        assert!(matches!(pages.next(Some("b")), Err(CloudError::OutcomeUnknown(_))));
        assert_eq!(Pages::of(SNAPSHOTS).next(Some("")), Ok(None));
        assert_eq!(Pages::of(SNAPSHOTS).next(None), Ok(None));
        let mut pages = Pages::of(SNAPSHOTS);
        let end = (0..2 * PAGES).position(|page| pages.next(Some(&page.to_string())).is_err());
        assert_eq!(end, Some(PAGES - 1));
    }
}
