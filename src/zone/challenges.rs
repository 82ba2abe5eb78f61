//! Answers to the questions by which a certificate authority finds out that a name is ours (RFC 8555, section 8.4): texts that
//! stand for a while below the name, whoever asks.

use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::HashMap;

use super::Name;
use super::query::Question;

/// The label before the name, with its length.
const LABEL: &[u8] = b"\x0f_acme-challenge";

/// The texts that stand now. There are none at most times.
#[derive(Debug, Default)]
pub struct Challenges(ArcSwap<HashMap<Box<[u8]>, Vec<String>>>);

impl Challenges {
    /// Has these texts stand, each below its name, and no others.
    pub fn replace(&self, texts: impl IntoIterator<Item = (Name, String)>) {
        let mut all: HashMap<Box<[u8]>, Vec<String>> = HashMap::default();
        for (name, text) in texts {
            all.entry([LABEL, name.as_wire()].concat().into()).or_default().push(text);
        }
        self.0.store(Arc::new(all));
    }

    /// The texts of the name that is asked for, if there are any.
    pub(super) fn of(&self, question: &Question) -> Option<Vec<String>> {
        let name = question.name_from(0);
        if !name.starts_with(LABEL) {
            return None;
        }
        self.0.load().get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
    use hickory_proto::rr::{RData, RecordType};

    use super::*;
    use crate::clock::Timestamp;
    use crate::zone::testing::settings;
    use crate::zone::{Outcome, Peer, Transport, Zone, Zones, answer};

    const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

    fn ask(zones: &Zones, name: &str, kind: RecordType) -> Message {
        let mut query = Message::new(7, hickory_proto::op::MessageType::Query, OpCode::Query);
        query.add_query(Query::query(name.parse().unwrap(), kind));
        let peer = Peer { address: [192, 0, 2, 1].into(), transport: Transport::Udp };
        let mut reply = Vec::new();
        let outcome = answer(zones, &query.to_vec().unwrap(), &peer, NOW, &mut reply);
        assert!(matches!(outcome, Outcome::Replied(_)));
        Message::from_vec(&reply).unwrap()
    }

    fn texts(reply: &Message) -> Vec<String> {
        let text = |data: &RData| match data {
            RData::TXT(text) => text.to_string(),
            other => panic!("{other:?}"),
        };
        reply.answers.iter().map(|record| text(&record.data)).collect()
    }

    #[test]
    fn an_authority_finds_what_it_asked_for() {
        let zones = Zones::new(vec![Zone::new(settings("bl.example")).unwrap()]).unwrap();
        let name = |text: &str| -> Name { text.parse().unwrap() };
        zones.challenges().replace([
            (name("bl.example"), "one".to_owned()),
            (name("bl.example"), "two".to_owned()),
            (name("mail.bl.example"), "three".to_owned()),
        ]);
        let reply = ask(&zones, "_acme-challenge.BL.example.", RecordType::TXT);
        assert_eq!(
            (texts(&reply), reply.metadata.authoritative),
            (vec!["one".to_owned(), "two".to_owned()], true)
        );
        let reply = ask(&zones, "_acme-challenge.mail.bl.example.", RecordType::TXT);
        assert_eq!(texts(&reply), ["three"]);
        // The name exists, whatever is asked for (RFC 8020, section 2).
        let reply = ask(&zones, "_acme-challenge.bl.example.", RecordType::A);
        assert_eq!((reply.metadata.response_code, reply.authorities.len()), (ResponseCode::NoError, 1));
        zones.challenges().replace([]);
        let reply = ask(&zones, "_acme-challenge.bl.example.", RecordType::TXT);
        assert_eq!((reply.metadata.response_code, reply.answers.len()), (ResponseCode::NXDomain, 0));
    }
}
