//! What is looked at for a restore, besides what a verification looks at.

/// One thing about a plane's part of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Every zone that is wished for exists in the Region, and is in service.
    Zones,
    /// What type the volumes of the backup have today.
    Types,
    /// Which volume goes to which pod: told by backupmeta, the same for all volumes of a store.
    Mapping,
    /// How much an account may have.
    Storage,
    /// How much of it may be initialised at a time.
    Initialization,
    /// The TiDB cluster that is restored into exists.
    Target,
    /// Its PD is another one than the backup's, holds no store, and nobody else restores there.
    TargetPd,
    /// Its TiKV waits until the volumes are there.
    Gate,
    /// What a restore writes may be written there.
    Rights,
    /// Its version is of the backup's line, and no known fault of recovery is in it.
    Version,
}

impl Subject {
    /// A plane that knows the question says something of each.
    pub const OF_PLANE: [Self; 2] = [Self::Zones, Self::Types];
    /// And where a target is named, of these.
    pub const OF_TARGET: [Self; 4] = [Self::Target, Self::TargetPd, Self::Gate, Self::Version];
    /// What is found from what planes said.
    pub const OF_PLAN: [Self; 3] = [Self::Mapping, Self::Storage, Self::Initialization];

    /// On the wire and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zones => "zones",
            Self::Types => "volume types",
            Self::Mapping => "mapping",
            Self::Storage => "storage quota",
            Self::Initialization => "initialization quota",
            Self::Target => "target",
            Self::TargetPd => "target PD",
            Self::Gate => "gate",
            Self::Rights => "rights",
            Self::Version => "version",
        }
    }
}
