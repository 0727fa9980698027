//! Why a snapshot could not be deleted, and who can do something about it. EC2 has a code of its own only for some of it
//! (`facts/aws.md` A5, D), so its words count as well.

use crate::ports::CloudError;
use std::fmt;

/// What stands in the way of one deletion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Obstacle {
    /// An AMI is made of it: this one, where EC2 says which.
    InUse(Option<String>),
    /// Snapshot lock.
    Locked,
    /// A recovery point of AWS Backup.
    AwsBackup,
    /// A rule of the Recycle Bin has it already.
    RecycleBin,
    /// The caller may not.
    Denied,
    /// Another reason; EC2's code.
    Other(String),
    /// By rate: nothing happened.
    Throttled,
    /// EC2 failed, or its answer was lost.
    Unclear,
}

impl Obstacle {
    /// What an answer to DeleteSnapshot means for its snapshot. `None`: it is about the credentials, so no call of theirs
    /// would fare better.
    pub(crate) fn of(error: &CloudError) -> Option<Self> {
        let said = error.to_string();
        Some(match error {
            CloudError::NotAccepted(_) | CloudError::WrongTime(_) | CloudError::NoCredentials(_) => return None,
            CloudError::Throttled(_) => Self::Throttled,
            CloudError::OutcomeUnknown(_)
            | CloudError::PerVolumeRate(_)
            | CloudError::InvalidState(_)
            | CloudError::Quota(_) => Self::Unclear,
            CloudError::Denied(_) => Self::by_words(&said).unwrap_or(Self::Denied),
            CloudError::Refused { code, .. } => Self::by_words(&said).unwrap_or_else(|| Self::Other(code.clone())),
            CloudError::NotFound(_) => Self::Other("NotFound".to_owned()),
        })
    }

    fn by_words(said: &str) -> Option<Self> {
        let low = said.to_lowercase();
        if low.contains("aws backup") {
            Some(Self::AwsBackup)
        } else if low.contains("locked") || low.contains("snapshotlock") {
            Some(Self::Locked)
        } else if low.contains("recycle bin") {
            Some(Self::RecycleBin)
        } else if low.contains("invalidsnapshot.inuse") || low.contains("in use") {
            Some(Self::InUse(ami(&low)))
        } else {
            None
        }
    }

    /// It does not pass by itself, or only with a time that somebody has set (a lock, a rule): asking soon is in vain.
    pub(crate) fn needs_person(&self) -> bool {
        match self {
            Self::InUse(_) | Self::Locked | Self::AwsBackup | Self::RecycleBin | Self::Denied | Self::Other(_) => true,
            Self::Throttled | Self::Unclear => false,
        }
    }
}

/// What it is, and what to do about it.
impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InUse(Some(ami)) => return write!(f, "in use by {ami}: deregister this AMI"),
            Self::InUse(None) => "in use: deregister the AMI that is made of it",
            Self::Locked => "locked: it can go when its snapshot lock ends or is lifted",
            Self::AwsBackup => "managed by AWS Backup: delete its recovery point there",
            Self::RecycleBin => "in the Recycle Bin: it goes when the rule that keeps it lets it go",
            Self::Denied => {
                "not allowed: give the role of this backup ec2:DeleteSnapshot, unless a policy of the organisation forbids it"
            }
            Self::Other(_) => "refused by EC2",
            Self::Throttled => "EC2 throttles: it is tried again",
            Self::Unclear => "EC2 gave no clear answer: it is tried again",
        })
    }
}

/// The first id of an AMI in a text, as far as it is one.
fn ami(low: &str) -> Option<String> {
    let from = low.find("ami-")?;
    let id: String = low[from..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    (id.len() > "ami-".len()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, message: &str) -> CloudError {
        CloudError::Refused { code: code.into(), message: message.into() }
    }

    #[test]
    fn what_stands_in_the_way_is_told_apart() {
        let denied = |text: &str| CloudError::Denied(format!("ec2:DeleteSnapshot: {text}"));
        let in_use = |ami: Option<&str>| Obstacle::InUse(ami.map(str::to_owned));
        let table = [
            (
                refused("InvalidSnapshot.InUse", "The snapshot snap-1 is currently in use by ami-0aB1."),
                in_use(Some("ami-0ab1")),
            ),
            (refused("InvalidSnapshot.InUse", ""), in_use(None)),
            (
                refused("InvalidParameterValue", "This snapshot is managed by the AWS Backup service"),
                Obstacle::AwsBackup,
            ),
            (refused("OperationNotPermitted", "The snapshot is locked in compliance mode"), Obstacle::Locked),
            (denied("SnapshotLocked"), Obstacle::Locked),
            (refused("IncorrectState", "snap-1 is in the Recycle Bin"), Obstacle::RecycleBin),
            (denied("UnauthorizedOperation: You are not authorized to perform this operation."), Obstacle::Denied),
            (
                refused("InvalidSnapshotID.Malformed", "Invalid id"),
                Obstacle::Other("InvalidSnapshotID.Malformed".into()),
            ),
            (CloudError::Throttled("RequestLimitExceeded".into()), Obstacle::Throttled),
            (CloudError::OutcomeUnknown("InternalError".into()), Obstacle::Unclear),
            (CloudError::InvalidState("InvalidState".into()), Obstacle::Unclear),
        ];
        for (error, obstacle) in table {
            assert_eq!(Obstacle::of(&error), Some(obstacle), "{error}");
        }
        let about_the_caller = [
            CloudError::NotAccepted("AuthFailure".into()),
            CloudError::WrongTime("RequestExpired".into()),
            CloudError::NoCredentials("none".into()),
        ];
        assert!(about_the_caller.iter().all(|error| Obstacle::of(error).is_none()));
    }

    #[test]
    fn who_has_to_act_and_how_is_told_of_each() {
        let person = [
            (Obstacle::InUse(Some("ami-1".into())), "ami-1: deregister"),
            (Obstacle::InUse(None), "deregister the AMI"),
            (Obstacle::Locked, "lifted"),
            (Obstacle::AwsBackup, "recovery point"),
            (Obstacle::RecycleBin, "rule"),
            (Obstacle::Denied, "ec2:DeleteSnapshot"),
            (Obstacle::Other("Strange".into()), "refused by EC2"),
        ];
        for (obstacle, words) in person {
            assert!(obstacle.needs_person() && obstacle.to_string().contains(words), "{obstacle}");
        }
        for passes in [Obstacle::Throttled, Obstacle::Unclear] {
            assert!(!passes.needs_person() && passes.to_string().contains("tried again"), "{passes}");
        }
    }
}
