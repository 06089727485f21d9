use super::*;
use rstest::rstest;

const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));

fn token() -> Access {
    Access::Token { token: Token::new("the-key"), cookie: "renku-auth".into() }
}

fn headers(texts: &[(&str, &str)]) -> HeaderMap {
    texts
        .iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect()
}

#[rstest]
#[case::cookie(&[("cookie", "renku-auth=the-key")], Ok(()))]
#[case::cookie_among_others(&[("cookie", "a=1; renku-auth=the-key; b=2")], Ok(()))]
#[case::second_cookie_header(&[("cookie", "a=1"), ("cookie", "renku-auth=the-key")], Ok(()))]
#[case::quoted_cookie(&[("cookie", "renku-auth=\"the-key\"")], Ok(()))]
#[case::right_after_wrong_cookie(&[("cookie", "renku-auth=old; renku-auth=the-key")], Ok(()))]
#[case::bearer(&[("authorization", "Bearer the-key")], Ok(()))]
#[case::bearer_in_small_letters(&[("authorization", "bearer the-key")], Ok(()))]
#[case::bearer_beside_wrong_cookie(&[("cookie", "renku-auth=x"), ("authorization", "Bearer the-key")], Ok(()))]
#[case::cookie_beside_foreign_scheme(&[("cookie", "renku-auth=the-key"), ("authorization", "Basic x")], Ok(()))]
#[case::nothing(&[], Err(AccessError::Missing))]
#[case::other_cookies(&[("cookie", "a=the-key; renku-auth2=the-key; renku-auth")], Err(AccessError::Missing))]
#[case::other_scheme(&[("authorization", "Basic the-key")], Err(AccessError::Scheme))]
#[case::token_alone(&[("authorization", "the-key")], Err(AccessError::Scheme))]
#[case::wrong_cookie(&[("cookie", "renku-auth=the-ke")], Err(AccessError::Wrong))]
#[case::longer_cookie(&[("cookie", "renku-auth=the-key1")], Err(AccessError::Wrong))]
#[case::empty_cookie(&[("cookie", "renku-auth=")], Err(AccessError::Wrong))]
#[case::wrong_bearer(&[("authorization", "Bearer other")], Err(AccessError::Wrong))]
#[case::empty_bearer(&[("authorization", "Bearer ")], Err(AccessError::Wrong))]
fn a_token_is_asked_for(#[case] shown: &[(&str, &str)], #[case] expected: Result<(), AccessError>) {
    assert_eq!(token().authorize(&headers(shown), OUTSIDE).map(drop), expected);
    // Where it comes from does not matter.
    assert_eq!(token().authorize(&headers(shown), Ipv4Addr::LOCALHOST.into()).map(drop), expected);
}

#[test]
fn a_bearer_token_is_shown_on_purpose_and_a_cookie_may_not_be() {
    let (cookie, bearer) = (("cookie", "renku-auth=the-key"), ("authorization", "Bearer the-key"));
    let by = |shown: &[_]| token().authorize(&headers(shown), OUTSIDE);
    assert_eq!(by(&[cookie]), Ok(Credential::Ambient));
    assert_eq!(by(&[bearer]), Ok(Credential::Bearer));
    assert_eq!(by(&[cookie, bearer]), Ok(Credential::Bearer));
    let behind_login = Access::Pod.authorize(&HeaderMap::new(), Ipv4Addr::LOCALHOST.into());
    assert_eq!(behind_login, Ok(Credential::Ambient));
}

#[rstest]
#[case("127.0.0.1", true)]
#[case("::1", true)]
#[case("127.0.0.6", false)]
#[case("10.0.0.7", false)]
#[case("fd00::1", false)]
fn behind_a_login_only_the_pod_itself_passes(#[case] peer: IpAddr, #[case] passes: bool) {
    assert_eq!(Access::Pod.authorize(&HeaderMap::new(), peer).is_ok(), passes);
    // A header cannot say otherwise.
    let forged = headers(&[("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1")]);
    assert_eq!(Access::Pod.authorize(&forged, peer).is_ok(), passes);
}

#[test]
fn the_session_does_not_see_the_token() {
    let mut seen = headers(&[
        ("cookie", "a=1; renku-auth=the-key"),
        ("cookie", "renku-auth=old; b=\"2\""),
        ("authorization", "Bearer the-key"),
        ("x-other", "kept"),
    ]);
    token().strip_credentials(&mut seen);
    assert_eq!(seen, headers(&[("cookie", "a=1; b=\"2\""), ("x-other", "kept")]));

    let mut alone = headers(&[("cookie", "renku-auth=the-key")]);
    token().strip_credentials(&mut alone);
    assert_eq!(alone, HeaderMap::new());
}

#[test]
fn what_is_not_ours_stays() {
    let foreign = headers(&[("cookie", "a=1;b"), ("authorization", "token of-the-session")]);
    for access in [token(), Access::Pod] {
        let mut seen = foreign.clone();
        access.strip_credentials(&mut seen);
        assert_eq!(seen, foreign);
    }
}

#[test]
fn the_token_is_not_shown() {
    assert_eq!(format!("{:?}", token()), "Token { token: Token(hidden), cookie: \"renku-auth\" }");
}
