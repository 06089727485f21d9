//! Where something stands in a CRD.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use serde_json::Value;

/// The schema at `path` in the objects of a CRD: `[]` are the items of a list, `{}` the entries of a map.
pub(crate) fn schema(crd: &Value, path: &str) -> Value {
    let mut at = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        at = match part {
            "[]" => at["items"].clone(),
            "{}" => at["additionalProperties"].clone(),
            field => at["properties"][field].clone(),
        };
    }
    at
}

/// Name, type and path of each column.
pub(crate) fn columns(crd: &Value) -> Vec<[String; 3]> {
    let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap().iter();
    columns.map(|c| ["name", "type", "jsonPath"].map(|key| c[key].as_str().unwrap().to_owned())).collect()
}
