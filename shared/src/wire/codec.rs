//! MessagePack with field names, so that a field can be added with a default without breaking the version before.

use serde::{Serialize, de::DeserializeOwned};

/// Upper bound of one frame. The largest message is `Prepared`/`Confirmed` of a big plane: 300 stores × 4 volumes at
/// about 400 bytes each is under 0.5 MiB; 4 MiB leaves room and still bounds what a peer can make us allocate.
pub const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

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
}

/// One message as the body of a frame.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = rmp_serde::to_vec_named(message)?;
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(CodecError::TooLarge { bytes: bytes.len() });
    }
    Ok(bytes)
}

/// The body of a frame as a message.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(CodecError::TooLarge { bytes: bytes.len() });
    }
    Ok(rmp_serde::from_slice(bytes)?)
}
