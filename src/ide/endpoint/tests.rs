use super::*;
use rstest::rstest;
use sojourn_fake_ide::certificate as fakes;

fn read_from(origin: Origin, variables: &[(&str, &str)]) -> Result<Endpoint, ReadEndpointError> {
    Endpoint::read(origin, |name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

fn read(variables: &[(&str, &str)]) -> Result<Endpoint, ReadEndpointError> {
    read_from(Origin::Environment, variables)
}

#[rstest]
#[case("1234", "localhost:1234")]
#[case(" 1234 ", "localhost:1234")]
#[case("localhost:1234", "localhost:1234")]
#[case("Ide.Team.svc:1234", "ide.team.svc:1234")]
#[case("ide.team.svc.:1234", "ide.team.svc:1234")]
#[case("10.1.2.3:1234", "10.1.2.3:1234")]
#[case("[fd00::1]:1234", "[fd00::1]:1234")]
#[case("http://ide.team.svc:1234", "ide.team.svc:1234")]
#[case("http://ide.team.svc:1234/", "ide.team.svc:1234")]
fn the_address_has_several_forms(#[case] text: &str, #[case] authority: &str) {
    assert_eq!(read(&[(PORT, text), (TOKEN, "t")]).unwrap().authority(), authority);
}

#[rstest]
#[case("0")]
#[case("65536")]
#[case("+80")]
#[case("http")]
#[case("localhost:")]
#[case("http://ide")]
#[case("ftp://ide:1234")]
#[case("http://user@ide:1234")]
#[case("http://ide:1234/path")]
#[case("http://ide:1234?x")]
#[case("a b:1234")]
#[case("2130706433:1234")]
#[case("0x7f.1:1234")]
#[case("::1:1234")]
fn other_addresses_are_refused(#[case] text: &str) {
    assert_eq!(read(&[(PORT, text), (TOKEN, "t")]).unwrap_err(), ReadEndpointError::Address);
}

#[test]
fn the_host_may_be_given_apart() {
    let host = |port, host| read(&[(PORT, port), (HOST, host), (TOKEN, "t")]).map(|e| e.authority());
    assert_eq!(host("1234", "ide.team.svc").unwrap(), "ide.team.svc:1234");
    assert_eq!(host("localhost:1234", "ide.team.svc").unwrap(), "ide.team.svc:1234");
    assert_eq!(host("ide.team.svc:1234", "IDE.team.svc").unwrap(), "ide.team.svc:1234");
    assert_eq!(host("a.team.svc:1234", "b.team.svc").unwrap_err(), ReadEndpointError::TwoHosts);
    assert_eq!(host("1234", "a/b").unwrap_err(), ReadEndpointError::Host);
}

#[test]
fn what_is_missing_is_named() {
    let error = read(&[(TOKEN, "t")]).unwrap_err();
    assert_eq!(error.to_string(), "missing required environment variable 'DEBUG_SESSION_PORT'");
    let error = read(&[(PORT, "1"), (TOKEN, "  ")]).unwrap_err();
    assert_eq!(error.to_string(), "missing required environment variable 'DEBUG_SESSION_TOKEN'");
    let secret = Origin::Secret { namespace: "team".into() };
    let error = read_from(secret, &[(PORT, "1")]).unwrap_err();
    assert_eq!(error.to_string(), "the Secret has no key 'DEBUG_SESSION_TOKEN'");
}

#[test]
fn a_certificate_means_tls_and_nothing_leads_back_to_plain_text() {
    let text = fakes::good().base64();
    let with = |port, certificate: &str| read(&[(PORT, port), (TOKEN, "t"), (CERTIFICATE, certificate)]);
    for port in ["1234", "https://localhost:1234"] {
        let pinned = with(port, &text).unwrap().tls.unwrap();
        assert_eq!(pinned.name, ServerName::try_from("localhost").unwrap());
    }
    assert_eq!(with("http://localhost:1234", &text).unwrap_err(), ReadEndpointError::PlainText);
    for certificate in ["", " ", "%%"] {
        assert!(
            matches!(with("1234", certificate), Err(ReadEndpointError::Certificate(_))),
            "{certificate:?}"
        );
    }
    let without = read(&[(PORT, "https://localhost:1234"), (TOKEN, "t")]).unwrap_err();
    assert_eq!(without, ReadEndpointError::NoCertificate);
}

#[test]
fn the_name_to_verify_may_be_another() {
    let text = fakes::good().base64();
    let with = |name| read(&[(PORT, "1"), (TOKEN, "t"), (CERTIFICATE, &text), (SERVER_NAME, name)]);
    assert_eq!(with("ide.team.svc").unwrap().tls.unwrap().name.to_str(), "ide.team.svc");
    assert_eq!(with("a b").unwrap_err(), ReadEndpointError::ServerName);
}

#[test]
fn the_prefix_is_kept_as_it_is() {
    let with = |prefix| read(&[(PORT, "1"), (TOKEN, "t"), (INSTANCE_PREFIX, prefix)]);
    assert_eq!(with("aspire-extension-run-a1-").unwrap().instance_prefix, "aspire-extension-run-a1-");
    assert_eq!(with("  ").unwrap().instance_prefix, "");
    assert_eq!(with("a\nb").unwrap_err(), ReadEndpointError::InstancePrefix);
}

#[test]
fn neither_debug_nor_an_error_shows_the_token() {
    let secret = "s3cret";
    let endpoint = read(&[(PORT, "1"), (TOKEN, secret)]).unwrap();
    assert!(!format!("{endpoint:?}").contains(secret));
    let error = read(&[(PORT, "1"), (TOKEN, "s3cret\0")]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(secret));
}
