//! `sojourn.dev/v1alpha1 Notebook`: the Jupyter server of a workspace.
//!
//! * [`spec`], [`idle`] and [`status`]: the types
//! * [`names`]: names of Deployment, Service, container, volume and labels, and the placeholders for them
//! * [`lifetime`]: what the timeouts of a notebook mean for a Job that belongs to it

pub mod idle;
pub mod lifetime;
pub mod names;
pub mod spec;
pub mod status;

pub use idle::*;
pub use spec::*;
pub use status::*;

use crate::crd::Column;
use crate::kind::DescribedKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use names::NameNotebookError;
use serde::Deserialize;
use serde_json::{Value, json};

const COLUMNS: [Column; 5] = [
    Column {
        name: "Phase",
        kind: "string",
        path: ".status.phase",
        description: "What the notebook does now",
        wide: false,
    },
    Column {
        name: "Ready",
        kind: "string",
        path: ".status.conditions[?(@.type==\"Ready\")].status",
        description: "Whether its server answers",
        wide: false,
    },
    Column {
        name: "URL",
        kind: "string",
        path: ".status.url",
        description: "Where it is reached in the cluster",
        wide: false,
    },
    Column {
        name: "Last-Activity",
        kind: "date",
        path: ".status.lastActivity",
        description: "How long ago it was last used",
        wide: false,
    },
    Column { name: "Age", kind: "date", path: ".metadata.creationTimestamp", description: "", wide: false },
];

const DESCRIPTION: &str = "The Jupyter server of a workspace: a Deployment and a Service, which are there while \
    somebody uses them, and a volume of files, which stays.";

/// The Jupyter server of a workspace.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Notebook {
    /// Standard object metadata, without managed fields.
    #[serde(deserialize_with = "crate::metadata::lean")]
    pub metadata: ObjectMeta,
    /// What is asked for.
    #[serde(default)]
    pub spec: NotebookSpec,
    /// What was last seen.
    pub status: Option<NotebookStatus>,
}

impl Notebook {
    /// The workspace that the notebook belongs to.
    pub fn workspace_id(&self) -> &str {
        self.spec.workspace_id.as_deref().unwrap_or_else(|| self.name())
    }

    /// The server name; empty for the workspace's default notebook.
    pub fn server_name(&self) -> &str {
        self.spec.server_name.as_deref().unwrap_or_default()
    }

    /// The name of Deployment and Service.
    pub fn deployment_name(&self) -> Result<String, NameNotebookError> {
        names::deployment(self.workspace_id(), self.server_name(), self.spec.name_scheme)
    }
}

crate::kind::custom_resource!(Notebook, required spec, Namespaced {
    group: "sojourn.dev",
    version: "v1alpha1",
    plural: "notebooks",
    singular: "notebook",
    short_names: ["nb"],
});

/// The CRD of the kind.
///
/// CEL holds only what compares old and new: a rule of the schema that is broken keeps the API server from asking the
/// webhook, and with it from naming everything else that is wrong in the same answer.
pub fn crd() -> Value {
    let mut spec = crate::schema::structural::<NotebookSpec>();
    // Makes of a Notebook without spec one with the defaults of the schema.
    spec["default"] = json!({});
    // The webhook says in words what the regular expression of quantities says.
    for list in ["limits", "requests"] {
        let quantity = &mut spec["properties"]["resources"]["properties"][list]["additionalProperties"];
        if let Some(quantity) = quantity.as_object_mut() {
            quantity.remove("pattern");
        }
    }
    let overlay = &mut spec["properties"]["podTemplate"];
    crate::schema::overlay(overlay);
    // A pod template cannot have them.
    if let Some(pod) = overlay["properties"]["spec"]["properties"].as_object_mut() {
        pod.remove("ephemeralContainers");
    }
    let status = crate::schema::structural::<NotebookStatus>();
    let mut crd = crate::crd::assemble(Notebook::DESCRIPTOR, &COLUMNS, DESCRIPTION, spec, status);
    // On the root, where the name that an absent workspaceID stands for can be seen.
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] = json!([
        immutable(
            "spec.workspaceID",
            "has(self.spec.workspaceID) \
             ? self.spec.workspaceID == (has(oldSelf.spec.workspaceID) ? oldSelf.spec.workspaceID : oldSelf.metadata.name) \
             : !has(oldSelf.spec.workspaceID)",
        ),
        immutable(
            "spec.serverName",
            "(has(self.spec.serverName) ? self.spec.serverName : '') \
             == (has(oldSelf.spec.serverName) ? oldSelf.spec.serverName : '')",
        ),
        immutable("spec.nameScheme", "self.spec.nameScheme == oldSelf.spec.nameScheme"),
    ]);
    crd
}

/// A rule in CEL that keeps a field as it is, in the words of the webhook.
fn immutable(field: &str, rule: &str) -> Value {
    let text = |object: &str| {
        let value = format!("{object}.{field}");
        format!("(has({value}) ? '\"' + {value} + '\"' : 'absent')")
    };
    json!({
        "rule": rule,
        "fieldPath": format!(".{field}"),
        "message": "cannot be changed; keep it, or create another Notebook",
        "messageExpression": format!(
            "'cannot be changed: it was ' + {} + ' and would be ' + {} + '; keep it, or create another Notebook'",
            text("oldSelf"),
            text("self")
        ),
    })
}
