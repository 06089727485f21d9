//! Evaluates requests: exemptions, rules and ratcheting, for the webhook and for offline commands.

use json_patch::PatchOperation;

use crate::facts::{AccessReview, Facts};
use crate::finding::{Code, FieldPath, Finding, Severity, seen};
use crate::kind::Subject;
use crate::object::ReadObjectError;
use crate::request::{Operation, Request};
use crate::rules::code::Class;
use crate::settings::AdmissionSettings;
use crate::table::{NAMESPACE_BUDGET, Row, WebhookType};

/// The result of an evaluation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// All findings, sorted by the rank of their codes and by path.
    pub findings: Vec<Finding>,
    /// The changes of the object.
    pub patch: Vec<PatchOperation>,
}

impl Verdict {
    /// True when the request is admitted.
    pub fn allowed(&self) -> bool {
        self.denials().next().is_none()
    }

    /// The findings that deny the request.
    pub fn denials(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Deny)
    }

    /// The findings that only warn the requester.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Warn)
    }

    /// The HTTP code of a refusal: 403 when only the rights of the requester are at fault, else 422.
    pub fn code(&self) -> u16 {
        if self.denials().all(|finding| finding.code.class() == Class::Forbidden) { 403 } else { 422 }
    }
}

/// A request whose objects have been read, before its verdict.
pub struct Evaluation<'a> {
    row: &'static Row,
    request: &'a Request<'a>,
    input: Input,
}

/// What the rules are evaluated on.
enum Input {
    /// Nothing: the request is exempt.
    Nothing,
    /// The objects in the type of their kind.
    Subject(Box<dyn Subject>),
    /// An object that does not fit its kind; the text says why.
    Malformed(String),
}

impl<'a> Evaluation<'a> {
    /// Reads the objects of a request.
    ///
    /// Deletions, writes of a subresource and requests of the operator are exempt, and their objects are not read. An
    /// edit of an object in deletion is evaluated like others: what the operator does when an object is deleted depends
    /// on its spec. Fails only for an object that is nested too deeply to be read.
    pub fn open(
        row: &'static Row,
        request: &'a Request<'a>,
        settings: &AdmissionSettings,
    ) -> Result<Self, ReadObjectError> {
        let evaluated = request.evaluated().filter(|_| !settings.is_operator(request.user_name()));
        let input = match evaluated.map(|new| (row.read)(new, request.before())) {
            None => Input::Nothing,
            Some(Ok(subject)) => Input::Subject(subject),
            Some(Err(ReadObjectError::Shape(text))) => Input::Malformed(text),
            Some(Err(error @ ReadObjectError::Syntax)) => return Err(error),
        };
        Ok(Self { row, request, input })
    }

    /// The name of the object, or the beginning of a generated one.
    pub fn name(&self) -> &str {
        let written = match &self.input {
            Input::Subject(subject) => {
                let metadata = subject.metadata();
                metadata.name.as_deref().or(metadata.generate_name.as_deref())
            }
            _ => None,
        };
        if self.request.name.is_empty() { written.unwrap_or_default() } else { self.request.name }
    }

    /// The accesses that the API server has to review before the verdict.
    pub fn access_reviews(&self, facts: &dyn Facts) -> Vec<AccessReview> {
        match (&self.input, self.row.webhook_type) {
            (Input::Subject(_), _) if !self.row.needs_access_review => Vec::new(),
            (Input::Subject(subject), WebhookType::Validating) => subject.access_reviews(self.request),
            (Input::Subject(subject), WebhookType::Mutating) => {
                subject.access_reviews_for_patch(self.request, facts)
            }
            _ => Vec::new(),
        }
    }

    /// Evaluates the rules of the row.
    ///
    /// On an update, findings that the old object has too are dropped: a rule that is newer than the object must not
    /// block other changes of it.
    pub fn verdict(&self, facts: &dyn Facts) -> Verdict {
        match (&self.input, self.row.webhook_type) {
            (Input::Nothing, _) | (Input::Malformed(_), WebhookType::Mutating) => Verdict::default(),
            (Input::Subject(subject), WebhookType::Mutating) => {
                Verdict { patch: subject.patch(self.request, facts), findings: Vec::new() }
            }
            (Input::Malformed(text), WebhookType::Validating) => {
                Verdict { findings: self.malformed(text).into_iter().collect(), patch: Vec::new() }
            }
            (Input::Subject(subject), WebhookType::Validating) => {
                if let Some(finding) = self.too_large().or_else(|| self.namespace_full(facts)) {
                    // A spec that is too long is not read further: each of its items could be a finding.
                    return Verdict { findings: vec![finding], patch: Vec::new() };
                }
                let mut findings = subject.findings(self.request, facts);
                // The findings of the old object only matter when the new object has some.
                if !findings.is_empty() {
                    let known = subject.findings_before(self.request, facts);
                    findings.retain(|finding| {
                        finding.code.is_about_the_change() || !known.iter().any(|old| old.same_as(finding))
                    });
                }
                findings.sort_by(|a, b| a.order().cmp(&b.order()));
                findings.dedup();
                Verdict { findings, patch: Vec::new() }
            }
        }
    }

    /// A spec that is longer than the operator can hold of every session; one that was as long before may get shorter.
    fn too_large(&self) -> Option<Finding> {
        let limit = self.row.longest_spec?;
        let object = self.request.evaluated().filter(|object| !object.came_within(limit))?;
        let length = object.spec_length();
        if length <= limit || self.request.before().is_some_and(|old| length <= old.spec_length()) {
            return None;
        }
        Some(Finding::new(
            Code::SpecTooLarge,
            FieldPath::new("spec"),
            format!("the spec has {length} bytes as JSON; at most {limit} are allowed"),
            "keep large content in a ConfigMap or Secret, and mount it or refer to it by envFrom",
        ))
    }

    /// A namespace whose sessions take so much memory that those of others would have none.
    fn namespace_full(&self, facts: &dyn Facts) -> Option<Finding> {
        let creates = self.request.operation == Operation::Create && self.row.longest_spec.is_some();
        let held = facts.held_bytes(self.request.namespace);
        (creates && held > NAMESPACE_BUDGET).then(|| {
            Finding::new(
                Code::NamespaceFull,
                FieldPath::new("metadata").child("namespace"),
                format!(
                    "the sessions of this namespace take {} MiB of the operator's memory; at most {} are allowed",
                    held >> 20,
                    NAMESPACE_BUDGET >> 20
                ),
                "delete sessions that nobody needs, or make them smaller",
            )
        })
    }

    /// The finding for a malformed object; none when the old object is malformed in the same way.
    fn malformed(&self, text: &str) -> Option<Finding> {
        let before = self.request.before().map(|old| (self.row.read)(old, None));
        let as_before = matches!(before, Some(Err(ReadObjectError::Shape(old))) if old == text);
        let kind = self.row.descriptor.kind;
        (!as_before).then(|| {
            Finding::new(
                Code::SchemaInvalid,
                FieldPath::default(),
                format!("the object is not a readable {kind}: {}", seen(text)),
                format!("compare it with `kubectl explain {}`", kind.to_lowercase()),
            )
        })
    }
}

/// Evaluates the rules of one row for a request.
pub fn evaluate(row: &'static Row, request: &Request<'_>, facts: &dyn Facts) -> Verdict {
    match Evaluation::open(row, request, facts.settings()) {
        Ok(evaluation) => evaluation.verdict(facts),
        Err(error) => {
            let hint = "write it without such nesting";
            let finding = Finding::new(Code::SchemaInvalid, FieldPath::default(), error.to_string(), hint);
            Verdict { findings: vec![finding], patch: Vec::new() }
        }
    }
}
