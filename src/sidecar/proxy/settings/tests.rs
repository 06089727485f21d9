use super::*;
use clap::Parser;
use rstest::rstest;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    flags: Flags,
}

const REMOTE: (&str, &str) = ("AUTHPROXY_REMOTE", "http://127.0.0.1:8888");

fn read(args: &[&str], env: &[(&str, &str)], file: Option<&str>) -> Result<Settings, ReadSettingsError> {
    let flags = Line::parse_from([&["proxy"], args].concat()).flags;
    let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Settings::read(&flags, &env, file)
}

fn token(text: &str) -> Access {
    Access::Token { token: Token::new(text), cookie: "renku-auth".into() }
}

/// The container of a session of type `token`, as the operator makes it.
fn token_container(file: &str) -> Result<Settings, ReadSettingsError> {
    let env = [("AUTHPROXY_PORT", "65535"), ("AUTHPROXY_META_PORT", "65534"), REMOTE];
    read(&["--config", "/etc/authproxy/auth"], &env, Some(file))
}

#[rstest]
#[case::nested("authproxy:\n  token: the-key\n")]
#[case::at_the_top("token: the-key\n")]
#[case::in_capitals("AuthProxy:\n  Token: the-key\n")]
#[case::json("{\"token\": \"the-key\"}")]
#[case::nested_goes_first("token: other\nauthproxy:\n  token: the-key\n")]
#[case::with_others("authproxy:\n  token: the-key\n  cookie_key: renku-auth\n")]
fn both_formats_of_the_file_are_read(#[case] file: &str) {
    assert_eq!(token_container(file).unwrap().access, token("the-key"));
}

#[test]
fn a_number_is_a_token_too() {
    assert_eq!(token_container("token: 12345").unwrap().access, token("12345"));
}

#[rstest]
#[case::empty_file("")]
#[case::empty_token("authproxy:\n  token: \"\"\n")]
#[case::blank_token("token: \"  \"\n")]
#[case::another_key("authproxy:\n  tokn: the-key\n")]
#[case::a_list("token: [the-key]\n")]
#[case::no_yaml("the-key")]
fn without_a_token_it_does_not_start(#[case] file: &str) {
    let problem = token_container(file).unwrap_err().to_string();
    assert!(problem.contains("there is no token"), "{problem}");
    assert!(!problem.contains("the-key"), "{problem}");
}

#[test]
fn the_second_proxy_of_the_original_passes_what_comes_from_the_pod() {
    let env = [("AUTHPROXY_PORT", "65533"), ("AUTHPROXY_META_PORT", "65534"), REMOTE];
    let settings = read(&["--verbose"], &env, None).unwrap();
    assert_eq!((settings.access, settings.verbose, settings.bind.port), (Access::Pod, true, 65533));
}

#[rstest]
#[case::nothing(&[], &[REMOTE])]
#[case::verbose_alone(&["--verbose"], &[REMOTE])]
#[case::empty_flag(&["--token", ""], &[REMOTE, ("AUTHPROXY_PORT", "65533")])]
#[case::empty_variable(&[], &[REMOTE, ("AUTHPROXY_PORT", "65533"), ("AUTHPROXY_TOKEN", "")])]
fn no_token_is_no_access(#[case] args: &[&str], #[case] env: &[(&str, &str)]) {
    assert!(read(args, env, None).unwrap_err().to_string().contains("there is no token"));
}

#[test]
fn the_choice_can_be_made_at_any_port() {
    assert_eq!(read(&["--behind_login"], &[REMOTE], None).unwrap().access, Access::Pod);
    // A token is asked for all the same where there is one.
    let both = read(&["--behind_login", "--token", "a"], &[REMOTE], None).unwrap();
    assert_eq!(both.access, token("a"));
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let file = Some("port: 1\nmeta_port: 2\ncookie_key: from-file\ntoken: t");
    let env = [REMOTE, ("AUTHPROXY_PORT", "3"), ("AUTHPROXY_META_PORT", "4")];
    let settings = read(&["--config", "f", "--port", "5"], &env, file).unwrap();
    assert_eq!((settings.bind.port, settings.meta_bind.port), (5, 4));
    assert_eq!(settings.access, Access::Token { token: Token::new("t"), cookie: "from-file".into() });
}

#[test]
fn defaults() {
    let settings = read(&["--token", "t", "--remote=http://127.0.0.1:8888/"], &[], None).unwrap();
    assert_eq!(settings.bind.to_string(), ":65535");
    assert_eq!(settings.meta_bind.to_string(), ":65534");
    assert_eq!((settings.target.base.as_str(), settings.target.strip), ("", None));
}

#[rstest]
#[case("/s/x/", Some("/s/x/"))]
#[case("/s/x", Some("/s/x/"))]
#[case("/", None)]
fn prefixes(#[case] prefix: &str, #[case] expected: Option<&str>) {
    let settings = read(&["--token=t", "--strip_path_prefix", prefix], &[REMOTE], None).unwrap();
    assert_eq!(settings.target.strip.as_deref(), expected);
}

#[test]
fn all_problems_are_named_at_once() {
    let args = ["--port", "70000", "--verbose=perhaps", "--remote", "https://example"];
    let problems = read(&args, &[], None).unwrap_err().0;
    assert_eq!(problems.len(), 4, "{problems:?}");
}
