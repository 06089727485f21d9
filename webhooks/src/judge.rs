//! From a request to a verdict: exemptions, rules and ratcheting in one place, for the webhook and for offline use.

use json_patch::PatchOperation;

use crate::facts::{AccessQuestion, Facts};
use crate::finding::{Finding, Severity};
use crate::request::{Operation, Request};
use crate::rules::code::Class;
use crate::table::{Row, Rule};

/// What is to be answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// All findings, sorted by path.
    pub findings: Vec<Finding>,
    /// What is to be changed in the object.
    pub patch: Vec<PatchOperation>,
}

impl Verdict {
    /// True when nothing speaks against the request.
    pub fn allowed(&self) -> bool {
        self.denials().next().is_none()
    }

    /// The findings that speak against the request.
    pub fn denials(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Deny)
    }

    /// The findings that the requester is only told.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Warn)
    }

    /// The HTTP code of a refusal: 403 when all that is wrong is who asks, else 422.
    pub fn code(&self) -> u16 {
        if self.denials().all(|finding| finding.code.class() == Class::Forbidden) { 403 } else { 422 }
    }
}

/// Judges a request by the rules of one row.
///
/// What is going, what only touches a subresource, and what the operator itself writes is never held up. On an
/// update a finding that the old object has too is dropped: a rule that is newer than an object, or than its
/// session, must not freeze it.
pub fn judge(row: &Row, request: &Request<'_>, facts: &dyn Facts) -> Verdict {
    let Some(_) = request.judged() else { return Verdict::default() };
    if facts.settings().is_operator(request.user_name()) {
        return Verdict::default();
    }
    match row.rule {
        Rule::Mutate(mutate) => Verdict { patch: mutate(request, facts), findings: Vec::new() },
        Rule::Validate(validate) => {
            let mut findings = validate(request, facts);
            // What the old object gets wrong only matters beside something that the new one gets wrong.
            if let Some(before) = request.before().filter(|_| !findings.is_empty()) {
                let earlier =
                    Request { operation: Operation::Create, old: None, new: Some(before), ..*request };
                let known = validate(&earlier, facts);
                findings.retain(|finding| {
                    finding.code.is_about_the_change() || !known.iter().any(|old| old.same_as(finding))
                });
            }
            findings.sort_by(|a, b| (&a.path, a.code, &a.message).cmp(&(&b.path, b.code, &b.message)));
            findings.dedup();
            Verdict { findings, patch: Vec::new() }
        }
    }
}

/// What has to be asked before the request can be judged.
pub fn questions(row: &Row, request: &Request<'_>, facts: &dyn Facts) -> Vec<AccessQuestion> {
    match row.questions {
        Some(ask) if request.judged().is_some() && !facts.settings().is_operator(request.user_name()) => {
            ask(request)
        }
        _ => Vec::new(),
    }
}
