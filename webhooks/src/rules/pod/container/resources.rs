//! Requests and limits of a container.
//!
//! `ValidateContainerResourceRequirements`, after quantities were rounded to thousandths. A pod gets the request that it
//! lacks from the limit, but a template does not: there a device needs its limit.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::amount::Amount;
use super::at::At;
use super::versions::{CLAIMS, since};
use crate::finding::{Code, seen};
use crate::rules::metadata::is_qualified_name;
use crate::rules::pod::read::{list, text};
use crate::rules::pod::{Report, quantity};

const CODE: Code = Code::ResourcesInvalid;

const HUGE_PAGES: &str = "hugepages-";

/// Says what is wrong with requests, limits and claims. `pod_claims` are the claims of resources that the pod has.
pub(crate) fn check(report: &mut Report<'_>, at: &At<'_>, resources: &Value, pod_claims: &BTreeSet<&str>) {
    let mut huge = false;
    let mut counted = false;
    for field in ["limits", "requests"] {
        let at = at.child(field);
        for (name, quantity) in resources[field].as_object().into_iter().flatten() {
            huge |= name.starts_with(HUGE_PAGES);
            counted |= matches!(name.as_str(), "cpu" | "memory");
            check_amount(report, &at.key(name), name, quantity);
        }
    }
    check_requests(report, at, resources);
    if huge && !counted {
        report.add(CODE, at.path(), "huge pages need cpu or memory beside them", "add a request of either");
    }
    if since(report, CLAIMS) && !list(resources, "claims").is_empty() {
        check_claims(report, &at.child("claims"), list(resources, "claims"), pod_claims);
    }
}

fn check_claims(report: &mut Report<'_>, at: &At<'_>, claims: &[Value], pod_claims: &BTreeSet<&str>) {
    let mut names = BTreeSet::new();
    for (index, claim) in claims.iter().enumerate() {
        let name = text(claim, "name");
        let message = if !pod_claims.contains(name) {
            format!("the pod has no resource claim {}", seen(name))
        } else if !names.insert(name) {
            format!("the container uses {} already", seen(name))
        } else {
            continue;
        };
        report.add(CODE, at.index(index).path(), message, "leave it out");
    }
}

/// Says which requests and limits are no quantities, where nothing else is judged.
pub(crate) fn check_quantities(report: &mut Report<'_>, at: &At<'_>, resources: &Value) {
    for field in ["limits", "requests"] {
        let at = at.child(field);
        for (name, value) in resources[field].as_object().into_iter().flatten() {
            quantity::check(report, CODE, || at.key(name).path(), value);
        }
    }
}

fn check_amount(report: &mut Report<'_>, at: &At<'_>, name: &str, value: &Value) {
    if !is_resource(name) {
        let message = format!("{} is no resource of a container", seen(name));
        let hint = "use cpu, memory, ephemeral-storage, hugepages-<size>, or a device like example.org/gpu";
        report.add(CODE, at.path(), message, hint);
    }
    if !quantity::check(report, CODE, || at.path(), value) {
        return;
    }
    let Some(Ok(amount)) = Amount::read(value) else { return };
    let millis = amount.millis();
    if millis < 0 {
        report.add(CODE, at.path(), format!("{} is below zero", shown(value)), "write zero or more");
    }
    if is_device(name) && millis % 1000 != 0 {
        let message = format!("{} is not a whole number of devices", shown(value));
        report.add(CODE, at.path(), message, "write a whole number");
    }
    if let Some(size) = name.strip_prefix(HUGE_PAGES)
        && !is_multiple(amount, size)
    {
        let message = format!("{} is not a multiple of the page size {}", shown(value), seen(size));
        report.add(CODE, at.path(), message, "write a multiple, for example 4Mi of hugepages-2Mi");
    }
}

/// No request is above its limit, and devices and huge pages are asked for as they are limited.
fn check_requests(report: &mut Report<'_>, at: &At<'_>, resources: &Value) {
    let no_limits = Map::new();
    let limits = resources["limits"].as_object().unwrap_or(&no_limits);
    let at = at.child("requests");
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let fixed = is_device_like(name);
        let Some(limit) = limits.get(name).filter(|limit| !limit.is_null()) else {
            if fixed {
                let message = format!("{} has no limit, which devices and huge pages need", seen(name));
                report.add(CODE, at.key(name).path(), message, "set the same limit");
            }
            continue;
        };
        let (Some(Ok(asked)), Some(Ok(most))) = (Amount::read(request), Amount::read(limit)) else {
            continue;
        };
        let (asked, most) = (asked.millis(), most.millis());
        if fixed && asked != most {
            let message = format!("{} is not the limit {}", shown(request), shown(limit));
            report.add(CODE, at.key(name).path(), message, "ask for as much as the limit");
        } else if asked > most {
            let message = format!("{} is more than the limit {}", shown(request), shown(limit));
            report.add(CODE, at.key(name).path(), message, "lower it, or raise the limit");
        }
    }
}

/// A quantity as it was written.
fn shown(quantity: &Value) -> String {
    quantity.as_str().map_or_else(|| quantity.to_string(), seen)
}

/// Whether a container can ask for it.
fn is_resource(name: &str) -> bool {
    let standard = || matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with(HUGE_PAGES);
    is_qualified_name(name)
        && if name.contains('/') { is_native(name) || is_device(name) } else { standard() }
}

/// Whether it is of Kubernetes itself.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether it is counted in whole numbers: an extended resource. Quotas call it `requests.<name>`, which has to fit.
fn is_device(name: &str) -> bool {
    const OF_QUOTAS: &str = "requests.";
    let prefix = name.split('/').next().unwrap_or_default();
    !is_native(name)
        && !name.starts_with(OF_QUOTAS)
        && is_qualified_name(name)
        && OF_QUOTAS.len() + prefix.len() <= 253
}

/// Whether more cannot be promised than there is.
fn is_device_like(name: &str) -> bool {
    !is_native(name) || name.starts_with(HUGE_PAGES)
}

/// Whether the amount is made of whole pages.
fn is_multiple(amount: Amount, size: &str) -> bool {
    let Some(page) = Amount::parse(size) else { return false };
    page.nanos() > 0 && page.millis() % 1000 == 0 && amount.units() % page.units() == 0
}

#[cfg(test)]
mod tests {
    use super::super::testing::{paths_at, paths_of};
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("cpu", true)]
    #[case("memory", true)]
    #[case("ephemeral-storage", true)]
    #[case("nvidia.com/gpu", true)]
    #[case("a/b", true)]
    #[case("kubernetes.io/batteries", true)]
    #[case("x.kubernetes.io/y", true)]
    #[case("storage", false)]
    #[case("pods", false)]
    #[case("limits.cpu", false)]
    #[case("gpu", false)]
    #[case("CPU", false)]
    #[case("requests.nvidia.com/gpu", false)]
    #[case("nvidia.com/", false)]
    #[case("/gpu", false)]
    #[case("a/b/c", false)]
    #[case("Nvidia.com/gpu", false)]
    #[case("", false)]
    fn resources(#[case] name: &str, #[case] good: bool) {
        let value = json!({"limits": {name: 1}});
        let found = paths_of(|report, at| check(report, at, &value, &BTreeSet::new()));
        assert_eq!(found.is_empty(), good, "{name}: {found:?}");
    }

    #[test]
    fn a_quota_must_be_able_to_name_a_device() {
        let label = "a".repeat(60);
        // Four labels and their dots are 243 characters; 253 fit, of which the quota's prefix takes 9.
        let name = |more: usize| format!("{label}.{label}.{label}.{label}{}/b", "a".repeat(more));
        assert!(is_resource(&name(1)));
        assert!(!is_resource(&name(2)));
    }

    #[rstest]
    #[case("cpu", json!("1n"), true)]
    #[case("cpu", json!(0), true)]
    #[case("cpu", json!("1e30"), true)]
    #[case("cpu", json!("-1"), false)]
    #[case("cpu", json!("-1n"), false)]
    #[case("cpu", json!("one"), false)]
    #[case("cpu", json!(""), false)]
    #[case("memory", json!("1.5"), true)]
    #[case("a.b/c", json!(2), true)]
    #[case("a.b/c", json!("2000m"), true)]
    #[case("a.b/c", json!("1.9999"), true)]
    #[case("a.b/c", json!("1e30"), true)]
    #[case("a.b/c", json!("1.5"), false)]
    #[case("kubernetes.io/c", json!("1.5"), true)]
    fn amounts(#[case] name: &str, #[case] amount: Value, #[case] good: bool) {
        let value = json!({"limits": {name: amount}});
        let found = paths_of(|report, at| check(report, at, &value, &BTreeSet::new()));
        assert_eq!(found.is_empty(), good, "{value}: {found:?}");
    }

    #[rstest]
    #[case(json!({"requests": {"cpu": 1}, "limits": {"cpu": "1000m"}}), &[])]
    #[case(json!({"requests": {"cpu": "1.0009"}, "limits": {"cpu": "1.0001"}}), &[])]
    #[case(json!({"requests": {"cpu": "16Ei"}, "limits": {"cpu": "8Ei"}}), &[])]
    #[case(json!({"requests": {"cpu": 5}, "limits": {"memory": 1}}), &[])]
    #[case(json!({"limits": {"a.b/c": 1}}), &[])]
    #[case(json!({"limits": {"a.b/c": 1}, "requests": {"a.b/c": "1"}}), &[])]
    #[case(json!({"requests": {"kubernetes.io/c": 1}}), &[])]
    #[case(json!({"requests": null, "limits": null}), &[])]
    #[case(json!({"requests": {"cpu": 2}, "limits": {"cpu": 1}}), &["x.requests[cpu]"])]
    #[case(json!({"requests": {"memory": "2Gi"}, "limits": {"memory": "2G"}}), &["x.requests[memory]"])]
    #[case(json!({"requests": {"a.b/c": 1}}), &["x.requests[a.b/c]"])]
    #[case(json!({"limits": {"a.b/c": 2}, "requests": {"a.b/c": 1}}), &["x.requests[a.b/c]"])]
    fn requests_and_limits(#[case] value: Value, #[case] wrong: &[&str]) {
        let found = paths_of(|report, at| check(report, at, &value, &BTreeSet::new()));
        assert_eq!(found, wrong, "{value}");
    }

    #[rstest]
    #[case(json!({"limits": {"hugepages-2Mi": "4Mi", "memory": 1}}), &[])]
    #[case(json!({"limits": {"hugepages-2Mi": "4Mi"}, "requests": {"hugepages-2Mi": "4Mi", "cpu": 1}}), &[])]
    #[case(json!({"limits": {"hugepages-2Mi": "4Mi"}}), &["x"])]
    #[case(json!({"limits": {"cpu": 1, "hugepages-2Mi": "3Mi"}}), &["x.limits[hugepages-2Mi]"])]
    #[case(json!({"limits": {"cpu": 1, "hugepages-": "2Mi"}}), &["x.limits[hugepages-]", "x.limits[hugepages-]"])]
    #[case(json!({"limits": {"cpu": 1, "hugepages-0": "0"}}), &["x.limits[hugepages-0]"])]
    #[case(json!({"limits": {"cpu": 1, "hugepages-1m": "1"}}), &["x.limits[hugepages-1m]"])]
    #[case(json!({"requests": {"cpu": 1, "hugepages-2Mi": "2Mi"}}), &["x.requests[hugepages-2Mi]"])]
    #[case(json!({"limits": {"cpu": 1, "hugepages-2Mi": "4Mi"}, "requests": {"hugepages-2Mi": "2Mi"}}),
        &["x.requests[hugepages-2Mi]"])]
    fn huge_pages(#[case] value: Value, #[case] wrong: &[&str]) {
        let found = paths_of(|report, at| check(report, at, &value, &BTreeSet::new()));
        assert_eq!(found, wrong, "{value}");
    }

    #[rstest]
    #[case(33, json!([{"name": "gpu"}]), &[])]
    #[case(34, json!([{"name": "gpu"}]), &["x.claims[0]"])]
    #[case(34, json!([{"name": "net"}]), &[])]
    #[case(34, json!([{"name": "net"}, {"name": "net"}]), &["x.claims[1]"])]
    fn claims(#[case] minor: u16, #[case] used: Value, #[case] wrong: &[&str]) {
        let value = json!({"claims": used});
        let of_pod = BTreeSet::from(["net"]);
        assert_eq!(paths_at(minor, |report, at| check(report, at, &value, &of_pod)), wrong);
    }
}
