//! Knowing an IDE by its certificate.

use crate::support::{endpoint_of, link, options, soon};
use sojourn::ide::{
    Connection, ConnectionState, InstanceId, Notifications,
    connection::{ConnectError, DialError},
    dial::TrustError,
};
use sojourn_fake_ide::{
    FakeIde, Options as FakeOptions,
    certificate::{self, Certificate},
};

/// Connects to an IDE that shows one certificate and is known by another, under the name that is expected.
async fn connect(
    shown: Option<&Certificate>,
    pinned: Option<&Certificate>,
    name: Option<&str>,
) -> (FakeIde, Connection, Notifications) {
    let fake = FakeOptions { certificate: shown.cloned(), ..FakeOptions::default() };
    let ide = FakeIde::start(fake).await.unwrap();
    let mut variables = ide.variables();
    variables.retain(|(name, _)| *name != "DEBUG_SESSION_SERVER_CERTIFICATE");
    variables.extend(pinned.map(|pinned| ("DEBUG_SESSION_SERVER_CERTIFICATE", pinned.base64())));
    variables.extend(name.map(|name| ("DEBUG_SESSION_TLS_SERVER_NAME", name.to_owned())));
    let instance = InstanceId::derive("", "test").unwrap();
    let (connection, notifications) =
        Connection::open(endpoint_of(variables), instance, [], options()).unwrap();
    (ide, connection, notifications)
}

async fn trusted(shown: &Certificate, pinned: &Certificate, name: Option<&str>) {
    let (ide, connection, _notifications) = connect(Some(shown), Some(pinned), name).await;
    soon("a connection", connection.connected()).await.unwrap();
    ide.until("the client listens", FakeIde::has_listener).await;
}

/// Why there is no connection; and no request was sent.
async fn failed(
    shown: Option<&Certificate>,
    pinned: Option<&Certificate>,
) -> (ConnectionState, String, Option<TrustError>) {
    let (ide, connection, _notifications) = connect(shown, pinned, None).await;
    let failed =
        link(&connection, |link| matches!(link, ConnectionState::Connecting { failures: 2.., .. })).await;
    assert!(ide.asked().is_empty(), "the token was sent");
    let ConnectionState::Connecting { why: Some(why), .. } = &failed else { panic!("{failed:?}") };
    let distrust = match &**why {
        ConnectError::Ask(sojourn::ide::connection::RequestError::Dial(DialError::Trust(distrust))) => {
            Some(distrust.clone())
        }
        _ => None,
    };
    (failed.clone(), why.to_string(), distrust)
}

#[tokio::test]
async fn the_pinned_certificate_is_trusted_be_it_marked_as_an_authority_or_not() {
    for certificate in [certificate::good(), certificate::authority()] {
        trusted(&certificate, &certificate, None).await;
    }
}

#[tokio::test]
async fn what_the_pinned_certificate_signed_is_trusted() {
    let authority = certificate::authority();
    trusted(&certificate::signed_by(&authority), &authority, None).await;
}

#[tokio::test]
async fn another_name_can_be_asked_for() {
    let certificate = certificate::wrong_host();
    trusted(&certificate, &certificate, Some("elsewhere.example.com")).await;
}

#[tokio::test]
async fn other_certificates_are_not_trusted() {
    let name = || TrustError::Name("localhost".into());
    let pinned = |certificate: Certificate| (certificate.clone(), certificate);
    for ((shown, known), expected) in [
        (pinned(certificate::wrong_host()), name()),
        (pinned(certificate::unnamed()), name()),
        (pinned(certificate::expired()), TrustError::Expired),
        (pinned(certificate::not_yet()), TrustError::NotYet),
        ((certificate::good(), certificate::good()), TrustError::Other),
        ((certificate::good(), certificate::authority()), TrustError::Other),
        ((certificate::signed_by(&certificate::authority()), certificate::authority()), TrustError::Other),
    ] {
        let (failed, text, distrust) = failed(Some(&shown), Some(&known)).await;
        assert_eq!((distrust, failed.reason()), (Some(expected), "CertificateRefused"), "{text}");
    }
}

#[tokio::test]
async fn there_is_no_way_back_to_plain_text() {
    let (failed, text, _) = failed(None, Some(&certificate::good())).await;
    assert_eq!(failed.reason(), "CertificateRefused", "{text}");
}

#[tokio::test]
async fn plain_text_to_an_ide_that_wants_tls_fails() {
    let (_, text, _) = failed(Some(&certificate::good()), None).await;
    assert!(text.contains("the IDE ended the exchange"), "{text}");
}
