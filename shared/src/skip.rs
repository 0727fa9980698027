//! What is not written, so that what was written before it was thought of stays as it is.

/// A count of nothing.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference.
pub(crate) fn zero(number: &u32) -> bool {
    *number == 0
}

/// The same.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference.
pub(crate) fn zero_u64(number: &u64) -> bool {
    *number == 0
}
