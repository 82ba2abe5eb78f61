//! What is known of addresses, kept between reports until one of its files is another.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::{Geo, paths};
use crate::report::Settings;

/// How a file looked when it was read.
type Looks = Vec<(PathBuf, Option<(u64, SystemTime)>)>;

/// Reads the files when they are asked for first, and when they have changed.
#[derive(Debug, Default)]
pub struct KeptGeo(Mutex<Option<(Looks, Arc<Geo>)>>);

impl KeptGeo {
    /// What the files that `settings` name know. Blocks.
    pub fn get(&self, settings: &Settings) -> Arc<Geo> {
        let looks: Looks = paths(settings).map(|path| (path.clone(), look(&path))).collect();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, geo)) = kept.as_ref()
            && *before == looks
        {
            return Arc::clone(geo);
        }
        let geo = Arc::new(Geo::open(settings));
        *kept = Some((looks, Arc::clone(&geo)));
        geo
    }
}

fn look(path: &PathBuf) -> Option<(u64, SystemTime)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_when_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("geoip");
        let settings = Settings { countries: vec![path.clone()], networks: Vec::new() };
        let kept = KeptGeo::default();
        let country = || kept.get(&settings).country([192, 0, 2, 1].into());
        assert_eq!(country(), None);
        fs::write(&path, "3221225984,3221226239,DE\n").unwrap();
        assert_eq!(country().as_deref(), Some("DE"));
        assert!(Arc::ptr_eq(&kept.get(&settings), &kept.get(&settings)));
        fs::write(&path, "3221225984,3221226239,FR\n# longer\n").unwrap();
        assert_eq!(country().as_deref(), Some("FR"));
    }
}
