//! What a name, a bucket or a prefix can never be, whatever the world is. The CRD has the same rules; these are for
//! objects that no API server has seen, and say which field it is.

use super::faults::Faults;
use shared::{
    reason::Reason,
    request::{MemberRequest, S3Target},
};

/// Longest key that S3 takes, in bytes.
const MAX_KEY: usize = 1024;
/// What a schedule puts between its prefix and the plane's name: `/-2024-05-01t03-00-00`.
const STAMP: usize = 21;

/// The longest file below a plane's prefix, slash included: our certificate, or `manifests/NAMESPACE/KIND/NAME.yaml`
/// with room for any kind's name.
fn longest_file(member: &MemberRequest) -> usize {
    let manifest = "/manifests//TidbClusterAutoScaler/.yaml".len() + member.tc_namespace.len() + member.tc_name.len();
    manifest.max("/isochron-certificate.json".len())
}

pub(super) fn storage(storage: &S3Target, members: &[MemberRequest], faults: &mut Faults) {
    if !storage.bucket.is_empty() && !is_bucket(&storage.bucket) {
        faults.add(
            Reason::SpecInvalid,
            format!(
                "spec.template.s3.bucket is {:?}; write the bucket's name alone (letters, digits, dots, dashes and \
                 underscores), folders go into spec.template.s3.prefix",
                storage.bucket
            ),
        );
    }
    let prefix = &storage.prefix;
    if prefix.split('/').any(|part| matches!(part, "." | "..")) || prefix.chars().any(char::is_control) {
        faults.add(
            Reason::SpecInvalid,
            format!(
                "spec.template.s3.prefix is {prefix:?}; it must have no part '.' or '..' between slashes and no control \
                 character: a restore would look elsewhere"
            ),
        );
    }
    let longest = |member: &MemberRequest| {
        storage.of_plane(&member.plane).prefix.len().saturating_add(STAMP + longest_file(member))
    };
    if let Some(member) = members.iter().find(|member| longest(member) > MAX_KEY) {
        faults.add(
            Reason::SpecInvalid,
            format!(
                "spec.template.s3.prefix has {} bytes; with {} and the names of files it would be longer than the \
                 {MAX_KEY} bytes that S3 takes",
                prefix.len(),
                member.plane
            ),
        );
    }
}

/// An object's name, as Kubernetes has it (RFC 1123).
pub(super) fn name(field: &str, value: &str, faults: &mut Faults) {
    let is_name = value.len() <= 253 && value.split('.').all(is_label);
    if !value.is_empty() && !is_name {
        faults.add(
            Reason::SpecInvalid,
            format!("{field} is {value:?}; names in Kubernetes have only a-z, 0-9, '-' and '.', and end with a letter or digit"),
        );
    }
}

/// A namespace, likewise.
pub(super) fn namespace(field: &str, value: &str, faults: &mut Faults) {
    let is_name = value.len() <= 63 && is_label(value);
    if !value.is_empty() && !is_name {
        faults.add(
            Reason::SpecInvalid,
            format!(
                "{field} is {value:?}; namespaces have at most 63 of a-z, 0-9 and '-', and end with a letter or digit"
            ),
        );
    }
}

/// A plane's name.
pub(super) fn plane(field: &str, value: &str, faults: &mut Faults) {
    if !value.is_empty() && !shared::plane_name::is_name(value) {
        faults.add(
            Reason::SpecInvalid,
            format!(
                "{field} is {value:?}; it must have at most 253 characters, none of them invisible, and no empty, '.' or \
                 '..' between slashes: it is part of the files' path"
            ),
        );
    }
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Old buckets may have capitals and underscores, and 255 characters.
fn is_bucket(text: &str) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    let bytes = text.as_bytes();
    bytes.len() <= 255
        && bytes.iter().all(|byte| plain(byte) || b"._-".contains(byte))
        && bytes.first().is_some_and(plain)
        && bytes.last().is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use super::super::{super::crd::VolumeBackup, object};
    use serde_json::{Value, json};
    use shared::request::Limits;

    fn refused(pointer: &str, value: &Value) -> Option<String> {
        let mut manifest = json!({
            "apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeBackup",
            "metadata": {"name": "b", "namespace": "n", "uid": "u"},
            "spec": {
                "clusters": [{"k8sClusterName": "az1", "tcName": "shop", "tcNamespace": "tidb"}],
                "template": {"br": {}, "s3": {"provider": "aws", "bucket": "shop", "prefix": "vol"}},
            },
        });
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        manifest.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(field.to_owned(), value.clone());
        let backup: VolumeBackup = serde_json::from_value(manifest).unwrap();
        object(&backup, &Limits::default()).unwrap().request.err().map(|refusal| refusal.message)
    }

    #[test]
    fn what_can_never_work_names_its_field() {
        let (long, ns) = ("p".repeat(1000), "n".repeat(64));
        for (pointer, bad, field) in [
            ("/spec/template/s3/prefix", "..", "spec.template.s3.prefix"),
            ("/spec/template/s3/prefix", "a/../../b", "spec.template.s3.prefix"),
            ("/spec/template/s3/prefix", "./a", "spec.template.s3.prefix"),
            ("/spec/template/s3/prefix", "a\nb", "spec.template.s3.prefix"),
            ("/spec/template/s3/prefix", &long, "spec.template.s3.prefix has 1000 bytes"),
            ("/spec/template/s3/bucket", "my bucket name", "spec.template.s3.bucket"),
            ("/spec/template/s3/bucket", "s3://shop-backup/vol", "spec.template.s3.bucket"),
            ("/spec/template/s3/bucket", "shop-backup/sub", "folders go into spec.template.s3.prefix"),
            ("/spec/template/s3/bucket", "..", "spec.template.s3.bucket"),
            ("/spec/template/s3/secretName", "my secret", "spec.template.s3.secretName"),
            ("/spec/template/serviceAccount", "my sa", "spec.template.serviceAccount"),
            ("/spec/clusters/0/tcName", "Shop AZ2", "spec.clusters[0].tcName"),
            ("/spec/clusters/0/tcNamespace", "ti db", "spec.clusters[0].tcNamespace"),
            ("/spec/clusters/0/tcNamespace", &ns, "spec.clusters[0].tcNamespace"),
            ("/spec/clusters/0/k8sClusterName", "a/../b", "spec.clusters[0].k8sClusterName"),
            ("/spec/clusters/0/k8sClusterName", "az1\n", "spec.clusters[0].k8sClusterName"),
        ] {
            let message = refused(pointer, &json!(bad)).unwrap_or_default();
            assert!(message.contains(field), "{pointer} {bad:?}: {message:?}");
        }
    }

    #[test]
    fn what_works_today_works_on() {
        for (pointer, good) in [
            ("/spec/template/s3/prefix", ""),
            ("/spec/template/s3/prefix", "//a//b/"),
            ("/spec/template/s3/prefix", "nächtlich im Mai"),
            ("/spec/template/s3/prefix", "a..b/.c/d."),
            ("/spec/template/s3/bucket", "Shop_BK.eu-1"),
            ("/spec/template/s3/bucket", "b"),
            ("/spec/template/s3/provider", "ceph"),
            ("/spec/template/serviceAccount", "tidb.backup-manager"),
            ("/spec/clusters/0/k8sClusterName", "arn:aws:eks:eu-west-1:123456789012:cluster/prod-az1"),
            ("/spec/clusters/0/k8sClusterName", "ann@shop.eu-west-1.eksctl.io"),
            ("/spec/clusters/0/k8sClusterName", "docker desktop"),
        ] {
            assert_eq!(refused(pointer, &json!(good)), None, "{pointer} {good:?}");
        }
    }
}
