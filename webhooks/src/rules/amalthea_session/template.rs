//! Labels and annotations of `spec.template` are ones that Kubernetes accepts.
//!
//! The original copies them onto every child unread: all children are then refused, at every pass, and the status
//! says nothing.

use super::{Subject, spec};
use crate::finding::Finding;
use crate::rules::metadata;

/// Says which labels and annotations are not.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let template = subject.spec.template.as_ref().and_then(|template| template.metadata.as_ref());
    if let Some(template) = template {
        let path = spec("template").child("metadata");
        metadata::check(&path, template.labels.as_ref(), template.annotations.as_ref(), findings);
    }
}
