//! For whom a session runs is decided once.
//!
//! `userContext` is written when the session is created, from the identity of who asks. The runner is given the
//! credentials of that user for as long as the session lives. The original lets anybody change it who may change the
//! session; its own backend never does. What is absent and what is empty is the same.

use sojourn_crds::ambient::UserContext;

use super::{Subject, spec};
use crate::finding::{Code, Finding, seen};

/// Says that it was changed.
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
