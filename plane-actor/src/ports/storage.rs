//! Where and how a snapshot is kept.

/// How EC2 keeps a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// GiB of its volume; 0: not told.
    pub gib: u64,
    /// Its tier.
    pub tier: Tier,
    /// It is encrypted.
    pub encrypted: bool,
    /// ARN of the key that encrypts it; empty: none, or not told.
    pub key: String,
}

/// Where EC2 keeps a snapshot. Volumes are made of the standard tier only (`facts/aws.md` A13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// At hand.
    Standard,
    /// Hours away.
    Archive,
    /// Not told, or another word.
    #[default]
    Unknown,
}
