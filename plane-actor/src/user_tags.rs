//! Tags that the user wants on every snapshot: cost allocation, policies that demand one.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// EC2 takes 50 tags on a resource (`facts/aws.md` A1), our own are six. What is left over is for those of volumes, and
/// for tags that a later version needs.
const MOST: usize = 30;
/// Characters of a key and of a value, as EC2 takes them.
const KEY: usize = 127;
const VALUE: usize = 255;

/// Keys and values that EC2 takes, none of them ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct UserTags(BTreeMap<String, String>);

impl UserTags {
    /// In the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.0.iter().map(|(key, value)| (key.clone(), value.clone()))
    }
}

impl TryFrom<BTreeMap<String, String>> for UserTags {
    type Error = String;

    fn try_from(tags: BTreeMap<String, String>) -> Result<Self, String> {
        if tags.len() > MOST {
            return Err(format!("{} tags; at most {MOST} can be set on every snapshot", tags.len()));
        }
        for (key, value) in &tags {
            let lower = key.to_ascii_lowercase();
            if key.is_empty() || key.chars().count() > KEY {
                return Err(format!("tag {key:?}: a key has 1 to {KEY} characters"));
            }
            if lower.starts_with("aws:") || lower.starts_with("isochron/") {
                return Err(format!("tag {key:?}: aws: and isochron/ are reserved; choose another key"));
            }
            if value.chars().count() > VALUE {
                return Err(format!("tag {key:?}: a value has at most {VALUE} characters"));
            }
        }
        Ok(Self(tags))
    }
}

impl From<UserTags> for BTreeMap<String, String> {
    fn from(tags: UserTags) -> Self {
        tags.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ec2_would_refuse_under_a_hold_is_refused_at_the_start() {
        let of = |pairs: &[(&str, &str)]| {
            let tags: BTreeMap<String, String> =
                pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            UserTags::try_from(tags).map_err(|error: String| error.split(';').next().unwrap_or_default().to_owned())
        };
        assert!(of(&[("team", "storage"), ("cost-centre", "")]).is_ok());
        let (long_key, long_value) = ("k".repeat(128), "v".repeat(256));
        let table = [
            (("", "v"), "tag \"\": a key has 1 to 127 characters".to_owned()),
            ((long_key.as_str(), "v"), format!("tag {long_key:?}: a key has 1 to 127 characters")),
            (("AWS:mine", "v"), "tag \"AWS:mine\": aws: and isochron/ are reserved".to_owned()),
            (("isochron/plane", "v"), "tag \"isochron/plane\": aws: and isochron/ are reserved".to_owned()),
            (("k", long_value.as_str()), "tag \"k\": a value has at most 255 characters".to_owned()),
        ];
        for (pair, told) in table {
            assert_eq!(of(&[pair]), Err(told));
        }
        let many = (0..31).map(|number| (format!("k{number}"), String::new())).collect::<BTreeMap<_, _>>();
        assert!(UserTags::try_from(many).is_err_and(|error| error.starts_with("31 tags; at most 30")));
    }
}
