//! From a PersistentVolume to its EBS volume id (`facts/tidb-operator.md` §4.2 item 4), with none of today's silence: what
//! is not clearly EBS is an error.

use serde_json::Value;
use shared::ids::VolumeId;

/// The EBS CSI driver, as an add-on and as EKS Auto Mode's own. Volumes that an in-tree class made and a driver took over
/// keep their in-tree form.
const DRIVERS: [&str; 2] = ["ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com"];

/// The volume id, or what the PV is instead.
pub(crate) fn volume_id(pv: &Value) -> Result<VolumeId, String> {
    let spec = pv.get("spec").unwrap_or(&Value::Null);
    if let Some(csi) = spec.get("csi") {
        let driver = text(csi, "driver");
        if !DRIVERS.contains(&driver) {
            return Err(format!("is of CSI driver {driver:?}, not {}", DRIVERS.join(" or ")));
        }
        let handle = text(csi, "volumeHandle");
        return parse(handle).ok_or_else(|| format!("has volumeHandle {handle:?} without an EBS volume id"));
    }
    if let Some(disk) = spec.get("awsElasticBlockStore") {
        let id = text(disk, "volumeID");
        return parse(id).ok_or_else(|| format!("has awsElasticBlockStore.volumeID {id:?} without an EBS volume id"));
    }
    let kinds = ["hostPath", "local", "nfs", "gcePersistentDisk", "azureDisk", "iscsi", "rbd", "cephfs"];
    match kinds.iter().find(|kind| spec.get(**kind).is_some()) {
        Some(kind) => Err(format!("is a {kind} volume, not EBS")),
        None => Err("is neither csi nor awsElasticBlockStore".to_owned()),
    }
}

/// `vol-…` to the end of `text`; letters and digits only, as EC2 makes them.
fn parse(text: &str) -> Option<VolumeId> {
    let start = text.find("vol-")?;
    let id = &text[start..];
    let digits = id.strip_prefix("vol-")?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| VolumeId::new(id))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_of_a_volume_id() {
        let rows = [
            (json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0a11"}}), Ok("vol-0a11")),
            (
                json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "aws://eu-west-1a/vol-0a12"}}),
                Ok("vol-0a12"),
            ),
            (json!({"csi": {"driver": "ebs.csi.eks.amazonaws.com", "volumeHandle": "vol-0a17"}}), Ok("vol-0a17")),
            (json!({"awsElasticBlockStore": {"volumeID": "aws://eu-west-1a/vol-0a13"}}), Ok("vol-0a13")),
            (json!({"awsElasticBlockStore": {"volumeID": "vol-0a14"}}), Ok("vol-0a14")),
            (json!({"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "vol-0a15"}}), Err("efs.csi.aws.com")),
            (json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "fs-1"}}), Err("fs-1")),
            (json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-"}}), Err("vol-")),
            (json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-0a/../x"}}), Err("vol-0a/../x")),
            (json!({"csi": {"driver": "ebs.csi.aws.com"}}), Err("volumeHandle")),
            (json!({"awsElasticBlockStore": {"volumeID": ""}}), Err("volumeID")),
            (json!({"hostPath": {"path": "/x"}}), Err("hostPath")),
            (json!({}), Err("neither")),
        ];
        for (spec, expected) in rows {
            let found = volume_id(&json!({ "spec": spec }));
            match expected {
                Ok(id) => assert_eq!(found, Ok(VolumeId::new(id)), "{spec}"),
                Err(part) => assert!(found.as_ref().is_err_and(|text| text.contains(part)), "{spec}: {found:?}"),
            }
        }
    }
}
