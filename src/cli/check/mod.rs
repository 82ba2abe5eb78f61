//! `check`: is the configuration right, and what would run?

mod data_sets;

use std::io::Write;

use serde_json::{Value, json};

use self::data_sets::Checked;
use super::global::complain;
use super::{Exit, Global};
use crate::clock::Clock;
use crate::config::duration::show;
use crate::config::{self, CertificateFiles, Config, Errors};
use crate::daemon::surroundings;
use crate::dns::{self, Certificate};
use crate::hub::Client;
use crate::jail::{self, BanTime};
use crate::list::EVERY_OTHER_JAIL;
use crate::{store, zone};

/// Check the configuration and show what would run
#[derive(clap::Args)]
pub struct Args {
    /// Read the whole database as well and fail if it is missing or damaged; nothing in it is changed
    #[arg(long)]
    database: bool,
}

impl Args {
    /// Loads everything and shows it, or every error.
    pub(super) fn run(self, global: &Global, out: &mut dyn Write) -> anyhow::Result<Exit> {
        let config = match config::load(&global.config) {
            Ok(config) => config,
            Err(errors) => return show_errors(&errors, global, out).map(|()| Exit::Failed),
        };
        let certificates = match machine(&config) {
            Ok(certificates) => certificates,
            Err(errors) => return show_errors(&errors, global, out).map(|()| Exit::Failed),
        };
        if self.database {
            store::Reader::open(&config.store.path)?.check_integrity()?;
        }
        let sets = data_sets::read_all(&config, Clock::System.now());
        show_config(&config, &certificates, &sets, global, out)?;
        if self.database {
            global.note(&format!("{}: no errors in the database", config.store.path.display()));
        }
        Ok(tell_unread(&sets, global))
    }
}

/// The certificates that there are.
struct Certificates {
    dns: Option<Certificate>,
    http: Option<Certificate>,
}

/// The certificates, if the machine has all that the configuration asks of it.
fn machine(config: &Config) -> Result<Certificates, Errors> {
    let read = |files: &Option<CertificateFiles>| files.as_ref().map(CertificateFiles::read).transpose();
    let mut errors = surroundings::check(config).err().map_or_else(Vec::new, |errors| errors.0);
    let mut or_error = |read: Result<_, _>| {
        read.unwrap_or_else(|error| {
            errors.push(error);
            None
        })
    };
    let (dns, http) = (or_error(read(&config.certificate)), or_error(read(&config.http_certificate)));
    let (dns, http) = (dns.flatten(), http.flatten());
    if errors.is_empty() { Ok(Certificates { dns, http }) } else { Err(Errors(errors)) }
}

/// A daemon starts without a data set that cannot be read, but nobody means it so.
fn tell_unread(sets: &[Checked], global: &Global) -> Exit {
    let unread: Vec<String> = sets.iter().filter_map(Checked::error).collect();
    if !global.json {
        unread.iter().for_each(|error| complain(error));
    }
    if unread.is_empty() { Exit::Done } else { Exit::Failed }
}

fn show_config(
    config: &Config,
    certificates: &Certificates,
    sets: &[Checked],
    global: &Global,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut warnings = warnings(config);
    let found = [("[dns.tls]", &certificates.dns), ("[http]", &certificates.http)];
    let invalid = found.into_iter().filter_map(|(section, certificate)| {
        let problem = certificate.as_ref()?.problem(Clock::System.now())?;
        Some(format!("the certificate of {section} {problem}; clients refuse it"))
    });
    warnings.extend(invalid);
    let unready = config.hub.as_ref().and_then(|hub| Client::new(hub).err());
    warnings.extend(unready.map(|error| format!("nothing will be reported to the hub: {error}")));
    warnings.extend(sets.iter().flat_map(|set| set.warnings(Clock::System.now())));
    if global.json {
        return global.json(&as_json(config, certificates, sets, &warnings), out);
    }
    writeln!(out, "database  {}", config.store.path.display())?;
    writeln!(out, "dns       {}", list(&config.dns.listen))?;
    show_tls(&config.dns.tls, out)?;
    if let (Some(files), Some(certificate)) = (&config.certificate, &certificates.dns) {
        writeln!(out, "tls       {} until {}", files.certificate().display(), certificate.until())?;
    }
    if let Some(listen) = config.http.listen {
        writeln!(out, "http      {listen}")?;
    }
    if let (Some(files), Some(certificate)) = (&config.http_certificate, &certificates.http) {
        writeln!(out, "https     {} until {}", files.certificate().display(), certificate.until())?;
    }
    if let Some(listen) = config.public.listen {
        let shown: Vec<_> = config.public.zones.iter().map(|zone| &zone.name).collect();
        writeln!(out, "public    {listen}, of the zones {}", list(&shown))?;
    }
    writeln!(out, "control   {}", config.http.control.display())?;
    if let Some(hub) = &config.hub {
        writeln!(out, "hub       {}, of the jails {}", hub.url, list(&hub.jails.iter().collect::<Vec<_>>()))?;
    }
    for jail in &config.jails {
        writeln!(out, "jail      {}", describe_jail(jail))?;
    }
    for zone in &config.zones {
        writeln!(out, "zone      {}", describe_zone(zone))?;
    }
    for set in sets {
        writeln!(out, "data set  {}", set.describe())?;
    }
    for notice in &config.notices {
        global.note(&format!("notice: {notice}"));
    }
    for warning in warnings {
        global.note(&format!("warning: {warning}"));
    }
    if sets.iter().all(|set| set.error().is_none()) {
        global.note(&format!("{}: no errors in {} files", global.config.display(), config.files.len()));
    }
    Ok(())
}

fn show_tls(tls: &dns::Tls, out: &mut dyn Write) -> anyhow::Result<()> {
    let doh: Vec<_> = tls.doh.iter().map(|address| format!("{address}{}", tls.doh_path)).collect();
    for (name, addresses) in [("dot", list(&tls.dot)), ("doh", list(&doh)), ("doq", list(&tls.doq))] {
        if !addresses.is_empty() {
            writeln!(out, "{name}       {addresses}")?;
        }
    }
    Ok(())
}

fn show_errors(errors: &Errors, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    if global.json {
        let errors: Vec<_> = errors.0.iter().map(finding).collect();
        return global.json(&json!({ "ok": false, "errors": errors }), out);
    }
    complain(&errors.to_string());
    let number = errors.0.len();
    let plural = if number == 1 { "" } else { "s" };
    complain(&format!("{}: {number} error{plural}", global.config.display()));
    Ok(())
}

fn finding(error: &config::Error) -> Value {
    let place = &error.place;
    let number = |number: u32| (number > 0).then_some(number);
    json!({
        "file": place.file.display().to_string(),
        "line": number(place.line),
        "column": number(place.column),
        "message": error.message,
    })
}

/// What is allowed but hardly meant.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.zones.is_empty() {
        warnings.push("there is no zone, so nothing is published: name zone files in `zones`".to_owned());
    }
    if config.jails.iter().all(|jail| jail.sources.is_empty() && jail.reports.is_none()) {
        warnings.push("no jail is enabled, so only bans by hand are published".to_owned());
    }
    for jail in &config.jails {
        if !config.zones.is_empty() && !is_published(config, &jail.name) {
            warnings.push(format!("no zone publishes jail `{}`: add it to a [[publish]] rule", jail.name));
        }
        for source in &jail.sources {
            let found = glob::glob(&source.path).is_ok_and(|mut paths| paths.next().is_some());
            // Neither standard input nor the journal is a file.
            if source.path.starts_with('/') && !found {
                warnings.push(format!("jail `{}`: no file `{}` exists yet", jail.name, source.path));
            }
        }
    }
    warnings
}

fn is_published(config: &Config, jail: &str) -> bool {
    let rules = config.zones.iter().flat_map(|zone| &zone.publish);
    rules.flat_map(|rule| &rule.jails).any(|name| [jail, EVERY_OTHER_JAIL].contains(&&**name))
}

fn describe_jail(jail: &jail::Settings) -> String {
    if let Some(reports) = &jail.reports {
        let (threshold, half_life) = (reports.consensus.threshold, show(reports.consensus.half_life));
        return format!("{}: reports whose weights reach {threshold}, half-life {half_life}", jail.name);
    }
    if jail.counts_bans {
        let (findtime, bantime) = (show(jail.findtime), show_bantime(jail.bantime));
        return format!(
            "{}: {} bans by other jails in {findtime} ban for {bantime}",
            jail.name, jail.maxretry
        );
    }
    if jail.sources.is_empty() && *jail.name != *jail::MANUAL {
        return format!("{}: reads nothing", jail.name);
    }
    if jail.sources.is_empty() {
        return format!("{}: bans by hand, for {}", jail.name, show_bantime(jail.bantime));
    }
    let sources: Vec<_> = jail.sources.iter().map(|source| &*source.path).collect();
    format!(
        "{}: {} through filter {}; {} failures in {} ban for {}",
        jail.name,
        sources.join(", "),
        jail.filter.name,
        jail.maxretry,
        show(jail.findtime),
        show_bantime(jail.bantime),
    )
}

fn show_bantime(time: BanTime) -> String {
    match time {
        BanTime::For(span) => show(span),
        BanTime::Permanent => "ever".to_owned(),
    }
}

fn describe_zone(zone: &zone::Settings) -> String {
    let rule = |rule: &zone::Publish| {
        let alone = rule.sublist.as_ref().map(|name| format!(", alone as {name}.{}", zone.origin));
        format!("{} as {}{}", rule.jails.join(", "), rule.code, alone.unwrap_or_default())
    };
    let rules: Vec<_> = zone.publish.iter().map(rule).collect();
    format!("{} {}", zone.origin, rules.join("; ")).trim_end().to_owned()
}

fn list(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn as_json(config: &Config, certificates: &Certificates, sets: &[Checked], warnings: &[String]) -> Value {
    let jail = |jail: &jail::Settings| {
        json!({
            "name": &*jail.name,
            "filter": jail.filter.name,
            "logpath": jail.sources.iter().map(|source| &*source.path).collect::<Vec<_>>(),
            "findtime": jail.findtime.as_secs(),
            "maxretry": jail.maxretry,
            "bantime": match jail.bantime {
                BanTime::For(span) => Some(span.as_secs()),
                BanTime::Permanent => None,
            },
        })
    };
    let rule = |rule: &zone::Publish| {
        let jails: Vec<_> = rule.jails.iter().map(|jail| &**jail).collect();
        json!({ "jails": jails, "code": rule.code, "name": rule.sublist.as_ref().map(ToString::to_string) })
    };
    let zone = |zone: &zone::Settings| {
        json!({
            "origin": zone.origin.to_string(),
            "publish": zone.publish.iter().map(rule).collect::<Vec<_>>(),
        })
    };
    json!({
        "ok": sets.iter().all(|set| set.error().is_none()),
        "files": config.files,
        "store": { "path": config.store.path },
        "dns": { "listen": config.dns.listen, "threads": config.dns.threads },
        "tls": certificates.dns.as_ref().map(|certificate| json!({
            "dot": config.dns.tls.dot,
            "doh": config.dns.tls.doh,
            "doq": config.dns.tls.doq,
            "until": certificate.until().to_string(),
        })),
        "http": {
            "listen": config.http.listen,
            "tls_until": certificates.http.as_ref().map(|certificate| certificate.until().to_string()),
        },
        "public": config.public.listen,
        "control": { "socket": config.http.control },
        "jails": config.jails.iter().map(jail).collect::<Vec<_>>(),
        "zones": config.zones.iter().map(zone).collect::<Vec<_>>(),
        "data_sets": sets.iter().map(Checked::as_json).collect::<Vec<_>>(),
        "notices": config.notices.iter().map(finding).collect::<Vec<_>>(),
        "warnings": warnings,
    })
}
