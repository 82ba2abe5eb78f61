//! Passkeys: an authenticator made of software, and what it and its imitations are let do.

use data_encoding::BASE64URL_NOPAD as BASE64;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access::{ask, daemon};
use super::env::{Daemon, Env, Response};
use super::sign_in::{Browser, add};

const ORIGIN: &str = "https://bl.example";

/// Nobody must have a second factor.
const PASSKEYS: &str =
    "[http]\nlisten = '127.0.0.1:0'\n[sign_in]\nsecond_factor = []\norigin = 'https://bl.example'\n";

/// An authenticator with one key.
struct Authenticator {
    key: SigningKey,
    credential: Vec<u8>,
    handle: String,
    /// Of the site that asks.
    origin: &'static str,
    /// Whether it looked at a finger.
    verifies: bool,
}

impl Authenticator {
    fn new(seed: u8) -> Self {
        Self {
            key: SigningKey::from_slice(&[seed; 32]).unwrap(),
            credential: vec![seed; 16],
            handle: String::new(),
            origin: ORIGIN,
            verifies: true,
        }
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        let challenge = &options["publicKey"]["challenge"];
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
    }

    /// The beginning of authenticator data (Web Authentication, section 6.1).
    fn data(&self, flags: u8) -> Vec<u8> {
        let verified = if self.verifies { 0x04 } else { 0 };
        let mut data = Sha256::digest("bl.example").to_vec();
        data.push(0x01 | verified | flags);
        data.extend([0; 4]);
        data
    }

    /// Answers `navigator.credentials.create`.
    fn create(&mut self, options: &Value) -> Value {
        self.handle = options["publicKey"]["user"]["id"].as_str().unwrap().to_owned();
        let point = self.key.verifying_key().to_sec1_point(false);
        let mut data = self.data(0x40);
        data.extend([0; 16]);
        data.extend([0, u8::try_from(self.credential.len()).unwrap()]);
        data.extend(&self.credential);
        // A key for ES256 in COSE (RFC 9052, section 7).
        data.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32]);
        data.extend(point.x().unwrap());
        data.extend([0x22, 0x58, 32]);
        data.extend(point.y().unwrap());
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        let client_data = self.client_data("webauthn.create", options);
        self.credential(&json!({
            "clientDataJSON": BASE64.encode(client_data.as_bytes()),
            "attestationObject": BASE64.encode(&object),
            "transports": ["internal"],
        }))
    }

    /// Answers `navigator.credentials.get`.
    fn get(&self, options: &Value) -> Value {
        let (data, client_data) = (self.data(0), self.client_data("webauthn.get", options));
        let signed = [&data[..], &Sha256::digest(client_data.as_bytes())].concat();
        let signature: Signature = self.key.sign(&signed);
        self.credential(&json!({
            "clientDataJSON": BASE64.encode(client_data.as_bytes()),
            "authenticatorData": BASE64.encode(&data),
            "signature": BASE64.encode(signature.to_der().as_bytes()),
            "userHandle": self.handle,
        }))
    }

    fn credential(&self, response: &Value) -> Value {
        let id = BASE64.encode(&self.credential);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} })
    }

    /// Becomes a passkey of whoever has signed in with `browser`.
    fn enrol(&mut self, browser: &Browser<'_>) -> Response {
        let asked = browser.ask("post /session/passkeys/challenge", "").json();
        let credential = self.create(&asked["options"]);
        let new = json!({ "ticket": asked["ticket"], "label": "telephone", "credential": credential });
        browser.ask("post /session/passkeys", &new.to_string())
    }

    /// What to send to sign in.
    fn answer(&self, daemon: &Daemon) -> String {
        let asked = post(daemon, "/session/passkey/challenge", "").json();
        json!({ "ticket": asked["ticket"], "credential": self.get(&asked["options"]) }).to_string()
    }
}

fn post(daemon: &Daemon, path: &str, body: &str) -> Response {
    ask(daemon.http(), &format!("POST /api/v1{path}"), "", body)
}

/// A daemon, and alice's authenticator.
fn enrolled() -> (Env, Daemon, Authenticator, Value) {
    let (env, daemon) = daemon(PASSKEYS);
    add(&env, "alice", "operator");
    let mut authenticator = Authenticator::new(7);
    let added = authenticator.enrol(&Browser::sign_in(&daemon, "alice", None)).json();
    (env, daemon, authenticator, added)
}

#[test]
fn a_passkey_says_who_it_is() {
    let (env, daemon, authenticator, added) = enrolled();
    assert_eq!((&added["passkey"]["label"], &added["passkey"]["used"]), (&json!("telephone"), &Value::Null));
    let codes = added["recovery_codes"].as_array().unwrap();
    assert_eq!(codes.len(), 10);
    let answer = authenticator.answer(&daemon);
    let browser = Browser::signed_in(&daemon, &post(&daemon, "/session/passkey", &answer));
    let session = browser.ask("get /session", "").json();
    assert_eq!((&session["user"], &session["second_factor"]), (&json!("alice"), &json!(true)));
    assert_eq!(post(&daemon, "/session/passkey", &answer).status, 409, "again");
    let listed = browser.ask("get /session/passkeys", "").json();
    assert!(listed["passkeys"][0]["used"].is_string() && listed["passkeys"][1].is_null(), "{listed}");
    let users = env.request("GET", "/api/v1/users", "").json();
    assert_eq!(
        (&users["users"][0]["passkeys"], &users["users"][0]["recovery_codes"]),
        (&json!(1), &json!(10))
    );
    // The password alone lets nobody in any more; a recovery code does beside it.
    assert_eq!(Browser::try_sign_in(&daemon, "alice", None).status, 401);
    assert_eq!(Browser::try_sign_in(&daemon, "alice", codes[0].as_str()).status, 200);
}

#[test]
fn a_passkey_shows_once_more_who_it_is() {
    let (_env, daemon, mut authenticator, added) = enrolled();
    let codes = added["recovery_codes"].as_array().unwrap();
    let browser = Browser::sign_in(&daemon, "alice", codes[1].as_str());
    let verify = |body: &str| browser.ask("post /session/passkey/verify", body).status;
    assert_eq!(browser.ask("post /session/verify", r#"{"password":"correct horse battery"}"#).status, 422);
    assert_eq!(verify(&authenticator.answer(&daemon)), 200);
    authenticator.key = SigningKey::from_slice(&[8; 32]).unwrap();
    assert_eq!(verify(&authenticator.answer(&daemon)), 422, "another key");
}

#[test]
fn nobody_verifies_with_the_passkey_of_another() {
    let (env, daemon, authenticator, _) = enrolled();
    add(&env, "bob", "admin");
    let bob = Browser::sign_in(&daemon, "bob", None);
    assert_eq!(bob.ask("post /session/passkey/verify", &authenticator.answer(&daemon)).status, 422);
    let asked = bob.ask("post /session/passkeys/challenge", "").json();
    let mut own = Authenticator::new(7);
    let new =
        json!({ "ticket": asked["ticket"], "label": "mine", "credential": own.create(&asked["options"]) });
    assert_eq!(bob.ask("post /session/passkeys", &new.to_string()).status, 409, "it is alice's");
    let asked = bob.ask("post /session/passkeys/challenge", "").json();
    let new =
        json!({ "ticket": asked["ticket"], "label": "mine", "credential": own.create(&asked["options"]) });
    let answer = authenticator.answer(&daemon);
    let alice = Browser::signed_in(&daemon, &post(&daemon, "/session/passkey", &answer));
    assert_eq!(alice.ask("post /session/passkeys", &new.to_string()).status, 409, "bob's ticket");
}

#[test]
fn imitations_are_not_let_in() {
    let (env, daemon, good, _) = enrolled();
    type Change = fn(&mut Authenticator);
    let changes: [(&str, Change); 4] = [
        ("of another site", |key| key.origin = "https://bl.example.evil.example"),
        ("without a finger", |key| key.verifies = false),
        ("with another key", |key| key.key = SigningKey::from_slice(&[9; 32]).unwrap()),
        ("unknown", |key| key.credential = vec![9; 16]),
    ];
    for (what, change) in changes {
        let mut imitation = Authenticator { handle: good.handle.clone(), ..Authenticator::new(7) };
        change(&mut imitation);
        let refused = post(&daemon, "/session/passkey", &imitation.answer(&daemon));
        assert_eq!((refused.status, refused.head.contains("set-cookie")), (401, false), "{what}");
    }
    assert_eq!(post(&daemon, "/session/passkey", &good.answer(&daemon)).status, 200);
    let (answer, challenge) = (good.answer(&daemon), post(&daemon, "/session/passkey/challenge", "").json());
    let mut crossed: Value = serde_json::from_str(&answer).unwrap();
    crossed["ticket"] = challenge["ticket"].clone();
    assert_eq!(post(&daemon, "/session/passkey", &crossed.to_string()).status, 401, "for another question");
    env.request("PATCH", "/api/v1/users/alice", r#"{"disabled":true}"#).json();
    assert_eq!(post(&daemon, "/session/passkey", &good.answer(&daemon)).status, 401, "disabled");
}

#[test]
fn what_is_lost_is_removed() {
    let (env, daemon, authenticator, added) = enrolled();
    let path = format!("/api/v1/users/alice/passkeys/{}", added["passkey"]["id"].as_str().unwrap());
    assert_eq!(
        env.request("GET", "/api/v1/users/alice/passkeys", "").json()["passkeys"][0]["label"],
        "telephone"
    );
    assert_eq!(env.request("DELETE", &path, "").json()["ended"], 1);
    assert_eq!(env.request("DELETE", &path, "").status, 404);
    assert_eq!(post(&daemon, "/session/passkey", &authenticator.answer(&daemon)).status, 401);
    let user = &env.request("GET", "/api/v1/users", "").json()["users"][0];
    assert_eq!((&user["second_factor"], &user["recovery_codes"]), (&json!(false), &json!(0)));
    Browser::sign_in(&daemon, "alice", None);
}

#[test]
fn there_are_none_without_an_origin() {
    let (env, daemon) = daemon("[http]\nlisten = '127.0.0.1:0'\n[sign_in]\nsecond_factor = []\n");
    add(&env, "alice", "operator");
    let refused = post(&daemon, "/session/passkey/challenge", "");
    assert!(refused.status == 409 && refused.body.contains("[sign_in] origin"), "{}", refused.body);
    let browser = Browser::sign_in(&daemon, "alice", None);
    assert_eq!(browser.ask("post /session/passkeys/challenge", "").status, 409);
}
