//! `usvc-dev.developer.microsoft.com/v1 IdeSession`.
//!
//! * [`spec`] and [`status`]: the types
//! * [`state`]: the states of a session, those that can be asked for, and the steps between them
//! * [`endpoint`]: the annotation that says which IDE a session is for

pub mod endpoint;
pub mod spec;
pub mod state;
pub mod status;

pub use endpoint::EndpointSecret;
pub use spec::*;
pub use state::{DesiredState, State};
pub use status::*;

use crate::crd::Column;
use crate::finalizers::Finalizers;
use crate::kind::DescribedKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::{Value, json};

/// Group of the kind.
pub const GROUP: &str = IdeSession::DESCRIPTOR.group;
/// Group and version, as objects carry it.
pub const API_VERSION: &str = IdeSession::DESCRIPTOR.api_version;
/// The kind.
pub const KIND: &str = IdeSession::DESCRIPTOR.kind;
/// Finalizer of every session: the IDE is asked to end what it runs before the object goes.
pub const FINALIZER: &str = "usvc-dev.developer.microsoft.com/ide-session-reconciler";
/// What holds sessions. They have no Jobs.
pub const FINALIZERS: Finalizers =
    Finalizers { kind: IdeSession::DESCRIPTOR, on_sessions: &[FINALIZER], on_jobs: &[] };

const COLUMNS: [Column; 4] = [
    Column {
        name: "State",
        kind: "string",
        path: ".status.state",
        description: "What the session does now",
        wide: false,
    },
    Column {
        name: "Session",
        kind: "string",
        path: ".status.sessionID",
        description: "The IDE's name for the session",
        wide: false,
    },
    Column {
        name: "PID",
        kind: "integer",
        path: ".status.pid",
        description: "The process that is debugged",
        wide: false,
    },
    Column { name: "Age", kind: "date", path: ".metadata.creationTimestamp", description: "", wide: false },
];

/// A debug run session in a connected IDE. It belongs to no namespace.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct IdeSession {
    /// Standard object metadata.
    #[serde(deserialize_with = "crate::metadata::lean")]
    pub metadata: ObjectMeta,
    /// What is asked for. An object without it is one whose fields are all empty.
    #[serde(default)]
    pub spec: IdeSessionSpec,
    /// What was last seen.
    pub status: Option<IdeSessionStatus>,
}

impl IdeSession {
    /// What the session does, as last seen.
    pub fn state(&self) -> State {
        self.status.as_ref().map(|status| status.state).unwrap_or_default()
    }
}

crate::kind::custom_resource!(IdeSession, required spec, Cluster {
    group: "usvc-dev.developer.microsoft.com",
    version: "v1",
    plural: "idesessions",
    singular: "idesession",
    short_names: ["ides"],
});

/// The CRD of the kind.
pub fn crd() -> Value {
    let mut spec = crate::schema::structural::<IdeSessionSpec>();
    // Rules about a change stand on `spec`, so a spec that was removed must still be there to be judged. The server
    // tries them on the default as it is written here.
    spec["default"] = json!({"launchConfigurations": ""});
    let mut status = crate::schema::structural::<IdeSessionStatus>();
    // Gives every new object `state: ""` before anybody wrote a status, as the original does.
    status["default"] = json!({});
    // Clients of the original send whole objects, and write a moment that is not there as null.
    for moment in ["startupTimestamp", "finishTimestamp"] {
        status["properties"][moment]["nullable"] = json!(true);
    }
    crate::crd::assemble(
        IdeSession::DESCRIPTOR,
        &COLUMNS,
        "A debug run session in a connected IDE.",
        spec,
        status,
    )
}
