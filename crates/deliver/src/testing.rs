//! Requests for tests.

use bytes::Bytes;
use jiff::Timestamp;
use mail::{Address, BodyType, Client, QueueId, Recipient};
use queue::Body;

use crate::{Purpose, Request, Target};

/// A request from `sender` to `recipients`.
pub fn request(sender: &str, recipients: &[&str], content: &'static [u8]) -> Request {
    let target = |(index, address): (usize, &&str)| Target { index, recipient: Recipient::new(*address) };
    Request {
        id: QueueId::parse("4F1A2B").expect("an id"),
        sender: Address::from(sender),
        targets: recipients.iter().enumerate().map(target).collect(),
        transport: "test".to_owned(),
        nexthop: "Example.Test".to_owned(),
        content: Body::from(Bytes::from_static(content)),
        arrival: Timestamp::UNIX_EPOCH,
        body_type: BodyType::Unspecified,
        smtputf8: false,
        envid: None,
        ret: None,
        client: Client::default(),
        rewrite_local: false,
        purpose: Purpose::Deliver,
    }
}
