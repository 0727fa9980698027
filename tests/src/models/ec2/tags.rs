//! What EC2 takes for a tag.

use super::{Ec2, Refusal};
use std::collections::BTreeSet;

/// Characters of a key and of a value.
const KEY: usize = 127;
const VALUE: usize = 255;

/// Keys and values that EC2 takes, no key twice.
///
/// # Errors
/// One is too long, reserved or there twice.
pub fn check_tags(tags: &[(String, String)]) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new("InvalidParameterValue", message));
    let mut keys = BTreeSet::new();
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > KEY {
            return refuse(format!("Tag keys must have 1 to {KEY} characters: '{key}'"));
        }
        if value.chars().count() > VALUE {
            return refuse(format!("The value of tag '{key}' exceeds the maximum length of {VALUE} characters"));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return refuse(format!("Tag keys starting with 'aws:' are reserved for internal use: '{key}'"));
        }
        if !keys.insert(key) {
            return refuse(format!("Duplicate tag key '{key}' specified."));
        }
    }
    Ok(())
}

impl Ec2 {
    /// So many on one resource.
    ///
    /// # Errors
    /// They are too many.
    pub fn check_tag_count(&self, count: usize) -> Result<(), Refusal> {
        let limit = self.rules.tags;
        if count > limit {
            return Err(Refusal::new("TagLimitExceeded", format!("More than {limit} tags specified")));
        }
        Ok(())
    }
}
