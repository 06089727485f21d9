//! What the cluster holds, as small as the operator needs it.
//!
//! Ten thousand sessions are sixty thousand objects. Their metadata is cut to what is read, spec and
//! status stay text until a reconcile looks at them, and everything else is dropped on arrival.

mod packed;

use crate::core::manifest::fingerprint;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry, jiff::Timestamp};
use kube::core::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt};

pub use packed::{PackedObject, Uid};

/// The kinds that the operator creates, or reads to know how a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Volumes of sessions.
    PersistentVolumeClaim,
    /// Secrets that the operator writes.
    Secret,
    /// Workload of interactive sessions.
    StatefulSet,
    /// Workload of batch sessions.
    Job,
    /// Workload that may have several pods.
    Deployment,
    /// What a Deployment makes its pods with; made by Kubernetes.
    ReplicaSet,
    /// Stable address of an interactive session.
    Service,
    /// Way into an interactive session from outside.
    Ingress,
    /// Where a session runs; made by Kubernetes.
    Pod,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 9] = [
        Kind::PersistentVolumeClaim,
        Kind::Secret,
        Kind::StatefulSet,
        Kind::Job,
        Kind::Deployment,
        Kind::ReplicaSet,
        Kind::Service,
        Kind::Ingress,
        Kind::Pod,
    ];

    /// `apiVersion` of the kind.
    pub const fn api_version(self) -> &'static str {
        match self {
            Kind::PersistentVolumeClaim | Kind::Secret | Kind::Service | Kind::Pod => "v1",
            Kind::StatefulSet | Kind::Deployment | Kind::ReplicaSet => "apps/v1",
            Kind::Job => "batch/v1",
            Kind::Ingress => "networking.k8s.io/v1",
        }
    }

    /// The kind's name.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::PersistentVolumeClaim => "PersistentVolumeClaim",
            Kind::Secret => "Secret",
            Kind::StatefulSet => "StatefulSet",
            Kind::Job => "Job",
            Kind::Deployment => "Deployment",
            Kind::ReplicaSet => "ReplicaSet",
            Kind::Service => "Service",
            Kind::Ingress => "Ingress",
            Kind::Pod => "Pod",
        }
    }

    /// The kind's plural, as in URLs.
    pub const fn plural(self) -> &'static str {
        match self {
            Kind::PersistentVolumeClaim => "persistentvolumeclaims",
            Kind::Secret => "secrets",
            Kind::StatefulSet => "statefulsets",
            Kind::Job => "jobs",
            Kind::Deployment => "deployments",
            Kind::ReplicaSet => "replicasets",
            Kind::Service => "services",
            Kind::Ingress => "ingresses",
            Kind::Pod => "pods",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Text by key.
pub type StringMap = BTreeMap<String, String>;

/// An object of the cluster, cut to what is read. `Debug` shows no content: it may be a secret's.
#[derive(Clone, PartialEq)]
pub struct CachedObject {
    /// Kind of the object.
    pub kind: Kind,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Version of the object, for writes that must not overwrite another's.
    pub resource_version: String,
    /// Generation of what is wished for, where the kind has one.
    pub generation: Option<i64>,
    /// Labels.
    pub labels: StringMap,
    /// Annotations, without `kubectl`'s copy of the whole object.
    pub annotations: StringMap,
    /// Finalizers.
    pub finalizers: Vec<String>,
    /// UID of the controlling owner.
    pub owner: Option<String>,
    /// When the object was created.
    pub created: Option<Timestamp>,
    /// Since when it is being deleted.
    pub deleting: bool,
    /// Whether fields are owned by a writer whose rights have to be taken over before server-side apply
    /// can remove them: ourselves at creation, or the original operator.
    pub takeover: bool,
    /// Everything but `metadata` and `status`, as JSON.
    body: Box<str>,
    /// `status`, as JSON.
    status: Box<str>,
}

impl fmt::Debug for CachedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{} ({})", self.kind, self.namespace, self.name, self.uid)
    }
}

/// Field managers whose `Update` rights we take over: our own from creation; the original's, which wrote under its HTTP
/// library's default name; and the name that the API server gives to a client that has none, as our patches had none.
const TAKEN_OVER: [&str; 4] = [crate::core::manifest::MANAGER, "Go-http-client", "manager", "unknown"];

/// Whether a `managedFields` entry is one whose rights we take over.
pub fn is_taken_over(entry: &ManagedFieldsEntry) -> bool {
    entry.operation.as_deref() == Some("Update")
        && entry.subresource.as_deref().unwrap_or_default().is_empty()
        && entry.manager.as_deref().is_some_and(|manager| TAKEN_OVER.contains(&manager))
}

impl CachedObject {
    /// Cuts an object as the API server sends it. `None` when it has no name or UID.
    pub fn from_dynamic(kind: Kind, object: DynamicObject) -> Option<Self> {
        let DynamicObject { metadata, data, .. } = object;
        let Value::Object(mut body) = data else { return None };
        let status = trimmed_status(kind, body.remove("status").unwrap_or_default());
        let body = if kind == Kind::Pod { pod_body(&body) } else { Value::Object(body) };
        let mut annotations = metadata.annotations.unwrap_or_default();
        annotations.remove(sojourn_crds::metadata::LAST_APPLIED);
        let owners = metadata.owner_references.unwrap_or_default();
        Some(Self {
            kind,
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name?,
            uid: metadata.uid?,
            resource_version: metadata.resource_version.unwrap_or_default(),
            generation: metadata.generation,
            labels: metadata.labels.unwrap_or_default(),
            annotations,
            finalizers: metadata.finalizers.unwrap_or_default(),
            owner: owners.into_iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid),
            created: metadata.creation_timestamp.map(|time| time.0),
            deleting: metadata.deletion_timestamp.is_some(),
            takeover: metadata.managed_fields.iter().flatten().any(is_taken_over),
            body: body.to_string().into(),
            status: status.to_string().into(),
        })
    }

    /// Everything but metadata and status.
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A fingerprint of all that can be applied: labels, annotations and everything but metadata and status.
    pub fn content_fingerprint(&self) -> String {
        fingerprint(&json!([self.labels, self.annotations, self.finalizers, self.body]))
    }

    /// The status as a typed value; the default when there is none or it is of an unknown form.
    pub fn status<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_str(&self.status).unwrap_or_default()
    }
}

/// Of a pod's spec only the names of its containers are read, and which init containers are sidecars.
fn pod_body(body: &Map<String, Value>) -> Value {
    let spec = body.get("spec").unwrap_or(&Value::Null);
    let containers = |key: &str| -> Value {
        spec[key]
            .as_array()
            .into_iter()
            .flatten()
            .map(|container| {
                let mut kept = Map::new();
                for key in ["name", "restartPolicy"] {
                    if let Some(value) = container.get(key) {
                        kept.insert(key.into(), value.clone());
                    }
                }
                Value::Object(kept)
            })
            .collect()
    };
    json!({"spec": {
        "containers": containers("containers"),
        "initContainers": containers("initContainers"),
    }})
}

fn trimmed_status(kind: Kind, mut status: Value) -> Value {
    if let (Kind::Pod, Value::Object(status)) = (kind, &mut status) {
        for key in ["hostIP", "hostIPs", "podIPs", "qosClass"] {
            status.remove(key);
        }
        for key in ["containerStatuses", "initContainerStatuses"] {
            for container in status.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Value::Object(container) = container {
                    for key in ["volumeMounts", "resources", "allocatedResources", "containerID", "user"] {
                        container.remove(key);
                    }
                }
            }
        }
    }
    if status.is_null() { Value::Object(Map::new()) } else { status }
}
