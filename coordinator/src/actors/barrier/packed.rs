//! The certificate as it goes to planes: the same text to all of them, and long, so it is packed once.

use crate::aside::{BrokenOff, aside};
use shared::{pack::pack, text::SharedText, wire::Complete};
use std::rc::Rc;
use tokio::sync::Mutex;

/// Packed in less time than another thread takes to wake up.
const SHORT: usize = 16 * 1024;

/// What was packed last, and its short form. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Packed(Rc<Mutex<Option<(SharedText, SharedText)>>>);

impl Packed {
    /// The certificate of this order goes packed. Whoever comes while it is being packed waits for it.
    pub(super) async fn shorten(&self, complete: &mut Complete) -> Result<(), BrokenOff> {
        let mut last = self.0.lock().await;
        let text = std::mem::take(&mut complete.certificate);
        if let Some((_, short)) = last.as_ref().filter(|(long, _)| *long == text) {
            complete.packed = Some(short.clone());
            return Ok(());
        }
        let long = text.clone();
        let packed =
            if long.len() > SHORT { aside(move || pack(long.as_bytes())).await? } else { pack(long.as_bytes()) };
        let short = SharedText::from(packed);
        *last = Some((text, short.clone()));
        complete.packed = Some(short);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use shared::{ids::ClusterId, request::MemberSpec, ts::Ts};

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
        for text in [long.as_str(), long.as_str(), "another", ""] {
            let mut order = complete(text);
            packed.shorten(&mut order).await.unwrap();
            assert!(order.certificate.is_empty() && order.packed.as_ref().unwrap().len() < text.len() / 10 + 100);
            assert_eq!(order.unpacked().unwrap(), complete(text));
        }
        let mut damaged = complete(&long);
        packed.shorten(&mut damaged).await.unwrap();
        damaged.packed = Some("H4sI".into());
        assert!(damaged.unpacked().is_err());
        assert_eq!(complete(&long).unpacked().unwrap(), complete(&long), "what is not packed stays as it is");
    }
}
