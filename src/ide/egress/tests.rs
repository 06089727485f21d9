use super::*;
use rstest::rstest;

fn endpoint(origin: Origin, address: &str, tls: bool) -> Endpoint {
    let certificate = sojourn_fake_ide::certificate::good().base64();
    Endpoint::read(origin, |name| match name {
        "DEBUG_SESSION_PORT" => Some(address.to_owned()),
        "DEBUG_SESSION_TOKEN" => Some("t".to_owned()),
        "DEBUG_SESSION_SERVER_CERTIFICATE" if tls => Some(certificate.clone()),
        _ => None,
    })
    .unwrap()
}

fn secret() -> Origin {
    Origin::Secret { namespace: "team".into() }
}

fn egress() -> Egress {
    Egress {
        networks: vec!["10.8.0.0/16".parse().unwrap()],
        suffixes: vec![".ides.example.com".into()],
        refused: vec!["10.0.0.1".parse().unwrap()],
        cluster_domain: "cluster.local".into(),
        plain_text: false,
    }
}

fn judge(origin: Origin, host: &str, addresses: &[&str]) -> Result<(), EgressError> {
    let endpoint = endpoint(origin, &format!("{host}:1"), true);
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    egress().judge(&endpoint, &addresses, |address| address == IpAddr::from([10, 1, 2, 3]))
}

#[rstest]
#[case(Origin::Environment, "localhost", &["127.0.0.1", "::1"])]
#[case(Origin::Environment, "elsewhere", &["10.8.1.1"])]
#[case(Origin::Environment, "a.ides.example.com", &["203.0.113.1"])]
#[case(secret(), "ide.team.svc", &["10.96.0.7"])]
#[case(secret(), "ide.team.svc.cluster.local", &["10.96.0.7", "fd00::7"])]
#[case(secret(), "10.1.2.3", &["10.1.2.3"])]
#[case(secret(), "10.8.255.1", &["10.8.255.1"])]
#[case(secret(), "ides.example.com", &["203.0.113.1"])]
fn these_are_allowed(#[case] origin: Origin, #[case] host: &str, #[case] addresses: &[&str]) {
    assert_eq!(judge(origin, host, addresses), Ok(()));
}

#[rstest]
#[case(Origin::Environment, "elsewhere", &["127.0.0.1", "192.168.0.1"])]
#[case(Origin::Environment, "ide.team.svc", &["10.96.0.7"])]
#[case(secret(), "ide.other.svc", &["10.96.0.7"])]
#[case(secret(), "team.svc", &["10.96.0.7"])]
#[case(secret(), "a.ide.team.svc", &["10.96.0.7"])]
#[case(secret(), "ide.team.svc.cluster.evil", &["10.96.0.7"])]
#[case(secret(), "10.1.2.4", &["10.1.2.4"])]
#[case(secret(), "evil-ides.example.com", &["203.0.113.1"])]
#[case(secret(), "rebound.example.net", &["10.8.1.1", "10.9.1.1"])]
fn these_are_not(#[case] origin: Origin, #[case] host: &str, #[case] addresses: &[&str]) {
    assert!(matches!(judge(origin, host, addresses), Err(EgressError::NotAllowed { .. })));
}

#[rstest]
#[case("169.254.169.254", ForbiddenAddress::LinkLocal)]
#[case("fe80::1", ForbiddenAddress::LinkLocal)]
#[case("::ffff:169.254.169.254", ForbiddenAddress::LinkLocal)]
#[case("::169.254.169.254", ForbiddenAddress::LinkLocal)]
#[case("64:ff9b::a9fe:a9fe", ForbiddenAddress::LinkLocal)]
#[case("2002:a9fe:a9fe::1", ForbiddenAddress::LinkLocal)]
#[case("224.0.0.1", ForbiddenAddress::Multicast)]
#[case("ff02::1", ForbiddenAddress::Multicast)]
#[case("255.255.255.255", ForbiddenAddress::Multicast)]
#[case("0.0.0.0", ForbiddenAddress::Unspecified)]
#[case("0.1.2.3", ForbiddenAddress::Unspecified)]
#[case("::", ForbiddenAddress::Unspecified)]
#[case("127.0.0.1", ForbiddenAddress::Loopback)]
#[case("127.8.8.8", ForbiddenAddress::Loopback)]
#[case("::1", ForbiddenAddress::Loopback)]
#[case("::ffff:127.0.0.1", ForbiddenAddress::Loopback)]
#[case("10.0.0.1", ForbiddenAddress::ApiServer)]
#[case("::ffff:10.0.0.1", ForbiddenAddress::ApiServer)]
fn nothing_makes_these_allowed(#[case] address: &str, #[case] expected: ForbiddenAddress) {
    let everything = Egress {
        networks: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        suffixes: vec!["svc".into()],
        plain_text: true,
        ..egress()
    };
    let endpoint = endpoint(secret(), "ide.team.svc:1", true);
    let addresses = ["10.96.0.7".parse().unwrap(), address.parse().unwrap()];
    let refused = everything.judge(&endpoint, &addresses, |_| true);
    assert!(matches!(refused, Err(EgressError::Never { why, .. }) if why == expected), "{refused:?}");
}

#[test]
fn a_name_without_addresses_is_refused() {
    assert!(matches!(judge(Origin::Environment, "localhost", &[]), Err(EgressError::NoAddress(_))));
}

#[test]
fn the_token_leaves_loopback_only_in_tls_unless_allowed() {
    let judge = |plain_text, host: &str, address: IpAddr, tls| {
        let endpoint = endpoint(Origin::Environment, &format!("{host}:1"), tls);
        let egress =
            Egress { plain_text, networks: vec!["10.0.0.0/8".parse().unwrap()], ..Egress::default() };
        egress.judge(&endpoint, &[address], |_| false)
    };
    let (local, remote) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 1, 1, 1]));
    assert!(judge(false, "localhost", local, false).is_ok());
    assert!(judge(false, "ide", remote, true).is_ok());
    assert!(judge(true, "ide", remote, false).is_ok());
    assert!(matches!(judge(false, "ide", remote, false), Err(EgressError::PlainText { .. })));
}
