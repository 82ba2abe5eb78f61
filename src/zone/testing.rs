//! Settings of a sound zone, for the unit tests of this stage.

use std::time::Duration;

use super::{Admission, Publish, Settings};

/// A zone that publishes every jail as 127.0.0.2.
pub(super) fn settings(origin: &str) -> Settings {
    Settings {
        origin: origin.parse().unwrap(),
        primary: "ns1.example".parse().unwrap(),
        name_servers: vec!["ns1.example".parse().unwrap()],
        ns_ttl: Duration::from_secs(3600),
        contact: "hostmaster.example".parse().unwrap(),
        ttl: Duration::from_secs(300),
        soa_ttl: Duration::from_secs(3600),
        refresh: Duration::from_secs(7200),
        retry: Duration::from_secs(900),
        expire: Duration::from_secs(1_209_600),
        negative_ttl: Duration::from_secs(60),
        publish: vec![Publish {
            jails: vec!["*".into()],
            code: [127, 0, 0, 2].into(),
            text: "$ip is listed".parse().unwrap(),
            sublist: None,
        }],
        data_sets: Vec::new(),
        admission: Admission::default(),
        file: format!("zones/{origin}.toml").into(),
    }
}
