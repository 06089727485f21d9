//! Records on the session that its adoptions were approved, so that its secrets may be deleted with it.
//!
//! Nothing is refused here: the validating webhook refuses an adoption that the requester has no right to. What is not
//! recorded is not deleted.

use std::collections::BTreeSet;

use json_patch::{AddOperation, PatchOperation, jsonptr::PointerBuf};
use serde_json::{Value, json};
use sojourn_crds::amalthea::AmaltheaSession;
use sojourn_crds::amalthea::secrets::adopted_secrets;

use super::secrets::deletion_of;
use crate::adoption::{self, ANNOTATION, Binding};
use crate::facts::{Access, AccessReview, Facts};
use crate::kind::Change;

/// The adopted secrets that the record of the session does not name yet, as questions.
pub(crate) fn access_reviews(change: &Change<'_, AmaltheaSession>, facts: &dyn Facts) -> Vec<AccessReview> {
    let Some(key) = facts.settings().approval_key.as_ref().filter(|_| !is_being_deleted(change)) else {
        return Vec::new();
    };
    let approved = change.old.map(|old| adoption::approved(key, &old.metadata)).unwrap_or_default();
    let new = adopted(change).into_iter().filter(|name| !approved.contains(*name));
    new.map(|name| deletion_of(change, name)).collect()
}

/// The annotation, if it is not there as it should be.
pub(crate) fn patch(change: &Change<'_, AmaltheaSession>, facts: &dyn Facts) -> Vec<PatchOperation> {
    let metadata = &change.object.metadata;
    let Some(key) = facts.settings().approval_key.as_ref().filter(|_| !is_being_deleted(change)) else {
        return Vec::new();
    };
    // The old object's record counts, whatever became of the annotation in the new one.
    let before = change.old.map(|old| adoption::approved(key, &old.metadata)).unwrap_or_default();
    let may_go =
        |name: &&str| before.contains(*name) || facts.access(&deletion_of(change, name)) == Access::Allowed;
    let approved: BTreeSet<String> = adopted(change).into_iter().filter(may_go).map(str::to_owned).collect();
    let is_current = change.old.is_some() && adoption::approved(key, metadata) == approved;
    let binding = match change.old.and_then(|old| old.metadata.uid.clone()) {
        Some(uid) => Binding::Uid(uid),
        None => Binding::Created(facts.now()),
    };
    let namespace = change.request.namespace;
    let written = metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION));
    let record = adoption::record(key, namespace, binding, approved);
    let Some(text) = record.filter(|text| !is_current && written != Some(text)) else {
        return Vec::new();
    };
    let add = |path: &[&str], value: Value| {
        PatchOperation::Add(AddOperation { path: PointerBuf::from_tokens(path.iter().copied()), value })
    };
    let first = metadata.annotations.is_none().then(|| add(&["metadata", "annotations"], json!({})));
    first.into_iter().chain([add(&["metadata", "annotations", ANNOTATION], json!(text))]).collect()
}

/// What is adopted while the session is being deleted was not adopted in time.
fn is_being_deleted(change: &Change<'_, AmaltheaSession>) -> bool {
    change.object.metadata.deletion_timestamp.is_some()
}

fn adopted<'a>(change: &Change<'a, AmaltheaSession>) -> BTreeSet<&'a str> {
    change.object.spec.as_ref().map(adopted_secrets).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adoption::{ApprovalKey, approved};
    use crate::facts::{Offline, Reviewed};
    use crate::request::{Operation, Request};
    use crate::settings::AdmissionSettings;
    use k8s_openapi::api::authentication::v1::UserInfo;
    use rstest::rstest;

    fn key() -> ApprovalKey {
        ApprovalKey::new([3; ApprovalKey::LENGTH])
    }

    /// A session that adopts these secrets, as the API server holds it.
    fn session(secrets: &[&str], annotation: Option<&str>) -> AmaltheaSession {
        let pulls: Vec<Value> = secrets.iter().map(|name| json!({"name": name, "adopt": true})).collect();
        let annotations = annotation.map(|text| json!({ANNOTATION: text}));
        serde_json::from_value(json!({
            "metadata": {"name": "a", "namespace": "n", "uid": "u", "annotations": annotations,
                         "creationTimestamp": "2026-01-01T12:00:00Z"},
            "spec": {"session": {"image": "debian"}, "imagePullSecrets": pulls},
        }))
        .unwrap()
    }

    /// The record after an update by a user who may delete `allowed`.
    fn after(
        old: Option<&AmaltheaSession>,
        new: &AmaltheaSession,
        allowed: &[&str],
    ) -> Option<BTreeSet<String>> {
        let user = UserInfo::default();
        let request = Request {
            operation: if old.is_some() { Operation::Update } else { Operation::Create },
            subresource: None,
            namespace: "n",
            name: "a",
            user: &user,
            old: None,
            new: None,
            dry_run: false,
        };
        let change = Change { request: &request, object: new, old };
        let settings = AdmissionSettings { approval_key: Some(key()), ..AdmissionSettings::default() };
        let known = Offline::new("2026-01-01T12:00:01Z".parse().unwrap(), settings);
        let questions = access_reviews(&change, &known);
        let answer = |question: AccessReview| {
            let allowed = allowed.contains(&question.name.as_str());
            (question, if allowed { Access::Allowed } else { Access::Denied })
        };
        let facts = Reviewed { facts: &known, reviews: questions.into_iter().map(answer).collect() };
        let patch = patch(&change, &facts);
        let mut object = serde_json::to_value(new).unwrap();
        json_patch::patch(&mut object, &patch).unwrap();
        let patched: AmaltheaSession = serde_json::from_value(object).unwrap();
        (!patch.is_empty()).then(|| approved(&key(), &patched.metadata))
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[rstest]
    #[case::all(&["x", "y"], &["x", "y"])]
    #[case::some(&["y"], &["y"])]
    #[case::none(&[], &[])]
    fn what_the_requester_may_delete_is_recorded(#[case] allowed: &[&str], #[case] recorded: &[&str]) {
        let recorded = Some(names(recorded)).filter(|names| !names.is_empty());
        assert_eq!(after(None, &session(&["x", "y"], None), allowed), recorded);
        let old = session(&[], None);
        assert_eq!(after(Some(&old), &session(&["x", "y"], None), allowed), recorded);
    }

    #[test]
    fn what_is_on_record_stays_there_whoever_edits() {
        let text = adoption::record(&key(), "n", Binding::Uid("u".to_owned()), names(&["x"])).unwrap();
        let old = session(&["x"], Some(&text));
        assert_eq!(after(Some(&old), &old, &[]), None);
        assert_eq!(after(Some(&old), &session(&["x", "y"], Some(&text)), &["y"]), Some(names(&["x", "y"])));
        // Also when a client sends the object without the annotation.
        assert_eq!(after(Some(&old), &session(&["x"], None), &[]), Some(names(&["x"])));
    }

    #[test]
    fn nothing_is_recorded_of_a_session_that_is_being_deleted() {
        let mut new = session(&["x"], None);
        new.metadata.deletion_timestamp = new.metadata.creation_timestamp.clone();
        let old = AmaltheaSession { spec: session(&[], None).spec, ..new.clone() };
        assert_eq!(after(Some(&old), &new, &["x"]), None);
    }
}
