//! Fields that cannot be changed once the session exists, judged after defaulting.
//!
//! A list that was added or removed is a change; an Ingress may come and go, only its host may not change. The
//! original refuses every change of these fields, but not adding or removing the list of repositories, which it then
//! ignores for a volume that already exists.

use super::{Subject, spec};
use crate::finding::{Code, FieldPath, Finding, seen};

/// Says what was changed that may not be.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(old) = subject.old_spec() else { return };
    let new = subject.spec;
    let mut changed = |code: Code, path: FieldPath, was: String, is: String| {
        findings.push(Finding::new(
            code,
            path,
            format!("cannot be changed: it was {was} and would be {is}"),
            "keep it, or create another session",
        ));
    };
    if old.location != new.location {
        let text = |location| format!("{location:?}").to_lowercase();
        changed(Code::LocationImmutable, spec("location"), text(old.location), text(new.location));
    }
    if old.session_type != new.session_type {
        let (was, is) = (format!("{:?}", old.session_type), format!("{:?}", new.session_type));
        changed(Code::SessionTypeImmutable, spec("sessionType"), was, is);
    }
    if let (Some(was), Some(is)) = (&old.ingress, &new.ingress)
        && was.host != is.host
    {
        changed(Code::HostImmutable, spec("ingress").child("host"), seen(&was.host), seen(&is.host));
    }
    if old.code_repositories != new.code_repositories {
        let text = |count: usize| match count {
            0 => "absent".to_owned(),
            1 => "a list of 1 repository".to_owned(),
            many => format!("a list of {many} repositories"),
        };
        let (was, is) = (text(old.code_repositories.len()), text(new.code_repositories.len()));
        let is = if was == is { "one with other content".to_owned() } else { is };
        changed(Code::RepositoriesImmutable, spec("codeRepositories"), was, is);
    }
}
