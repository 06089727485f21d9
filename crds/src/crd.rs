//! Assembles a `CustomResourceDefinition` from a kind's names, columns and schemas.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

/// What a CRD says of a kind beside its schemas.
#[derive(Clone, Debug)]
pub struct Names {
    /// API group.
    pub group: &'static str,
    /// The one version that is served and stored.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Plural, as in URLs.
    pub plural: &'static str,
    /// Singular.
    pub singular: &'static str,
    /// Short names for kubectl.
    pub short: &'static [&'static str],
    /// `Namespaced` or `Cluster`.
    pub scope: &'static str,
}

/// A column of `kubectl get`.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Heading.
    pub name: &'static str,
    /// OpenAPI type: `string`, `integer`, `boolean`, `date`.
    pub kind: &'static str,
    /// Where the value stands in the object.
    pub path: &'static str,
    /// What `kubectl explain`-like tools show; may be empty.
    pub description: &'static str,
}

/// The CRD with the schema of the whole object; `status` is a subresource. Without columns, `kubectl get` shows those
/// that every kind has.
pub fn assemble(names: &Names, columns: &[Column], description: &str, spec: Value, status: Value) -> Value {
    let columns: Vec<Value> = columns
        .iter()
        .map(|column| {
            let mut row = json!({"name": column.name, "type": column.kind, "jsonPath": column.path});
            if !column.description.is_empty() {
                row["description"] = json!(column.description);
            }
            row
        })
        .collect();
    let mut crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{}.{}", names.plural, names.group),
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {
            "group": names.group,
            "names": {
                "kind": names.kind,
                "listKind": format!("{}List", names.kind),
                "plural": names.plural,
                "singular": names.singular,
                "shortNames": names.short,
            },
            "scope": names.scope,
            "versions": [{
                "name": names.version,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "description": description,
                    "properties": {
                        "apiVersion": {"type": "string"},
                        "kind": {"type": "string"},
                        "metadata": {"type": "object"},
                        "spec": spec,
                        "status": status,
                    },
                }},
            }],
        },
    });
    if !columns.is_empty() {
        crd["spec"]["versions"][0]["additionalPrinterColumns"] = json!(columns);
    }
    crd
}

/// What every kind's type has in common: how a client addresses it, by the `NAMES` of the module, and that it is
/// written with `apiVersion` and `kind`, which the type knows and the API server wants to be told. Its spec is a
/// `required` or an `optional` field.
macro_rules! resource {
    ($kind:ty, $scope:ty, $presence:ident spec) => {
        impl kube::Resource for $kind {
            type DynamicType = ();
            type Scope = $scope;

            fn kind(_: &()) -> std::borrow::Cow<'_, str> {
                NAMES.kind.into()
            }
            fn group(_: &()) -> std::borrow::Cow<'_, str> {
                NAMES.group.into()
            }
            fn version(_: &()) -> std::borrow::Cow<'_, str> {
                NAMES.version.into()
            }
            fn plural(_: &()) -> std::borrow::Cow<'_, str> {
                NAMES.plural.into()
            }
            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }

        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let spec = $crate::crd::resource!(@$presence self);
                $crate::crd::write(serializer, &NAMES, &self.metadata, spec, self.status.as_ref())
            }
        }
    };
    (@required $object:ident) => { Some(&$object.spec) };
    (@optional $object:ident) => { $object.spec.as_ref() };
}
pub(crate) use resource;

/// Writes an object of a kind.
pub(crate) fn write<S: Serializer>(
    serializer: S,
    names: &Names,
    metadata: &ObjectMeta,
    spec: Option<&impl Serialize>,
    status: Option<&impl Serialize>,
) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(None)?;
    object.serialize_entry("apiVersion", &format_args!("{}/{}", names.group, names.version))?;
    object.serialize_entry("kind", names.kind)?;
    object.serialize_entry("metadata", metadata)?;
    if let Some(spec) = spec {
        object.serialize_entry("spec", spec)?;
    }
    if let Some(status) = status {
        object.serialize_entry("status", status)?;
    }
    object.end()
}
