//! Where addresses belong, from files on this machine; nothing is asked outside.
//!
//! A file is read whole and kept until it is another ([`KeptGeo`]). What is missing or cannot be read is a line among
//! [`Geo::problems`] and otherwise just not known.

mod kept;
mod mmdb;
mod ranges;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::Settings;
pub use kept::KeptGeo;
use mmdb::Mmdb;
use ranges::Ranges;

/// Where Debian's `tor-geoipdb` puts what it knows of countries.
const COUNTRIES: [&str; 2] = ["/usr/share/tor/geoip", "/usr/share/tor/geoip6"];

/// A larger file is none of these: it would only fill the memory. Files of cities have about 60 MB.
const LARGEST: u64 = 512 << 20;

/// The files of countries; without any in `settings` those of Debian, if they are there.
fn countries(settings: &Settings) -> Vec<PathBuf> {
    if settings.countries.is_empty() {
        return COUNTRIES.map(PathBuf::from).into_iter().filter(|path| path.exists()).collect();
    }
    settings.countries.clone()
}

/// All files that are read.
fn paths(settings: &Settings) -> impl Iterator<Item = PathBuf> {
    countries(settings).into_iter().chain(settings.networks.clone())
}

/// What is known of addresses.
#[derive(Debug, Default)]
pub struct Geo {
    countries: Vec<Source>,
    systems: Vec<Source>,
    problems: Vec<String>,
}

#[derive(Debug)]
enum Source {
    Mmdb(Mmdb),
    Ranges(Ranges),
}

impl Geo {
    /// Reads the files that `settings` name; without any for countries those of Debian, if they are there.
    pub fn open(settings: &Settings) -> Self {
        let mut geo = Self::default();
        geo.countries = geo.read_all(&countries(settings));
        geo.systems = geo.read_all(&settings.networks);
        geo
    }

    /// What a file with these `bytes` knows of both; or why it is none of those.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (countries, systems) = (source(bytes.to_vec())?, source(bytes.to_vec())?);
        Ok(Self { countries: vec![countries], systems: vec![systems], problems: Vec::new() })
    }

    fn read_all(&mut self, paths: &Vec<PathBuf>) -> Vec<Source> {
        let mut sources = Vec::new();
        for path in paths {
            match read(path) {
                Ok(source) => sources.push(source),
                Err(problem) => self.problems.push(format!("{}: {problem}", path.display())),
            }
        }
        sources
    }

    /// Whether anything is known of countries.
    pub fn knows_countries(&self) -> bool {
        !self.countries.is_empty()
    }

    /// Whether anything is known of autonomous systems.
    pub fn knows_systems(&self) -> bool {
        !self.systems.is_empty()
    }

    /// What could not be read, and why.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The country of `address` (ISO 3166-1 alpha-2).
    pub fn country(&self, address: IpAddr) -> Option<String> {
        self.countries.iter().find_map(|source| match source {
            Source::Mmdb(mmdb) => mmdb.country(address),
            Source::Ranges(ranges) => ranges.country(address),
        })
    }

    /// The number of the autonomous system of `address`, and its name.
    pub fn system(&self, address: IpAddr) -> Option<(u32, String)> {
        self.systems.iter().find_map(|source| match source {
            Source::Mmdb(mmdb) => mmdb.system(address),
            Source::Ranges(_) => None,
        })
    }

    /// What is known of `address` in a few words; empty for nothing.
    pub(super) fn note(&self, address: IpAddr) -> String {
        let system = self.system(address).map(|(number, name)| format!("AS{number} {name}"));
        let known: Vec<String> = self.country(address).into_iter().chain(system).collect();
        known.join(", ")
    }
}

fn read(path: &Path) -> Result<Source, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > LARGEST {
        return Err(format!(
            "it has {length} bytes; files that say where addresses belong have up to {LARGEST}"
        ));
    }
    source(std::fs::read(path).map_err(|error| error.to_string())?)
}

fn source(bytes: Vec<u8>) -> Result<Source, String> {
    if Mmdb::is_one(&bytes) {
        return Mmdb::new(bytes).map(Source::Mmdb).map_err(|error| error.to_string());
    }
    let ranges = Ranges::read(&bytes);
    ranges.map(Source::Ranges).ok_or_else(|| {
        "it is neither an MMDB file nor text with a first address, a last address and a country in each line".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/report").join(name)
    }

    fn known(settings: &Settings, address: &str) -> String {
        Geo::open(settings).note(address.parse().unwrap())
    }

    #[test]
    fn files_know_where_addresses_belong() {
        let text = Settings { countries: vec![data("geoip"), data("geoip6")], networks: vec![] };
        let mmdb = Settings { countries: vec![data("places.mmdb")], networks: vec![data("places.mmdb")] };
        for (address, by_text, by_mmdb) in [
            ("192.0.2.1", "DE", "DE, AS64500 Example Hosting"),
            ("192.0.2.255", "DE", "DE, AS64500 Example Hosting"),
            ("198.51.100.7", "US", "US, AS64501 Example Access"),
            ("203.0.113.1", "", "BR"),
            ("10.0.0.1", "", ""),
            ("2001:db8::1", "NL", "NL, AS64502 Example Six"),
            ("2001:db9::1", "", ""),
        ] {
            assert_eq!(known(&text, address), by_text, "{address}");
            assert_eq!(known(&mmdb, address), by_mmdb, "{address}");
        }
    }

    #[test]
    fn what_is_missing_is_a_problem_and_no_error() {
        let settings = Settings { countries: vec![data("nowhere"), data("mail.log")], networks: vec![] };
        let geo = Geo::open(&settings);
        assert!(!geo.knows_countries() && !geo.knows_systems());
        let problems = geo.problems().join("\n");
        assert!(problems.contains("No such file") && problems.contains("neither an MMDB"), "{problems}");
    }
}
