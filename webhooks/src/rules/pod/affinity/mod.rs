//! Where a pod wants to run: beside which nodes' labels, and beside or apart from which pods.

mod node;
mod pod;

use serde_json::Value;

use super::Report;
use super::read::{integer, is_set};
use crate::finding::{Code, FieldPath};

const CODE: Code = Code::SelectorInvalid;
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Says what is wrong with the affinity at `path`.
pub(crate) fn check(report: &mut Report<'_>, path: &FieldPath, affinity: &Value) {
    if is_set(affinity, "nodeAffinity") {
        node::check(report, &path.child("nodeAffinity"), &affinity["nodeAffinity"]);
    }
    for field in ["podAffinity", "podAntiAffinity"] {
        if is_set(affinity, field) {
            pod::check(report, &path.child(field), &affinity[field]);
        }
    }
}

/// Says when the weight of a preference is none.
fn check_weight(report: &mut Report<'_>, path: &FieldPath, of: &Value) {
    let weight = integer(of, "weight").unwrap_or_default();
    if !(1..=100).contains(&weight) {
        report.add(
            CODE,
            path.child("weight"),
            format!("{weight} is not a weight"),
            "use a number from 1 to 100",
        );
    }
}
