//! What is looked at.

/// One thing about a plane's part of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The lock in S3 names this backup and attempt.
    Lock,
    /// backupmeta can be read, and says the moment and the snapshots of the certificate.
    Backupmeta,
    /// The certificate's file can be read, and says what the record says.
    Certificate,
    /// Every snapshot exists and is completed, and is of its volume.
    Snapshots,
    /// None is archived: volumes are made of the standard tier only.
    StorageTier,
    /// Our tags are on them: by these they are found when the backup is deleted.
    Tags,
    /// They hold as much as when they were completed, and no volume is smaller than what Kubernetes was told.
    Sizes,
    /// Nobody else may make volumes of them.
    Sharing,
    /// EC2 would make a volume of one of each zone and key.
    Volumes,
    /// Some of their blocks can be read and are what EBS has a sum of; of encrypted ones that proves the key to be usable.
    Blocks,
}

impl Subject {
    /// In the order in which they are looked at. A plane that knows the question says something of each.
    pub const ALL: [Self; 10] = [
        Self::Lock,
        Self::Backupmeta,
        Self::Certificate,
        Self::Snapshots,
        Self::StorageTier,
        Self::Tags,
        Self::Sizes,
        Self::Sharing,
        Self::Volumes,
        Self::Blocks,
    ];

    /// On the wire and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Backupmeta => "backupmeta",
            Self::Certificate => "certificate",
            Self::Snapshots => "snapshots",
            Self::StorageTier => "storage tier",
            Self::Tags => "tags",
            Self::Sizes => "sizes",
            Self::Sharing => "sharing",
            Self::Volumes => "volumes",
            Self::Blocks => "blocks",
        }
    }
}
