//! `amalthea.dev/v1alpha1 AmaltheaSession`.
//!
//! * [`spec`], [`session`] and [`status`]: the types
//! * [`names`]: names of children, containers, volumes, labels and annotations
//! * [`secrets`]: which secrets a session refers to
//! * [`lifetime`]: what the timeouts of a session mean for its workload

pub mod lifetime;
pub mod names;
pub mod secrets;
pub mod session;
pub mod spec;
pub mod status;

pub use lifetime::OnDeadline;
pub use session::*;
pub use spec::*;
pub use status::*;

use crate::crd::Column;
use crate::finalizers::Finalizers;
use crate::kind::DescribedKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::{Value, json};

/// Group of the kind.
pub const GROUP: &str = AmaltheaSession::DESCRIPTOR.group;
/// Group and version, as objects carry it.
pub const API_VERSION: &str = AmaltheaSession::DESCRIPTOR.api_version;
/// The kind.
pub const KIND: &str = AmaltheaSession::DESCRIPTOR.kind;
/// What holds sessions and their Jobs.
pub const FINALIZERS: Finalizers = Finalizers {
    kind: AmaltheaSession::DESCRIPTOR,
    on_sessions: &[names::SECRETS_FINALIZER],
    on_jobs: &[names::RESULT_FINALIZER],
};

const COLUMNS: [Column; 7] = [
    Column {
        name: "Status",
        kind: "string",
        path: ".status.state",
        description: "What the session does now",
        wide: false,
    },
    Column {
        name: "Ready",
        kind: "string",
        path: ".status.containerCounts.ready",
        description: "Containers that are ready",
        wide: false,
    },
    Column {
        name: "Total",
        kind: "string",
        path: ".status.containerCounts.total",
        description: "Containers of the session",
        wide: false,
    },
    Column { name: "Age", kind: "date", path: ".metadata.creationTimestamp", description: "", wide: false },
    Column {
        name: "Idle",
        kind: "boolean",
        path: ".status.idle",
        description: "Whether nobody uses the session",
        wide: false,
    },
    Column {
        name: "URL",
        kind: "string",
        path: ".status.url",
        description: "Where the session is reached; None without spec.ingress",
        wide: false,
    },
    Column {
        name: "Reason",
        kind: "string",
        path: ".status.conditions[?(@.type==\"Ready\")].message",
        description: "Why the session is in its state",
        wide: true,
    },
];

/// A user session: a notebook server, an IDE, an application, or a batch job.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AmaltheaSession {
    /// Standard object metadata, without managed fields.
    #[serde(deserialize_with = "crate::metadata::lean")]
    pub metadata: ObjectMeta,
    /// What is asked for. The schema does not require it, so an object without it may exist.
    pub spec: Option<AmaltheaSessionSpec>,
    /// What was last seen.
    pub status: Option<AmaltheaSessionStatus>,
}

crate::kind::custom_resource!(AmaltheaSession, optional spec, Namespaced {
    group: "amalthea.dev",
    version: "v1alpha1",
    plural: "amaltheasessions",
    singular: "amaltheasession",
    short_names: ["ams", "amss"],
});

/// The CRD of the kind.
pub fn crd() -> Value {
    let mut spec = crate::schema::structural::<AmaltheaSessionSpec>();
    spec["required"] = json!(["hibernated", "session"]);
    crate::schema::drop_quantity_patterns(&mut spec);
    let mut status = crate::schema::structural::<AmaltheaSessionStatus>();
    // Gives every new object `state: NotReady` and `idle: false` before anybody wrote a status.
    status["default"] = json!({});
    for counts in ["containerCounts", "initContainerCounts"] {
        if let Some(schema) = status["properties"][counts].as_object_mut() {
            schema.remove("default");
        }
    }
    crate::crd::assemble(
        AmaltheaSession::DESCRIPTOR,
        &COLUMNS,
        "A user session: a notebook server, an IDE, an application, or a batch job.",
        spec,
        status,
    )
}
