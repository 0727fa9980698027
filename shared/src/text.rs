//! Long texts: one that many messages say, and that is in memory once; and by what two are told apart.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::{hash::Hasher, ops::Deref, sync::Arc};

/// By which equal texts are known without either being sent: 128 bits in hexadecimal. It tells accidents apart, not forgeries.
pub fn digest(text: &[u8]) -> String {
    let mut hasher = SipHasher24::new();
    hasher.write(text);
    format!("{:032x}", hasher.finish128().as_u128())
}

/// Stored and sent as any text is; a copy of it costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedText(Arc<str>);

impl From<String> for SharedText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for SharedText {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Deref for SharedText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Serialize for SharedText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for SharedText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
