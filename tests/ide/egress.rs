//! The rules about where we connect to, at work: what was judged is what is connected to.

use crate::support::{link, options, soon};
use futures::future::BoxFuture;
use sojourn::ide::{
    Connection, ConnectionState, Endpoint, InstanceId, Notifications, Options, dial::Lookup, endpoint::Origin,
};
use sojourn_fake_ide::{FakeIde, Options as FakeOptions};
use std::{
    collections::VecDeque,
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
};

/// Answers as scripted, the last answer for ever.
struct Scripted(Mutex<VecDeque<Vec<IpAddr>>>);

impl Lookup for Scripted {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(std::future::ready(answer.ok_or_else(|| io::ErrorKind::NotFound.into())))
    }

    fn is_pod_of(&self, _: &str, _: IpAddr) -> bool {
        false
    }
}

async fn connect(origin: Origin, host: &str, answers: &[&[&str]]) -> (FakeIde, Connection, Notifications) {
    let ide = FakeIde::start(FakeOptions::default()).await.unwrap();
    let endpoint = Endpoint::read(origin, |name| match name {
        "DEBUG_SESSION_PORT" => Some(format!("{host}:{}", ide.address().port())),
        "DEBUG_SESSION_TOKEN" => Some("t0ps3cret-t0ken".into()),
        _ => None,
    });
    let addresses = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let lookup = Arc::new(Scripted(Mutex::new(answers.iter().map(addresses).collect())));
    let options = Options { lookup, ..options() };
    let instance = InstanceId::derive("", "test").unwrap();
    let (connection, notifications) = Connection::open(endpoint.unwrap(), instance, [], options).unwrap();
    (ide, connection, notifications)
}

async fn refused(origin: Origin, host: &str, addresses: &[&str]) -> String {
    let (ide, connection, _notifications) = connect(origin, host, &[addresses]).await;
    let failed =
        link(&connection, |link| matches!(link, ConnectionState::Connecting { failures: 2.., .. })).await;
    assert!(ide.asked().is_empty(), "it was contacted");
    assert_eq!(failed.reason(), "AddressNotAllowed");
    format!("{failed:?}")
}

#[tokio::test]
async fn one_address_that_is_not_allowed_refuses_the_name() {
    refused(Origin::Environment, "localhost", &["127.0.0.1", "169.254.169.254"]).await;
    refused(Origin::Environment, "ide.example.com", &["203.0.113.1", "127.0.0.1"]).await;
}

#[tokio::test]
async fn a_secret_leads_to_no_loopback() {
    let secret = || Origin::Secret { namespace: "team".into() };
    refused(secret(), "ide.team.svc", &["127.0.0.1"]).await;
    refused(secret(), "127.0.0.1", &[]).await;
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_judged_each_time_and_never_between() {
    // The first request resolves once and goes where it was allowed to; the second is refused.
    let answers: &[&[&str]] = &[&["127.0.0.1"], &["169.254.169.254"]];
    let (ide, connection, _notifications) =
        connect(Origin::Environment, "rebound.example.com", answers).await;
    let failed =
        link(&connection, |link| matches!(link, ConnectionState::Connecting { why: Some(_), .. })).await;
    assert_eq!(failed.reason(), "AddressNotAllowed");
    assert_eq!(ide.asked().len(), 1);
}

#[tokio::test]
async fn the_next_address_is_tried_where_one_does_not_answer() {
    // Nobody listens on the second loopback address.
    let answers: &[&[&str]] = &[&["127.0.0.2", "127.0.0.1"]];
    let (_ide, connection, _notifications) = connect(Origin::Environment, "localhost", answers).await;
    soon("a connection", connection.connected()).await.unwrap();
}
