//! The user of a session cannot change.
//!
//! The backend sets `userContext` from the identity of the requester when it creates the session. The runner has the
//! credentials of that user while the session lives. In the original, every user who may update the session can change
//! the field; its backend never does. An absent field and an empty one are equal.

use sojourn_crds::ambient::UserContext;

use super::{Subject, spec};
use crate::finding::{Code, Finding, seen};

/// Reports a change.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(old) = subject.old else { return };
    let (was, is) = (old.spec.user_context.as_ref(), subject.spec().user_context.as_ref());
    let nobody = UserContext::default();
    if was.unwrap_or(&nobody) == is.unwrap_or(&nobody) {
        return;
    }
    let (was, is) = (text(was), text(is));
    let is = if was == is { "the same user with another name or other groups".to_owned() } else { is };
    findings.push(Finding::new(
        Code::UserContextImmutable,
        spec("userContext"),
        format!("cannot be changed: it was {was} and would be {is}"),
        "keep it, or create another session",
    ));
}

fn text(user: Option<&UserContext>) -> String {
    match user {
        None => "absent".to_owned(),
        Some(user) => format!("user {}", seen(&user.user_id)),
    }
}
