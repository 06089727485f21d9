//! The settings as deployments give them: the original's, ours, and nonsense.

use super::*;
use clap::{Args, Command, FromArgMatches};
use rstest::rstest;
use sojourn_crds::amalthea::OnDeadline;
use std::ffi::OsString;

fn command() -> Command {
    Flags::augment_args(Command::new("manager").no_binary_name(true))
}

fn flags(args: &[&str]) -> Result<Flags, clap::Error> {
    let args = flags::normalise(&command(), args.iter().map(OsString::from));
    Flags::from_arg_matches(&command().try_get_matches_from(args)?)
}

fn read(args: &[&str], env: &[(&str, &str)]) -> Result<Settings, ReadSettingsError> {
    let lookup = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    Settings::read(flags(args).unwrap(), &lookup)
}

fn some(text: &str) -> Option<Address> {
    Address::parse(text).unwrap()
}

#[test]
fn nothing_at_all_gives_the_defaults_of_the_original() {
    let settings = read(&[], &[]).unwrap();
    assert_eq!(settings.metrics.bind, None);
    assert_eq!(settings.health_bind, some(":8081"));
    assert!(!settings.lease.enabled);
    assert_eq!(settings.scope, Scope::Namespaces(vec!["default".into()]));
    assert_eq!(settings.sessions.rclone_storage_class, "csi-rclone-secret-annotation");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(settings.sessions.sidecars_image, format!("ghcr.io/sojourn-dev/sojourn-sidecars:{version}"));
    assert_eq!(settings.sessions.image_rewrite, None);
    assert_eq!(settings.sessions.on_deadline, OnDeadline::Fail);
    assert_eq!(settings.sessions.idle_check_interval, Duration::from_secs(30));
    assert!(!settings.sessions.none_same_site_cookie && !settings.sessions.https_ingress);
    // What the operator authenticates with is its own, also when nothing is set.
    let own = settings.sessions.own.clone();
    assert_eq!(own.secrets, ["sojourn-webhook", "sojourn-approvals"]);
    let defaults = SessionSettings { own, ..SessionSettings::default() };
    assert_eq!(settings.sessions, defaults, "what tests and benchmarks start from");
    assert_eq!(settings.operator_user, None);
    assert_eq!(settings.notes, Vec::<String>::new());
    assert_eq!(settings.log, LogSettings { filter: "info".into(), json: None });
    let webhook = settings.webhook.unwrap();
    assert_eq!(webhook.bind, some(":9443").unwrap());
    assert!(!webhook.install);
    let own = CertificateMode::SelfManaged { propagation: Duration::from_secs(10) };
    assert_eq!(webhook.certificates, own);
}

#[test]
fn the_args_and_the_environment_of_the_originals_chart() {
    let settings = read(
        &[
            "--health-probe-bind-address=:8081",
            "--metrics-bind-address=:8080",
            "--leader-elect",
            "--metrics-secure=false",
            "--sentry-dsn=https://key@sentry.example.org/1",
            "--sentry-environment=prod",
            "--sentry-release=1.0",
            "--sentry-traces-sample-rate=0.1",
        ],
        &[
            ("CLUSTER_SCOPED", "false"),
            ("RELEASE_NAMESPACE", "renku"),
            ("RCLONE_STORAGE_CLASS", "other-class"),
            ("SIDECARS_IMAGE", "renku/sidecars:2"),
            ("USE_NONE_SAME_SITE_SESSION_COOKIE", "True"),
            ("HTTPS_SESSION_INGRESS", "true"),
            (
                "AMALTHEA_IMAGE_REWRITE_RULES",
                r#"[{"source_prefix":"docker.io","target_prefix":"hub.local"}]"#,
            ),
            ("KUBERNETES_CLUSTER_DOMAIN", "cluster.example"),
        ],
    )
    .unwrap();
    assert_eq!(settings.health_bind, some(":8081"));
    assert_eq!(settings.metrics.bind, some(":8080"));
    assert!(settings.lease.enabled);
    assert_eq!(settings.scope, Scope::Namespaces(vec!["renku".into()]));
    assert_eq!((settings.namespace.as_str(), settings.lease.namespace.as_str()), ("renku", "renku"));
    assert_eq!(settings.sessions.rclone_storage_class, "other-class");
    assert_eq!(settings.sessions.sidecars_image, "renku/sidecars:2");
    let flag = read(&["--sidecars-image=own/sidecars:3"], &[("SIDECARS_IMAGE", "renku/sidecars:2")]).unwrap();
    assert_eq!(flag.sessions.sidecars_image, "own/sidecars:3");
    assert!(settings.sessions.none_same_site_cookie && settings.sessions.https_ingress);
    let rules = settings.sessions.image_rewrite.as_ref().unwrap();
    assert_eq!(rules.rewrite("python"), "hub.local/library/python:latest");
    assert_eq!(settings.cluster_domain, "cluster.example");
    assert_eq!(settings.notes, ["--sentry-*: accepted, has no effect"]);
    assert!(!format!("{:?}", settings.notes).contains("key@"));
}

#[rstest]
#[case(&["-leader-elect", "-metrics-bind-address=:8080", "-metrics-secure=f"])]
#[case(&["--leader-elect=true", "-metrics-bind-address", ":8080", "--metrics-secure=0"])]
#[case(&["--leader-elect=false", "--leader-elect=T", "--metrics-bind-address=:1", "--metrics-bind-address=:8080",
         "--metrics-secure=False"])]
fn flags_are_spelled_as_in_go(#[case] args: &[&str]) {
    let settings = read(args, &[]).unwrap();
    assert!(settings.lease.enabled);
    assert_eq!(settings.metrics.bind, some(":8080"));
}

#[test]
fn only_flags_of_ours_get_a_second_dash() {
    let args = ["run", "-leader-elect", "-h", "-x=1", "--", "-leader-elect"].map(OsString::from);
    assert_eq!(
        flags::normalise(&Command::new("sojourn").subcommand(command()), args),
        ["run", "--leader-elect", "-h", "-x=1", "--", "-leader-elect"].map(OsString::from)
    );
}

#[test]
fn our_own_flags() {
    let settings = read(
        &[
            "--webhook-bind-address=127.0.0.1:0",
            "--webhook-url=https://127.0.0.1:9443/",
            "--webhook-secret=ca",
            "--install-webhooks",
            "--trusted-user=a",
            "--trusted-user=b",
            "--pull-secret=mirror",
            "--pull-secret=other",
            "--namespaces=two,one",
            "--namespaces=one",
            "--non-interactive-on-deadline=Hibernate",
            "--concurrency=4",
            "--idle-check-interval=1m30s",
            "--per-session-metrics=false",
            "--shutdown-delay=0",
            "--log-filter=warn,sojourn=trace",
        ],
        &[("POD_NAMESPACE", "ops"), ("SERVICE_ACCOUNT", "sojourn"), ("POD_NAME", "sojourn-0")],
    )
    .unwrap();
    let webhook = settings.webhook.as_ref().unwrap();
    assert_eq!(webhook.target, WebhookTarget::Url("https://127.0.0.1:9443".into()));
    assert_eq!(webhook.trusted_users, ["a", "b"]);
    assert!(webhook.install);
    assert_eq!(settings.scope, Scope::Namespaces(vec!["one".into(), "two".into()]));
    assert_eq!(settings.operator_user.as_deref(), Some("system:serviceaccount:ops:sojourn"));
    assert_eq!(settings.lease.host, "sojourn-0");
    assert_eq!(settings.sessions.on_deadline, OnDeadline::Hibernate);
    assert_eq!(settings.sessions.pull_secrets, ["mirror", "other"]);
    assert_eq!(settings.sessions.idle_check_interval, Duration::from_secs(90));
    assert_eq!(settings.metrics.per_session, None);
    assert_eq!(settings.shutdown_delay, Duration::ZERO);
    assert_eq!(settings.log.filter, "warn,sojourn=trace");
}

#[test]
fn the_own_credentials_are_known_whoever_names_the_user() {
    let flags = ["--webhook-secret=a", "--approval-secret=b", "--operator-secret=c", "--operator-secret=d"];
    let mut settings = read(&flags, &[("POD_NAMESPACE", "ops")]).unwrap();
    let own = &settings.sessions.own;
    assert_eq!((own.namespace.as_str(), &own.service_account), ("ops", &None));
    assert_eq!(own.secrets, ["a", "b", "c", "d"]);
    settings.set_operator_user("system:serviceaccount:ops:sojourn".to_owned());
    let own = &settings.sessions.own;
    assert_eq!(own.service_account, Some(("ops".to_owned(), "sojourn".to_owned())));
    assert_eq!(own.secrets.len(), 4);
    let environment = [("POD_NAMESPACE", "ops"), ("SERVICE_ACCOUNT", "sojourn")];
    assert_eq!(read(&flags, &environment).unwrap().sessions.own, *own);
}

#[test]
fn switched_off_and_scoped_to_the_cluster() {
    let settings = read(
        &["--webhook-bind-address=0", "--health-probe-bind-address=0", "--operator-user=me"],
        &[("CLUSTER_SCOPED", "true")],
    )
    .unwrap();
    assert_eq!((settings.webhook, settings.health_bind), (None, None));
    assert_eq!(settings.scope, Scope::Cluster);
    assert_eq!(settings.operator_user.as_deref(), Some("me"));
}

#[test]
fn metrics_are_secure_by_default() {
    let settings = read(&["--metrics-bind-address=:8443"], &[]).unwrap();
    assert_eq!((settings.metrics.bind, settings.metrics.secure), (some(":8443"), true));
    assert!(!read(&["--metrics-bind-address=:8080", "--metrics-secure=false"], &[]).unwrap().metrics.secure);
    let shared = read(&["--metrics-bind-address=:8081"], &[]).unwrap_err();
    assert!(shared.0[0].contains("an address of their own"), "{shared}");
}

#[rstest]
#[case(&["--zap-devel"], "info,sojourn=debug", Some(false))]
#[case(&["--zap-devel=false"], "info", None)]
#[case(&["--zap-devel", "--zap-encoder=json", "--zap-log-level=error"], "error", Some(true))]
#[case(&["--zap-log-level=debug", "--zap-encoder=console"], "info,sojourn=debug", Some(false))]
#[case(&["--zap-log-level=5"], "debug,sojourn=trace", None)]
#[case(&["--zap-stacktrace-level=panic", "--zap-time-encoding=iso8601"], "info", None)]
fn zap_flags(#[case] args: &[&str], #[case] filter: &str, #[case] json: Option<bool>) {
    assert_eq!(read(args, &[]).unwrap().log, LogSettings { filter: filter.into(), json });
}

#[test]
fn a_certificate_from_files() {
    let mode = |args: &[&str]| read(args, &[]).unwrap().webhook.unwrap().certificates;
    let default = CertificateMode::Files("/etc/sojourn/webhook-certificate".into());
    assert_eq!(mode(&["--webhook-certificates=files"]), default);
    let args = ["--webhook-certificates=files", "--webhook-certificate-dir=/run/pair"];
    assert_eq!(mode(&args), CertificateMode::Files("/run/pair".into()));
}

#[rstest]
#[case(&["--webhook-certificates=magic"])]
#[case(&["--leader-elect=perhaps"])]
#[case(&["--idle-check-interval=1d"])]
#[case(&["--idle-check-interval=-1s"])]
#[case(&["--concurrency=0"])]
#[case(&["--non-interactive-on-deadline=fail"])]
#[case(&["--webhook-url=https://a", "--webhook-service=a/b"])]
#[case(&["--zap-time-encoding=sundial"])]
#[case(&["--unheard-of"])]
#[case(&["stray"])]
fn the_command_line_refuses(#[case] args: &[&str]) {
    assert!(flags(args).is_err(), "{args:?}");
}

#[rstest]
#[case(&["--metrics-bind-address=8080"], &[], "--metrics-bind-address:")]
#[case(&["--health-probe-bind-address=:x"], &[], "--health-probe-bind-address:")]
#[case(&["--webhook-url=http://127.0.0.1:1"], &[], "--webhook-url:")]
#[case(&["--webhook-service=only-a-name"], &[], "--webhook-service:")]
#[case(&["--webhook-secret=A B"], &[], "--webhook-secret:")]
#[case(&["--namespaces=a", "--cluster-scoped"], &[], "--namespaces:")]
#[case(&["--namespaces=A_b"], &[], "--namespaces:")]
#[case(&["--zap-log-level=loud"], &[], "--zap-log-level:")]
#[case(&["--zap-encoder=xml"], &[], "--zap-encoder:")]
#[case(&["--log-filter=sojourn=loud"], &[], "--log-filter:")]
#[case(&["--idle-check-interval=1ms"], &[], "--idle-check-interval:")]
#[case(&[], &[("AMALTHEA_IMAGE_REWRITE_RULES", "{]")], "AMALTHEA_IMAGE_REWRITE_RULES:")]
fn the_settings_refuse(#[case] args: &[&str], #[case] env: &[(&str, &str)], #[case] start: &str) {
    let ReadSettingsError(errors) = read(args, env).unwrap_err();
    assert!(errors.len() == 1 && errors[0].starts_with(start), "{errors:?}");
}

#[test]
fn every_problem_is_named_at_once() {
    let error = read(
        &["--metrics-bind-address=x", "--webhook-url=y", "--zap-encoder=z"],
        &[("AMALTHEA_IMAGE_REWRITE_RULES", "nonsense")],
    )
    .unwrap_err();
    assert_eq!(error.0.len(), 4, "{error}");
}

#[test]
fn a_switch_that_is_neither_true_nor_false_is_off_and_said_so() {
    let settings = read(&[], &[("HTTPS_SESSION_INGRESS", "yes")]).unwrap();
    assert!(!settings.sessions.https_ingress);
    assert_eq!(settings.notes.len(), 1);
}

#[test]
fn without_a_word_of_ides_only_labelled_secrets_beside_the_operator_are_read() {
    let ide = read(&[], &[("POD_NAMESPACE", "home")]).unwrap().ide;
    let expected = ide::IdeSettings { namespaces: vec!["home".into()], sessions: 64, ..Default::default() };
    assert_eq!(ide, expected);
}

#[test]
fn ides_as_flags_and_environment_describe_them() {
    let args = [
        "--ide-endpoint-secret=ides/vscode",
        "--ide-endpoint-namespaces=b,a",
        "--ide-allow-network=10.1.0.0/16",
        "--ide-allow-suffix=ides.example.com",
        "--ide-plain-text",
        "--ide-sessions-per-endpoint=7",
    ];
    let env = [
        ("DEBUG_SESSION_PORT", "localhost:4711"),
        ("DEBUG_SESSION_TOKEN", "s3cret"),
        ("DCP_IDE_REQUEST_TIMEOUT_SECONDS", "9"),
    ];
    let settings = read(&args, &env).unwrap();
    assert!(!format!("{settings:?}").contains("s3cret"));
    let ide = settings.ide;
    assert_eq!(ide.default_secret.unwrap().to_string(), "ides/vscode");
    assert_eq!(ide.namespaces, ["a", "b", "ides"]);
    assert_eq!(ide.environment.unwrap().unwrap().authority(), "localhost:4711");
    assert_eq!(ide.timing.request, Duration::from_secs(9));
    assert_eq!((ide.networks.len(), ide.suffixes.len(), ide.plain_text, ide.sessions), (1, 1, true, 7));
}

#[test]
fn an_environment_without_a_usable_ide_is_a_note_and_no_error() {
    let settings = read(&[], &[("DEBUG_SESSION_PORT", "4711")]).unwrap();
    assert_eq!(
        settings.notes,
        [
            "IDE-backed sessions cannot be started: missing required environment variable 'DEBUG_SESSION_TOKEN'"
        ]
    );
    assert!(settings.ide.environment.unwrap().is_err());
}

#[rstest]
#[case("--ide-endpoint-secret=vscode")]
#[case("--ide-endpoint-secret=A/vscode")]
#[case("--ide-endpoint-namespaces=a,B")]
#[case("--ide-allow-suffix=.")]
fn what_is_no_setting_of_ides_is_refused(#[case] flag: &str) {
    let problems = read(&[flag], &[]).unwrap_err().0;
    assert!(problems[0].starts_with(flag.split('=').next().unwrap()), "{problems:?}");
}

#[rstest]
#[case::nothing(&[], &[], "/tmp/sojourn-ide-logs", None)]
#[case::temporary(&[], &[("TMPDIR", "/scratch")], "/scratch/sojourn-ide-logs", None)]
#[case::originals(&[], &[("DCP_SESSION_FOLDER", "/dcp")], "/tmp/sojourn-ide-logs", Some("/dcp"))]
#[case::flag(&["--ide-log-directory=/logs"], &[("DCP_SESSION_FOLDER", "/dcp")], "/logs", None)]
fn where_output_is_kept(
    #[case] args: &[&str],
    #[case] env: &[(&str, &str)],
    #[case] directory: &str,
    #[case] shared: Option<&str>,
) {
    let capture = read(args, env).unwrap().capture;
    let expected =
        CaptureSettings { directory: directory.into(), shared: shared.map(PathBuf::from), preserve: false };
    assert_eq!(capture, expected);
}

#[rstest]
#[case("1", true)]
#[case("TRUE", true)]
#[case("On", true)]
#[case("yes", true)]
#[case("0", false)]
#[case("y", false)]
#[case("", false)]
fn output_is_preserved_as_in_the_original(#[case] value: &str, #[case] preserve: bool) {
    let settings = read(&[], &[("DCP_PRESERVE_EXECUTABLE_LOGS", value)]).unwrap();
    assert_eq!(settings.capture.preserve, preserve);
}
