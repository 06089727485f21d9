//! Annotations: keys and size for every object, and those that Kubernetes reads itself where a pod, a Service or an
//! Ingress has them.

use serde_json::Value;

use super::paths::descent_problem;
use super::{Report, tolerations};
use crate::finding::{Code, FieldPath, seen};
use crate::rules::metadata::is_qualified_name;

/// How many bytes the annotations of one object may have, keys included.
const MOST_BYTES: usize = 256 * 1024;

const MIRROR: &str = "kubernetes.io/config.mirror";
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";

/// Says which keys are none.
pub(crate) fn check_keys<'a>(
    report: &mut Report<'_>,
    code: Code,
    path: &FieldPath,
    keys: impl Iterator<Item = &'a str>,
) {
    for key in keys {
        // Kubernetes compares annotation keys in lower case.
        if !is_qualified_name(&key.to_lowercase()) {
            report.add(
                code,
                path.key(key),
                format!("{} cannot be the key of an annotation", seen(key)),
                "write [prefix/]name, the prefix a DNS name, the name at most 63 letters, digits, '-', '_' and '.'",
            );
        }
    }
}

/// Says when annotations of so many bytes, keys included, are too much for one object.
pub(crate) fn check_size(report: &mut Report<'_>, code: Code, path: &FieldPath, bytes: usize) {
    if bytes > MOST_BYTES {
        report.add(
            code,
            path.clone(),
            format!("the annotations of one object would have {bytes} bytes, and at most {MOST_BYTES} fit"),
            "keep large texts in a ConfigMap",
        );
    }
}

/// What of a pod its annotations may speak of.
pub(crate) struct PodFacts<'a> {
    /// Whether the pod is bound to a node by name.
    pub(crate) has_node: bool,
    /// Whether it has, or may have, a container of that name.
    pub(crate) has_container: &'a dyn Fn(&str) -> bool,
}

/// Says which annotations of a pod Kubernetes does not understand.
pub(crate) fn check_pod<'a>(
    report: &mut Report<'_>,
    path: &FieldPath,
    annotations: impl Iterator<Item = (&'a str, &'a str)>,
    pod: &PodFacts<'_>,
) {
    let mut found = |key: &str, message: String, hint: &str| {
        report.add(Code::TemplateInvalid, path.key(key), message, hint);
    };
    let mut tolerated = None;
    for (key, value) in annotations {
        match key {
            MIRROR if !pod.has_node => {
                let message = "marks the copy of a pod that a node runs by itself".to_owned();
                found(key, message, "leave it out");
            }
            TOLERATIONS if !value.is_empty() => tolerated = Some(value),
            DELETION_COST if !is_cost(value) => {
                let message = format!("{} is not an integer of 32 bits", seen(value));
                found(key, message, "write a number such as -10 or 100, without '+' and leading zeros");
            }
            _ if key == SECCOMP_POD || key.starts_with(SECCOMP_CONTAINER) => {
                if !is_seccomp_profile(value) {
                    let message = format!("{} is not a seccomp profile", seen(value));
                    found(key, message, "use the field seccompProfile of a securityContext instead");
                }
            }
            _ => {
                let Some(container) = key.strip_prefix(APP_ARMOR) else { continue };
                if !(pod.has_container)(container) {
                    let message = format!("the pod has no container {}", seen(container));
                    found(key, message, "leave it out, or name a container of the pod");
                }
                let known = matches!(value, "" | "runtime/default" | "unconfined");
                if !known && !value.starts_with("localhost/") {
                    let message = format!("{} is not an AppArmor profile", seen(value));
                    found(key, message, "use the field appArmorProfile of a securityContext instead");
                }
            }
        }
    }
    if let Some(text) = tolerated {
        check_tolerations(report, path.key(TOLERATIONS), text);
    }
}

fn check_tolerations(report: &mut Report<'_>, path: FieldPath, text: &str) {
    const FIELDS: [&str; 5] = ["key", "operator", "value", "effect", "tolerationSeconds"];
    let read = match serde_json::from_str(text) {
        Ok(Value::Null) => Some(Vec::new()),
        Ok(Value::Array(list)) => list.iter().all(|item| item.is_object() || item.is_null()).then_some(list),
        _ => None,
    };
    let Some(list) = read else {
        report.add(
            Code::TemplateInvalid,
            path,
            format!("{} is not a list of tolerations in JSON", seen(text)),
            "leave it out, and set the tolerations of the pod",
        );
        return;
    };
    // Go reads fields in any case; a list with such fields is left to it.
    let plain = list
        .iter()
        .filter_map(Value::as_object)
        .all(|item| item.keys().all(|key| FIELDS.contains(&key.as_str())));
    if plain {
        tolerations::check(report, &path, &list);
    }
}

fn is_cost(value: &str) -> bool {
    let first = value == "0" || value.starts_with('-') || value.starts_with(|c| ('1'..='9').contains(&c));
    first && value.parse::<i32>().is_ok()
}

fn is_seccomp_profile(profile: &str) -> bool {
    match profile.strip_prefix("localhost/") {
        Some(file) => descent_problem(file).is_none(),
        None => matches!(profile, "runtime/default" | "docker/default" | "unconfined"),
    }
}

/// Says which annotations a Service inside the cluster cannot have.
pub(crate) fn check_service<'a>(
    report: &mut Report<'_>,
    path: &FieldPath,
    annotation: impl Fn(&str) -> Option<&'a str>,
) {
    if annotation(SOURCE_RANGES).is_some() {
        report.add(
            Code::IngressInvalid,
            path.key(SOURCE_RANGES),
            "the Service is none of the type LoadBalancer",
            "leave it out",
        );
    }
    if let (Some(hints), Some(mode)) = (annotation(TOPOLOGY_HINTS), annotation(TOPOLOGY_MODE))
        && hints != mode
    {
        report.add(
            Code::IngressInvalid,
            path.key(TOPOLOGY_MODE),
            format!("{} is not {}, as {TOPOLOGY_HINTS} says", seen(mode), seen(hints)),
            "leave the other one out, which is the older one",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pod::testing::found;
    use rstest::rstest;

    #[rstest]
    #[case("example.org/Note", true)]
    #[case("Example.org/note", true)]
    #[case("a b", false)]
    #[case("", false)]
    fn keys(#[case] key: &str, #[case] valid: bool) {
        let paths =
            found(|report, path| check_keys(report, Code::IngressInvalid, path, [key].into_iter()), "a");
        assert_eq!(paths.is_empty(), valid, "{key}");
    }

    #[test]
    fn the_size_is_limited() {
        for (bytes, count) in [(MOST_BYTES, 0), (MOST_BYTES + 1, 1)] {
            let paths = found(|report, path| check_size(report, Code::IngressInvalid, path, bytes), "a");
            assert_eq!(paths.len(), count);
        }
    }

    #[rstest]
    #[case("example.org/note", "any text", 0)]
    #[case(MIRROR, "", 1)]
    #[case(TOLERATIONS, "", 0)]
    #[case(TOLERATIONS, "null", 0)]
    #[case(TOLERATIONS, r#"[{"operator": "Exists"}]"#, 0)]
    #[case(TOLERATIONS, r#"[{"operator": "Odd"}]"#, 2)]
    #[case(TOLERATIONS, r#"[{"Key": "a"}]"#, 0)]
    #[case(TOLERATIONS, "{}", 1)]
    #[case(TOLERATIONS, "[1]", 1)]
    #[case(TOLERATIONS, "[", 1)]
    #[case(DELETION_COST, "0", 0)]
    #[case(DELETION_COST, "-2147483648", 0)]
    #[case(DELETION_COST, "2147483647", 0)]
    #[case(DELETION_COST, "2147483648", 1)]
    #[case(DELETION_COST, "+1", 1)]
    #[case(DELETION_COST, "01", 1)]
    #[case(DELETION_COST, "-", 1)]
    #[case(DELETION_COST, "", 1)]
    #[case(SECCOMP_POD, "runtime/default", 0)]
    #[case(SECCOMP_POD, "localhost/a/b", 0)]
    #[case(SECCOMP_POD, "localhost//a", 1)]
    #[case(SECCOMP_POD, "localhost/../a", 1)]
    #[case(SECCOMP_POD, "Unconfined", 1)]
    #[case("container.seccomp.security.alpha.kubernetes.io/any", "docker/default", 0)]
    #[case("container.seccomp.security.alpha.kubernetes.io/any", "", 1)]
    #[case("container.apparmor.security.beta.kubernetes.io/main", "runtime/default", 0)]
    #[case("container.apparmor.security.beta.kubernetes.io/main", "localhost/any text", 0)]
    #[case("container.apparmor.security.beta.kubernetes.io/main", "", 0)]
    #[case("container.apparmor.security.beta.kubernetes.io/main", "odd", 1)]
    #[case("container.apparmor.security.beta.kubernetes.io/other", "unconfined", 1)]
    fn pods(#[case] key: &str, #[case] value: &str, #[case] count: usize) {
        let pod = PodFacts { has_node: false, has_container: &|name| name == "main" };
        let paths = found(|report, path| check_pod(report, path, [(key, value)].into_iter(), &pod), "a");
        assert_eq!(paths.len(), count, "{key}={value}: {paths:?}");
    }

    #[test]
    fn a_pod_that_is_bound_may_be_a_copy() {
        let pod = PodFacts { has_node: true, has_container: &|_| true };
        let all = [(MIRROR, "x"), ("container.apparmor.security.beta.kubernetes.io/other", "unconfined")];
        assert!(found(|report, path| check_pod(report, path, all.into_iter(), &pod), "a").is_empty());
    }

    #[rstest]
    #[case(&[(TOPOLOGY_MODE, "Auto")], 0)]
    #[case(&[(TOPOLOGY_MODE, "Auto"), (TOPOLOGY_HINTS, "Auto")], 0)]
    #[case(&[(TOPOLOGY_MODE, "Auto"), (TOPOLOGY_HINTS, "auto")], 1)]
    #[case(&[(SOURCE_RANGES, "10.0.0.0/8")], 1)]
    #[case(&[(SOURCE_RANGES, "")], 1)]
    fn services(#[case] entries: &'static [(&str, &str)], #[case] count: usize) {
        let get = |key: &str| entries.iter().find(|(other, _)| *other == key).map(|(_, value)| *value);
        assert_eq!(found(|report, path| check_service(report, path, get), "a").len(), count);
    }
}
