//! What a cluster holds of a session, read and never written.

use crate::{
    control::{api, context::ReconciledKind, errors::CallError},
    core::{
        error::ErrorClass,
        object::{CachedObject, Kind},
        workload::WorkloadKind,
    },
};
use jiff::Timestamp;
use kube::{Client, api::ListParams};
use serde_json::{Value, json};

/// The UID of a session that is not there yet.
const UNBORN: &str = "00000000-0000-0000-0000-000000000000";

/// A cluster could not be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskClusterError {
    /// For the session.
    #[error("session {name} cannot be read: {source}")]
    Session {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: CallError,
    },
    /// For what belongs to it.
    #[error("objects of kind {kind} cannot be read: {source}")]
    Children {
        /// Their kind.
        kind: Kind,
        /// Why.
        #[source]
        source: CallError,
    },
}

/// What is known of a session beside its manifest.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Whether a cluster was asked.
    pub(super) asked: bool,
    /// The session as it is there.
    pub(super) session: Option<Value>,
    /// Children and pods.
    pub(super) objects: Vec<CachedObject>,
    /// Objects without our labels that have the names of children.
    pub(super) unlabelled: Vec<CachedObject>,
    /// What could not be read.
    pub(super) notes: Vec<String>,
}

/// The object of that name, if there is one.
pub(super) async fn observe<K: ReconciledKind>(
    client: &Client,
    namespace: Option<&str>,
    name: &str,
) -> Result<Known, AskClusterError> {
    let found = api::within(api::of_resource(client, &K::resource(), namespace).get_opt(name)).await;
    let found = found.map_err(|source| AskClusterError::Session { name: name.to_owned(), source })?;
    let session = found.map(|session| serde_json::to_value(session).unwrap_or_default());
    Ok(Known { asked: true, session, ..Known::default() })
}

/// The object of that name, its children and their pods.
pub(super) async fn observe_workload<K: WorkloadKind + ReconciledKind>(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Known, AskClusterError> {
    let mut known = observe::<K>(client, Some(namespace), name).await?;
    let (label, value) = K::SELECTOR;
    let ours = format!("{label}={value},{}={name}", K::NAME_LABEL);
    for kind in K::CHILDREN.iter().copied().chain([Kind::Pod]) {
        let params = ListParams::default().labels(&ours);
        match api::within(api::api(client, kind, Some(namespace)).list(&params)).await {
            Ok(list) => known
                .objects
                .extend(list.items.into_iter().filter_map(|item| CachedObject::from_dynamic(kind, item))),
            Err(error) if error.class() == ErrorClass::Forbidden => known.notes.push(format!(
                "you may not list objects of kind {kind}, so the plan is made as if there were none"
            )),
            Err(source) => return Err(AskClusterError::Children { kind, source }),
        }
    }
    Ok(known)
}

/// Objects that have the names of children to create. A name that may not be asked for counts as free.
pub(super) async fn unlabelled(
    client: &Client,
    namespace: &str,
    creates: Vec<(Kind, String)>,
) -> Result<Vec<CachedObject>, AskClusterError> {
    let mut found = Vec::new();
    for (kind, name) in creates {
        match api::find(&api::api(client, kind, Some(namespace)), &name).await {
            Ok(object) => found.extend(object.and_then(|object| CachedObject::from_dynamic(kind, object))),
            Err(error) if error.class() == ErrorClass::Forbidden => {}
            Err(source) => return Err(AskClusterError::Children { kind, source }),
        }
    }
    Ok(found)
}

/// The session as the API server would store it at `now`: the manifest's spec, labels and annotations, and what only
/// the API server and the operator write.
pub(super) fn as_stored(
    manifest: &Value,
    live: Option<&Value>,
    namespace: &str,
    name: &str,
    now: Timestamp,
) -> Value {
    let mut object = live.cloned().unwrap_or_else(|| {
        json!({"metadata": {
            "uid": UNBORN,
            "resourceVersion": "0",
            "generation": 1,
            "creationTimestamp": now.to_string(),
        }})
    });
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object["metadata"]["name"] = json!(name);
    for field in ["labels", "annotations"] {
        json_patch::merge(&mut object["metadata"][field], &manifest["metadata"][field]);
    }
    object["spec"] = manifest["spec"].clone();
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use sojourn_crds::amalthea::AmaltheaSession;

    #[test]
    fn a_manifest_takes_the_place_of_the_spec_and_leaves_the_rest() {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let manifest = json!({"metadata": {"labels": {"new": "1"}}, "spec": {"session": {"image": "b"}}});
        let live = json!({
            "metadata": {"name": "a", "namespace": "team", "uid": "u", "labels": {"old": "1"}},
            "spec": {"hibernated": true, "session": {"image": "a"}},
            "status": {"state": "Running", "runID": "r"},
        });
        let stored = |live| {
            let object = as_stored(&manifest, live, "team", "a", now);
            serde_json::from_value::<AmaltheaSession>(object).unwrap()
        };
        let born = stored(None);
        let stored = stored(Some(&live));
        assert_eq!(stored.uid(), "u");
        assert_eq!(stored.status.unwrap().run_id.as_deref(), Some("r"));
        assert_eq!(stored.metadata.labels.unwrap().into_keys().collect::<Vec<_>>(), ["new", "old"]);
        let spec = stored.spec.unwrap();
        assert_eq!((spec.hibernated, spec.session.image.as_str()), (false, "b"));

        assert_eq!(born.metadata.creation_timestamp.as_ref().unwrap().0, now);
        assert_eq!((born.uid(), born.status.is_none()), (UNBORN, true));
    }
}
