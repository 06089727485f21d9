//! Each check, with what it allows beside what it refuses.

use super::*;
use rstest::rstest;
use serde_json::json;

fn paths(level: Level, minor: u16, check: impl FnOnce(&mut Standard<'_>)) -> Vec<String> {
    let enforced = Enforced { level, minor };
    let mut standard = Standard { enforced, pod_seccomp: &Value::Null, violations: Vec::new() };
    check(&mut standard);
    standard.violations.iter().map(|violation| violation.path.to_string()).collect()
}

fn of_container(level: Level, minor: u16, container: &Value) -> Vec<String> {
    paths(level, minor, |standard| standard.check_container(&At::root(""), container))
}

/// A container that `restricted` allows, with some fields of its security context changed.
fn container(changed: Value) -> Value {
    let mut context = json!({
        "allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    json_patch::merge(&mut context, &changed);
    json!({"securityContext": context})
}

/// Fields whose values `baseline` refuses, and with it `restricted`.
#[rstest]
#[case(json!({}), &[])]
#[case(json!({"privileged": false}), &[])]
#[case(json!({"privileged": true}), &["privileged"])]
#[case(json!({"seccompProfile": {"type": "Localhost", "localhostProfile": "a"}}), &[])]
#[case(json!({"seccompProfile": {"type": "Unconfined"}}), &["seccompProfile.type"])]
#[case(json!({"appArmorProfile": {"type": "Localhost"}}), &[])]
#[case(json!({"appArmorProfile": {"type": "Unconfined"}}), &["appArmorProfile.type"])]
#[case(json!({"seLinuxOptions": {"level": "s0:c1,c2", "type": "container_init_t", "user": ""}}), &[])]
#[case(json!({"seLinuxOptions": {"type": "container_engine_t"}}), &[])]
#[case(json!({"seLinuxOptions": {"type": "spc_t", "user": "u", "role": "r"}}),
    &["seLinuxOptions.type", "seLinuxOptions.user", "seLinuxOptions.role"])]
#[case(json!({"capabilities": {"add": ["NET_BIND_SERVICE"]}}), &[])]
#[case(json!({"capabilities": {"add": ["NET_BIND_SERVICE", "SYS_ADMIN", "ALL"]}}),
    &["capabilities.add[1]", "capabilities.add[2]"])]
fn contexts(
    #[case] changed: Value,
    #[case] refused: &[&str],
    #[values(Level::Baseline, Level::Restricted)] level: Level,
) {
    let refused: Vec<_> = refused.iter().map(|path| format!("securityContext.{path}")).collect();
    assert_eq!(of_container(level, 34, &container(changed)), refused);
}

/// Fields whose values only `restricted` refuses.
#[rstest]
#[case(json!({"allowPrivilegeEscalation": null}), "allowPrivilegeEscalation")]
#[case(json!({"allowPrivilegeEscalation": true}), "allowPrivilegeEscalation")]
#[case(json!({"runAsNonRoot": null}), "runAsNonRoot")]
#[case(json!({"runAsNonRoot": false}), "runAsNonRoot")]
#[case(json!({"runAsUser": 0}), "runAsUser")]
#[case(json!({"seccompProfile": null}), "seccompProfile")]
#[case(json!({"capabilities": null}), "capabilities.drop")]
#[case(json!({"capabilities": {"drop": ["CHOWN", "all"]}}), "capabilities.drop")]
#[case(json!({"capabilities": {"add": ["CHOWN"]}}), "capabilities.add[0]")]
fn restricted_contexts(#[case] changed: Value, #[case] refused: &str) {
    let container = container(changed);
    assert_eq!(of_container(Level::Restricted, 34, &container), [format!("securityContext.{refused}")]);
    assert!(of_container(Level::Baseline, 34, &container).is_empty());
}

#[test]
fn a_container_that_says_nothing_is_baseline_and_lacks_all_that_is_restricted() {
    assert!(of_container(Level::Baseline, 34, &json!({})).is_empty());
    let lacking = ["allowPrivilegeEscalation", "runAsNonRoot", "seccompProfile", "capabilities.drop"];
    let lacking = lacking.map(|field| format!("securityContext.{field}"));
    assert_eq!(of_container(Level::Restricted, 34, &json!({"name": "a"})), lacking);
}

#[test]
fn the_profile_of_the_pod_counts_for_containers_without_one() {
    for (pod, found) in [("RuntimeDefault", 0), ("Unconfined", 1)] {
        let mut standard = Standard {
            enforced: Enforced { level: Level::Restricted, minor: 34 },
            pod_seccomp: &json!({"type": pod}),
            violations: Vec::new(),
        };
        standard.check_container(&At::root(""), &container(json!({"seccompProfile": null})));
        assert_eq!(standard.violations.len(), found, "{pod}");
    }
}

#[test]
fn ports_of_the_node_and_hosts_of_handlers() {
    let container = json!({
        "ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}, {"hostPort": 0}],
        "livenessProbe": {"httpGet": {"host": "10.0.0.1"}},
        "readinessProbe": {"tcpSocket": {"port": 1, "host": ""}},
        "startupProbe": {"tcpSocket": {"host": "a"}},
        "lifecycle": {"postStart": {"httpGet": {"host": "b"}}, "preStop": {"tcpSocket": {"host": "c"}}},
    });
    let hosts = [
        "livenessProbe.httpGet.host",
        "startupProbe.tcpSocket.host",
        "lifecycle.postStart.httpGet.host",
        "lifecycle.preStop.tcpSocket.host",
    ];
    let port = "ports[1].hostPort";
    assert_eq!(of_container(Level::Baseline, 34, &container), [&[port], &hosts[..]].concat());
    assert_eq!(of_container(Level::Baseline, 33, &container), [port]);
}

/// A namespace may enforce the standard of an earlier version.
#[rstest]
#[case(30, json!({"seLinuxOptions": {"type": "container_engine_t"}}), &["seLinuxOptions.type"])]
#[case(22, json!({"runAsUser": 0}), &[])]
#[case(23, json!({"runAsUser": 0}), &["runAsUser"])]
#[case(21, json!({"capabilities": {"add": ["CHOWN"], "drop": []}}), &[])]
#[case(22, json!({"capabilities": {"add": ["CHOWN"], "drop": []}}), &["capabilities.drop", "capabilities.add[0]"])]
fn earlier_versions(#[case] minor: u16, #[case] changed: Value, #[case] refused: &[&str]) {
    let refused: Vec<_> = refused.iter().map(|path| format!("securityContext.{path}")).collect();
    assert_eq!(of_container(Level::Restricted, minor, &container(changed)), refused);
}

#[rstest]
#[case(json!({"name": "a"}), &[], &[])]
#[case(json!({"name": "a", "emptyDir": {}, "nfs": null}), &[], &[])]
#[case(json!({"name": "a", "csi": {"driver": "d"}}), &[], &[])]
#[case(json!({"name": "a", "hostPath": {"path": "/"}}), &["v.hostPath"], &["v.hostPath"])]
#[case(json!({"name": "a", "nfs": {"server": "s"}}), &[], &["v.nfs"])]
#[case(json!({"name": "a", "image": {"reference": "s"}}), &[], &["v.image"])]
fn volumes(#[case] volume: Value, #[case] baseline: &[&str], #[case] restricted: &[&str]) {
    for (level, refused) in [(Level::Baseline, baseline), (Level::Restricted, restricted)] {
        let found = paths(level, 34, |standard| standard.check_volume(&At::root("v"), &volume));
        assert_eq!(found, refused, "{level}");
    }
}

#[rstest]
#[case("container.apparmor.security.beta.kubernetes.io/a", "unconfined", false)]
#[case("container.apparmor.security.beta.kubernetes.io/a", "localhost/a", true)]
#[case("container.apparmor.security.beta.kubernetes.io/a", "runtime/default", true)]
#[case("container.apparmor.security.beta.kubernetes.io/a", "", true)]
#[case("example.org/a", "unconfined", true)]
fn annotations(#[case] key: &str, #[case] value: &str, #[case] allowed: bool) {
    let found = paths(Level::Baseline, 34, |standard| standard.check_annotation(&At::root("a"), key, value));
    assert_eq!(found.is_empty(), allowed);
}
