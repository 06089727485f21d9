//! The pod of a session is one that its namespace allows.
//!
//! The original makes the pod all the same. Kubernetes refuses it after the workload is there, in one sentence about
//! all of its containers. Nothing is denied here: what the namespace enforces may change, and with it what can run.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionSpec, AuthenticationType, names};

use super::{Subject, containers, security_contexts, spec, template};
use crate::facts::Facts;
use crate::finding::{Code, FieldPath, Finding};
use crate::rules::pod::container::at::At;
use crate::rules::pod_security::{Enforced, Standard, Violation};
use crate::settings::PodSecurity;

const CODE: Code = Code::PodSecurityViolated;

/// Says which fields the namespace does not allow, if it is known what it enforces.
pub(crate) fn check(subject: &Subject<'_>, namespace: &str, facts: &dyn Facts, findings: &mut Vec<Finding>) {
    if let Some(enforced) = facts.pod_security(namespace) {
        findings.extend(violations(subject, enforced, facts.settings().pod_security));
    }
}

/// The fields of a session that a standard does not allow: those that the user writes, each at its path, and those that
/// the operator writes, at the part of the spec for which it makes the container.
pub fn of_session(
    session: &AmaltheaSession,
    spec: &AmaltheaSessionSpec,
    enforced: Enforced,
    pod_security: PodSecurity,
) -> Vec<Finding> {
    let mut findings = violations(&Subject { session, spec, old: None }, enforced, pod_security);
    findings.sort_by(|a, b| a.order().cmp(&b.order()));
    findings
}

fn violations(subject: &Subject<'_>, enforced: Enforced, pod_security: PodSecurity) -> Vec<Finding> {
    let pod = security_contexts::of_pod(&subject.spec.session, pod_security);
    let standard = || Standard { enforced, pod_seccomp: &pod["seccompProfile"], violations: Vec::new() };
    let mut written = standard();
    for (list, index, container) in containers::extra_by_list(subject) {
        let (root, container) = (At::root("spec"), security_contexts::completed(container, pod_security));
        written.check_container(&root.child(list).index(index), &container);
    }
    let root = At::root("spec");
    let volumes = root.child("extraVolumes");
    for (index, volume) in subject.spec.extra_volumes.iter().enumerate() {
        written.check_volume(&volumes.index(index), volume);
    }
    let at = root.child("template");
    let at = at.child("metadata");
    let at = at.child("annotations");
    let metadata = template::metadata_of(subject);
    for (key, value) in metadata.and_then(|metadata| metadata.annotations.as_ref()).into_iter().flatten() {
        written.check_annotation(&at, key, value);
    }
    let finding = |violation: Violation| {
        let hint = format!("PodSecurity {} {}", enforced.level, violation.rule);
        Finding::new(CODE, violation.path, violation.seen, hint)
    };
    let mut findings: Vec<Finding> = written.violations.into_iter().map(finding).collect();
    let mut own = BTreeSet::new();
    for container in own_containers(subject, pod_security) {
        let mut standard = standard();
        standard.check_container(&At::root(""), &json!({"securityContext": container.context}));
        own.extend(standard.violations.iter().map(|violation| container.part_of(violation, subject)));
    }
    findings.extend(own.into_iter().map(|part| part.finding(enforced)));
    findings
}

/// A container that the operator adds.
struct OwnContainer {
    name: String,
    /// For which part of the spec.
    path: FieldPath,
    context: Value,
}

/// What is not allowed of the operator's containers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// They run as the session's user, and that is 0.
    User,
    /// A container lacks a field.
    Field(FieldPath, String, String),
}

impl OwnContainer {
    fn part_of(&self, violation: &Violation, subject: &Subject<'_>) -> Part {
        let field = violation.path.as_str().trim_start_matches("securityContext.");
        if self.context["runAsUser"] == 0
            && subject.spec.session.run_as_user == 0
            && field.starts_with("runAs")
        {
            return Part::User;
        }
        Part::Field(self.path.clone(), self.name.clone(), field.to_owned())
    }
}

impl Part {
    fn finding(self, enforced: Enforced) -> Finding {
        match self {
            Self::User => Finding::new(
                CODE,
                spec("session").child("runAsUser"),
                "0",
                format!("PodSecurity {} needs another user", enforced.level),
            ),
            Self::Field(path, container, field) => Finding::new(
                CODE,
                path,
                format!("container {container} lacks {field}"),
                "sessions.podSecurity: Restricted adds it",
            ),
        }
    }
}

/// The containers of the operator, as it makes them.
fn own_containers(subject: &Subject<'_>, pod_security: PodSecurity) -> Vec<OwnContainer> {
    let session = &subject.spec.session;
    let own = |name: &str, path: FieldPath, context| OwnContainer { name: name.to_owned(), path, context };
    let mut all: Vec<OwnContainer> = (0..subject.spec.code_repositories.len())
        .map(|index| {
            let context = security_contexts::of_cloner(session, pod_security);
            own(&names::clone_container(index), spec("codeRepositories").index(index), context)
        })
        .collect();
    let main = match subject.is_remote() {
        true => security_contexts::of_sidecar(),
        false => security_contexts::of_session(session, pod_security),
    };
    all.push(own(names::SESSION_CONTAINER, spec("session"), main));
    if let Some(auth) = subject.spec.authentication.as_ref().filter(|_| subject.has_proxy()) {
        all.push(own(names::AUTHPROXY_CONTAINER, spec("authentication"), security_contexts::of_proxy()));
        if auth.kind != AuthenticationType::Token {
            let context = security_contexts::of_sidecar();
            all.push(own(names::OAUTH2_PROXY_CONTAINER, spec("authentication"), context));
        }
    }
    if subject.is_remote() {
        all.push(own(names::TUNNEL_CONTAINER, spec("location"), security_contexts::of_sidecar()));
    }
    all
}
