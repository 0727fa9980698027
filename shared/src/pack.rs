//! Long texts made short: gzip in base64, as Helm keeps its releases. By hand: `base64 -d | gunzip`.

use base64::{Engine, engine::general_purpose::STANDARD};
use miniz_oxide::{deflate::compress_to_vec, inflate::decompress_to_vec_with_limit};

/// Names, numbers and identifiers repeat; above this level it is half again as slow for a percent.
const LEVEL: u8 = 6;
/// A header of RFC 1952 without name, comment or time, and its trailer: checksum and length.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const TRAILER: usize = 8;

/// Why a text could not be made long again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// It is not base64.
    #[error("it is not base64")]
    Base64,
    /// It is not what [`pack`] makes.
    #[error("it is not gzip of the plain kind")]
    Form,
    /// It is damaged, or longer than allowed when unpacked.
    #[error("it is damaged, or longer than {0} bytes")]
    Damaged(usize),
}

/// Short form. A text of JSON with identifiers becomes four to eight times shorter, one without any pattern at most a
/// tenth longer.
pub fn pack(text: &[u8]) -> String {
    let mut bytes = HEADER.to_vec();
    bytes.extend(compress_to_vec(text, LEVEL));
    bytes.extend(crc32fast::hash(text).to_le_bytes());
    // RFC 1952: the length modulo 2^32.
    bytes.extend((text.len() as u32).to_le_bytes());
    STANDARD.encode(bytes)
}

/// Long form again, of at most `limit` bytes.
pub fn unpack(packed: &str, limit: usize) -> Result<Vec<u8>, PackError> {
    let bytes = STANDARD.decode(packed).map_err(|_| PackError::Base64)?;
    let rest = bytes.strip_prefix(&HEADER).ok_or(PackError::Form)?;
    let (deflated, trailer) = rest.split_at_checked(rest.len().saturating_sub(TRAILER)).ok_or(PackError::Form)?;
    let text = decompress_to_vec_with_limit(deflated, limit).map_err(|_| PackError::Damaged(limit))?;
    let mut expected = crc32fast::hash(&text).to_le_bytes().to_vec();
    expected.extend((text.len() as u32).to_le_bytes());
    if trailer == expected { Ok(text) } else { Err(PackError::Damaged(limit)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn gunzip_reads_it() {
        // printf 'hello hello hello hello' | gzip -6n, of GNU gzip, but for the operating system in the header.
        let text = b"hello hello hello hello";
        let packed = pack(text);
        assert!(packed.starts_with("H4sIAAAAAAA"), "{packed}");
        assert_eq!(unpack(&packed, 23), Ok(text.to_vec()));
        assert_eq!(unpack(&packed, 22), Err(PackError::Damaged(22)));
    }

    #[test]
    fn damage_is_seen() {
        let packed = pack(b"some text");
        assert_eq!(unpack("?", 100), Err(PackError::Base64));
        assert_eq!(unpack("AAAA", 100), Err(PackError::Form));
        let mut bytes = STANDARD.decode(&packed).unwrap();
        let last = bytes.len() - 1;
        for at in [last, last - 5, HEADER.len()] {
            bytes[at] ^= 0x55;
            assert_eq!(unpack(&STANDARD.encode(&bytes), 100), Err(PackError::Damaged(100)), "byte {at}");
            bytes[at] ^= 0x55;
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(text in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let packed = pack(&text);
            prop_assert_eq!(unpack(&packed, text.len()).unwrap(), text.clone());
            prop_assert!(packed.len() <= text.len() * 3 / 2 + 64);
        }
    }
}
