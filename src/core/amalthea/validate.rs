//! What of a session can be worked with.
//!
//! Admission refuses what cannot work. What got in anyway (before the webhook was there, or while it was
//! down) harms no other session: a duration that cannot be read means that its rule is off, and what makes
//! children impossible keeps them from being written, with the reason in the status.

use crate::core::settings::SessionSettings;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::UserInfo;
use sojourn_crds::{
    amalthea::{AmaltheaSession, AmaltheaSessionSpec, Culling, SessionType},
    duration::{GoDuration, Span},
};

use sojourn_webhooks::{
    AdmissionSettings, Offline,
    kind::{AdmissionRules, Change},
    request::{Operation, Request},
};

/// A session that decisions can be made for.
#[derive(Clone, Debug)]
pub struct Checked<'a> {
    /// The session.
    pub session: &'a AmaltheaSession,
    /// Its spec.
    pub spec: &'a AmaltheaSessionSpec,
    /// Its timeouts, read.
    pub timeouts: Timeouts,
    /// Why its children cannot be written, if they cannot.
    pub blocking_findings: Vec<String>,
}

/// The timeouts of a session; `None` means that the rule is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Longest run.
    pub max_age: Option<Span>,
    /// Longest time without use.
    pub max_idle: Option<Span>,
    /// Longest time to start.
    pub max_starting: Option<Span>,
    /// Longest time of failing.
    pub max_failed: Option<Span>,
    /// Longest time hibernated or finished.
    pub max_hibernated: Option<Span>,
}

impl Timeouts {
    fn read(culling: Option<&Culling>) -> Self {
        let Some(culling) = culling else { return Self::default() };
        let read = |field: &Option<GoDuration>| field.as_ref().and_then(GoDuration::positive);
        Self {
            max_age: read(&culling.max_age),
            max_idle: read(&culling.max_idle_duration),
            max_starting: read(&culling.max_starting_duration),
            max_failed: read(&culling.max_failed_duration),
            max_hibernated: read(&culling.max_hibernated_duration),
        }
    }
}

impl Checked<'_> {
    /// Whether the session is one that somebody connects to.
    pub fn interactive(&self) -> bool {
        self.spec.session_type == SessionType::Interactive
    }
}

/// Reads a session. `findings` are those of the admission rules that deny it as it stands, as texts.
/// `None` when there is no spec to work with.
pub fn validate(session: &AmaltheaSession, findings: Vec<String>) -> Option<Checked<'_>> {
    let spec = session.spec.as_ref()?;
    Some(Checked {
        session,
        spec,
        timeouts: Timeouts::read(spec.culling.as_ref()),
        blocking_findings: findings,
    })
}

/// What the admission rules would say against the session if it were created now, as far as it prevents a
/// workload. The rules are those of the webhook, so that a session that got past it is told the same.
pub fn blocking_findings(
    session: &AmaltheaSession,
    settings: &SessionSettings,
    now: Timestamp,
) -> Vec<String> {
    let request = Request {
        operation: Operation::Create,
        subresource: None,
        namespace: session.namespace(),
        name: session.name(),
        user: &UserInfo::default(),
        old: None,
        new: None,
        dry_run: false,
    };
    let guard = AdmissionSettings {
        on_deadline: settings.on_deadline,
        own: settings.own.clone(),
        kubernetes: settings.kubernetes,
        ..AdmissionSettings::default()
    };
    let facts = Offline::new(now, guard);
    let change = Change { request: &request, object: session, old: None };
    let findings = AmaltheaSession::findings(&change, &facts);
    findings.iter().filter(|finding| finding.code.prevents_workload()).map(|finding| finding.text()).collect()
}
