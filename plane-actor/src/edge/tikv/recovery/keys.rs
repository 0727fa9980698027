//! Keys as regions have them, and as a user of transactions has them: TiKV keeps a key in groups of eight bytes, each with a ninth that
//! says how many of them count, so that encoded keys sort as raw ones do and none is the beginning of another.

/// Bytes of a group that are the key's.
const GROUP: usize = 8;

/// The ninth byte of a group that is full; less by one for each byte that is padding.
const FULL: u8 = 0xff;

/// The raw key of this encoding; the empty one, an end of the key space, is itself. `None`: it is no encoded key.
pub(super) fn raw(encoded: &[u8]) -> Option<Vec<u8>> {
    if encoded.is_empty() {
        return Some(Vec::new());
    }
    let mut raw = Vec::with_capacity(encoded.len() / (GROUP + 1) * GROUP);
    let mut rest = encoded;
    loop {
        let (group, behind) = rest.split_at_checked(GROUP + 1)?;
        let (bytes, marker) = group.split_at_checked(GROUP)?;
        let padding = usize::from(FULL - *marker.first()?);
        let (bytes, zeros) = bytes.split_at_checked(GROUP.checked_sub(padding)?)?;
        if zeros.iter().any(|byte| *byte != 0) {
            return None;
        }
        raw.extend_from_slice(bytes);
        rest = behind;
        match padding {
            // A key of whole groups ends with one that is all padding.
            0 => {}
            _ if rest.is_empty() => return Some(raw),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(raw: &[u8]) -> Vec<u8> {
        let mut encoded = Vec::new();
        for at in (0..=raw.len()).step_by(GROUP) {
            let part = &raw[at..raw.len().min(at + GROUP)];
            encoded.extend_from_slice(part);
            encoded.extend(std::iter::repeat_n(0, GROUP - part.len()));
            encoded.push(FULL - (GROUP - part.len()) as u8);
        }
        encoded
    }

    #[test]
    fn what_was_encoded_comes_back() {
        for length in 0..40 {
            let key: Vec<u8> = (0..length).map(|at| (at * 37) as u8).collect();
            assert_eq!(raw(&encoded(&key)).as_deref(), Some(&*key), "{length} bytes");
        }
        // A table's first key, as TiDB splits regions there.
        let table = b"t\x80\0\0\0\0\0\0\xff\x45\0\0\0\0\0\0\0\xf8";
        assert_eq!(raw(table).as_deref(), Some(&b"t\x80\0\0\0\0\0\0\x45"[..]));
        assert_eq!(raw(b""), Some(Vec::new()), "an end of the key space");
    }

    #[test]
    fn what_was_not_encoded_is_no_key() {
        let odd: [&[u8]; 6] = [
            b"short",
            b"12345678",
            // Nothing behind a full group.
            b"12345678\xff",
            // Padding that is none.
            b"1234567x\xfe",
            // More padding than a group has.
            b"\0\0\0\0\0\0\0\0\xf6",
            // Something behind the last group.
            b"1\0\0\0\0\0\0\0\xf8x",
        ];
        for key in odd {
            assert_eq!(raw(key), None, "{key:?}");
        }
    }
}
