//! What our rules say: the pure function of the webhook.

use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::UserInfo;
use serde_json::Value;
use sojourn_webhooks::{
    Access, AdmissionSettings, Code, Finding, Object, Offline, Operation, Request, Verdict, evaluate,
    rules::pod_security::Enforced,
    settings::{KubernetesVersion, PodSecurity},
    table,
};

/// Codes that deny for what the children cannot show: the API server takes them, and the session would still never
/// work. They excuse a denial.
const FOR_OTHER_REASONS: [Code; 7] = [
    Code::ImageInvalid,
    Code::OidcWithoutIngress,
    Code::AuthenticationKeyMissing,
    Code::AuthenticationKeyInvalid,
    Code::RemoteWithoutIngress,
    Code::DataSourceSecretMissing,
    Code::SecretNameMissing,
];

/// What our rules hold against a session. Nobody's rights are at fault here.
pub(crate) fn denials(session: &Value, kubernetes: KubernetesVersion) -> Vec<Finding> {
    let settings = AdmissionSettings { kubernetes, ..AdmissionSettings::default() };
    verdict(session, Offline::new(Timestamp::now(), settings)).denials().cloned().collect()
}

/// What our rules warn of in a session whose namespace enforces a standard.
pub(crate) fn pod_security(session: &Value, enforced: Enforced, pod_security: PodSecurity) -> Vec<Finding> {
    let settings = AdmissionSettings { pod_security, ..AdmissionSettings::default() };
    let mut facts = Offline::new(Timestamp::now(), settings);
    facts.enforce(session["metadata"]["namespace"].as_str().unwrap_or_default(), Some(enforced));
    let verdict = verdict(session, facts);
    verdict.warnings().filter(|finding| finding.code == Code::PodSecurityViolated).cloned().collect()
}

fn verdict(session: &Value, mut facts: Offline) -> Verdict {
    facts.set_default_access(Access::Allowed);
    let user = UserInfo::default();
    let request = Request {
        operation: Operation::Create,
        subresource: None,
        namespace: session["metadata"]["namespace"].as_str().unwrap_or_default(),
        name: session["metadata"]["name"].as_str().unwrap_or_default(),
        user: &user,
        old: None,
        new: Some(Object::Value(session)),
        dry_run: false,
    };
    let row = table::row(table::VALIDATE_SESSION).unwrap();
    evaluate(row, &request, &facts)
}

/// Whether a finding says that a child would be refused.
pub(crate) fn is_about_children(finding: &Finding) -> bool {
    !FOR_OTHER_REASONS.contains(&finding.code)
}
