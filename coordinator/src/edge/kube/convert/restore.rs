//! A VolumeRestore object in, a wish (or why it can never work) out.

use super::{
    super::crd::{
        Br, RESTORE_FINALIZER, RestoreClusterRef, RestoreSpec, RestoreTemplate, Template, TimeoutSpec, VolumeRestore,
    },
    CANCEL_ANNOTATION, EXTERNAL_ID_ANNOTATION, ROLE_ANNOTATION, TRY_AGAIN_ANNOTATION,
    clusters::{self, Clusters, Named},
    faults::Faults,
    options, storage,
    units::{go_duration, millis},
};
use crate::ports::RestoreObject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use shared::{
    duration::{self, Units},
    ids::RestoreUid,
    reason::{Reason, Refusal, cut},
    request::Credentials,
    restoring::{Content, DrillLevel, RestoreCleanPolicy, RestoreLimits, RestoreMember, RestoreRequest, Warm},
    time::Millis,
    wire::{TEXT_MAX, Target, VolumeKind},
};
use std::collections::BTreeSet;

/// What a restore makes where nobody says otherwise (`facts/restore.md` §2.5).
const PLAIN: (&str, u32, u32) = ("gp3", 3000, 125);
/// Longest step that can be meant.
const MAX_STEP: Millis = Millis::secs(7 * 24 * 3600);
/// One region of so many is compared by a sample.
const SAMPLE: u32 = 64;

/// What the coordinator knows of an object. `None` for one without uid, namespace or name.
pub fn restore(found: &VolumeRestore) -> Option<RestoreObject> {
    let phase = found.status.as_ref().and_then(|status| status.get("phase")).and_then(Value::as_str);
    let mut object = known(&found.metadata, phase.unwrap_or_default())?;
    object.clean_policy = clean_policy(&found.spec).unwrap_or(RestoreCleanPolicy::Retain);
    object.request = request(&found.metadata, &found.spec, &object);
    Some(object)
}

/// The same for an object whose spec does not have the shape of a VolumeRestore.
pub fn unreadable_restore(metadata: &ObjectMeta, error: &str) -> Option<RestoreObject> {
    let mut object = known(metadata, "")?;
    let message = cut(format!("the object is not a VolumeRestore: {error}"), TEXT_MAX);
    object.request = Err(Refusal::new(Reason::SpecInvalid, message));
    Some(object)
}

fn annotation<'a>(metadata: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    metadata.annotations.as_ref().and_then(|all| all.get(name)).map(|text| text.trim())
}

fn known(metadata: &ObjectMeta, phase: &str) -> Option<RestoreObject> {
    Some(RestoreObject {
        uid: RestoreUid::new(metadata.uid.clone()?),
        namespace: metadata.namespace.clone()?,
        name: metadata.name.clone()?,
        created: metadata.creation_timestamp.as_ref().map(millis).unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        finalizer: metadata.finalizers.iter().flatten().any(|name| name == RESTORE_FINALIZER),
        phase: phase.to_owned(),
        request: Err(Refusal::new(Reason::SpecInvalid, "the spec was not read")),
        clean_policy: RestoreCleanPolicy::Retain,
        cancel: annotation(metadata, CANCEL_ANNOTATION) == Some("true"),
        try_again: annotation(metadata, TRY_AGAIN_ANNOTATION).unwrap_or_default().to_owned(),
    })
}

/// `None`: no word that there is.
fn clean_policy(spec: &RestoreSpec) -> Option<RestoreCleanPolicy> {
    match spec.clean_policy.as_deref().unwrap_or_default() {
        "" | "Retain" => Some(RestoreCleanPolicy::Retain),
        "Delete" => Some(RestoreCleanPolicy::Delete),
        _ => None,
    }
}

fn request(metadata: &ObjectMeta, spec: &RestoreSpec, object: &RestoreObject) -> Result<RestoreRequest, Refusal> {
    let mut faults = Faults::of("spec");
    let empty = RestoreTemplate::default();
    let template = spec.template.as_ref().unwrap_or(&empty);
    let (options, ignored) = volume_options(template.br.as_ref());
    let members = members(spec.clusters.as_deref().unwrap_or_default(), template, &mut faults);
    let credentials = credentials(metadata, spec, template, &mut faults);
    let mut fault = |text: String| faults.add(Reason::SpecInvalid, text);
    let drill = match spec.drill.as_ref().map(|drill| drill.level) {
        None => None,
        Some(1) => Some(DrillLevel::Look),
        Some(2) => Some(DrillLevel::Volumes),
        Some(other) => {
            fault(format!("spec.drill.level is {other}; it must be 1 or 2"));
            None
        }
    };
    let content = match spec.content.as_deref().unwrap_or_default() {
        "none" => Content::None,
        "" | "sample" => Content::OneIn(SAMPLE),
        "all" => Content::All,
        other => {
            fault(format!("spec.content is {other:?}; it must be none, sample or all"));
            Content::None
        }
    };
    let clean_policy = clean_policy(spec).unwrap_or_else(|| {
        let other = spec.clean_policy.as_deref().unwrap_or_default();
        fault(format!("spec.cleanPolicy is {other:?}; it must be Retain or Delete"));
        RestoreCleanPolicy::Retain
    });
    let warm = warm(template, &mut fault);
    let rate = spec.volume.as_ref().and_then(|volume| volume.initialization_rate);
    let rate = rate.and_then(|rate| {
        let fits = u32::try_from(rate).ok().filter(|rate| (100..=300).contains(rate));
        if fits.is_none() {
            fault(format!("spec.volume.initializationRate is {rate}; it must be 100 to 300 MiB/s"));
        }
        fits
    });
    let limits = limits(spec.timeouts.as_ref(), &mut fault);
    let request = RestoreRequest {
        restore: object.uid.clone(),
        name: object.name.clone(),
        namespace: object.namespace.clone(),
        members,
        credentials,
        role_external_id: annotation(metadata, EXTERNAL_ID_ANNOTATION).unwrap_or_default().to_owned(),
        drill,
        kind: kind(spec, &options),
        rate,
        warm,
        content,
        clean_policy,
        unproven: spec.allow_unproven.unwrap_or_default(),
        limits,
        ignored,
    };
    faults.or(request)
}

fn members(clusters: &[RestoreClusterRef], template: &RestoreTemplate, faults: &mut Faults) -> Vec<RestoreMember> {
    if !clusters::are_few(clusters.len(), "a restore", faults) {
        return Vec::new();
    }
    let mut known = Clusters::default();
    let mut members = Vec::with_capacity(clusters.len());
    for (index, cluster) in clusters.iter().enumerate() {
        let written = [&cluster.k8s_cluster_name, &cluster.tc_name, &cluster.tc_namespace];
        let Named { plane, name, namespace } = known.read(index, written, faults);
        let folder = cluster.backup.as_ref();
        if folder.is_none_or(|folder| folder.s3.is_none()) {
            faults.add(Reason::S3Missing, format!("spec.clusters[{index}].backup.s3 is missing"));
        }
        // As a backup's template has it, whose reader knows S3's fields and options.
        let of_backup = Template {
            br: template.br.clone(),
            s3: folder.and_then(|folder| folder.s3.clone()).or_else(|| Some(super::super::crd::S3::default())),
            ..Template::default()
        };
        let storage = match folder.and_then(|folder| folder.s3.as_ref()) {
            Some(_) => storage::storage(&of_backup, &options::read(&of_backup), faults),
            None => continue,
        };
        let zone = cluster.az_name.clone().filter(|zone| !zone.is_empty());
        members.push(RestoreMember { plane, target: Target { namespace, name }, zone, storage });
    }
    members
}

/// A secret of the first folder wins over a role, a role over a ServiceAccount, as with backups.
fn credentials(
    metadata: &ObjectMeta,
    spec: &RestoreSpec,
    template: &RestoreTemplate,
    faults: &mut Faults,
) -> Credentials {
    let filled = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let secrets: BTreeSet<&str> = spec
        .clusters
        .iter()
        .flatten()
        .filter_map(|cluster| cluster.backup.as_ref()?.s3.as_ref()?.secret_name.as_deref())
        .filter(|name| !name.is_empty())
        .collect();
    if secrets.len() > 1 {
        let text = format!(
            "spec.clusters name different secrets ({}): write one name, each plane has its own secret of it",
            secrets.iter().copied().collect::<Vec<_>>().join(", ")
        );
        faults.add(Reason::SpecInvalid, text);
    }
    if let Some(secret) = secrets.first() {
        Credentials::Secret((*secret).to_owned())
    } else if let Some(role) = filled(annotation(metadata, ROLE_ANNOTATION)) {
        Credentials::Role(role)
    } else if let Some(account) = filled(template.service_account.as_deref()) {
        Credentials::ServiceAccount(account)
    } else {
        Credentials::Default
    }
}

fn warm(template: &RestoreTemplate, fault: &mut impl FnMut(String)) -> Warm {
    match template.warmup_strategy.as_deref().unwrap_or_default() {
        "" | "fio" | "hybrid" | "ebs" => {}
        other => fault(format!(
            "spec.template.warmupStrategy is {other:?}; fio, hybrid and ebs all wait for EBS itself, and others cannot be had"
        )),
    }
    match template.warmup.as_deref().unwrap_or_default() {
        "" | "async" => Warm::Lazy,
        "sync" => Warm::First,
        other => {
            fault(format!("spec.template.warmup is {other:?}; it must be sync or async"));
            Warm::Lazy
        }
    }
}

/// What options of BR say of volumes.
#[derive(Default)]
struct VolumeOptions {
    kind: Option<String>,
    iops: Option<u32>,
    throughput: Option<u32>,
}

/// Options of S3 are read with each folder; what is left has no effect, and is told.
fn volume_options(br: Option<&Br>) -> (VolumeOptions, Vec<String>) {
    let mut volume = VolumeOptions::default();
    let (mut rest, none) = (Vec::new(), Vec::new());
    let all = br.and_then(|br| br.options.as_ref()).unwrap_or(&none);
    let mut words = all.iter().flat_map(|option| option.split_whitespace()).peekable();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, words.next_if(|next| !next.starts_with('-'))),
        };
        match (name, value) {
            ("--volume-type", Some(value)) => volume.kind = Some(value.to_owned()),
            ("--volume-iops", Some(value)) if value.parse::<u32>().is_ok() => volume.iops = value.parse().ok(),
            ("--volume-throughput", Some(value)) if value.parse::<u32>().is_ok() => {
                volume.throughput = value.parse().ok();
            }
            _ => rest.push(value.map_or_else(|| name.to_owned(), |value| format!("{name}={value}"))),
        }
    }
    let template = Template { br: Some(Br { options: Some(rest), ..Br::default() }), ..Template::default() };
    (volume, options::read(&template).ignored)
}

fn kind(spec: &RestoreSpec, options: &VolumeOptions) -> VolumeKind {
    let volume = spec.volume.clone().unwrap_or_default();
    let number = |field: Option<i32>| field.and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
    let (plain, iops, throughput) = PLAIN;
    let name = volume.kind.filter(|kind| !kind.is_empty()).or_else(|| options.kind.clone());
    let name = name.unwrap_or_else(|| plain.to_owned());
    let is_plain = name == plain;
    let of = |own: Option<u32>, option: Option<u32>, otherwise: u32| {
        own.or(option).or_else(|| is_plain.then_some(otherwise))
    };
    VolumeKind {
        iops: of(number(volume.iops), options.iops, iops),
        throughput: of(number(volume.throughput), options.throughput, throughput),
        name,
    }
}

fn limits(timeouts: Option<&TimeoutSpec>, fault: &mut impl FnMut(String)) -> RestoreLimits {
    let mut limits = RestoreLimits::default();
    let Some(timeouts) = timeouts else { return limits };
    let mut step = |name: &str, text: &Option<String>, into: &mut Millis| {
        let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else { return };
        match duration::parse(text, Units::Go) {
            Ok(length) if length.0 > 0 && length <= MAX_STEP => *into = length,
            _ => fault(format!(
                "spec.timeouts.{name} is {text:?}; write a duration like 90m or 1h30m, up to {}",
                go_duration(MAX_STEP)
            )),
        }
    };
    step("build", &timeouts.build, &mut limits.build);
    step("warm", &timeouts.warm, &mut limits.warm);
    step("stores", &timeouts.stores, &mut limits.stores);
    step("lead", &timeouts.lead, &mut limits.lead);
    step("rollBack", &timeouts.roll_back, &mut limits.roll_back);
    step("check", &timeouts.check, &mut limits.check);
    limits
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `facts/restore.md` §1.5, with a second plane.
    fn manifest() -> Value {
        let cluster = |plane: &str, zone: &str| {
            json!({
                "k8sClusterName": plane, "tcName": format!("shop-new-{plane}"), "tcNamespace": "tidb", "azName": zone,
                "backup": {"s3": {"provider": "aws", "region": "eu-west-1", "bucket": "bk",
                                  "prefix": format!("shop/nightly-{plane}"), "secretName": "s3-secret"}},
            })
        };
        json!({
            "apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeRestore",
            "metadata": {"name": "shop-back", "namespace": "br-fed", "uid": "u-1"},
            "spec": {
                "clusters": [cluster("az1", "eu-west-1a"), cluster("az2", "eu-west-1b")],
                "template": {
                    "br": {"sendCredToTikv": true, "options": ["--volume-type=gp3", "--volume-iops=7000", "--ratelimit=1"]},
                    "toolImage": "pingcap/br:v7.5.2", "warmup": "sync", "warmupImage": "pingcap/ebs-warmup:v1.6.0",
                },
            },
        })
    }

    fn of(manifest: &Value) -> RestoreObject {
        restore(&serde_json::from_value(manifest.clone()).unwrap()).unwrap()
    }

    #[test]
    fn a_manifest_of_the_old_manager_is_understood_as_it_is() {
        let object = of(&manifest());
        let request = object.request.unwrap();
        assert_eq!(request.members.len(), 2);
        let second = &request.members[1];
        assert_eq!((second.plane.as_str(), second.zone.as_deref()), ("az2", Some("eu-west-1b")));
        assert_eq!((second.target.namespace.as_str(), second.target.name.as_str()), ("tidb", "shop-new-az2"));
        assert_eq!(second.storage.path(), "s3://bk/shop/nightly-az2", "the plane's own folder, whole");
        assert_eq!(request.credentials, Credentials::Secret("s3-secret".to_owned()));
        assert_eq!(request.kind, VolumeKind { name: "gp3".to_owned(), iops: Some(7000), throughput: Some(125) });
        assert_eq!((request.warm, request.rate, request.drill), (Warm::First, None, None));
        assert_eq!(request.ignored, ["br.options: --ratelimit=1"], "nothing is dropped without a word");
        assert_eq!(object.clean_policy, RestoreCleanPolicy::Retain);
    }

    #[test]
    fn what_can_never_work_names_its_field() {
        for (pointer, bad, field) in [
            ("/spec/clusters", json!([]), "spec.clusters"),
            ("/spec/clusters/0/tcName", json!(""), "spec.clusters[0].tcName"),
            ("/spec/clusters/1/k8sClusterName", json!("az1"), "spec.clusters[1]"),
            ("/spec/clusters/0/backup", json!({}), "spec.clusters[0].backup.s3"),
            ("/spec/clusters/1/backup/s3/secretName", json!("other"), "different secrets"),
            ("/spec/template/warmupStrategy", json!("fsr"), "spec.template.warmupStrategy"),
            ("/spec/drill", json!({"level": 3}), "spec.drill.level"),
            ("/spec/content", json!("some"), "spec.content"),
            ("/spec/cleanPolicy", json!("OnFailure"), "spec.cleanPolicy"),
            ("/spec/volume", json!({"initializationRate": 50}), "spec.volume.initializationRate"),
            ("/spec/timeouts", json!({"lead": "soon"}), "spec.timeouts.lead"),
        ] {
            let mut manifest = manifest();
            let (parent, last) = pointer.rsplit_once('/').unwrap();
            match manifest.pointer_mut(parent).unwrap() {
                Value::Object(fields) => drop(fields.insert(last.to_owned(), bad)),
                other => panic!("{other}"),
            }
            let refused = of(&manifest).request.unwrap_err();
            assert!(refused.message.contains(field), "{pointer}: {refused}");
        }
    }
}
