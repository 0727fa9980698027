//! MessagePack with field names, so that a field can be added with a default without breaking the version before.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Upper bound of one frame. The largest message is `Prepared`/`Confirmed` of a big plane: 300 stores × 4 volumes at
/// about 400 bytes each is under 0.5 MiB; 4 MiB leaves room and still bounds what a peer can make us allocate.
pub const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// How deep what is in a frame may lie. Our messages are a dozen deep, and the reader takes stack for each level: by its
/// own bound of a thousand it may use up a thread's.
const DEPTH_MAX: usize = 64;

/// Why a frame could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The message is larger than a frame may be.
    #[error("message of {bytes} bytes is over the frame limit of {MAX_FRAME_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It could not be encoded.
    #[error("message cannot be encoded")]
    Encode(#[from] rmp_serde::encode::Error),
    /// Not a message of this wire version.
    #[error("frame is not a message of this wire version")]
    Decode(#[from] rmp_serde::decode::Error),
    /// Something follows the message: two frames that were glued together, or a length that is wrong.
    #[error("frame goes on after its message")]
    Surplus,
}

/// One message as the body of a frame.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = rmp_serde::to_vec_named(message)?;
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(CodecError::TooLarge { bytes: bytes.len() });
    }
    Ok(bytes)
}

/// The body of a frame as a message: one, and nothing behind it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(CodecError::TooLarge { bytes: bytes.len() });
    }
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(DEPTH_MAX);
    let message = T::deserialize(&mut reader)?;
    // A reader does not say where it stands; only at the end does it find no marker of anything.
    match bool::deserialize(&mut reader) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(message),
        _ => Err(CodecError::Surplus),
    }
}
