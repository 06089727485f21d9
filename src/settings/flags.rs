//! The command line: the flags of the original manager, spelled as there, and ours.
//!
//! Nothing is checked here beyond what a single flag can be read as; [`super::Settings`] does the rest.

use clap::{Args, Command};
use std::{ffi::OsString, path::PathBuf, time::Duration};

use sojourn_crds::amalthea::OnDeadline;
use sojourn_webhooks::settings::PodSecurity;

const ORIGINAL: &str = "As in the original manager";
const OURS: &str = "Sojourn's own";

/// The flags of the operator.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(args_override_self = true)]
pub struct Flags {
    /// Where /metrics is served; 0 switches it off.
    #[arg(long, default_value = "0", value_name = "ADDRESS", help_heading = ORIGINAL)]
    pub metrics_bind_address: String,
    /// Serve metrics by https, and only to clients whose token may `get` the path /metrics.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true",
          value_parser = go_bool, value_name = "BOOL", help_heading = ORIGINAL)]
    pub metrics_secure: bool,
    /// Where /healthz, /livez, /readyz and the debug pages are served; 0 switches them off.
    #[arg(long, default_value = ":8081", value_name = "ADDRESS", help_heading = ORIGINAL)]
    pub health_probe_bind_address: String,
    /// Only the holder of a Lease writes. Without it every replica does: for a single replica only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true",
          value_parser = go_bool, value_name = "BOOL", help_heading = ORIGINAL)]
    pub leader_elect: bool,
    /// Accepted, has no effect: metrics are served by HTTP/1.1.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true",
          value_parser = go_bool, value_name = "BOOL", help_heading = ORIGINAL)]
    pub enable_http2: bool,
    /// Kubeconfig file; else the environment's, else the service account of the pod.
    #[arg(long, value_name = "FILE", help_heading = ORIGINAL)]
    pub kubeconfig: Option<PathBuf>,

    /// Accepted, has no effect.
    #[arg(long, default_value = "", value_name = "URL", hide_default_value = true, help_heading = ORIGINAL)]
    pub sentry_dsn: String,
    /// Accepted, has no effect.
    #[arg(long, default_value = "", value_name = "NAME", hide_default_value = true, help_heading = ORIGINAL)]
    pub sentry_environment: String,
    /// Accepted, has no effect.
    #[arg(long, default_value = "", value_name = "NAME", hide_default_value = true, help_heading = ORIGINAL)]
    pub sentry_release: String,
    /// Accepted, has no effect.
    #[arg(long, default_value_t = 0.0, value_name = "RATE", allow_negative_numbers = true, help_heading = ORIGINAL)]
    pub sentry_traces_sample_rate: f64,

    /// Text instead of JSON, and debug messages, unless the other flags say otherwise.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = go_bool, value_name = "BOOL", help_heading = ORIGINAL)]
    pub zap_devel: Option<bool>,
    /// console or json; by default text on a terminal and JSON elsewhere.
    #[arg(long, value_name = "ENCODER", help_heading = ORIGINAL)]
    pub zap_encoder: Option<String>,
    /// debug, info, error, panic, or a number: the higher, the more.
    #[arg(long, value_name = "LEVEL", help_heading = ORIGINAL)]
    pub zap_log_level: Option<String>,
    /// Accepted, has no effect.
    #[arg(long, value_name = "LEVEL", value_parser = ["info", "error", "panic"], help_heading = ORIGINAL)]
    pub zap_stacktrace_level: Option<String>,
    /// Accepted, has no effect: times are RFC 3339.
    #[arg(long, value_name = "ENCODING",
          value_parser = ["epoch", "millis", "nano", "iso8601", "rfc3339", "rfc3339nano"],
          help_heading = ORIGINAL)]
    pub zap_time_encoding: Option<String>,

    /// Log filter by module, as in `info,sojourn=debug`; goes before the zap flags.
    #[arg(long, value_name = "FILTER", help_heading = OURS)]
    pub log_filter: Option<String>,
    /// Where the admission webhooks are served; 0 switches them off.
    #[arg(long, default_value = ":9443", value_name = "ADDRESS", help_heading = OURS)]
    pub webhook_bind_address: String,
    /// How the API server reaches the webhooks when they run outside of the cluster.
    #[arg(long, value_name = "URL", conflicts_with = "webhook_service", help_heading = OURS)]
    pub webhook_url: Option<String>,
    /// The Service of the webhooks. By default `sojourn-webhook` in the operator's namespace.
    #[arg(long, value_name = "NAMESPACE/NAME", help_heading = OURS)]
    pub webhook_service: Option<String>,
    /// Where the certificate of the webhooks comes from. self: the operator makes it, and writes the bundle into
    /// the webhook configurations. files: it is read from --webhook-certificate-dir, and whoever writes it writes
    /// the bundle too, as cert-manager does.
    #[arg(long, default_value = "self", value_name = "MODE", value_parser = ["self", "files"], help_heading = OURS)]
    pub webhook_certificates: String,
    /// Directory with tls.crt and tls.key, for --webhook-certificates=files.
    #[arg(long, default_value = "/etc/sojourn/webhook-certificate", value_name = "DIRECTORY", help_heading = OURS)]
    pub webhook_certificate_dir: PathBuf,
    /// File with the authorities, in PEM, of the client certificates of API servers. The webhooks then answer nobody
    /// else. It is read again when it changes.
    #[arg(long, value_name = "FILE", help_heading = OURS)]
    pub webhook_client_ca: Option<PathBuf>,
    /// How long API servers may take to see a change of a webhook configuration: a new authority signs that
    /// much later than it is published.
    #[arg(long, default_value = "10s", value_parser = go_duration, value_name = "DURATION",
          help_heading = OURS)]
    pub webhook_bundle_propagation: Duration,
    /// Secret in the operator's namespace that holds the authority of the webhook certificates.
    #[arg(long, default_value = "sojourn-webhook", value_name = "NAME", help_heading = OURS)]
    pub webhook_secret: String,
    /// What becomes of a session with the host and path of an elder one: Warn or Deny.
    #[arg(long, default_value = "Warn", value_name = "ACTION", value_parser = ["Warn", "Deny"], help_heading = OURS)]
    pub ingress_conflicts: String,
    /// Secret in the operator's namespace that holds the key by which adoptions of secrets are recorded as approved.
    #[arg(long, default_value = "sojourn-approvals", value_name = "NAME", help_heading = OURS)]
    pub approval_secret: String,
    /// Name of the validating and of the mutating webhook configuration.
    #[arg(long, default_value = "sojourn", value_name = "NAME", help_heading = OURS)]
    pub webhook_configuration: String,
    /// Create the webhook configurations. The chart creates them itself, and the operator then only keeps
    /// their caBundle.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true",
          value_parser = go_bool, value_name = "BOOL", help_heading = OURS)]
    pub install_webhooks: bool,
    /// The user that the operator is to the API server. By default the service account that the
    /// environment names (POD_NAMESPACE, SERVICE_ACCOUNT).
    #[arg(long, value_name = "USER", help_heading = OURS)]
    pub operator_user: Option<String>,
    /// A Secret of the operator's namespace that sessions may not use, beside --webhook-secret and --approval-secret,
    /// such as that of --webhook-certificate-dir; repeatable.
    #[arg(long = "operator-secret", value_name = "NAME", action = clap::ArgAction::Append, help_heading = OURS)]
    pub operator_secrets: Vec<String>,
    /// A user that may do to the workloads of sessions what controllers may; repeatable.
    #[arg(long = "trusted-user", value_name = "USER", action = clap::ArgAction::Append, help_heading = OURS)]
    pub trusted_users: Vec<String>,
    /// All namespaces instead of the listed ones. Also: CLUSTER_SCOPED.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = go_bool, value_name = "BOOL", help_heading = OURS)]
    pub cluster_scoped: Option<bool>,
    /// Namespaces whose sessions are served, comma-separated or repeated. By default RELEASE_NAMESPACE.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', action = clap::ArgAction::Append,
          help_heading = OURS)]
    pub namespaces: Vec<String>,
    /// What happens to a non-interactive session that reaches its deadline: Fail or Hibernate.
    #[arg(long, default_value = "Fail", value_parser = on_deadline, value_name = "WHAT", help_heading = OURS)]
    pub non_interactive_on_deadline: OnDeadline,
    /// Which pods sessions have. Original: those of the original manager. Restricted: those that the Pod Security
    /// Standard of that name allows, unless a session says something else.
    #[arg(long, default_value = "Original", value_name = "WHICH", help_heading = OURS)]
    pub pod_security: PodSecurity,
    /// Image of what stands beside a session: proxy, cloner, git proxy. Also: SIDECARS_IMAGE. By default that of
    /// this version.
    #[arg(long, value_name = "IMAGE", help_heading = OURS)]
    pub sidecars_image: Option<String>,
    /// Image of oauth2-proxy in sessions that authenticate with it.
    #[arg(long, default_value = super::OAUTH2_PROXY_IMAGE, value_name = "IMAGE", help_heading = OURS)]
    pub oauth2_proxy_image: String,
    /// A secret of the session's namespace to pull images with, beside the session's own; repeatable.
    #[arg(long = "pull-secret", value_name = "NAME", action = clap::ArgAction::Append, help_heading = OURS)]
    pub pull_secrets: Vec<String>,
    /// How many sessions are reconciled at a time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024), value_name = "N",
          help_heading = OURS)]
    pub concurrency: u16,
    /// How often the CPU use of running sessions is looked at.
    #[arg(long, default_value = "30s", value_parser = go_duration, value_name = "DURATION",
          help_heading = OURS)]
    pub idle_check_interval: Duration,
    /// Ask the proxy of a session for its last request before the session is hibernated for idleness.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true",
          value_parser = go_bool, value_name = "BOOL", help_heading = OURS)]
    pub ask_proxies: bool,
    /// Serve the metrics of single sessions.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true",
          value_parser = go_bool, value_name = "BOOL", help_heading = OURS)]
    pub per_session_metrics: bool,
    /// How many sessions have metrics of their own at most.
    #[arg(long, default_value_t = 2000, value_name = "N", help_heading = OURS)]
    pub per_session_metrics_limit: usize,
    /// The Secret that says how the IDE of an IdeSession is reached when the session names none.
    #[arg(long, value_name = "NAMESPACE/NAME", help_heading = OURS)]
    pub ide_endpoint_secret: Option<String>,
    /// Namespaces in which Secrets may say how IDEs are reached, comma-separated or repeated. By default the
    /// operator's own, and that of --ide-endpoint-secret.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', action = clap::ArgAction::Append,
          help_heading = OURS)]
    pub ide_endpoint_namespaces: Vec<String>,
    /// A network in which IDEs may be, beside the Services and pods of their Secret's namespace; repeatable.
    #[arg(long = "ide-allow-network", value_name = "CIDR", action = clap::ArgAction::Append, help_heading = OURS)]
    pub ide_networks: Vec<ipnet::IpNet>,
    /// A domain in which IDEs may be, beside the Services of their Secret's namespace; repeatable.
    #[arg(long = "ide-allow-suffix", value_name = "DOMAIN", action = clap::ArgAction::Append, help_heading = OURS)]
    pub ide_suffixes: Vec<String>,
    /// Send tokens to IDEs in plain text, when their endpoint has no certificate and is not on loopback.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true",
          value_parser = go_bool, value_name = "BOOL", help_heading = OURS)]
    pub ide_plain_text: bool,
    /// How many sessions an IDE has at most.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..), value_name = "N",
          help_heading = OURS)]
    pub ide_sessions_per_endpoint: u32,
    /// Where what IDE sessions write is kept. By default DCP_SESSION_FOLDER if it is there, else a directory below the
    /// temporary one.
    #[arg(long, value_name = "DIRECTORY", help_heading = OURS)]
    pub ide_log_directory: Option<PathBuf>,
    /// How long a terminating replica keeps serving, while the cluster learns that it goes.
    #[arg(long, default_value = "10s", value_parser = go_duration, value_name = "DURATION",
          help_heading = OURS)]
    pub shutdown_delay: Duration,
}

/// The arguments with Go's single dash (`-leader-elect`) turned into two, for the long flags that
/// `command` or one of its subcommands has. Everything else, the values of flags included, stays as it is.
pub fn normalise(command: &Command, args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    fn has(command: &Command, name: &str) -> bool {
        command.get_arguments().any(|arg| arg.get_long() == Some(name))
            || command.get_subcommands().any(|sub| has(sub, name))
    }
    let mut ended = false;
    args.into_iter()
        .map(|arg| {
            ended = ended || arg == "--";
            let name = arg
                .to_str()
                .and_then(|text| text.strip_prefix('-'))
                .filter(|text| !ended && !text.starts_with('-'))
                .map(|text| text.split_once('=').map_or(text, |(name, _)| name));
            if !name.is_some_and(|name| has(command, name)) {
                return arg;
            }
            let mut long = OsString::from("-");
            long.push(&arg);
            long
        })
        .collect()
}

/// A boolean as Go's `strconv.ParseBool` reads it.
pub(crate) fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("true or false was expected".to_owned()),
    }
}

pub(crate) fn go_duration(text: &str) -> Result<Duration, String> {
    match sojourn_crds::duration::parse(text) {
        Ok(span) => u64::try_from(span.as_nanos())
            .map(Duration::from_nanos)
            .map_err(|_| "the duration is negative".to_owned()),
        Err(error) => Err(match error.suggestion {
            Some(suggestion) => format!("{}; write {suggestion}", error.reason),
            None => format!("{}; write it as in 1h30m", error.reason),
        }),
    }
}

/// `Fail` or `Hibernate`, as a flag.
pub(crate) fn on_deadline(text: &str) -> Result<OnDeadline, String> {
    match text {
        "Fail" => Ok(OnDeadline::Fail),
        "Hibernate" => Ok(OnDeadline::Hibernate),
        _ => Err("Fail or Hibernate was expected".to_owned()),
    }
}
