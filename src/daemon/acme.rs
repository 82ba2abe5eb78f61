//! Has a certificate authority issue the certificate of `[acme]` (RFC 8555), and issue it anew long before its end. That the names
//! are ours is shown by DNS, which is answered here: no other program and no open port 80 is needed.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use instant_acme::{
    Account, AccountBuilder, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier,
    NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::steering::{Steering, lock};
use crate::clock::Timestamp;
use crate::config::Acme;
use crate::dns::Certificate;
use crate::zone::{Name, Zones};

/// How often is looked whether it is time.
const LOOK: Duration = Duration::from_secs(60);

/// The wait after a failure, which doubles from one to the next: authorities count failures by the hour.
const FIRST_WAIT: Duration = Duration::from_secs(10 * 60);
const LONGEST_WAIT: Duration = Duration::from_secs(12 * 3600);

/// An authority that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long it may take to look at our answers, and to issue.
const POLLING: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));

/// How issuing goes.
#[derive(Debug, Default)]
pub(super) struct Issuing {
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// For what the rest holds.
    of: Option<Acme>,
    problem: Option<String>,
    wait: Duration,
    next: Option<Timestamp>,
}

impl Issuing {
    /// Says that something else may be wanted now.
    pub(super) fn wake(&self) {
        self.woken.notify_one();
    }

    /// What a person should look at.
    pub(super) fn problem(&self) -> Option<String> {
        lock(&self.state).problem.clone()
    }

    /// Whether it is time to ask for the certificate of `acme`.
    fn is_due(&self, acme: &Acme, now: Timestamp) -> bool {
        let mut state = lock(&self.state);
        if state.of.as_ref() != Some(acme) {
            *state = State { of: Some(acme.clone()), ..State::default() };
        }
        state.next.is_none_or(|next| next <= now) && is_wanted(&acme.certificate(), now)
    }

    fn note(&self, outcome: Result<()>, now: Timestamp) {
        let mut state = lock(&self.state);
        match outcome {
            Ok(()) => *state = State { of: state.of.take(), ..State::default() },
            Err(failed) => {
                state.wait = (state.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
                let next = now + state.wait;
                let problem =
                    format!("no certificate from the authority: {failed:#}; the next attempt is at {next}");
                warn!("{problem}");
                state.problem = Some(problem);
                state.next = Some(next);
            }
        }
    }
}

/// Whether there is none, or it is in the last third of its time.
fn is_wanted(file: &Path, now: Timestamp) -> bool {
    !Certificate::read(file, file).is_ok_and(|certificate| now < certificate.renewal())
}

/// Looks whether it is time, until the daemon stops.
pub(super) async fn issue_in_time(issuing: Arc<Issuing>, daemon: Weak<Steering>) {
    while let Some(daemon) = daemon.upgrade() {
        let acme = lock(&daemon.running).acme.clone();
        let due = acme.filter(|acme| daemon.issuing.is_due(acme, daemon.clock.now()));
        if let Some(acme) = due {
            let issued = tokio::time::timeout(PATIENCE, issue(&acme, daemon.service.zones())).await;
            let outcome = issued.unwrap_or_else(|_| Err(anyhow!("it took longer than {PATIENCE:?}")));
            daemon.issuing.note(outcome, daemon.clock.now());
            let look = Arc::clone(&daemon);
            let looked = tokio::task::spawn_blocking(move || look.certificates.look(look.clock.now()));
            // It can only fail where the daemon stops.
            let _ = looked.await;
        }
        drop(daemon);
        // Whether there is anything to do is looked at in any case.
        let _ = tokio::time::timeout(LOOK, issuing.woken.notified()).await;
    }
}

async fn issue(acme: &Acme, zones: Arc<Zones>) -> Result<()> {
    fs::create_dir_all(&acme.folder).with_context(|| format!("cannot make {}", acme.folder.display()))?;
    let account = account(acme).await?;
    let names: Vec<Identifier> = acme.hosts().map(Identifier::Dns).collect();
    info!(names = ?acme.names, "asking {} for a certificate", acme.directory);
    let mut order = account.new_order(&NewOrder::new(&names)).await.map_err(|failed| forget(acme, failed))?;
    let shown = show(&mut order, &zones).await;
    zones.challenges().replace([]);
    shown?;
    let key = order.finalize().await.context("it does not issue")?;
    let chain = order.poll_certificate(&POLLING).await.context("it does not issue")?;
    // Both in one file, so that they always belong together.
    write(&acme.certificate(), &format!("{chain}\n{key}"))
}

/// Shows that the names are ours.
async fn show(order: &mut Order, zones: &Zones) -> Result<()> {
    let mut texts: Vec<(Name, String)> = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.context("it does not say what to show")?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge =
            authorization.challenge(ChallengeType::Dns01).context("it takes no answers by DNS (dns-01)")?;
        let name = challenge.identifier().to_string();
        let name = name.parse().map_err(|wrong| anyhow!("it asks for `{name}`: {wrong}"))?;
        texts.push((name, challenge.key_authorization().dns_value()));
        // All that were shown stay: it may look more than once.
        zones.challenges().replace(texts.clone());
        challenge.set_ready().await.context("it does not look at the answer")?;
    }
    match order.poll_ready(&POLLING).await.context("it does not say what it saw")? {
        OrderStatus::Ready => Ok(()),
        _ => bail!("it did not see that the names are ours: {}", why_not(order).await),
    }
}

/// What the authority says about each name.
async fn why_not(order: &mut Order) -> String {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let errors = authorization.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        reasons.extend(errors.map(|error| format!("{}: {error}", authorization.identifier())));
    }
    reasons.join("; ")
}

/// The account that there is, or a new one.
async fn account(acme: &Acme) -> Result<Account> {
    let file = acme.account();
    if let Ok(text) = fs::read_to_string(&file) {
        let kept: AccountCredentials = serde_json::from_str(&text).with_context(|| {
            format!("{} holds no account: remove it, and a new one is made", file.display())
        })?;
        return builder(acme)?.from_credentials(kept).await.context("it cannot be reached");
    }
    let contact: Vec<&str> = acme.contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let made = builder(acme)?.create(&new, acme.directory.clone(), None).await;
    let (account, credentials) = made.context("it makes no account")?;
    write(&file, &serde_json::to_string(&credentials)?)?;
    Ok(account)
}

fn builder(acme: &Acme) -> Result<AccountBuilder> {
    match &acme.ca {
        Some(ca) => {
            Account::builder_with_root(ca).with_context(|| format!("`{}` holds no certificate", ca.display()))
        }
        None => Account::builder()
            .context("the certificates of the system cannot be read: install ca-certificates"),
    }
}

/// An account that the authority does not know is of no use any more.
fn forget(acme: &Acme, failed: Error) -> anyhow::Error {
    let unknown = "urn:ietf:params:acme:error:accountDoesNotExist";
    if matches!(&failed, Error::Api(problem) if problem.r#type.as_deref() == Some(unknown)) {
        let _ = fs::remove_file(acme.account());
    }
    anyhow::Error::from(failed).context("it takes no order")
}

/// Writes a file that nobody else can read, and that is there whole or not at all.
fn write(path: &Path, text: &str) -> Result<()> {
    let write = || {
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the middle of what rcgen's certificates hold for, from 1975 to 4096.
    const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

    fn acme(folder: &Path) -> Acme {
        Acme {
            names: vec!["bl.example".parse().unwrap()],
            directory: "https://ca.example/directory".to_owned(),
            contact: Vec::new(),
            ca: None,
            folder: folder.to_owned(),
        }
    }

    #[test]
    fn a_certificate_is_asked_for_long_before_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let (acme, issuing) = (acme(folder.path()), Issuing::default());
        assert!(issuing.is_due(&acme, NOW), "there is none");
        let issued = rcgen::generate_simple_self_signed(["bl.example".to_owned()]).unwrap();
        let both = issued.cert.pem() + &issued.signing_key.serialize_pem();
        write(&acme.certificate(), &both).unwrap();
        assert!(!issuing.is_due(&acme, NOW));
        let certificate = Certificate::read(&acme.certificate(), &acme.certificate()).unwrap();
        let until = certificate.until();
        assert!(certificate.renewal() < until && issuing.is_due(&acme, certificate.renewal()));
        let others = Acme { names: vec!["mail.bl.example".parse().unwrap()], ..acme };
        assert!(issuing.is_due(&others, NOW), "for other names it is none");
    }

    #[test]
    fn an_authority_that_fails_is_left_alone_for_longer_and_longer() {
        let folder = tempfile::tempdir().unwrap();
        let (acme, issuing) = (acme(folder.path()), Issuing::default());
        let mut now = NOW;
        for wait in [10, 20, 40, 80, 160, 320, 640, 720, 720] {
            assert!(issuing.is_due(&acme, now));
            issuing.note(Err(anyhow!("it is away")), now);
            now = now + Duration::from_secs(wait * 60);
            assert!(!issuing.is_due(&acme, now - Duration::from_secs(1)), "{wait}");
        }
        assert!(issuing.problem().unwrap().starts_with("no certificate from the authority: it is away"));
        let elsewhere = Acme { directory: "https://other.example/directory".to_owned(), ..acme };
        assert!(issuing.is_due(&elsewhere, NOW) && issuing.problem().is_none());
    }
}
