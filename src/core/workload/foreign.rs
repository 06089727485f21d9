//! Objects that have the name of a child and do not belong to the session.
//!
//! One kind of them is used all the same: a claim of nobody that has the labels of the session, as one has that was put
//! back from a backup. The labels are what its owner says: a user who may only create sessions cannot set them, so no
//! session gets at a claim by its name alone. Such a claim is mounted, and neither changed nor deleted, so that nothing
//! is lost with the session that nobody gave to it.

use super::{ChildError, Observed, WorkloadKind};
use crate::core::{
    error::ErrorClass,
    object::{CachedObject, Kind},
};
use serde_json::Value;

impl<K: WorkloadKind> Observed<K> {
    /// The claim of that name that pods of the session mount: its own, or one of nobody.
    pub fn claim(&self, name: &str) -> Option<&CachedObject> {
        let claim = self.child(Kind::PersistentVolumeClaim, name)?;
        (self.owns(claim) || is_unowned_claim(&*self.session, claim)).then_some(claim)
    }
}

/// Whether an object is a claim that belongs to nobody and has the labels of the session.
pub fn is_unowned_claim<K: WorkloadKind>(session: &K, object: &CachedObject) -> bool {
    let labelled = |key: &str, value: &str| object.labels.get(key).is_some_and(|label| label == value);
    object.kind == Kind::PersistentVolumeClaim
        && object.owner.is_none()
        && labelled(K::SELECTOR.0, K::SELECTOR.1)
        && labelled(K::NAME_LABEL, session.name())
}

/// Why the object, which does not belong to the session, is in the way of a child with the manifest `wished`. `None` for
/// a claim that can be used.
pub fn obstacle<K: WorkloadKind>(session: &K, wished: &Value, object: &CachedObject) -> Option<ChildError> {
    if !is_unowned_claim(session, object) {
        return Some(name_taken(session, object));
    }
    let CachedObject { kind, name, .. } = object;
    let misfit = misfit(wished, object)?;
    let message = format!(
        "the {kind} named \"{name}\" belongs to nobody, so it is used and not changed, but {misfit}; rename the session, \
         or put a {kind} back that fits"
    );
    Some(ChildError { kind: *kind, name: name.clone(), class: ErrorClass::Foreign, message })
}

/// Why pods cannot use a claim in place of the one that is wished for.
fn misfit(wished: &Value, claim: &CachedObject) -> Option<String> {
    let body = claim.body();
    let list = |spec: &Value| -> Vec<String> {
        let modes = spec["accessModes"].as_array().into_iter().flatten();
        modes.filter_map(|mode| mode.as_str().map(str::to_owned)).collect()
    };
    let (has, needs) = (list(&body["spec"]), list(&wished["spec"]));
    let allows = |mode: &String| {
        let stands_in = |other: &str| has.iter().any(|mode| mode == other);
        has.contains(mode)
            || stands_in("ReadWriteMany")
            || (mode == "ReadWriteOnce" && stands_in("ReadWriteOncePod"))
    };
    if let Some(mode) = needs.iter().find(|mode| !allows(mode)) {
        return Some(format!("its access modes are {}, and {mode} is needed", has.join(", ")));
    }
    (body["spec"]["volumeMode"] == "Block")
        .then(|| "it is a block device, and a file system is needed".into())
}

/// The name of a child is taken. An object that is being deleted frees the name by itself.
fn name_taken<K: WorkloadKind>(session: &K, object: &CachedObject) -> ChildError {
    let CachedObject { kind, name, .. } = object;
    let way_out = match kind {
        Kind::PersistentVolumeClaim if object.owner.is_none() => {
            let ((part, value), instance) = (K::SELECTOR, K::NAME_LABEL);
            let session = session.name();
            format!(
                "rename the session; or, if its files are for this session, label it: kubectl label pvc {name} \
                 {part}={value} {instance}={session}"
            )
        }
        // What is in it may be needed.
        Kind::PersistentVolumeClaim | Kind::Secret => "rename the session".to_owned(),
        _ => format!("rename the session, or remove the {kind}"),
    };
    ChildError {
        kind: *kind,
        name: name.clone(),
        class: if object.deleting { ErrorClass::Transient } else { ErrorClass::Foreign },
        message: format!("a {kind} named \"{name}\" exists and does not belong to this session; {way_out}"),
    }
}
