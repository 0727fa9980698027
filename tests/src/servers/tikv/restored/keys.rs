//! Keys on the wire: regions carry them as TiKV encodes them, in groups of eight bytes with a ninth that counts; calls of
//! transactions carry them raw (`facts/restore.md` §3.3).

const GROUP: usize = 8;

/// As a region's bound; empty is an end of the key space, and stays so.
pub(super) fn encoded(raw: &[u8]) -> Vec<u8> {
    if raw.is_empty() {
        return Vec::new();
    }
    let mut encoded = Vec::with_capacity((raw.len() / GROUP + 1) * (GROUP + 1));
    for at in (0..=raw.len()).step_by(GROUP) {
        let part = &raw[at..raw.len().min(at + GROUP)];
        let padding = GROUP - part.len();
        encoded.extend_from_slice(part);
        encoded.extend(std::iter::repeat_n(0, padding));
        encoded.push(0xff - u8::try_from(padding).unwrap_or(0xff));
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_keys_sort_as_raw_ones_do() {
        assert_eq!(encoded(b""), b"");
        assert_eq!(encoded(b"a"), b"a\0\0\0\0\0\0\0\xf8");
        assert_eq!(encoded(b"12345678"), b"12345678\xff\0\0\0\0\0\0\0\0\xf7");
        let mut keys: Vec<&[u8]> = vec![b"a", b"a\0", b"ab", b"12345678", b"123456789", b"b"];
        keys.sort_unstable();
        assert!(keys.windows(2).all(|pair| encoded(pair[0]) < encoded(pair[1])));
    }
}
