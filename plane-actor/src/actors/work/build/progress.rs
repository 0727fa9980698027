//! How much of the volumes' data is there: DescribeVolumeStatus tells it of every volume that is made of a snapshot, without any
//! pod (`facts/restore.md` §5.2). It may lag by five minutes.

use super::ec2::Ec2;
use crate::{actors::plane_context::PlaneContext, ports::Cloud};
use shared::{ids::VolumeId, reason::Refusal};

/// Of many volumes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Initialization {
    /// Per cent of the one that is furthest behind; `None`: EC2 tells it of none.
    pub least: Option<u8>,
    /// Those of which all is there.
    pub done: usize,
    /// Those of which EC2 does not tell, or which it does not show.
    pub untold: usize,
    /// All that were asked for.
    pub of: usize,
}

/// Asks once.
///
/// # Errors
/// EC2 could not be asked.
pub async fn initialized(env: &PlaneContext, cloud: &Cloud, volumes: &[VolumeId]) -> Result<Initialization, Refusal> {
    let told = Ec2 { env, cloud }.initialized(volumes).await?;
    let percents: Vec<u8> = told.into_iter().filter_map(|one| one.percent).collect();
    Ok(Initialization {
        least: percents.iter().copied().min(),
        done: percents.iter().filter(|percent| **percent >= 100).count(),
        untold: volumes.len().saturating_sub(percents.len()),
        of: volumes.len(),
    })
}
