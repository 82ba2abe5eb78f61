//! What a request shows: a token, a cookie, and texts into which somebody may have pasted a token.

#![no_main]

use banzone::access::token;
use banzone::http::session_cookie;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    if let Some(id) = token::id(input) {
        assert_eq!(id.len(), 8);
        assert!(token::without_secrets(input).starts_with(&format!("bz_{id}_")));
    }
    let shown = token::without_secrets(input);
    assert_eq!(token::without_secrets(&shown), shown, "nothing is left to take out");
    if !input.contains("bz") {
        assert_eq!(shown, input);
    }
    if let Some(cookie) = session_cookie(input.lines()) {
        assert!(input.contains(&format!("__Host-banzone={cookie}")) && !cookie.contains([';', '\n']));
    }
    // A token wherever it stands, however its underscores are written.
    for secret in ["aaaaaaaa_k7secret", "aaaaaaaa%5Fk7secret", "aaaaaaaa%5fk7secret"] {
        for separator in ["_", "%5F", "%5f"] {
            let text = format!("{input} bz{separator}{secret}/{input}");
            assert!(input.contains("k7secret") || !token::without_secrets(&text).contains("k7secret"));
        }
    }
});
