//! A whole log from head to end, once: what `replay` reads. In comes a path of a plain or gzip file or `-`, out come
//! batches, and how far the reading has come.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flate2::bufread::MultiGzDecoder;

use super::batch::READ_BYTES;
use super::stream::{Stream, standard_input};
use super::{Batch, Error};

/// How a gzip file begins (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The batches of one log. None of them is live or has positions.
pub struct Once {
    path: String,
    stream: Stream<Box<dyn Read + Send>>,
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

/// Opens a log to read it from head to end: plain or compressed by gzip, as its first bytes say; `-` is standard input.
pub fn read_once(path: &Path) -> Result<Once, Error> {
    let refused = |error| refused(&path.to_string_lossy(), error);
    let (file, total) = if path == Path::new("-") {
        (standard_input().map_err(refused)?, None)
    } else {
        (File::open(path).map_err(refused)?, fs::metadata(path).ok())
    };
    let total = total.filter(fs::Metadata::is_file).map(|metadata| metadata.len());
    let read = Arc::new(AtomicU64::new(0));
    let counted = Counted { reader: file, read: read.clone() };
    let reader = unpacked(counted).map_err(refused)?;
    Ok(Once {
        path: path.to_string_lossy().into_owned(),
        stream: Stream::new(reader, path.to_string_lossy().into()),
        read,
        total,
    })
}

impl Once {
    /// Bytes of the file read so far, compressed ones if it is compressed.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// Takes back a batch that is done with: the next one is read into its memory.
    pub fn take_back(&mut self, batch: Batch) {
        self.stream.take_back(batch);
    }

    /// The size of the file; of standard input and pipes it is not known.
    pub fn bytes_total(&self) -> Option<u64> {
        self.total
    }
}

/// After an error there is nothing more.
impl Iterator for Once {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.stream.next_batch().transpose()?;
        if next.is_err() {
            self.stream.close();
        }
        Some(next.map_err(|error| refused(&self.path, error)))
    }
}

/// Counts what is read of a file.
struct Counted {
    reader: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.reader.read(buffer)?;
        self.read.fetch_add(got as u64, Relaxed);
        Ok(got)
    }
}

fn unpacked(mut file: Counted) -> io::Result<Box<dyn Read + Send>> {
    let mut head = Vec::new();
    file.by_ref().take(GZIP.len() as u64).read_to_end(&mut head)?;
    let is_gzip = head == GZIP;
    let whole = io::Cursor::new(head).chain(file);
    Ok(if is_gzip {
        Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, whole)))
    } else {
        Box::new(whole)
    })
}

fn refused(path: &str, error: io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "name a file that exists",
        io::ErrorKind::PermissionDenied => "run as a user who may read it",
        io::ErrorKind::IsADirectory => "name a file in it",
        _ => "check that it is a whole text or gzip file",
    };
    Error::Read { path: path.to_owned(), error, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn zip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, bytes).unwrap();
        let mut once = read_once(&path)?;
        let mut lines = Vec::new();
        for batch in once.by_ref() {
            let batch = batch?;
            assert!(!batch.live && batch.positions.is_empty());
            lines.extend(batch.lines().map(<[u8]>::to_vec));
        }
        assert_eq!(once.bytes_total(), Some(bytes.len() as u64));
        assert_eq!(once.bytes_read(), bytes.len() as u64);
        Ok(lines)
    }

    #[test]
    fn plain_and_compressed_logs_have_the_same_lines() {
        let text: Vec<u8> = (0..50_000).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
        let (one, other) = text.split_at(text.len() / 3);
        let members = [zip(one), zip(other)].concat();
        let plain = read(&text).unwrap();
        assert_eq!(plain.len(), 50_000);
        assert!(plain == read(&members).unwrap());
        for short in ["", "x", "\n"] {
            assert_eq!(read(short.as_bytes()).unwrap(), read(&zip(short.as_bytes())).unwrap());
        }
    }

    #[test]
    fn a_cut_off_file_is_an_error_that_names_it() {
        let whole = zip(&[b'x'; 10_000]);
        let error = read(&whole[..whole.len() / 2]).unwrap_err().to_string();
        assert!(error.contains("/log: ") && error.contains("whole"), "{error}");
        let missing = read_once(Path::new("/nonexistent/mail.log")).map(|_| ()).unwrap_err();
        assert!(missing.to_string().contains("name a file that exists"));
    }
}
