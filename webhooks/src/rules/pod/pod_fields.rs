//! Fields of a pod that stand for themselves: names, gates and claims of resources.

use std::collections::BTreeSet;

use serde_json::Value;
use sojourn_crds::dns;

use super::read::{is_set, list, text, text_if_set};
use super::{Report, references};
use crate::finding::{Code, FieldPath, seen};
use crate::rules::metadata::is_qualified_name;
use crate::settings::KubernetesVersion;

const CODE: Code = Code::PodInvalid;
/// Before, an API server drops claims of resources, and resources of a whole pod, unread, unless the gates
/// `DynamicResourceAllocation` and `PodLevelResources` are on.
const RESOURCES: KubernetesVersion = KubernetesVersion { major: 1, minor: 34 };

/// Says what is wrong with the fields of the pod at `path`.
pub(crate) fn check(report: &mut Report<'_>, path: &FieldPath, pod: &Value) {
    for field in ["hostname", "subdomain"] {
        let name = text(pod, field);
        if !name.is_empty() && !dns::is_label(name) {
            add_label(report, path.child(field), name);
        }
    }
    let node = text(pod, "nodeName");
    if !node.is_empty() {
        references::check(report, CODE, path.child("nodeName"), node, "a Node");
    }
    if let Some(class) = text_if_set(pod, "runtimeClassName") {
        references::check(
            report,
            Code::ReferenceInvalid,
            path.child("runtimeClassName"),
            class,
            "a RuntimeClass",
        );
    }
    let preemption = text_if_set(pod, "preemptionPolicy");
    if let Some(policy) = preemption.filter(|policy| !matches!(*policy, "PreemptLowerPriority" | "Never")) {
        report.unsupported(CODE, path.child("preemptionPolicy"), policy, &["PreemptLowerPriority", "Never"]);
    }
    check_gates(report, &path.child("readinessGates"), list(pod, "readinessGates"), "conditionType");
    let gates = "schedulingGates";
    check_gates(report, &path.child(gates), list(pod, gates), "name");
    check_names_once(report, &path.child(gates), list(pod, gates));
    if report.kubernetes >= RESOURCES {
        for (index, claim) in list(pod, "resourceClaims").iter().enumerate() {
            check_claim(report, &path.child("resourceClaims").index(index), claim);
        }
        check_names_once(report, &path.child("resourceClaims"), list(pod, "resourceClaims"));
        check_resources(report, &path.child("resources"), &pod["resources"]);
    }
}

fn add_label(report: &mut Report<'_>, path: FieldPath, name: &str) {
    report.add(
        CODE,
        path,
        format!("{} is not a DNS label", seen(name)),
        "use at most 63 of a-z, 0-9 and '-', no '-' at the ends",
    );
}

/// No two scheduling gates, or claims of resources, have one name.
fn check_names_once(report: &mut Report<'_>, path: &FieldPath, items: &[Value]) {
    let mut names = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let name = text(item, "name");
        if !name.is_empty() && !names.insert(name) {
            let path = path.index(index).child("name");
            report.add(CODE, path, format!("{} is there already", seen(name)), "leave it out");
        }
    }
}

fn check_gates(report: &mut Report<'_>, path: &FieldPath, gates: &[Value], field: &str) {
    for (index, gate) in gates.iter().enumerate().filter(|(_, gate)| !is_qualified_name(text(gate, field))) {
        report.add(
            CODE,
            path.index(index).child(field),
            format!("{} cannot be the name of a gate", seen(text(gate, field))),
            "write [prefix/]name, the prefix a DNS name, the name at most 63 letters, digits, '-', '_' and '.'",
        );
    }
}

fn check_claim(report: &mut Report<'_>, path: &FieldPath, claim: &Value) {
    match text(claim, "name") {
        "" => report.required(CODE, path.child("name"), "containers refer to the claim by it"),
        name if !dns::is_label(name) => add_label(report, path.child("name"), name),
        _ => {}
    }
    let fields =
        [("resourceClaimName", "a ResourceClaim"), ("resourceClaimTemplateName", "a ResourceClaimTemplate")];
    let set = fields.iter().filter(|(field, _)| is_set(claim, field)).count();
    if set != 1 {
        report.add(
            CODE,
            path.clone(),
            format!("the claim has {set} of resourceClaimName and resourceClaimTemplateName"),
            "give one of them",
        );
    }
    for (field, what) in fields {
        if let Some(name) = text_if_set(claim, field) {
            references::check(report, Code::ReferenceInvalid, path.child(field), name, what);
        }
    }
}

fn check_resources(report: &mut Report<'_>, path: &FieldPath, resources: &Value) {
    if is_set(resources, "claims") {
        report.add(
            CODE,
            path.child("claims"),
            "a whole pod cannot use claims of resources",
            "name them in the resources of a container",
        );
    }
    for field in ["limits", "requests"] {
        for name in resources[field].as_object().into_iter().flatten().map(|(name, _)| name.as_str()) {
            if !matches!(name, "cpu" | "memory") && !name.starts_with("hugepages-") {
                report.unsupported(
                    CODE,
                    path.child(field).key(name),
                    name,
                    &["cpu", "memory", "hugepages-<size>"],
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::{found, found_in};
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"hostname": "a", "subdomain": "", "nodeName": "a.b", "runtimeClassName": "gvisor"}), &[])]
    #[case(json!({"hostname": "a.b", "subdomain": "A"}), &["p.hostname", "p.subdomain"])]
    #[case(json!({"nodeName": "A"}), &["p.nodeName"])]
    #[case(json!({"runtimeClassName": ""}), &["p.runtimeClassName"])]
    #[case(json!({"preemptionPolicy": "Never"}), &[])]
    #[case(json!({"preemptionPolicy": ""}), &["p.preemptionPolicy"])]
    #[case(json!({"readinessGates": [{"conditionType": "a/B"}, {}]}), &["p.readinessGates[1].conditionType"])]
    #[case(json!({"schedulingGates": [{"name": "a"}, {"name": "a b"}]}), &["p.schedulingGates[1].name"])]
    #[case(json!({"schedulingGates": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}), &["p.schedulingGates[2].name"])]
    #[case(json!({"resourceClaims": [{"name": "a", "resourceClaimName": "b"}]}), &[])]
    #[case(json!({"resourceClaims": [{"name": "a", "resourceClaimName": "b"}, {"name": "a", "resourceClaimName": "c"}]}), &["p.resourceClaims[1].name"])]
    #[case(json!({"resourceClaims": [{"name": "A", "resourceClaimTemplateName": "B"}]}), &["p.resourceClaims[0].name", "p.resourceClaims[0].resourceClaimTemplateName"])]
    #[case(json!({"resourceClaims": [{"name": "a"}]}), &["p.resourceClaims[0]"])]
    #[case(json!({"resourceClaims": [{"resourceClaimName": "b", "resourceClaimTemplateName": "b"}]}), &["p.resourceClaims[0].name", "p.resourceClaims[0]"])]
    #[case(json!({"resources": {"limits": {"cpu": 1, "hugepages-2Mi": "2Mi"}}}), &[])]
    #[case(json!({"resources": {"claims": [], "requests": {"nvidia.com/gpu": 1}}}), &["p.resources.claims", "p.resources.requests[nvidia.com/gpu]"])]
    fn pods(#[case] pod: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check(report, path, &pod), "p"), paths);
    }

    #[rstest]
    #[case(json!({"resourceClaims": [{"name": "A"}]}))]
    #[case(json!({"resources": {"claims": [{"name": "a"}]}}))]
    fn resources_are_judged_since(#[case] pod: Value) {
        assert!(found_in(33, |report, path| check(report, path, &pod), "p").is_empty());
        assert!(!found_in(34, |report, path| check(report, path, &pod), "p").is_empty());
    }
}
