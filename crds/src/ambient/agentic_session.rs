//! `AgenticSession`: the object and its CRD.

use super::{AgenticSessionSpec, AgenticSessionStatus, GROUP, VERSION};
use crate::crd::Names;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::{Value, json};

/// The kind.
pub const KIND: &str = "AgenticSession";
/// The kind in URLs.
pub const PLURAL: &str = "agenticsessions";

const NAMES: Names = Names {
    group: GROUP,
    version: VERSION,
    kind: KIND,
    plural: PLURAL,
    singular: "agenticsession",
    short: &["as"],
    scope: "Namespaced",
};

const DESCRIPTION: &str = "A session in which an agent works on repositories, by itself or with a user.";

/// A session in which an agent works on repositories, by itself or with a user.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AgenticSession {
    /// Standard object metadata.
    #[serde(deserialize_with = "crate::metadata::lean")]
    pub metadata: ObjectMeta,
    /// What is asked for. A session without it runs with what the schema fills in elsewhere.
    #[serde(default)]
    pub spec: AgenticSessionSpec,
    /// What was last seen; absent until the operator has seen the session.
    pub status: Option<AgenticSessionStatus>,
}

impl AgenticSession {
    /// The object's name; empty before the API server gave one.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The object's namespace; empty before the API server gave one.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The object's UID; empty before the API server gave one.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The value of an annotation; an empty one says nothing.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

crate::crd::resource!(AgenticSession, k8s_openapi::NamespaceResourceScope, required spec);

/// The CRD of the kind.
pub fn crd() -> Value {
    let spec = crate::schema::structural::<AgenticSessionSpec>();
    let mut status = crate::schema::structural::<AgenticSessionStatus>();
    let condition = &mut status["properties"]["conditions"]["items"]["properties"];
    condition["status"]["enum"] = json!(["True", "False", "Unknown"]);
    crate::crd::assemble(&NAMES, &[], DESCRIPTION, spec, status)
}
