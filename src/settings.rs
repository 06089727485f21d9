//! Flags and environment, read once into checked values.
//!
//! [`Settings::read`] promises that what it returns can be used as it is, and that what it refuses is
//! refused with every problem at once. It reads no global state: the environment is an argument.

pub(crate) mod address;
pub mod flags;
pub(crate) mod ide;
pub(crate) mod log;
#[cfg(test)]
mod tests;
pub(crate) mod webhook;

pub use crate::core::settings::{OAUTH2_PROXY_IMAGE, SIDECARS_IMAGE};
pub use ide::IdeSettings;
pub use log::LogSettings;
pub use webhook::{CertificateMode, WebhookSettings, WebhookTarget};

use crate::core::{images::Rules, settings::SessionSettings};
use address::Address;
use flags::Flags;
use sojourn_crds::dns::is_label;
use sojourn_webhooks::{
    AdmissionSettings, Severity, rules::operator_credentials::OwnCredentials, settings::KubernetesVersion,
};
use std::{path::PathBuf, time::Duration};

/// The settings that cannot be used, all of them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ReadSettingsError(pub Vec<String>);

/// The namespaces that the operator serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All namespaces.
    Cluster,
    /// These namespaces; sorted, without duplicates, never empty.
    Namespaces(Vec<String>),
}

/// Whether and how metrics are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// The listener of /metrics; equal to that of the probes when one listener serves both.
    pub bind: Option<Address>,
    /// Serve them by TLS, to clients that the API server authorizes.
    pub secure: bool,
    /// Serve the metrics of single sessions, for at most this many.
    pub per_session: Option<usize>,
}

/// Leader election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSettings {
    /// False: this replica is always the leader.
    pub enabled: bool,
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of this replica, as the Lease shows it: the pod's name, or the host's. Unique only together
    /// with what the process adds to it.
    pub host: String,
}

/// Where the output of IDE sessions is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureSettings {
    /// The operator's own directory; created, and cleared of files without a session.
    pub directory: PathBuf,
    /// A directory that holds other files, too; takes precedence if it exists, and is never cleared.
    pub shared: Option<PathBuf>,
    /// Keep the files when their session is deleted.
    pub preserve: bool,
}

/// Everything that flags and environment decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Namespace of the operator itself.
    pub namespace: String,
    /// The namespaces that the operator serves.
    pub scope: Scope,
    /// The operator's username at the API server, if it is configured.
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
    /// Settings of sessions.
    pub sessions: SessionSettings,
    /// The IDEs of IdeSessions.
    pub ide: IdeSettings,
    /// The output of IDE sessions.
    pub capture: CaptureSettings,
    /// Logging.
    pub log: LogSettings,
    /// What becomes of a session with the address of an elder one.
    pub ingress_conflicts: Severity,
    /// Secret in the operator's namespace with the key for approved adoptions.
    pub approval_secret: String,
    /// How many sessions are reconciled at a time.
    pub concurrency: u16,
    /// How long a terminating replica keeps serving.
    pub shutdown_delay: Duration,
    /// Remarks about the settings, one line each, logged once at the start.
    pub notes: Vec<String>,
}

impl Settings {
    /// The operator is `user` to the API server.
    pub fn set_operator_user(&mut self, user: String) {
        self.sessions.own = std::mem::take(&mut self.sessions.own).with_user(&user);
        self.operator_user = Some(user);
    }

    /// What the admission rules depend on, but for the operator's own user.
    pub fn admission(&self) -> AdmissionSettings {
        let trusted = self.webhook.iter().flat_map(|webhook| webhook.trusted_users.iter().cloned());
        AdmissionSettings {
            trusted_users: AdmissionSettings::default().trusted_users.into_iter().chain(trusted).collect(),
            on_deadline: self.sessions.on_deadline,
            ingress_conflicts: self.ingress_conflicts,
            pod_security: self.sessions.pod_security,
            own: self.sessions.own.clone(),
            kubernetes: self.sessions.kubernetes,
            approval_key: self.sessions.approval_key.clone(),
            ..AdmissionSettings::default()
        }
    }
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
    pub fn read(flags: Flags, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ReadSettingsError> {
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
            webhook: webhook::read(&flags, &namespace, &mut problems),
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
                pod_security: flags.pod_security,
                on_deadline: flags.non_interactive_on_deadline,
                ask_proxies: flags.ask_proxies,
                idle_check_interval: flags.idle_check_interval,
                own: OwnCredentials {
                    namespace: namespace.clone(),
                    secrets: [&flags.webhook_secret, &flags.approval_secret]
                        .into_iter()
                        .chain(&flags.operator_secrets)
                        .cloned()
                        .collect(),
                    service_account: None,
                }
                .with_user(operator_user.as_deref().unwrap_or_default()),
                kubernetes: KubernetesVersion::default(),
                approval_key: None,
            },
            ide: ide::read(&flags, &namespace, env, &mut problems),
            capture: capture(&flags, &var),
            log: log::read(&flags, &mut problems),
            cluster_domain: var("KUBERNETES_CLUSTER_DOMAIN").unwrap_or_else(|| "cluster.local".to_owned()),
            kubeconfig: flags.kubeconfig.clone(),
            ingress_conflicts: match flags.ingress_conflicts.as_str() {
                "Deny" => Severity::Deny,
                _ => Severity::Warn,
            },
            approval_secret: flags.approval_secret.clone(),
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
            return Err(ReadSettingsError(problems.errors));
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
