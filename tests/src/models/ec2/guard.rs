//! What keeps a snapshot from being deleted (`facts/aws.md` A5). Only the code of a used snapshot is documented; of the others
//! it is not (D), and the words have to do.

use super::refusal::Refusal;

/// Why DeleteSnapshot is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// A registered AMI, this one, is made of it.
    Ami(String),
    /// Snapshot lock: whatever rights the caller has.
    Lock,
    /// A recovery point of AWS Backup: deleted there, not through EC2.
    AwsBackup,
}

impl Guard {
    /// DeleteSnapshot of a snapshot that it keeps.
    pub(super) fn refusal(&self, id: &str) -> Refusal {
        match self {
            Self::Ami(ami) => {
                Refusal::new("InvalidSnapshot.InUse", format!("The snapshot {id} is currently in use by {ami}"))
            }
            Self::Lock => {
                Refusal::new("OperationNotPermitted", format!("The snapshot {id} is locked in compliance mode"))
            }
            Self::AwsBackup => {
                let text = format!(
                    "The snapshot {id} is managed by the AWS Backup service and cannot be deleted via EC2 APIs."
                );
                Refusal::new("InvalidParameterValue", text)
            }
        }
    }
}
