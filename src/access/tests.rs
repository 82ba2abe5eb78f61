//! Users who come and go, by a clock that is set.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use super::password::{self, Hashed};
use super::second::Secret;
use super::session::{self, Denied, Opened, Place, RECENT};
use super::{Error, Grant, Principal, Role, Settings, user};
use crate::clock::Timestamp;
use crate::store::{self, Reader, Store};

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
const MINUTE: Duration = Duration::from_secs(60);

const PASSWORD: &str = "correct horse battery";

fn settings() -> Settings {
    Settings {
        idle_timeout: MINUTE * 30,
        lifetime: MINUTE * 600,
        second_factor: vec![Role::Admin],
        origin: None,
    }
}

struct Kept {
    store: Store,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

/// A database with the operator alice.
fn kept() -> Kept {
    static HASHED: LazyLock<Hashed> = LazyLock::new(|| Hashed::new(PASSWORD).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("banzone.db");
    let settings =
        store::Settings { path: path.clone(), evidence_retention: MINUTE, history_retention: MINUTE };
    let mut store = Store::open(&settings, NOW).unwrap();
    let grant = Grant::of(Role::Operator);
    store.write(|transaction| user::add(transaction, "alice", grant, &HASHED, NOW)).unwrap();
    Kept { store, path, _folder: folder }
}

impl Kept {
    fn reader(&self) -> Reader {
        Reader::open(&self.path).unwrap()
    }

    fn sign_in(&mut self, code: Option<&str>, now: Timestamp) -> Result<Opened, Denied> {
        let kept = session::kept_password(&self.reader(), "alice").unwrap().ok_or(Denied::Wrong)?;
        let place = Place { source: "192.0.2.1".parse().unwrap(), agent: "x".repeat(5000) };
        self.store
            .write(|transaction| session::open(transaction, ("alice", &kept), code, &place, &settings(), now))
    }

    fn who(&self, cookie: &str, now: Timestamp) -> Option<Principal> {
        let found = session::authenticate(&self.reader(), cookie, |_| true, &settings(), now).unwrap();
        found.map(|(principal, _)| principal)
    }

    fn note(&mut self, opened: &Opened, now: Timestamp) {
        let id = opened.principal.session().unwrap().id.clone();
        self.store.write(|transaction| session::note_use(transaction, &id, now)).unwrap();
    }

    /// A second factor, its secret and the recovery codes.
    fn enrol(&mut self, now: Timestamp) -> (Secret, Vec<String>) {
        let secret = self.store.write(|transaction| user::begin_totp(transaction, "alice")).unwrap();
        let code = code(&secret, now);
        let confirm =
            |transaction: &store::Transaction<'_>| user::confirm_totp(transaction, "alice", &code, None, now);
        (secret, self.store.write(confirm).unwrap())
    }
}

/// What a telephone shows.
fn code(secret: &Secret, now: Timestamp) -> String {
    let totp = totp_rs::Builder::new().with_secret(secret.as_bytes().to_vec()).build_noncompliant();
    totp.generate(u64::try_from(now.as_secs()).unwrap()).to_string()
}

#[test]
fn a_session_ends_unused_and_in_the_end() {
    let mut kept = kept();
    let opened = kept.sign_in(None, NOW).unwrap();
    assert!(opened.cookie.len() == 43 && opened.principal.name() == "user alice");
    let cookie = &opened.cookie;
    assert!(kept.who(cookie, NOW + MINUTE * 29).is_some());
    assert!(kept.who(cookie, NOW + MINUTE * 30).is_none(), "idle");
    for minute in (20..600).step_by(20) {
        assert!(kept.who(cookie, NOW + MINUTE * minute).is_some(), "{minute}");
        kept.note(&opened, NOW + MINUTE * minute);
    }
    assert!(kept.who(cookie, NOW + MINUTE * 600).is_none(), "old");
    for wrong in ["", "x", &cookie[1..], &format!("{cookie}x")] {
        assert!(kept.who(wrong, NOW).is_none());
    }
}

#[test]
fn the_cookie_is_nowhere_in_the_database_and_never_the_same() {
    let mut kept = kept();
    let (one, other) = (kept.sign_in(None, NOW).unwrap(), kept.sign_in(None, NOW).unwrap());
    assert_ne!(one.cookie, other.cookie);
    let csrf = |opened: &Opened| opened.principal.session().unwrap().csrf.clone();
    assert!(csrf(&one) != csrf(&other) && csrf(&one) != one.cookie);
    drop(kept.store);
    let file = std::fs::read(&kept.path).unwrap();
    for secret in [&*one.cookie, &*csrf(&one), PASSWORD] {
        assert!(!file.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[test]
fn a_code_is_good_once() {
    let mut kept = kept();
    let (secret, recovery) = kept.enrol(NOW);
    assert!(matches!(kept.sign_in(None, NOW), Err(Denied::NeedsCode)));
    let now = NOW + MINUTE;
    let at = |now| code(&secret, now);
    assert!(matches!(kept.sign_in(Some(&at(NOW)), NOW), Err(Denied::Wrong)), "it confirmed the factor");
    assert!(kept.sign_in(Some(&at(now)), now).is_ok());
    assert!(matches!(kept.sign_in(Some(&at(now)), now), Err(Denied::Wrong)), "again");
    let before = now - Duration::from_secs(30);
    assert!(matches!(kept.sign_in(Some(&at(before)), now), Err(Denied::Wrong)), "one before a used one");
    assert!(kept.sign_in(Some(&at(now + Duration::from_secs(30))), now).is_ok());
    assert!(kept.sign_in(Some(&recovery[3]), now).is_ok());
    assert!(matches!(kept.sign_in(Some(&recovery[3]), now), Err(Denied::Wrong)), "again");
    let alice = user::list(&kept.reader()).unwrap().into_iter().find(|user| user.name == "alice").unwrap();
    assert_eq!((alice.recovery_codes, alice.seen), (9, Some(now)));
}

#[test]
fn a_code_for_certainty_is_used_up_as_well() {
    let mut kept = kept();
    let (secret, _) = kept.enrol(NOW);
    let now = NOW + MINUTE;
    let opened = kept.sign_in(Some(&code(&secret, now)), now).unwrap();
    let later = now + RECENT;
    let who = kept.who(&opened.cookie, later).unwrap();
    assert!(opened.principal.is_certain(later - MINUTE) && !who.is_certain(later));
    let verify = |kept: &mut Kept, code: Option<&str>| {
        let session = who.session().unwrap();
        kept.store.write(|transaction| session::verify(transaction, session, code, later))
    };
    assert!(matches!(verify(&mut kept, None), Err(Error::WrongCode)), "the password is not enough");
    let right = code(&secret, later);
    verify(&mut kept, Some(&right)).unwrap();
    assert!(kept.who(&opened.cookie, later).unwrap().is_certain(later));
    assert!(matches!(verify(&mut kept, Some(&right)), Err(Error::WrongCode)));
    assert!(matches!(kept.sign_in(Some(&right), later), Err(Denied::Wrong)));
}

#[test]
fn whoever_must_have_a_second_factor_can_do_nothing_before() {
    use super::Permission::{Administer, Nothing, Own, Read};
    let mut kept = kept();
    let change = || user::Change { grant: Some(Grant::of(Role::Admin)), ..user::Change::default() };
    kept.store.write(|transaction| user::change(transaction, "alice", change(), None)).unwrap();
    let may = |principal: &Principal| [Read, Administer, Own, Nothing].map(|needs| principal.may(needs));
    let opened = kept.sign_in(None, NOW).unwrap();
    assert_eq!(may(&opened.principal), [false, false, true, true]);
    let (secret, _) = kept.enrol(NOW);
    let now = NOW + MINUTE;
    let opened = kept.sign_in(Some(&code(&secret, now)), now).unwrap();
    assert_eq!(may(&opened.principal), [true; 4]);
}

#[test]
fn sessions_end_with_what_they_rest_on() {
    type Act = fn(&store::Transaction<'_>) -> Result<(), Error>;
    let acts: [Act; 5] = [
        |transaction| {
            let change = user::Change { disabled: Some(true), ..user::Change::default() };
            user::change(transaction, "alice", change, None).map(drop)
        },
        |transaction| {
            let change = user::Change { grant: Some(Grant::of(Role::Viewer)), ..user::Change::default() };
            user::change(transaction, "alice", change, None).map(drop)
        },
        |transaction| user::remove(transaction, "alice"),
        |transaction| user::remove_totp(transaction, "alice", None),
        |transaction| Ok(transaction.end_sessions("alice", None).map(drop)?),
    ];
    for (number, act) in acts.into_iter().enumerate() {
        let mut kept = kept();
        let opened = kept.sign_in(None, NOW).unwrap();
        kept.store.write(act).unwrap();
        assert!(kept.who(&opened.cookie, NOW).is_none(), "{number}");
        let is_kept_out = kept.sign_in(None, NOW).is_err();
        assert_eq!(is_kept_out, [0, 2].contains(&number), "{number}");
    }
}

#[test]
fn a_password_that_was_changed_meanwhile_lets_nobody_in() {
    let mut kept = kept();
    let before = session::kept_password(&kept.reader(), "alice").unwrap().unwrap();
    assert!(password::is_right(PASSWORD, Some(&before)));
    let other = Hashed::new("another horse battery").unwrap();
    let change = user::Change { password: Some(other), ..user::Change::default() };
    kept.store.write(|transaction| user::change(transaction, "alice", change, None)).unwrap();
    let place = Place { source: "192.0.2.1".parse().unwrap(), agent: String::new() };
    let opened = kept
        .store
        .write(|transaction| session::open(transaction, ("alice", &before), None, &place, &settings(), NOW));
    assert!(matches!(opened, Err(Denied::Wrong)));
}

#[test]
fn nobody_has_sessions_without_end() {
    let mut kept = kept();
    let first = kept.sign_in(None, NOW).unwrap();
    for minute in 1..=20 {
        kept.sign_in(None, NOW + MINUTE * minute / 60).unwrap();
    }
    let sessions = session::list(&kept.reader(), "alice", &settings(), NOW + MINUTE).unwrap();
    assert_eq!((sessions.len(), sessions[0].agent.len()), (20, 200));
    assert!(kept.who(&first.cookie, NOW + MINUTE).is_none());
}
