//! An Ingress can be made of what the spec says, and leads to the session.
//!
//! The original builds the Ingress unread. Kubernetes refuses one with a host that is not a DNS name or a path that is
//! not absolute and plain, at every pass, and each pass rolls the pod. A URL that leads elsewhere is accepted and
//! runs, so it is only warned about. Batch sessions have no Ingress.

use sojourn_crds::amalthea::{AmaltheaSessionSpec, SessionType};
use sojourn_crds::dns;

use super::{Subject, spec, template};
use crate::facts::Facts;
use crate::finding::{Code, Finding, seen};
use crate::rules::pod::ingress::CLASS_ANNOTATION;
use crate::rules::pod::{self, Report, is_ip};

/// The address at which a session is reached: host and path. `None` for sessions without an Ingress.
pub fn route(spec: &AmaltheaSessionSpec) -> Option<String> {
    let interactive = spec.session_type == SessionType::Interactive;
    let ingress = spec.ingress.as_ref().filter(|ingress| interactive && !ingress.host.is_empty())?;
    Some(format!("{}{}", ingress.host, with_slash(&ingress.path_prefix.0)))
}

/// Says that another session has the same address. Only where the address is new: what two sessions have had for long
/// is told by a condition.
pub(crate) fn check_conflict(
    subject: &Subject<'_>,
    namespace: &str,
    facts: &dyn Facts,
    findings: &mut Vec<Finding>,
) {
    let Some(route) = route(subject.spec) else { return };
    if subject.old_spec().and_then(self::route).as_ref() == Some(&route) {
        return;
    }
    let own = (namespace, subject.session.name());
    let Some(holder) = facts.route_holder(&route, own) else { return };
    let who = if holder.namespace == namespace {
        format!("session {}", seen(&holder.name))
    } else {
        "a session of another namespace".to_owned()
    };
    let mut finding = Finding::new(
        Code::RouteTaken,
        spec("ingress"),
        format!("{who} is reached at {} already", seen(&route)),
        "choose another host or pathPrefix",
    );
    finding.severity = facts.settings().ingress_conflicts;
    findings.push(finding);
}

/// Says what is wrong with the Ingress.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if subject.is_remote() && (subject.spec.ingress.is_none() || subject.is_batch()) {
        findings.push(Finding::new(
            Code::RemoteWithoutIngress,
            spec("ingress"),
            "a remote session connects through its Ingress; without one it never gets ready",
            "",
        ));
    }
    let Some(ingress) = subject.spec.ingress.as_ref().filter(|_| !subject.is_batch()) else { return };
    if !is_host(&ingress.host) {
        findings.push(Finding::new(
            Code::HostInvalid,
            spec("ingress").child("host"),
            format!("{} is not a DNS name", seen(&ingress.host)),
            "write it in lower case, without scheme, port and path",
        ));
    }
    let prefix = with_slash(&ingress.path_prefix.0);
    if let Some(problem) = path_problem(&prefix) {
        findings.push(Finding::new(
            Code::PathPrefixInvalid,
            spec("ingress").child("pathPrefix"),
            format!("{} {problem}", seen(&ingress.path_prefix.0)),
            "write a plain absolute path, for example /sessions/name",
        ));
        return;
    }
    let url = &subject.spec.session.url_path;
    if !with_slash(url).starts_with(&prefix) {
        let allowed = seen(&prefix);
        findings.push(Finding::new(
            Code::PathOutsidePrefix,
            spec("session").child("urlPath"),
            format!("{} is not under the pathPrefix {allowed}", seen(url)),
            "the URL leads elsewhere",
        ));
    }
}

/// Says what is wrong with class, annotations and certificate. The Ingress has the annotations of the template too.
pub(crate) fn check_fields(subject: &Subject<'_>, report: &mut Report<'_>) {
    let Some(ingress) = subject.spec.ingress.as_ref().filter(|_| !subject.is_batch()) else { return };
    let inherited = template::metadata_of(subject).and_then(|metadata| metadata.annotations.as_ref());
    let own = ingress.annotations.as_ref();
    let annotation = own.and_then(|own| own.get(CLASS_ANNOTATION));
    let annotation = annotation.or_else(|| inherited.and_then(|all| all.get(CLASS_ANNOTATION)));
    let fields = pod::ingress::Ingress {
        class: ingress.ingress_class_name.as_deref(),
        host: &ingress.host,
        tls_secret: ingress.tls_secret.as_ref().map_or("", |secret| &secret.name),
        class_annotation: annotation.map(String::as_str),
    };
    pod::ingress::check(report, &spec("ingress"), &fields);
    let Some(own) = own else { return };
    let path = spec("ingress").child("annotations");
    pod::annotations::check_keys(report, Code::IngressInvalid, &path, own.keys().map(String::as_str));
    let inherited = inherited.into_iter().flatten().filter(|(key, _)| !own.contains_key(*key));
    let bytes: usize = own.iter().chain(inherited).map(|(key, value)| key.len() + value.len()).sum();
    pod::annotations::check_size(report, Code::IngressInvalid, &path, bytes + template::STAMP_BYTES);
}

fn with_slash(path: &str) -> String {
    if path.ends_with('/') { path.to_owned() } else { format!("{path}/") }
}

/// What Kubernetes holds against a path of an Ingress.
fn path_problem(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return Some("does not begin with '/'".to_owned());
    }
    let refused = ["//", "/./", "/../", "%2f", "%2F"].into_iter().find(|part| path.contains(part))?;
    Some(format!("contains '{refused}'"))
}

/// What Kubernetes takes as the host of an Ingress rule: nothing at all, a DNS name, or one with a leading wildcard.
/// An address is not a name.
fn is_host(host: &str) -> bool {
    let name = host.strip_prefix("*.").unwrap_or(host);
    host.is_empty() || (host.len() <= 253 && !is_ip(host) && dns::is_subdomain(name))
}
