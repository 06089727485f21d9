//! Assembles a `CustomResourceDefinition` from a kind's descriptor, columns and schemas.
//!
//! Not with kube's `CustomResource` derive: it writes the object type itself, with all metadata and a spec that must be
//! there, and an original's CRD also has defaults and rules on the root, `spec` and `status` that it cannot write.

use crate::kind::KindDescriptor;
use serde_json::{Value, json};

/// A column of `kubectl get`.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Heading of the column.
    pub name: &'static str,
    /// OpenAPI type: `string`, `integer`, `boolean`, `date`.
    pub kind: &'static str,
    /// JSON path of the value in the object.
    pub path: &'static str,
    /// Description of the column; may be empty.
    pub description: &'static str,
    /// Whether only `kubectl get -o wide` shows it.
    pub wide: bool,
}

/// The CRD, with `status` as a subresource. Without columns, `kubectl get` shows those that every kind has.
pub fn assemble(
    descriptor: &KindDescriptor,
    columns: &[Column],
    description: &str,
    spec: Value,
    status: Value,
) -> Value {
    let columns: Vec<Value> = columns
        .iter()
        .map(|column| {
            let mut row = json!({"name": column.name, "type": column.kind, "jsonPath": column.path});
            if !column.description.is_empty() {
                row["description"] = json!(column.description);
            }
            if column.wide {
                row["priority"] = json!(1);
            }
            row
        })
        .collect();
    let mut crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{}.{}", descriptor.plural, descriptor.group),
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {
            "group": descriptor.group,
            "names": {
                "kind": descriptor.kind,
                "listKind": format!("{}List", descriptor.kind),
                "plural": descriptor.plural,
                "singular": descriptor.singular,
                "shortNames": descriptor.short_names,
            },
            "scope": descriptor.scope.as_str(),
            "versions": [{
                "name": descriptor.version,
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
