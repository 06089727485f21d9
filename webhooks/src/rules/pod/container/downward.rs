//! What a variable can say of its own pod and container: `fieldRef` and `resourceFieldRef`.
//!
//! `validateObjectFieldSelector` and `validateContainerResourceFieldSelector`.

use serde_json::Value;

use super::amount::{Amount, Format, ONE};
use super::at::At;
use crate::finding::{Code, seen};
use crate::rules::metadata::is_qualified_name;
use crate::rules::pod::amount::shown;
use crate::rules::pod::read::text;
use crate::rules::pod::{Report, quantity};

const CODE: Code = Code::EnvironmentInvalid;

/// Fields of a pod that a variable can hold.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// What [`FIELDS`] calls `spec.nodeName` and clients of old call this.
const NODE_NAME_OF_OLD: &str = "spec.host";

/// Resources of a container that a variable or a file can hold, beside huge pages.
pub(crate) const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
];

const HUGE_PAGES: [&str; 2] = ["limits.hugepages-", "requests.hugepages-"];

/// Whether a variable or a file can hold this resource of a container.
pub(crate) fn is_resource(resource: &str) -> bool {
    RESOURCES.contains(&resource) || HUGE_PAGES.iter().any(|prefix| resource.starts_with(prefix))
}

/// Says what is wrong with a reference to a field of the pod.
pub(crate) fn check_field(report: &mut Report<'_>, at: &At<'_>, reference: &Value) {
    let version = text(reference, "apiVersion");
    if !version.is_empty() && version != "v1" {
        report.unsupported(CODE, at.child("apiVersion").path(), version, &["v1"]);
    }
    let field = text(reference, "fieldPath");
    let at = at.child("fieldPath");
    match subscript(field) {
        Some(("metadata.labels", key)) if is_qualified_name(key) => {}
        Some(("metadata.annotations", key)) if is_qualified_name(&key.to_lowercase()) => {}
        Some(("metadata.labels" | "metadata.annotations", key)) => {
            let message = format!("{} cannot be the key of a label or annotation", seen(key));
            report.add(CODE, at.path(), message, "write it like metadata.labels['example.org/key']");
        }
        None if FIELDS.contains(&field) || field == NODE_NAME_OF_OLD => {}
        _ => {
            let message = format!("{} is no field of the pod that a variable can hold", seen(field));
            let hint = format!(
                "use metadata.labels['key'], metadata.annotations['key'] or one of {}",
                FIELDS.join(", ")
            );
            report.add(CODE, at.path(), message, hint);
        }
    }
}

/// `path['key']` in its two parts.
pub(crate) fn subscript(field: &str) -> Option<(&str, &str)> {
    field.strip_suffix("']")?.split_once("['").filter(|(path, _)| !path.is_empty())
}

/// Says what is wrong with a reference to requests or limits.
pub(crate) fn check_resource(report: &mut Report<'_>, at: &At<'_>, reference: &Value) {
    let resource = text(reference, "resource");
    if !is_resource(resource) {
        let message = format!("{} is no resource that a variable can hold", seen(resource));
        let hint = format!("use one of {} or hugepages of either", RESOURCES.join(", "));
        report.add(CODE, at.child("resource").path(), message, hint);
        return;
    }
    check_divisor(report, CODE, &at.child("divisor"), resource, &reference["divisor"]);
}

/// Says when the resource cannot be counted in that unit. `validateContainerResourceDivisor`, for variables and files.
pub(crate) fn check_divisor(
    report: &mut Report<'_>,
    code: Code,
    at: &At<'_>,
    resource: &str,
    divisor: &Value,
) {
    if !quantity::check(report, code, || at.path(), divisor) {
        return;
    }
    let of_cpu = resource.ends_with(".cpu");
    // A number stands there as it is written.
    let written = shown(divisor);
    let Some(divisor) = Amount::read(divisor) else { return };
    if !divisor.is_ok_and(|divisor| is_divisor(divisor, &written, of_cpu)) {
        let hint = if of_cpu {
            "use 1m or 1"
        } else {
            "use 1 of a unit: 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi or 1Ei"
        };
        let message = format!("{resource} cannot be divided by {}", seen(&written));
        report.add(code, at.path(), message, hint);
    }
}

/// Kubernetes compares the text that it would write for the quantity. It keeps a text whose only digit is a 1 as it was
/// given, so that `01` and `1e0` are none although `1.0` is one.
fn is_divisor(divisor: Amount, written: &str, of_cpu: bool) -> bool {
    let (nanos, format) = (divisor.nanos(), divisor.format());
    let unsigned = written.trim_start_matches(['+', '0']);
    let rest = unsigned.strip_prefix('1').map(|rest| rest.strip_prefix('.').unwrap_or(rest));
    let one_alone = rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
    if one_alone && (!written.starts_with('1') || written.contains('.') || format == Format::Exponent) {
        return false;
    }
    let base = if format == Format::Binary { 1024 } else { 1000 };
    match nanos {
        0 | ONE => true,
        _ if format == Format::Exponent => false,
        _ if of_cpu => nanos == ONE / 1000,
        _ => std::iter::successors(Some(ONE), |power| Some(power * base)).take(7).any(|power| power == nanos),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::paths_of;
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("metadata.name", true)]
    #[case("status.podIPs", true)]
    #[case("spec.host", true)]
    #[case("metadata.labels['a']", true)]
    #[case("metadata.labels['example.org/Key']", true)]
    #[case("metadata.annotations['EXAMPLE.org/Key']", true)]
    #[case("metadata.labels['EXAMPLE.org/key']", false)]
    #[case("metadata.labels['']", false)]
    #[case("metadata.labels['a b']", false)]
    #[case("metadata.labels[a]", false)]
    #[case("metadata.labels", false)]
    #[case("metadata.annotations", false)]
    #[case("metadata.name['a']", false)]
    #[case("spec.schedulerName", false)]
    #[case("status.phase", false)]
    #[case("['a']", false)]
    #[case("", false)]
    fn fields(#[case] field: &str, #[case] good: bool) {
        let reference = json!({"fieldPath": field});
        let found = paths_of(|report, at| check_field(report, at, &reference));
        assert_eq!(found.is_empty(), good, "{field}: {found:?}");
    }

    #[rstest]
    #[case("v1", true)]
    #[case("", true)]
    #[case("v2", false)]
    #[case("apps/v1", false)]
    fn versions(#[case] version: &str, #[case] good: bool) {
        let reference = json!({"apiVersion": version, "fieldPath": "metadata.name"});
        assert_eq!(paths_of(|report, at| check_field(report, at, &reference)).is_empty(), good, "{version}");
    }

    #[rstest]
    #[case("limits.cpu", json!(null), true)]
    #[case("limits.cpu", json!("0"), true)]
    #[case("limits.cpu", json!(0), true)]
    #[case("limits.cpu", json!("1m"), true)]
    #[case("requests.cpu", json!(1), true)]
    #[case("requests.cpu", json!("1000m"), true)]
    #[case("requests.cpu", json!("0.001"), true)]
    #[case("requests.cpu", json!("1.0"), true)]
    #[case("requests.cpu", json!("2"), false)]
    #[case("requests.cpu", json!("1k"), false)]
    #[case("requests.cpu", json!("-1"), false)]
    #[case("requests.cpu", json!("+1"), false)]
    #[case("requests.cpu", json!("01"), false)]
    #[case("requests.cpu", json!("1."), false)]
    #[case("requests.cpu", json!("1e0"), false)]
    #[case("requests.cpu", json!("1E0"), false)]
    #[case("requests.cpu", json!("10e-1"), true)]
    #[case("requests.cpu", json!("x"), false)]
    #[case("limits.memory", json!("1Mi"), true)]
    #[case("limits.memory", json!("1024Ki"), true)]
    #[case("limits.memory", json!("1000"), true)]
    #[case("limits.memory", json!("1E"), true)]
    #[case("limits.memory", json!("1Ei"), true)]
    #[case("limits.memory", json!("1024"), false)]
    #[case("limits.memory", json!("1m"), false)]
    #[case("limits.memory", json!("1e3"), false)]
    #[case("limits.memory", json!("2Mi"), false)]
    #[case("limits.memory", json!("+1Mi"), false)]
    #[case("requests.ephemeral-storage", json!("1Gi"), true)]
    #[case("requests.hugepages-2Mi", json!("1Mi"), true)]
    #[case("limits.hugepages-", json!("3"), false)]
    #[case("limits.hugepages-anything", json!(null), true)]
    #[case("limits.nvidia.com/gpu", json!(null), false)]
    #[case("", json!(null), false)]
    #[case("cpu", json!(null), false)]
    fn resources_and_divisors(#[case] resource: &str, #[case] divisor: Value, #[case] good: bool) {
        let reference = json!({"resource": resource, "divisor": divisor});
        let found = paths_of(|report, at| check_resource(report, at, &reference));
        assert_eq!(found.is_empty(), good, "{resource} {divisor}: {found:?}");
    }
}
