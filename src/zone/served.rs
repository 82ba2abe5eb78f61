//! A zone as it is served: its settings checked, and its constant records written out once.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::keys::Keys;
use super::name::LONGEST_NAME;
use super::sublist::Sublists;
use super::{AccessLists, Admission, Error, KeyCount, Name, Problem, Publish, Settings, StaticList, Sublist};
use crate::clock::Timestamp;
use crate::dataset::{ACL, ACLKEY, Acl, KeyAcl};
use crate::list::{Listing, Rule};

/// As many as the root has; more than these make answers that do not fit a UDP packet.
pub const MOST_NAME_SERVERS: usize = 13;

/// Far more than there are kinds of abuse, and few enough for an index of 16 bits.
pub(super) const MOST_RULES: usize = 256;

/// As many as anybody tells apart; a question is compared with each.
pub(super) const MOST_SUBLISTS: usize = 32;

/// 32 nibbles with their length octets: what stands before the origin in an IPv6 question.
const REVERSED_IPV6: usize = 64;

/// The longest time to live (RFC 2181, section 8).
const LONGEST_TTL: u64 = (1 << 31) - 1;

/// SERIAL, REFRESH, RETRY, EXPIRE and MINIMUM, with which the data of an SOA record ends (RFC 1035, section 3.3.13).
const SOA_NUMBERS: usize = 5 * 4;

/// The lowest code: 127.0.0.1 is no code (RFC 5782, section 2.3; RFC 6471, section 3.5).
const LOWEST_CODE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A zone that can be served.
#[derive(Clone, Debug)]
pub struct Zone {
    settings: Settings,
    /// `$zone` in texts.
    shown: String,
    /// The data of the SOA record in wire form, with 0 for the serial.
    soa: Vec<u8>,
    ttls: Ttls,
    access: AccessLists,
    sublists: Sublists,
    keys: Option<Keys>,
}

/// Times to live in seconds.
#[derive(Clone, Copy, Debug)]
struct Ttls {
    /// Of what is listed, unless it ends before.
    listed: u32,
    soa: u32,
    name_servers: u32,
    /// Of "there is no such thing" (RFC 2308, section 5).
    negative: u32,
}

impl Ttls {
    fn new(settings: &Settings) -> Self {
        Self {
            listed: seconds(settings.ttl),
            soa: seconds(settings.soa_ttl),
            name_servers: seconds(settings.ns_ttl),
            negative: seconds(settings.soa_ttl.min(settings.negative_ttl)),
        }
    }
}

impl Zone {
    /// Checks the settings.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let keys =
            check(&settings).and_then(|()| settings.admission.keys.as_ref().map(Keys::new).transpose());
        let keys = keys.map_err(|problem| Error {
            zone: settings.origin.clone(),
            file: settings.file.clone(),
            problem,
        })?;
        let clients = &settings.admission.clients;
        let times = [settings.refresh, settings.retry, settings.expire, settings.negative_ttl].map(seconds);
        let [refresh, retry, expire, negative_ttl] = times;
        let numbers = [0, refresh, retry, expire, negative_ttl].map(u32::to_be_bytes);
        Ok(Self {
            shown: settings.origin.to_string().trim_end_matches('.').to_owned(),
            soa: [settings.primary.as_wire(), settings.contact.as_wire(), numbers.as_flattened()].concat(),
            ttls: Ttls::new(&settings),
            access: AccessLists {
                clients: (!clients.is_empty()).then(|| Arc::new(Acl::new(clients))),
                keys: None,
            },
            keys,
            sublists: Sublists::new(&settings.publish, &settings.data_sets),
            settings,
        })
    }

    /// The same for those whom `access` admits; a list that is not there leaves the one of before.
    pub fn with_access(self, access: AccessLists) -> Self {
        let AccessLists { clients, keys } = access;
        let access =
            AccessLists { clients: clients.or(self.access.clients), keys: keys.or(self.access.keys) };
        Self { access, ..self }
    }

    /// What clients get.
    pub(super) fn clients(&self) -> Option<&Acl> {
        self.access.clients.as_deref()
    }

    /// What who shows a key gets, and who shows none, where these are not [`Self::keys`].
    pub(super) fn key_acl(&self) -> Option<&KeyAcl> {
        self.access.keys.as_deref()
    }

    /// The keys one of which every name must have.
    pub(super) fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    /// Whether it has a list of keys.
    pub(super) fn has_keys(&self) -> bool {
        self.keys.is_some() || self.access.keys.is_some()
    }

    /// Whether it publishes bans.
    pub(super) fn publishes_bans(&self) -> bool {
        !self.settings.publish.is_empty()
    }

    /// What was counted of each key since the start.
    pub fn key_counts(&self) -> Vec<KeyCount> {
        self.keys.as_ref().map(Keys::counts).unwrap_or_default()
    }

    /// Goes on counting what is used of keys where `before` was.
    pub(super) fn go_on_from(&mut self, before: &Self) {
        if let (Some(keys), Some(before)) = (&mut self.keys, &before.keys) {
            keys.go_on_from(before);
        }
    }

    /// What it was made from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The name every question ends in.
    pub fn origin(&self) -> &Name {
        &self.settings.origin
    }

    /// What its list has to know.
    pub fn rules(&self) -> Vec<Rule> {
        let rule = |publish: &Publish| Rule {
            jails: publish.jails.clone(),
            code: publish.code,
            sublist: publish.sublist.as_ref().and_then(|name| self.sublist(name)),
        };
        self.settings.publish.iter().map(rule).collect()
    }

    /// The number of one of its sublists.
    pub fn sublist(&self, name: &Sublist) -> Option<u16> {
        self.sublists.number(name.label())
    }

    /// The names that it has for parts of what it lists.
    pub(super) fn sublists(&self) -> &Sublists {
        &self.sublists
    }

    /// The origin for texts, without its last dot.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Code and text of a listing.
    pub(super) fn publish(&self, listing: &Listing<'_>) -> &Publish {
        // A list that was made for other rules cannot make the server stop.
        let rule = usize::from(listing.rule).min(self.settings.publish.len() - 1);
        &self.settings.publish[rule]
    }

    /// How long an answer from `listing` may be kept: never past its end. 0, in the last second, is not at all.
    pub(super) fn ttl(&self, listing: &Listing<'_>, now: Timestamp) -> u32 {
        listing.until.map_or(self.ttls.listed, |until| self.ttls.listed.min(seconds(until.since(now))))
    }

    /// The time to live of records of data sets that name none.
    pub(super) fn ttl_of_sets(&self) -> u32 {
        self.ttls.listed
    }

    /// The time to live of the SOA record.
    pub(super) fn soa_ttl(&self) -> u32 {
        self.ttls.soa
    }

    /// The time to live of NS records.
    pub(super) fn ns_ttl(&self) -> u32 {
        self.ttls.name_servers
    }

    /// How long "there is no such thing" may be kept.
    pub(super) fn negative_ttl(&self) -> u32 {
        self.ttls.negative
    }

    /// Appends the data of the SOA record (RFC 1035, section 3.3.13).
    pub(super) fn write_soa(&self, serial: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.soa);
        let numbers = out.last_chunk_mut::<SOA_NUMBERS>().expect("they stand at the end of the data");
        numbers[..4].copy_from_slice(&serial.to_be_bytes());
    }
}

/// Whole seconds in 31 bits.
fn seconds(time: Duration) -> u32 {
    time.as_secs().min(LONGEST_TTL) as u32
}

fn check(settings: &Settings) -> Result<(), Problem> {
    let sublists = Sublists::new(&settings.publish, &settings.data_sets);
    if sublists.names().len() > MOST_SUBLISTS {
        return Err(Problem::TooManySublists(sublists.names().len()));
    }
    let longest = sublists.names().map(|name| 1 + name.label().len()).max().unwrap_or(0);
    if settings.origin.as_wire().len() + longest + REVERSED_IPV6 > LONGEST_NAME {
        return Err(Problem::OriginTooLong);
    }
    let keys = settings.admission.keys.iter().flat_map(|rules| &rules.keys);
    let key = keys.map(|key| key.label.wire_len()).max().unwrap_or(0);
    if settings.origin.as_wire().len() + key + longest + REVERSED_IPV6 > LONGEST_NAME {
        return Err(Problem::OriginTooLongForKeys);
    }
    check_name_servers(&settings.name_servers)?;
    check_times(settings)?;
    check_data_sets(&settings.data_sets)?;
    check_askers(settings)?;
    match settings.publish.len() {
        0 if settings.data_sets.iter().all(|set| set.settings.is_for_askers()) => {
            Err(Problem::NothingPublished)
        }
        count if count > MOST_RULES => Err(Problem::TooManyRules(count)),
        _ => check_rules(&settings.publish),
    }
}

fn check_name_servers(name_servers: &[Name]) -> Result<(), Problem> {
    match name_servers.len() {
        0 => return Err(Problem::NoNameServer),
        count if count > MOST_NAME_SERVERS => return Err(Problem::TooManyNameServers(count)),
        _ => {}
    }
    let mut seen = HashSet::new();
    match name_servers.iter().find(|name| !seen.insert(*name)) {
        Some(name) => Err(Problem::NameServerTwice(name.clone())),
        None => Ok(()),
    }
}

fn check_times(settings: &Settings) -> Result<(), Problem> {
    let times = [
        ("ttl", settings.ttl),
        ("soa_ttl", settings.soa_ttl),
        ("ns_ttl", settings.ns_ttl),
        ("refresh", settings.refresh),
        ("retry", settings.retry),
        ("expire", settings.expire),
        ("negative_ttl", settings.negative_ttl),
    ];
    let outside = |time: Duration| !(1..=LONGEST_TTL).contains(&time.as_secs());
    match times.into_iter().find(|(_, time)| outside(*time)) {
        Some((name, _)) => Err(Problem::TimeOutOfRange(name)),
        None => Ok(()),
    }
}

fn check_askers(settings: &Settings) -> Result<(), Problem> {
    let Admission { clients, keys } = &settings.admission;
    let is_twice = |kind: &str, written: bool| {
        let of_files = settings.data_sets.iter().filter(|set| set.settings.kind == kind).count();
        of_files + usize::from(written) > 1
    };
    if is_twice(ACL, !clients.is_empty()) {
        return Err(Problem::AclTwice);
    }
    if is_twice(ACLKEY, keys.is_some()) { Err(Problem::KeysTwice) } else { Ok(()) }
}

fn check_data_sets(sets: &[StaticList]) -> Result<(), Problem> {
    for options in sets.iter().map(|set| &set.settings.options) {
        check_code(options.code)?;
        if options.default_ttl.is_some_and(|ttl| !(1..=LONGEST_TTL).contains(&ttl.into())) {
            return Err(Problem::TimeOutOfRange("dataset.ttl"));
        }
    }
    Ok(())
}

fn check_code(code: Ipv4Addr) -> Result<(), Problem> {
    if code.is_loopback() && code >= LOWEST_CODE { Ok(()) } else { Err(Problem::CodeOutOfRange(code)) }
}

fn check_rules(rules: &[Publish]) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    for rule in rules {
        check_code(rule.code)?;
        if rule.jails.is_empty() {
            return Err(Problem::NoJails(rule.code));
        }
        if let Some(jail) = rule.jails.iter().find(|jail| !seen.insert(&***jail)) {
            return Err(Problem::JailTwice(jail.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::zone::testing::settings;

    fn check(change: impl FnOnce(&mut Settings), expected: Problem) {
        let mut settings = settings("bl.example");
        change(&mut settings);
        let zone = settings.origin.clone();
        let error = Zone::new(settings).unwrap_err();
        assert_eq!((error.zone, error.problem), (zone, expected));
    }

    #[test]
    fn a_sound_zone_is_taken() {
        let zone = Zone::new(settings("BL.Example.")).unwrap();
        assert_eq!((zone.origin().to_string().as_str(), zone.shown()), ("bl.example.", "bl.example"));
        assert_eq!(zone.rules().len(), 1);
    }

    #[test]
    fn name_servers_are_needed_and_counted_once() {
        let name = |index: usize| -> Name { format!("ns{index}.example").parse().unwrap() };
        check(|settings| settings.name_servers.clear(), Problem::NoNameServer);
        check(
            |settings| settings.name_servers = (0..14).map(name).collect(),
            Problem::TooManyNameServers(14),
        );
        check(
            |settings| settings.name_servers = vec![name(1), name(2), name(1)],
            Problem::NameServerTwice(name(1)),
        );
    }

    #[test]
    fn codes_are_loopback_addresses_from_2_on() {
        for code in [[127, 0, 0, 1], [127, 0, 0, 0], [128, 0, 0, 2], [192, 0, 2, 1]] {
            let code = Ipv4Addr::from(code);
            check(|settings| settings.publish[0].code = code, Problem::CodeOutOfRange(code));
        }
    }

    #[test]
    fn every_jail_has_one_rule() {
        let with = |jails: &[&str]| Publish {
            jails: jails.iter().map(|jail| Arc::from(*jail)).collect(),
            ..settings("bl.example").publish[0].clone()
        };
        check(
            |settings| settings.publish = vec![with(&["a", "b"]), with(&["*", "b"])],
            Problem::JailTwice("b".into()),
        );
        check(|settings| settings.publish = vec![with(&["*"]), with(&["*"])], Problem::JailTwice("*".into()));
        check(|settings| settings.publish = vec![with(&[])], Problem::NoJails(Ipv4Addr::new(127, 0, 0, 2)));
        check(|settings| settings.publish.clear(), Problem::NothingPublished);
        check(
            |settings| settings.publish = (0..257).map(|index| with(&[&index.to_string()])).collect(),
            Problem::TooManyRules(257),
        );
        let named = |index: usize| {
            let sublist = Some(format!("sub-{}", index % 33).parse().unwrap());
            Publish { sublist, ..with(&[&index.to_string()]) }
        };
        check(|settings| settings.publish = (0..40).map(named).collect(), Problem::TooManySublists(33));
    }

    #[test]
    fn times_fit_their_fields() {
        check(|settings| settings.ttl = Duration::from_millis(999), Problem::TimeOutOfRange("ttl"));
        check(|settings| settings.expire = Duration::from_secs(1 << 31), Problem::TimeOutOfRange("expire"));
    }

    #[test]
    fn reversed_addresses_fit_before_the_origin() {
        let label = "a".repeat(63);
        let origin = |last: usize| -> Name { format!("{label}.{label}.{}", &label[..last]).parse().unwrap() };
        check(|settings| settings.origin = origin(62), Problem::OriginTooLong);
        let mut settings = settings("bl.example");
        settings.origin = origin(61);
        assert!(Zone::new(settings.clone()).is_ok());
        settings.publish[0].sublist = Some("ab".parse().unwrap());
        assert_eq!(Zone::new(settings).unwrap_err().problem, Problem::OriginTooLong);
    }

    #[test]
    fn an_error_names_file_zone_and_remedy() {
        let mut settings = settings("bl.example");
        settings.name_servers.clear();
        let error = Zone::new(settings).unwrap_err().to_string();
        assert_eq!(
            error,
            "zones/bl.example.toml: zone bl.example.: no name server: name at least one in `ns`"
        );
    }
}
