//! `AgenticSession`: the object and its CRD.

use super::{AgenticSessionSpec, AgenticSessionStatus};
use crate::kind::DescribedKind;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::{Value, json};

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
    /// The value of an annotation; an empty one says nothing.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

crate::kind::custom_resource!(AgenticSession, required spec, Namespaced {
    group: "vteam.ambient-code",
    version: "v1alpha1",
    plural: "agenticsessions",
    singular: "agenticsession",
    short_names: ["as"],
});

/// The CRD of the kind.
pub fn crd() -> Value {
    let spec = crate::schema::structural::<AgenticSessionSpec>();
    let mut status = crate::schema::structural::<AgenticSessionStatus>();
    let condition = &mut status["properties"]["conditions"]["items"]["properties"];
    condition["status"]["enum"] = json!(["True", "False", "Unknown"]);
    crate::crd::assemble(AgenticSession::DESCRIPTOR, &[], DESCRIPTION, spec, status)
}
