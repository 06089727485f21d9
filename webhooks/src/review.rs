//! The wire format of `admission.k8s.io/v1 AdmissionReview`: reads requests and writes responses.
//!
//! The objects are read after the envelope, so that a response has the uid of the request even when an object is nested
//! too deeply. A patch is base64 text, as the API documents.

use base64::Engine as _;
use k8s_openapi::api::authentication::v1::UserInfo;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::evaluate::Verdict;
use crate::finding::{Finding, cut};
use crate::object::Object;
use crate::request::{Operation, Request};
use crate::table::Row;

/// The version of the protocol.
pub const API_VERSION: &str = "admission.k8s.io/v1";
/// The kind of both messages.
pub const KIND: &str = "AdmissionReview";
/// A warning is truncated to this many characters, as Kubernetes recommends.
pub const LONGEST_WARNING: usize = 120;
/// A name in an answer or in the log is cut to this many characters, which no name of an object exceeds.
pub(crate) const LONGEST_NAME: usize = 253;
/// No request has a longer uid: it is a UUID.
const LONGEST_UID: usize = 256;
/// Findings that are listed in an answer.
const MOST_LISTED: usize = 100;
/// Bytes of findings that are listed in an answer.
const LONGEST_LIST: usize = 32 << 10;
/// Characters of one finding in an answer.
const LONGEST_LINE: usize = 1000;

/// A review as it is received.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incoming<'a> {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(borrow)]
    request: Option<Envelope<'a>>,
}

/// The request of a review, its objects still as text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<'a> {
    /// The uid of the request, which the response repeats.
    pub uid: String,
    /// The operation.
    pub operation: Operation,
    #[serde(default)]
    sub_resource: Option<String>,
    /// Namespace of the object.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Name of the object.
    #[serde(default)]
    pub name: Option<String>,
    /// The user who sends the request.
    #[serde(default)]
    pub user_info: UserInfo,
    #[serde(default)]
    dry_run: Option<bool>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    old_object: Option<&'a RawValue>,
}

/// Why a body cannot be read as a review.
#[derive(Debug, thiserror::Error)]
pub enum ReadReviewError {
    /// The body is not JSON, or not of the shape of a review.
    #[error("cannot read the body as an AdmissionReview")]
    Parse(#[source] serde_json::Error),
    /// The version or kind is another one.
    #[error("cannot answer {kind} of {api_version}; only {KIND} of {API_VERSION} is understood")]
    Version {
        /// The version of the body.
        api_version: String,
        /// The kind of the body.
        kind: String,
    },
    /// There is no request in the review.
    #[error("the AdmissionReview has no request")]
    NoRequest,
    /// The answer would have to repeat it.
    #[error("the uid of the request is longer than {LONGEST_UID} bytes")]
    Uid,
}

/// Reads the envelope of a review.
pub fn read(body: &[u8]) -> Result<Envelope<'_>, ReadReviewError> {
    let review: Incoming<'_> = serde_json::from_slice(body).map_err(ReadReviewError::Parse)?;
    if review.api_version != API_VERSION || review.kind != KIND {
        let name = |text: &str| cut(text, LONGEST_NAME);
        return Err(ReadReviewError::Version {
            api_version: name(&review.api_version),
            kind: name(&review.kind),
        });
    }
    let request = review.request.ok_or(ReadReviewError::NoRequest)?;
    if request.uid.len() > LONGEST_UID { Err(ReadReviewError::Uid) } else { Ok(request) }
}

impl Envelope<'_> {
    /// The request for the rules.
    pub fn request(&self) -> Request<'_> {
        Request {
            operation: self.operation,
            subresource: self.sub_resource.as_deref(),
            namespace: self.namespace.as_deref().unwrap_or_default(),
            name: self.name.as_deref().unwrap_or_default(),
            user: &self.user_info,
            old: self.old_object.map(Object::Text),
            new: self.object.map(Object::Text),
            dry_run: self.dry_run.unwrap_or_default(),
        }
    }
}

/// A review as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outgoing {
    api_version: String,
    kind: String,
    /// The response.
    pub response: Response,
}

/// The response to a request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The uid of the request.
    pub uid: String,
    /// Whether the request is admitted.
    pub allowed: bool,
    /// Why the request is denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// `JSONPatch` when there is a patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch_type: Option<String>,
    /// The patch, JSON in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// Warnings for the requester.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Annotations for the audit log.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub audit_annotations: std::collections::BTreeMap<String, String>,
}

/// A refusal in the form that the API server returns to its client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The HTTP code.
    pub code: u16,
    /// A machine-readable reason.
    pub reason: String,
    /// A message for people.
    pub message: String,
    /// Each field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

/// What is wrong with the object, field by field.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Name of the object.
    pub name: String,
    /// Group of the object.
    pub group: String,
    /// Kind of the object.
    pub kind: String,
    /// The findings.
    pub causes: Vec<Cause>,
}

/// One field that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// A machine-readable reason.
    pub reason: String,
    /// Path of the field.
    pub field: String,
    /// A message for people.
    pub message: String,
}

impl Response {
    /// The response with a verdict.
    pub fn verdict(row: &Row, uid: &str, name: &str, verdict: &Verdict) -> Self {
        let mut response = Self { uid: uid.to_owned(), allowed: verdict.allowed(), ..Self::default() };
        response.warnings = warnings(verdict);
        let mut codes: Vec<_> = verdict.findings.iter().map(|finding| finding.code.id()).collect();
        codes.sort_unstable();
        codes.dedup();
        if !codes.is_empty() {
            response.audit_annotations.insert("findings".to_owned(), codes.join(","));
        }
        if !response.allowed {
            response.status = Some(refusal(row, name, verdict));
        } else if !verdict.patch.is_empty() {
            // Operations with plain values can always be serialized. If that failed, the response would have no patch.
            if let Ok(patch) = serde_json::to_vec(&verdict.patch) {
                response.patch_type = Some("JSONPatch".to_owned());
                response.patch = Some(base64::engine::general_purpose::STANDARD.encode(patch));
            }
        }
        response
    }

    /// The response without a verdict: denied with that code, or admitted with a warning.
    pub fn without_verdict(uid: &str, allowed: bool, code: u16, reason: &str, message: &str) -> Self {
        let mut response = Self { uid: uid.to_owned(), allowed, ..Self::default() };
        if allowed {
            response.warnings = vec![warning(message)];
        } else {
            response.status =
                Some(Status { code, reason: reason.to_owned(), message: message.to_owned(), details: None });
        }
        response
    }

    /// The response in its envelope.
    pub fn review(self) -> Outgoing {
        Outgoing { api_version: API_VERSION.to_owned(), kind: KIND.to_owned(), response: self }
    }
}

/// The findings that an answer lists, and those that it only counts: nobody reads more, and an object may have
/// thousands.
fn listed<'a>(findings: impl Iterator<Item = &'a Finding>) -> (Vec<&'a Finding>, Vec<&'a Finding>) {
    let mut bytes = 0;
    let (listed, others): (Vec<_>, Vec<_>) = findings.enumerate().partition(|(index, finding)| {
        bytes += line(finding).len();
        *index < MOST_LISTED && bytes <= LONGEST_LIST
    });
    let findings = |list: Vec<(usize, &'a Finding)>| list.into_iter().map(|(_, finding)| finding).collect();
    (findings(listed), findings(others))
}

fn line(finding: &Finding) -> String {
    cut(&finding.to_string(), LONGEST_LINE)
}

fn refusal(row: &Row, name: &str, verdict: &Verdict) -> Status {
    let code = verdict.code();
    let (listed, others) = listed(verdict.denials());
    let more = format!("and {} more", others.len());
    let cause = |finding: &Finding, message: String| Cause {
        reason: finding.code.cause().as_str().to_owned(),
        field: cut(finding.path.as_str(), LONGEST_LINE),
        message,
    };
    let causes = listed.iter().map(|finding| cause(finding, cut(&finding.text(), LONGEST_LINE)));
    let lines = listed.iter().map(|finding| line(finding));
    // What is not listed begins at the field of the last cause.
    let causes = causes.chain(others.first().map(|finding| cause(finding, more.clone()))).collect();
    let lines: Vec<_> = lines.chain((!others.is_empty()).then(|| more.clone())).collect();
    Status {
        code,
        reason: if code == 403 { "Forbidden" } else { "Invalid" }.to_owned(),
        message: lines.join("\n"),
        details: Some(Details {
            name: cut(name, LONGEST_NAME),
            group: row.descriptor.group.to_owned(),
            kind: row.descriptor.kind.to_owned(),
            causes,
        }),
    }
}

fn warnings(verdict: &Verdict) -> Vec<String> {
    let (listed, others) = listed(verdict.warnings());
    let more = (!others.is_empty()).then(|| format!("and {} more", others.len()));
    listed.into_iter().map(|finding| warning(&finding.to_string())).chain(more).collect()
}

fn warning(text: &str) -> String {
    cut(text, LONGEST_WARNING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Code, FieldPath};
    use crate::table::TABLE;

    fn verdict(code: Code, count: usize, message: &str) -> Verdict {
        let finding = |index| Finding::new(code, FieldPath::new("spec").index(index), message, "");
        Verdict { findings: (0..count).map(finding).collect(), patch: Vec::new() }
    }

    #[test]
    fn an_answer_lists_so_many_findings_and_counts_the_rest() {
        let long = "ä".repeat(4000);
        for (message, count, listed) in [("short", 100, 100), ("short", 5000, 100), (&*long, 5000, 16)] {
            let answer =
                Response::verdict(&TABLE[0], "u", "x", &verdict(Code::DurationInvalid, count, message));
            let status = answer.status.unwrap();
            let causes = status.details.unwrap().causes;
            let more = count - listed;
            assert_eq!(causes.len(), listed + usize::from(more > 0));
            assert_eq!(status.message.lines().count(), causes.len());
            let says = |text: &str| text.ends_with(&format!("and {more} more")) == (more > 0);
            assert!(says(&status.message) && says(&causes[causes.len() - 1].message), "{}", status.message);
            assert!(status.message.len() < LONGEST_LIST + 200, "{} bytes", status.message.len());
        }
    }

    #[test]
    fn warnings_are_listed_likewise() {
        let answer =
            Response::verdict(&TABLE[0], "u", "x", &verdict(Code::ResultKept, 5000, &"ä".repeat(4000)));
        assert!(answer.allowed);
        assert!(answer.warnings.len() < 100 && answer.warnings[answer.warnings.len() - 1].ends_with(" more"));
        assert!(answer.warnings.iter().all(|warning| warning.chars().count() <= LONGEST_WARNING));
    }

    #[test]
    fn an_answer_does_nothing_to_a_terminal() {
        let hostile = "x\u{1b}[2J\u{9b}1m\r\n\u{202e}";
        let finding = |code| Finding::new(code, FieldPath::new("metadata").key(hostile), hostile, hostile);
        let findings = vec![finding(Code::DurationInvalid), finding(Code::ResultKept)];
        let answer = Response::verdict(&TABLE[0], "u", hostile, &Verdict { findings, patch: Vec::new() });
        let text = |value: serde_json::Value| -> Vec<String> {
            let mut texts = vec![value];
            let mut found = Vec::new();
            while let Some(value) = texts.pop() {
                match value {
                    serde_json::Value::String(text) => found.push(text),
                    serde_json::Value::Array(items) => texts.extend(items),
                    serde_json::Value::Object(fields) => {
                        texts.extend(fields.into_iter().map(|(_, value)| value))
                    }
                    _ => {}
                }
            }
            found
        };
        let texts = text(serde_json::to_value(&answer).unwrap());
        assert!(texts.iter().any(|text| text.contains("\\u{1b}[2J")), "{texts:?}");
        for text in texts {
            assert!(!text.chars().any(sojourn_crds::text::is_control), "{text:?}");
        }
    }

    #[test]
    fn what_is_repeated_of_a_request_is_short() {
        let long = "x".repeat(1 << 20);
        let answer = Response::verdict(&TABLE[0], "u", &long, &verdict(Code::DurationInvalid, 1, "m"));
        assert_eq!(answer.status.unwrap().details.unwrap().name.chars().count(), LONGEST_NAME);
        let body = |uid: &str| {
            let request = serde_json::json!({"uid": uid, "operation": "CREATE"});
            serde_json::json!({"apiVersion": API_VERSION, "kind": KIND, "request": request}).to_string()
        };
        assert!(matches!(read(body(&long).as_bytes()), Err(ReadReviewError::Uid)));
        assert!(read(body("6f1d6f0e-58a4-4f3a-9d0e-2f4a9b1c7d10").as_bytes()).is_ok());
    }
}
