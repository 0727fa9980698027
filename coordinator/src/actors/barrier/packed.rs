//! The certificate as it goes to planes: the same text to all of them, and long, so it is packed once.

use crate::aside::{BrokenOff, aside};
use shared::{pack::pack, text::SharedText};
use std::{cell::RefCell, rc::Rc};

/// What was packed last, and its short form. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Packed(Rc<RefCell<Option<(SharedText, SharedText)>>>);

impl Packed {
    /// The short form of this text, if it is known.
    pub(super) fn of(&self, text: &SharedText) -> Option<SharedText> {
        self.0.borrow().as_ref().filter(|(long, _)| long == text).map(|(_, short)| short.clone())
    }

    /// Makes it, and knows it from then on.
    pub(super) async fn pack(&self, text: SharedText) -> Result<SharedText, BrokenOff> {
        let long = text.clone();
        let short = SharedText::from(aside(move || pack(long.as_bytes())).await?);
        *self.0.borrow_mut() = Some((text, short.clone()));
        Ok(short)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use shared::{ids::ClusterId, request::MemberSpec, ts::Ts, wire::Complete};

    fn complete(text: &str) -> Complete {
        Complete {
            spec: MemberSpec::example(),
            cluster: ClusterId(1),
            cluster_version: "8.5.3".to_owned(),
            commit_ts: Ts(7),
            cluster_stores: 3,
            stores: Vec::new(),
            snapshots: Vec::new(),
            certificate: text.into(),
            packed: None,
        }
    }

    #[tokio::test]
    async fn what_planes_unpack_is_what_was_to_be_sent() {
        let (packed, long) = (Packed::default(), "store snap-0123456789abcdef0 ".repeat(1_000));
        for text in [long.as_str(), "another", ""] {
            assert_eq!(packed.of(&text.into()), None);
            let short = packed.pack(text.into()).await.unwrap();
            assert_eq!(packed.of(&text.into()), Some(short.clone()), "once for all planes");
            assert!(short.len() < text.len() / 10 + 100);
            let order = Complete { certificate: "".into(), packed: Some(short), ..complete("") };
            assert_eq!(order.unpacked().unwrap(), complete(text));
        }
        let damaged = Complete { packed: Some("H4sI".into()), ..complete("") };
        assert!(damaged.unpacked().is_err());
        assert_eq!(complete(&long).unpacked().unwrap(), complete(&long), "what is not packed stays as it is");
    }
}
