//! Labels and annotations that are copied to children are accepted by Kubernetes.

use std::collections::BTreeMap;

use sojourn_crds::dns;

use crate::finding::{Code, FieldPath, Finding, seen};

/// Reports the labels and annotations of the metadata at `path` that Kubernetes does not accept.
pub(crate) fn check(
    path: &FieldPath,
    labels: Option<&BTreeMap<String, String>>,
    annotations: Option<&BTreeMap<String, String>>,
    findings: &mut Vec<Finding>,
) {
    let at = |field: &str, key: &str| path.child(field).key(key);
    let mut found = |path, message| {
        findings.push(Finding::new(
            Code::TemplateInvalid,
            path,
            message,
            "use letters, digits, '-', '_' and '.'",
        ));
    };
    for (key, value) in labels.into_iter().flatten() {
        if !is_qualified_name(key) {
            found(at("labels", key), format!("{} cannot be the key of a label", seen(key)));
        }
        if !value.is_empty() && !is_name(value) {
            let message = format!("{} cannot be the value of a label (at most 63 characters)", seen(value));
            found(at("labels", key), message);
        }
    }
    for key in annotations.into_iter().flatten().map(|(key, _)| key) {
        // Kubernetes compares annotation keys in lower case.
        if !is_qualified_name(&key.to_lowercase()) {
            found(at("annotations", key), format!("{} cannot be the key of an annotation", seen(key)));
        }
    }
}

/// `[prefix/]name`, where the prefix is a DNS name.
pub(crate) fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        None => is_name(key),
        Some((prefix, name)) => dns::is_subdomain(prefix) && is_name(name),
    }
}

/// A name as in labels and annotations, without a prefix.
pub(crate) fn is_name(name: &str) -> bool {
    let edge = |b: u8| b.is_ascii_alphanumeric();
    name.len() <= 63
        && name.bytes().next().is_some_and(edge)
        && name.bytes().last().is_some_and(edge)
        && name.bytes().all(|b| edge(b) || matches!(b, b'-' | b'_' | b'.'))
}
