//! The server's whole state behind one lock, and the way of one call through it: credentials, rate, planned faults,
//! action.

use super::{
    fault::{ApiError, Fault},
    form::Form,
    state::Ec2State,
};
use crate::models::ec2::{Ec2, Home, Rules};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

/// Calls that the log keeps. Counters go on beyond it.
const LOG: usize = 20_000;

/// One call as it arrived, in the order of arrival.
#[derive(Debug, Clone)]
pub struct Call {
    /// `CreateSnapshots`, …; `CreateSnapshots dry run` with DryRun, which is counted, denied and takes planned faults apart.
    pub action: String,
    /// Since the server's start.
    pub at: Duration,
    /// The access key that signed it; empty: unsigned.
    pub key: String,
    /// Header `amz-sdk-request`, as `attempt=1; max=3`.
    pub attempt: String,
    /// Header `amz-sdk-invocation-id`: equal for all attempts of one call.
    pub invocation: String,
    /// The form.
    pub fields: BTreeMap<String, String>,
    /// `ok`, or the error code; what was done, whatever became of the reply.
    pub outcome: String,
}

/// What came with a call besides its form.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    pub(crate) authorization: String,
    pub(crate) attempt: String,
    pub(crate) invocation: String,
}

/// The volume of a snapshot, and its id.
type OnSnapshot = dyn Fn(&str, &str) + Send + Sync;

/// Is told of each snapshot at the moment of its capture.
#[derive(Clone)]
pub(crate) struct Capture(pub(crate) Arc<OnSnapshot>);

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capture(..)")
    }
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) state: Ec2State,
    /// Volumes whose next snapshot ends in error.
    pub(crate) failing: BTreeMap<String, String>,
    /// Wall clock at the server's start, ours, milliseconds since 1970.
    pub(crate) wall_ms: i64,
    pub(crate) mutations: u64,
    pub(crate) denied: BTreeSet<String>,
    pub(crate) faults: BTreeMap<String, VecDeque<Fault>>,
    pub(crate) log: VecDeque<Call>,
    pub(crate) counts: BTreeMap<String, u64>,
    /// Whoever keeps what snapshots hold.
    pub(crate) capture: Option<Capture>,
    requests: u64,
}

/// What the wire does with a call that went through the world.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) reply: Result<String, ApiError>,
    pub(crate) request: String,
    pub(crate) fault: Option<Fault>,
}

impl World {
    pub(crate) fn new(state: Ec2State, wall_ms: i64) -> Self {
        Self { state, wall_ms, ..Self::default() }
    }

    /// Takes the fault planned for this call, if any. A slow start is waited for before [`Self::call`].
    pub(crate) fn fault(&mut self, action: &str) -> Option<Fault> {
        self.faults.get_mut(action)?.pop_front()
    }

    /// The whole way of one call, at one moment.
    pub(crate) fn call(&mut self, now: Duration, headers: &Headers, form: &Form, fault: Option<Fault>) -> Outcome {
        self.requests += 1;
        let request = format!("00000000-0000-4000-8000-{:012x}", self.requests);
        let action = logged(form);
        self.state.ec2.forget_deleted(now);
        let reply = self.admitted(now, headers, form, &request, fault.as_ref());
        self.record(action, now, headers, form.fields().clone(), reply.as_ref().map(|_| ()));
        Outcome { reply, request, fault }
    }

    /// Into the log and the counters.
    pub(crate) fn record(
        &mut self,
        action: String,
        at: Duration,
        headers: &Headers,
        fields: BTreeMap<String, String>,
        outcome: Result<(), &ApiError>,
    ) {
        *self.counts.entry(action.clone()).or_default() += 1;
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        let key = ["ec2", "ebs"].iter().find_map(|service| credential(&headers.authorization, service));
        self.log.push_back(Call {
            action,
            at,
            key: key.map(|(key, _)| key.to_owned()).unwrap_or_default(),
            attempt: headers.attempt.clone(),
            invocation: headers.invocation.clone(),
            fields,
            outcome: outcome.map_or_else(|error| error.code.clone(), |()| "ok".to_owned()),
        });
    }

    fn admitted(
        &mut self,
        now: Duration,
        headers: &Headers,
        form: &Form,
        request: &str,
        fault: Option<&Fault>,
    ) -> Result<String, ApiError> {
        let action = form.text("Action").unwrap_or("none");
        let home = self.caller(now, &headers.authorization, "ec2")?;
        let paged = !form.numbers("Filter").is_empty() || form.text("MaxResults").or(form.text("NextToken")).is_some();
        self.state.ec2.draw(now, &home, &Rules::bucket(action, paged))?;
        if let Some(Fault::Refuse { status, code, message }) = fault {
            return Err(ApiError::with(*status, code, message));
        }
        if self.denied.contains(&logged(form)) {
            let message = "You are not authorized to perform this operation.";
            return Err(ApiError::with(403, "UnauthorizedOperation", message));
        }
        self.act(now, &home, action, form, request)
    }

    /// Who calls: the account of the access key, and the Region of the signature's scope. Signatures are not checked.
    pub(crate) fn caller(&self, now: Duration, authorization: &str, service: &str) -> Result<Home, ApiError> {
        let account = |key: &str| self.state.keys.get(key).or(self.state.any_key.as_ref());
        let ended = |key: &str| self.state.ends.get(key).is_some_and(|end| *end <= now);
        let scope = credential(authorization, service);
        if scope.is_some_and(|(key, _)| ended(key)) {
            return Err(ApiError::client("RequestExpired", "Request has expired."));
        }
        let home = scope.and_then(|(key, region)| Some(Home::new(account(key)?, region)));
        let message = "AWS was not able to validate the provided access credentials";
        home.ok_or_else(|| ApiError::with(401, "AuthFailure", message))
    }

    fn act(
        &mut self,
        now: Duration,
        home: &Home,
        action: &str,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        match action {
            "CreateSnapshots" => self.create_snapshots(now, home, form, request),
            "CreateSnapshot" => self.create_snapshot(now, home, form, request),
            "DescribeSnapshots" => self.describe_snapshots(now, home, form, request),
            "DeleteSnapshot" => self.delete_snapshot(now, home, form, request),
            "DescribeSnapshotAttribute" => self.snapshot_attribute(now, home, form, request),
            "ListSnapshotsInRecycleBin" => self.recycle_bin(home, form, request),
            "DescribeAvailabilityZones" => self.describe_zones(home, form, request),
            "CreateVolume" => self.create_volume(now, home, form, request),
            "DeleteVolume" => self.delete_volume(now, home, form, request),
            "DescribeVolumeStatus" => self.describe_volume_status(now, home, form, request),
            "CreateTags" => self.create_tags(now, home, form, request),
            "DescribeTags" => self.describe_tags(now, home, form, request),
            "DescribeVolumes" => self.describe_volumes(now, home, form, request),
            "DescribeInstances" => self.describe_instances(home, form, request),
            other => {
                let message = format!("The action {other} is not valid for this web service.");
                Err(ApiError::client("InvalidAction", message))
            }
        }
    }

    pub(crate) fn ec2(&self) -> &Ec2 {
        &self.state.ec2
    }

    /// EC2's clock.
    pub(crate) fn clock_ms(&self, now: Duration) -> i64 {
        let elapsed = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        self.wall_ms.saturating_add(elapsed).saturating_add(self.ec2().rules.clock_skew_ms)
    }
}

/// What a call is counted, logged and planned for as.
pub(crate) fn logged(form: &Form) -> String {
    let action = form.text("Action").unwrap_or("none");
    if form.text("DryRun") == Some("true") { format!("{action} dry run") } else { action.to_owned() }
}

/// Access key and Region of a signature for this service.
pub(crate) fn credential<'a>(authorization: &'a str, service: &str) -> Option<(&'a str, &'a str)> {
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let scope = rest.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
    let mut parts = scope.split('/');
    let (key, _date, region) = (parts.next()?, parts.next()?, parts.next()?);
    (parts.next() == Some(service) && parts.next() == Some("aws4_request")).then_some((key, region))
}

/// Ends a call that has `DryRun` set, once everything else about it is right.
pub(crate) fn dry_run(form: &Form) -> Result<(), ApiError> {
    if form.flag("DryRun")? {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(ApiError::with(412, "DryRunOperation", message));
    }
    Ok(())
}
