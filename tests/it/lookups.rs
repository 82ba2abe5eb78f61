//! Many addresses checked at once.

use serde_json::{Value, json};

use super::env::{Env, PUBLISH, SASL, until};

#[test]
fn many_addresses_are_checked_at_once() {
    let env = Env::new("");
    env.configure(&format!("{SASL}{PUBLISH}"));
    let daemon = env.start();
    for prefix in ["198.51.100.1", "203.0.113.0/24", "2001:db8:1::/48"] {
        assert_eq!(env.ban(&json!({ "prefix": prefix, "jail": "postfix-sasl" }).to_string()).status, 200);
    }
    let allow = json!({ "prefix": "192.0.2.0/24", "note": "office" }).to_string();
    assert_eq!(env.request("POST", "/api/v1/allow", &allow).status, 200);
    until("the bans are answered", || daemon.lists("2001:db8:1::9"));
    let check = |addresses: &[Value]| {
        env.request("POST", "/api/v1/lookup", &json!({ "addresses": addresses }).to_string())
    };
    let asked =
        ["198.51.100.1", "198.51.100.2", "203.0.113.77", "2001:db8:1::9", "192.0.2.1", "198.51.100.1"];
    let answer = check(&asked.map(Value::from)).json();
    let told = answer["results"].as_array().unwrap().iter().map(|result| {
        let listed =
            result["listings"].as_array().unwrap().iter().map(|listing| listing["code"].as_str().unwrap());
        let banned = result["bans"].as_array().unwrap().iter().map(|ban| ban["prefix"].as_str().unwrap());
        let (banned, listed) = (banned.collect::<Vec<_>>().join(" "), listed.count());
        format!("{} {banned} {listed} {}", result["address"].as_str().unwrap(), result["is_allowed"])
    });
    let expected = [
        "198.51.100.1 198.51.100.1 1 false",
        "198.51.100.2  0 false",
        "203.0.113.77 203.0.113.0/24 1 false",
        "2001:db8:1::9 2001:db8:1::/48 1 false",
        "192.0.2.1  0 true",
        "198.51.100.1 198.51.100.1 1 false",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let many: Vec<Value> = (0..10_000).map(|number| format!("2001:db8:1:{number:x}::1").into()).collect();
    assert_eq!(check(&many).json()["results"].as_array().unwrap().len(), 10_000);
    assert_eq!(check(&[many.as_slice(), &many[..1]].concat()).status, 422);
    assert_eq!(check(&[json!("198.51.100.0/24")]).status, 422);
    let endless = format!("{{\"addresses\": [{}", "\"192.0.2.1\",".repeat(50_000));
    assert_eq!(env.request("POST", "/api/v1/lookup", &endless).status, 413);
}
