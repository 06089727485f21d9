//! The annotation for the IDE of a session names a Secret that the requester may read. It cannot change after the
//! session was requested to run.
//!
//! The operator reads the Secret with its own rights: without the review, any user who may create a session could use
//! the credentials of any IDE. The operator checks whether the Secret exists and has the right label when it uses it:
//! the Secret may be created after the session.

use sojourn_crds::dns;
use sojourn_crds::ide_session::endpoint::ENDPOINT_ANNOTATION;
use sojourn_crds::ide_session::{DesiredState, EndpointSecret, IdeSession, State};

use crate::facts::{Access, AccessReview, Facts};
use crate::finding::{Code, FieldPath, Finding, seen};
use crate::kind::Change;

fn path() -> FieldPath {
    FieldPath::new("metadata").child("annotations").key(ENDPOINT_ANNOTATION)
}

fn written(session: &IdeSession) -> Option<&str> {
    session.metadata.annotations.as_ref()?.get(ENDPOINT_ANNOTATION).map(String::as_str)
}

/// The Secret in the value of the annotation, if its name is valid in Kubernetes.
fn secret(value: &str) -> Option<EndpointSecret> {
    let secret = EndpointSecret::parse(value)?;
    (dns::is_label(&secret.namespace) && dns::is_subdomain(&secret.name)).then_some(secret)
}

/// True after a session was requested to run: its IDE knows it or is about to.
fn is_settled(session: &IdeSession) -> bool {
    session.spec.desired() == Some(DesiredState::Running) || session.state() != State::Initial
}

/// Reports what is wrong with the annotation.
pub(crate) fn check(change: &Change<'_, IdeSession>, findings: &mut Vec<Finding>) {
    let new = written(change.object);
    if let Some(old) = change.old
        && is_settled(old)
        && written(old) != new
    {
        let text = |value: Option<&str>| value.map_or("absent".to_owned(), seen);
        let (was, is) = (text(written(old)), text(new));
        findings.push(Finding::new(
            Code::EndpointImmutable,
            path(),
            format!("cannot be changed once the session was asked to run: it was {was} and would be {is}"),
            "keep it, or create another IdeSession",
        ));
    }
    if let Some(value) = new.filter(|value| secret(value).is_none()) {
        findings.push(Finding::new(
            Code::EndpointInvalid,
            path(),
            format!("{} does not name a Secret", seen(value)),
            "write <namespace>/<name> of the Secret that says how the IDE is reached",
        ));
    }
}

/// Reports that the requester may not use the new IDE of the session.
pub(crate) fn check_access(change: &Change<'_, IdeSession>, facts: &dyn Facts, findings: &mut Vec<Finding>) {
    let Some(review) = access_review(change) else { return };
    let user = change.request.user_name();
    let secret = format!("secret {} of namespace {}", seen(&review.name), seen(&review.namespace));
    let (message, hint) = match facts.access(&review) {
        Access::Allowed => return,
        Access::Denied => (
            format!("user {} may not read {secret}, so its session may not use it", seen(user)),
            "name one that you may read, or ask for the right to get it",
        ),
        Access::Unknown => (
            format!(
                "cannot tell whether user {} may read {secret}: the API server did not answer",
                seen(user)
            ),
            "try again",
        ),
    };
    findings.push(Finding::new(Code::EndpointForbidden, path(), message, hint));
}

/// The access to review when the IDE of the session changes.
pub(crate) fn access_review(change: &Change<'_, IdeSession>) -> Option<AccessReview> {
    let value = written(change.object)?;
    if change.old.is_some_and(|old| is_settled(old) || written(old) == Some(value)) {
        return None;
    }
    let EndpointSecret { namespace, name } = secret(value)?;
    Some(AccessReview { verb: "get", group: "", resource: "secrets", namespace, name })
}
