//! The body of a request as it was before it was compressed, and no larger than anybody needs.

use std::io::{self, Read};
use std::str::FromStr;

use flate2::read::MultiGzDecoder;

/// The largest body once it is decompressed: 10 000 rows of 1600 bytes, which is more than any of them has. Some bytes can
/// stand for gigabytes otherwise.
pub const MAX_DECOMPRESSED: usize = 16 << 20;

/// The memory that a zstd stream may ask for, as a power of two: 8 MiB, which every decoder must have (RFC 8878, section
/// 3.1.1.1.2).
const WINDOW: u32 = 23;

/// How a body is compressed (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    #[default]
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl FromStr for Encoding {
    type Err = BodyError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(BodyError::UnknownEncoding(name.to_owned())),
        }
    }
}

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// No encoding of ours.
    #[error("the Content-Encoding `{0}` is not known: send gzip, zstd or neither")]
    UnknownEncoding(String),
    /// More than fits.
    #[error("the body has more than {} MiB when it is decompressed: send fewer rows at once", MAX_DECOMPRESSED >> 20)]
    TooLarge,
    /// It is broken.
    #[error("the body cannot be decompressed: {0}")]
    Broken(io::Error),
}

/// A body without its compression.
#[derive(Debug)]
pub struct Body(Vec<u8>);

impl Body {
    /// Decompresses `bytes`.
    pub fn read(bytes: &[u8], encoding: Encoding) -> Result<Self, BodyError> {
        match encoding {
            Encoding::Identity => Self::bounded(bytes),
            Encoding::Gzip => Self::bounded(MultiGzDecoder::new(bytes)),
            Encoding::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(bytes).map_err(BodyError::Broken)?;
                decoder.window_log_max(WINDOW).map_err(BodyError::Broken)?;
                Self::bounded(decoder)
            }
        }
    }

    fn bounded(from: impl Read) -> Result<Self, BodyError> {
        let mut bytes = Vec::new();
        from.take(MAX_DECOMPRESSED as u64 + 1).read_to_end(&mut bytes).map_err(BodyError::Broken)?;
        if bytes.len() > MAX_DECOMPRESSED { Err(BodyError::TooLarge) } else { Ok(Self(bytes)) }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    #[test]
    fn a_body_is_what_was_compressed() {
        let rows = b"{\"ip\":\"192.0.2.1\"}\n".repeat(1000);
        for (sent, encoding) in [
            (rows.clone(), "identity"),
            (gzip(&rows), "gzip"),
            (gzip(&rows), "X-GZIP"),
            (zstd(&rows), "zstd"),
        ] {
            let body = Body::read(&sent, encoding.parse().unwrap()).unwrap();
            assert_eq!(body.bytes(), rows, "{encoding}");
        }
        assert!("br".parse::<Encoding>().is_err());
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let much = vec![b' '; MAX_DECOMPRESSED + 1];
        for (sent, encoding) in [
            (much.clone(), Encoding::Identity),
            (gzip(&much), Encoding::Gzip),
            (zstd(&much), Encoding::Zstd),
            ([gzip(&much[1..]), gzip(b"  ")].concat(), Encoding::Gzip),
        ] {
            let refused = Body::read(&sent, encoding);
            assert!(matches!(refused, Err(BodyError::TooLarge)), "{encoding:?}");
        }
    }

    #[test]
    fn a_broken_stream_is_refused() {
        let (gzip, zstd) = (gzip(b"rows"), zstd(b"rows"));
        for (sent, encoding) in [
            (&gzip[..gzip.len() - 3], Encoding::Gzip),
            (&zstd[..zstd.len() - 3], Encoding::Zstd),
            (b"rows", Encoding::Gzip),
            (b"rows", Encoding::Zstd),
        ] {
            assert!(matches!(Body::read(sent, encoding), Err(BodyError::Broken(_))), "{encoding:?}");
        }
    }
}
