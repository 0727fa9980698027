//! The certificate as it goes to planes: the same text to all of them, and long, so it is packed once.

use shared::{pack::pack, text::SharedText, wire::Complete};

/// What was packed last.
#[derive(Default)]
pub(super) struct Packed(Option<(SharedText, SharedText)>);

impl Packed {
    /// The certificate of this order goes packed.
    pub(super) fn shorten(&mut self, complete: &mut Complete) {
        let text = std::mem::take(&mut complete.certificate);
        let known = self.0.as_ref().filter(|(long, _)| *long == text).map(|(_, short)| short.clone());
        complete.packed = Some(known.unwrap_or_else(|| {
            let short = SharedText::from(pack(text.as_bytes()));
            self.0 = Some((text, short.clone()));
            short
        }));
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

    #[test]
    fn what_planes_unpack_is_what_was_to_be_sent() {
        let (mut packed, long) = (Packed::default(), "store snap-0123456789abcdef0 ".repeat(1_000));
        for text in [long.as_str(), long.as_str(), "another", ""] {
            let mut order = complete(text);
            packed.shorten(&mut order);
            assert!(order.certificate.is_empty() && order.packed.as_ref().unwrap().len() < text.len() / 10 + 100);
            assert_eq!(order.unpacked().unwrap(), complete(text));
        }
        let mut damaged = complete(&long);
        packed.shorten(&mut damaged);
        damaged.packed = Some("H4sI".into());
        assert!(damaged.unpacked().is_err());
        assert_eq!(complete(&long).unpacked().unwrap(), complete(&long), "what is not packed stays as it is");
    }
}
