//! Flags and environment, read once into checked values.
//!
//! [`Settings::read`] promises that what it returns can be used as it is, and that what it refuses is
//! refused with every problem at once. It reads no global state: the environment is an argument.

pub mod address;
pub mod flags;
pub mod ide;
#[cfg(test)]
mod tests;

pub use ide::IdeSettings;

use crate::core::{images::Rules, settings::SessionSettings};
use address::Address;
use flags::Flags;
use std::{path::PathBuf, time::Duration};

/// The original's constant. Another image restarts sessions that authenticate with it.
pub const OAUTH2_PROXY_IMAGE: &str = "harbor.renkulab.io/bitnami-mirror/oauth2-proxy:7.6.0";

/// What the sidecars' stage of the Dockerfile makes. Another image restarts sessions that have it.
pub const SIDECARS_IMAGE: &str = concat!("ghcr.io/sojourn-dev/sojourn-sidecars:", env!("CARGO_PKG_VERSION"));

/// The settings that cannot be used, all of them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ReadSettings(pub Vec<String>);

/// Whose sessions are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all namespaces.
    Cluster,
    /// Those of these namespaces; sorted, no name twice, never empty.
    Namespaces(Vec<String>),
}

/// Whether and how metrics are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// The listener of /metrics; equal to that of the probes when one listener serves both.
    pub bind: Option<Address>,
    /// Serve them by TLS, to those only whom the API server says may read them.
    pub secure: bool,
    /// Serve the metrics of single sessions, for at most this many.
    pub per_session: Option<usize>,
}

/// Who writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSettings {
    /// False: this replica always does.
    pub enabled: bool,
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of this replica, as the Lease shows it: the pod's name, or the host's. Unique only together
    /// with what the process adds to it.
    pub host: String,
}

/// How the API server reaches the webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookTarget {
    /// From outside of the cluster; no slash at its end.
    Url(String),
    /// By a Service.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// Where the certificate of the webhooks comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateMode {
    /// The operator makes it, and publishes its authority.
    Own {
        /// How long API servers may take to see a change of a webhook configuration.
        propagation: Duration,
        /// How far the clock is ahead by which certificates are judged. No flag sets it; tests do.
        clock_ahead: jiff::SignedDuration,
    },
    /// Somebody else puts it into this directory.
    Files(PathBuf),
}

/// The webhook server and its configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The listener.
    pub bind: Address,
    /// What the configurations point at, and what the certificate is for.
    pub target: WebhookTarget,
    /// Where the certificate comes from.
    pub certificates: CertificateMode,
    /// Secret of the authority, in [`Settings::namespace`].
    pub secret: String,
    /// Name of the two webhook configurations.
    pub configuration: String,
    /// Create the configurations instead of only keeping their bundle.
    pub install: bool,
    /// Users that may do to the workloads of sessions what controllers may.
    pub trusted_users: Vec<String>,
}

/// Where what IDE sessions write is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureSettings {
    /// The operator's own directory for it; made, and cleared of what belongs to no session.
    pub directory: PathBuf,
    /// A directory that others have files in; goes before the other one if it is there, and is never cleared.
    pub shared: Option<PathBuf>,
    /// Keep the files when their session is deleted.
    pub preserve: bool,
}

/// What is logged and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Directives of the filter.
    pub filter: String,
    /// JSON or text; `None` means text on a terminal and JSON elsewhere.
    pub json: Option<bool>,
}

/// Everything that flags and environment decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Namespace of the operator itself.
    pub namespace: String,
    /// Whose sessions are served.
    pub scope: Scope,
    /// The user that the operator is to the API server, when it is known without asking.
    pub operator_user: Option<String>,
    /// Kubeconfig file, when one is named.
    pub kubeconfig: Option<PathBuf>,
    /// Domain of the cluster's Services.
    pub cluster_domain: String,
    /// The listener of probes and debug pages.
    pub health_bind: Option<Address>,
    /// Metrics.
    pub metrics: MetricsSettings,
    /// Leader election.
    pub lease: LeaseSettings,
    /// Webhooks; `None` when they are off.
    pub webhook: Option<WebhookSettings>,
    /// What shapes sessions.
    pub sessions: SessionSettings,
    /// The IDEs of IdeSessions.
    pub ide: IdeSettings,
    /// What IDE sessions write.
    pub capture: CaptureSettings,
    /// Logging.
    pub log: LogSettings,
    /// How many sessions are reconciled at a time.
    pub concurrency: u16,
    /// How long a terminating replica keeps serving.
    pub shutdown_delay: Duration,
    /// What the operator should be told about its settings, one line each, once.
    pub notes: Vec<String>,
}

/// Collects what is wrong while reading goes on.
#[derive(Default)]
struct Problems {
    errors: Vec<String>,
    notes: Vec<String>,
}

impl Problems {
    /// The value, or a problem under the name of the flag or variable and a stand-in.
    fn check<T: Default, E: std::fmt::Display>(&mut self, name: &str, read: Result<T, E>) -> T {
        read.unwrap_or_else(|error| {
            self.errors.push(format!("{name}: {error}"));
            T::default()
        })
    }
}

impl Settings {
    /// Settings from the command line and the environment, which `env` looks up by name.
    pub fn read(flags: Flags, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ReadSettings> {
        let mut problems = Problems::default();
        let var = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        note_what_has_no_effect(&flags, &mut problems.notes);

        let release = var("RELEASE_NAMESPACE").unwrap_or_else(|| "default".to_owned());
        let namespace = var("POD_NAMESPACE").unwrap_or_else(|| release.clone());
        let cluster_scoped =
            flags.cluster_scoped.unwrap_or_else(|| switch("CLUSTER_SCOPED", &var, &mut problems.notes));
        let scope = scope(cluster_scoped, &flags.namespaces, release, &mut problems);
        let operator_user = flags.operator_user.clone().or_else(|| {
            let account = var("SERVICE_ACCOUNT")?;
            Some(format!("system:serviceaccount:{namespace}:{account}"))
        });
        let settings = Self {
            health_bind: problems
                .check("--health-probe-bind-address", Address::parse(&flags.health_probe_bind_address)),
            metrics: metrics(&flags, &mut problems),
            lease: LeaseSettings {
                enabled: flags.leader_elect,
                namespace: namespace.clone(),
                host: var("POD_NAME").or_else(|| var("HOSTNAME")).unwrap_or_else(|| "sojourn".to_owned()),
            },
            webhook: webhook(&flags, &namespace, &mut problems),
            sessions: SessionSettings {
                rclone_storage_class: var("RCLONE_STORAGE_CLASS")
                    .unwrap_or_else(|| "csi-rclone-secret-annotation".to_owned()),
                sidecars_image: flags
                    .sidecars_image
                    .clone()
                    .or_else(|| var("SIDECARS_IMAGE"))
                    .unwrap_or_else(|| SIDECARS_IMAGE.to_owned()),
                oauth2_proxy_image: flags.oauth2_proxy_image.clone(),
                pull_secrets: flags.pull_secrets.clone(),
                none_same_site_cookie: switch("USE_NONE_SAME_SITE_SESSION_COOKIE", &var, &mut problems.notes),
                https_ingress: switch("HTTPS_SESSION_INGRESS", &var, &mut problems.notes),
                image_rewrite: problems.check(
                    "AMALTHEA_IMAGE_REWRITE_RULES",
                    Rules::parse(&var("AMALTHEA_IMAGE_REWRITE_RULES").unwrap_or_default()),
                ),
                on_deadline: flags.non_interactive_on_deadline,
                ask_proxies: flags.ask_proxies,
                idle_check_interval: flags.idle_check_interval,
            },
            ide: ide::read(&flags, &namespace, env, &mut problems),
            capture: capture(&flags, &var),
            log: log(&flags, &mut problems),
            cluster_domain: var("KUBERNETES_CLUSTER_DOMAIN").unwrap_or_else(|| "cluster.local".to_owned()),
            kubeconfig: flags.kubeconfig.clone(),
            concurrency: flags.concurrency,
            shutdown_delay: flags.shutdown_delay,
            namespace,
            scope,
            operator_user,
            notes: Vec::new(),
        };
        if settings.sessions.idle_check_interval < Duration::from_secs(1) {
            problems.errors.push("--idle-check-interval: at least 1s is needed".to_owned());
        }
        for (flag, image) in [
            ("--oauth2-proxy-image", &settings.sessions.oauth2_proxy_image),
            ("--sidecars-image", &settings.sessions.sidecars_image),
        ] {
            if image.trim().is_empty() {
                problems.errors.push(format!("{flag}: an image is needed"));
            }
        }
        if settings.sessions.pull_secrets.iter().any(|name| name.trim().is_empty()) {
            problems.errors.push("--pull-secret: the name of a secret is needed".to_owned());
        }
        if !problems.errors.is_empty() {
            return Err(ReadSettings(problems.errors));
        }
        Ok(Self { notes: problems.notes, ..settings })
    }
}

/// A switch of the original: only `true`, in any case, switches it on.
fn switch(name: &str, var: &dyn Fn(&str) -> Option<String>, notes: &mut Vec<String>) -> bool {
    let Some(value) = var(name) else { return false };
    let on = value.eq_ignore_ascii_case("true");
    if !on && !value.eq_ignore_ascii_case("false") {
        notes.push(format!("{name}: {value:?} is read as false, only \"true\" switches it on"));
    }
    on
}

/// The variables are the original's.
fn capture(flags: &Flags, var: &dyn Fn(&str) -> Option<String>) -> CaptureSettings {
    let temporary = || PathBuf::from(var("TMPDIR").unwrap_or_else(|| "/tmp".to_owned()));
    let shared = var("DCP_SESSION_FOLDER").map(PathBuf::from);
    let preserve = var("DCP_PRESERVE_EXECUTABLE_LOGS").unwrap_or_default();
    CaptureSettings {
        shared: shared.filter(|_| flags.ide_log_directory.is_none()),
        directory: flags.ide_log_directory.clone().unwrap_or_else(|| temporary().join("sojourn-ide-logs")),
        preserve: ["1", "true", "on", "yes"].iter().any(|yes| preserve.eq_ignore_ascii_case(yes)),
    }
}

fn scope(all: bool, listed: &[String], release: String, problems: &mut Problems) -> Scope {
    if all {
        if !listed.is_empty() {
            problems
                .errors
                .push("--namespaces: has no meaning when all namespaces are served; drop one".to_owned());
        }
        return Scope::Cluster;
    }
    let mut names: Vec<String> = listed.iter().map(|name| name.trim().to_owned()).collect();
    if names.is_empty() {
        names.push(release);
    }
    names.sort_unstable();
    names.dedup();
    for name in names.iter().filter(|name| !is_label(name)) {
        problems.errors.push(format!("--namespaces: {name:?} is not the name of a namespace"));
    }
    Scope::Namespaces(names)
}

fn metrics(flags: &Flags, problems: &mut Problems) -> MetricsSettings {
    let bind = problems.check("--metrics-bind-address", Address::parse(&flags.metrics_bind_address));
    if flags.metrics_secure && bind.is_some() && flags.metrics_bind_address == flags.health_probe_bind_address
    {
        problems.errors.push(
            "--metrics-bind-address: secure metrics need an address of their own, probes are plain HTTP; \
             choose another, or --metrics-secure=false"
                .to_owned(),
        );
    }
    MetricsSettings {
        bind,
        secure: flags.metrics_secure,
        per_session: flags.per_session_metrics.then_some(flags.per_session_metrics_limit),
    }
}

fn webhook(flags: &Flags, namespace: &str, problems: &mut Problems) -> Option<WebhookSettings> {
    let bind = problems.check("--webhook-bind-address", Address::parse(&flags.webhook_bind_address));
    let target = match (&flags.webhook_url, &flags.webhook_service) {
        (Some(url), _) => problems.check("--webhook-url", webhook_url(url)),
        (None, Some(service)) => problems.check("--webhook-service", webhook_service(service)),
        (None, None) => Some(WebhookTarget::Service {
            namespace: namespace.to_owned(),
            name: "sojourn-webhook".to_owned(),
        }),
    };
    for (flag, name) in [
        ("--webhook-secret", &flags.webhook_secret),
        ("--webhook-configuration", &flags.webhook_configuration),
    ] {
        if !name.split('.').all(is_label) {
            problems.errors.push(format!("{flag}: {name:?} is not the name of an object"));
        }
    }
    Some(WebhookSettings {
        bind: bind?,
        target: target?,
        certificates: match flags.webhook_certificates.as_str() {
            "files" => CertificateMode::Files(flags.webhook_certificate_dir.clone()),
            _ => CertificateMode::Own {
                propagation: flags.webhook_bundle_propagation,
                clock_ahead: jiff::SignedDuration::ZERO,
            },
        },
        secret: flags.webhook_secret.clone(),
        configuration: flags.webhook_configuration.clone(),
        install: flags.install_webhooks,
        trusted_users: flags.trusted_users.clone(),
    })
}

fn webhook_url(url: &str) -> Result<Option<WebhookTarget>, &'static str> {
    match url.strip_prefix("https://").map(|rest| rest.trim_end_matches('/')) {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => {
            Ok(Some(WebhookTarget::Url(format!("https://{host}"))))
        }
        _ => Err("https://HOST:PORT was expected, without a path"),
    }
}

fn webhook_service(text: &str) -> Result<Option<WebhookTarget>, &'static str> {
    match text.split_once('/') {
        Some((namespace, name)) if is_label(namespace) && is_label(name) => {
            Ok(Some(WebhookTarget::Service { namespace: namespace.to_owned(), name: name.to_owned() }))
        }
        _ => Err("NAMESPACE/NAME was expected"),
    }
}

/// The zap flags as a filter: their levels are of the operator's own messages, what libraries say counts
/// from debug on.
fn log(flags: &Flags, problems: &mut Problems) -> LogSettings {
    let devel = flags.zap_devel.unwrap_or(false);
    let level = match flags.zap_log_level.as_deref() {
        None => Ok(if devel { "info,sojourn=debug" } else { "info" }),
        Some("info") => Ok("info"),
        Some("error" | "panic") => Ok("error"),
        Some("debug") => Ok("info,sojourn=debug"),
        Some(text) => match text.parse::<u8>() {
            Ok(0) => Err("numbers start at 1"),
            Ok(1) => Ok("info,sojourn=debug"),
            Ok(2..=4) => Ok("info,sojourn=trace"),
            Ok(_) => Ok("debug,sojourn=trace"),
            Err(_) => Err("debug, info, error, panic or a number was expected"),
        },
    };
    let level = problems.check("--zap-log-level", level);
    let filter = flags.log_filter.clone().unwrap_or_else(|| level.to_owned());
    if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&filter) {
        problems.errors.push(format!("--log-filter: {error}"));
    }
    let json = match flags.zap_encoder.as_deref() {
        None => Ok(devel.then_some(false)),
        Some("json") => Ok(Some(true)),
        Some("console") => Ok(Some(false)),
        Some(_) => Err("console or json was expected"),
    };
    LogSettings { filter, json: problems.check("--zap-encoder", json) }
}

fn note_what_has_no_effect(flags: &Flags, notes: &mut Vec<String>) {
    let sentry = !flags.sentry_dsn.is_empty()
        || !flags.sentry_environment.is_empty()
        || !flags.sentry_release.is_empty()
        || flags.sentry_traces_sample_rate != 0.0;
    for (name, given) in [
        // The DSN is a credential of sorts: named, never shown.
        ("--sentry-*", sentry),
        ("--enable-http2", flags.enable_http2),
        ("--zap-stacktrace-level", flags.zap_stacktrace_level.is_some()),
        ("--zap-time-encoding", flags.zap_time_encoding.is_some()),
    ] {
        if given {
            notes.push(format!("{name}: accepted, has no effect"));
        }
    }
}

/// A DNS label, which names of namespaces and Services are.
fn is_label(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
