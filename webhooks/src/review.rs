//! The wire format of `admission.k8s.io/v1 AdmissionReview`: reads requests and writes responses.
//!
//! The objects are read after the envelope, so that a response has the uid of the request even when an object is nested
//! too deeply. A patch is base64 text, as the API documents.

use base64::Engine as _;
use k8s_openapi::api::authentication::v1::UserInfo;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::evaluate::Verdict;
use crate::object::Object;
use crate::request::{Operation, Request};
use crate::table::Row;

/// The version of the protocol.
pub const API_VERSION: &str = "admission.k8s.io/v1";
/// The kind of both messages.
pub const KIND: &str = "AdmissionReview";
/// A warning is truncated to this many characters, as Kubernetes recommends.
pub const LONGEST_WARNING: usize = 120;

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
}

/// Reads the envelope of a review.
pub fn read(body: &[u8]) -> Result<Envelope<'_>, ReadReviewError> {
    let review: Incoming<'_> = serde_json::from_slice(body).map_err(ReadReviewError::Parse)?;
    if review.api_version != API_VERSION || review.kind != KIND {
        return Err(ReadReviewError::Version { api_version: review.api_version, kind: review.kind });
    }
    review.request.ok_or(ReadReviewError::NoRequest)
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
        response.warnings = verdict.warnings().map(|finding| warning(&finding.to_string())).collect();
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

fn refusal(row: &Row, name: &str, verdict: &Verdict) -> Status {
    let code = verdict.code();
    let causes: Vec<_> = verdict
        .denials()
        .map(|finding| Cause {
            reason: finding.code.cause().as_str().to_owned(),
            field: finding.path.to_string(),
            message: finding.text(),
        })
        .collect();
    let listed: Vec<_> = verdict.denials().map(ToString::to_string).collect();
    Status {
        code,
        reason: if code == 403 { "Forbidden" } else { "Invalid" }.to_owned(),
        message: listed.join("\n"),
        details: Some(Details {
            name: name.to_owned(),
            group: row.descriptor.group.to_owned(),
            kind: row.descriptor.kind.to_owned(),
            causes,
        }),
    }
}

fn warning(text: &str) -> String {
    if text.chars().count() <= LONGEST_WARNING {
        return text.to_owned();
    }
    text.chars().take(LONGEST_WARNING - 1).chain(['…']).collect()
}
