//! Under which user, groups and profiles a pod runs, as far as the pod says so for all of its containers.

mod sysctls;
mod windows;

use serde_json::Value;

use super::container::at::At;
use super::read::{integer, is_set, is_true, list, text, text_if_set};
use super::{Report, profiles};
use crate::finding::{Code, FieldPath};
use crate::settings::KubernetesVersion;

const CODE: Code = Code::SecurityContextInvalid;
const HIGHEST_ID: i64 = i32::MAX as i64;
/// Before, an API server drops `hostUsers`, `supplementalGroupsPolicy` and `seLinuxChangePolicy` unread, unless the gates
/// `UserNamespacesSupport`, `SupplementalGroupsPolicy` and `SELinuxChangePolicy` are on.
const NEWER_FIELDS: KubernetesVersion = KubernetesVersion { major: 1, minor: 33 };

/// Since here, for certain, devices are refused in a pod with users of its own; whether earlier versions do is not known.
const DEVICES: KubernetesVersion = KubernetesVersion { major: 1, minor: 34 };

/// Says what is wrong with the security context of the pod at `path`, and with what it says about the node's namespaces.
pub(crate) fn check(report: &mut Report<'_>, path: &FieldPath, pod: &Value) {
    if is_true(pod, "hostPID") && is_true(pod, "shareProcessNamespace") {
        report.add(
            CODE,
            path.child("shareProcessNamespace"),
            "does not go with hostPID",
            "leave out one of the two",
        );
    }
    if pod["hostUsers"] == false && report.kubernetes >= NEWER_FIELDS {
        for field in ["hostNetwork", "hostPID", "hostIPC"].into_iter().filter(|field| is_true(pod, field)) {
            report.add(
                CODE,
                path.child(field),
                "does not go with hostUsers false",
                "leave out one of the two",
            );
        }
    }
    if pod["hostUsers"] == false && report.kubernetes >= DEVICES {
        check_devices(report, path, pod);
    }
    let context = &pod["securityContext"];
    if is_set(pod, "securityContext") {
        let path = path.child("securityContext");
        check_ids(report, &path, context);
        check_policies(report, &path, context);
        let at = At::root(path.as_str());
        sysctls::check(report, &path.child("sysctls"), pod, list(context, "sysctls"));
        profiles::check_seccomp(report, &at.child("seccompProfile"), &context["seccompProfile"]);
        profiles::check_app_armor(report, &at.child("appArmorProfile"), &context["appArmorProfile"]);
        windows::check(report, &path.child("windowsOptions"), pod, &context["windowsOptions"]);
    }
}

fn check_devices(report: &mut Report<'_>, path: &FieldPath, pod: &Value) {
    for field in ["containers", "initContainers"] {
        for (index, container) in list(pod, field).iter().enumerate() {
            if !list(container, "volumeDevices").is_empty() {
                report.add(
                    CODE,
                    path.child(field).index(index).child("volumeDevices"),
                    "devices do not go with hostUsers false",
                    "mount a volume with files, or leave hostUsers out",
                );
            }
        }
    }
}

fn check_ids(report: &mut Report<'_>, path: &FieldPath, context: &Value) {
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        if let Some(id) = integer(context, field) {
            check_id(report, || path.child(field), id);
        }
    }
    for (index, group) in list(context, "supplementalGroups").iter().enumerate() {
        if let Some(id) = group.as_i64() {
            check_id(report, || path.child("supplementalGroups").index(index), id);
        }
    }
}

fn check_id(report: &mut Report<'_>, path: impl FnOnce() -> FieldPath, id: i64) {
    if !(0..=HIGHEST_ID).contains(&id) {
        report.add(
            CODE,
            path(),
            format!("{id} is not the number of a user or group"),
            format!("use one from 0 to {HIGHEST_ID}"),
        );
    }
}

fn check_policies(report: &mut Report<'_>, path: &FieldPath, context: &Value) {
    const POLICIES: [(&str, &[&str]); 3] = [
        ("fsGroupChangePolicy", &["OnRootMismatch", "Always"]),
        ("supplementalGroupsPolicy", &["Merge", "Strict"]),
        // MountOption needs the gate SELinuxMount, which is off by default in every version up to 1.34.
        ("seLinuxChangePolicy", &["Recursive"]),
    ];
    let known = if report.kubernetes >= NEWER_FIELDS { POLICIES.len() } else { 1 };
    for (field, allowed) in &POLICIES[..known] {
        if let Some(policy) = text_if_set(context, field).filter(|policy| !allowed.contains(policy)) {
            report.unsupported(CODE, path.child(field), policy, allowed);
        }
    }
}

/// Says what of the pod at `path` does not go with the operating system that it names.
pub(crate) fn check_system(report: &mut Report<'_>, path: &FieldPath, pod: &Value) {
    if !is_set(pod, "os") {
        return;
    }
    match text(&pod["os"], "name") {
        "" => report.required(Code::PodInvalid, path.child("os").child("name"), "os names a system"),
        "linux" if is_set(&pod["securityContext"], "windowsOptions") => report.add(
            CODE,
            path.child("securityContext").child("windowsOptions"),
            "is not for the pods of linux",
            "leave it out, or change os",
        ),
        "linux" => {}
        "windows" => windows::check_pod(report, path, pod),
        other => {
            report.unsupported(
                Code::PodInvalid,
                path.child("os").child("name"),
                other,
                &["linux", "windows"],
            );
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
    #[case(json!({"fsGroup": 0, "runAsUser": 2147483647, "runAsGroup": 1, "supplementalGroups": [1, 2]}), &[])]
    #[case(json!({"fsGroup": -1}), &["fsGroup"])]
    #[case(json!({"runAsUser": 2147483648i64}), &["runAsUser"])]
    #[case(json!({"runAsGroup": -5}), &["runAsGroup"])]
    #[case(json!({"supplementalGroups": [1, -2]}), &["supplementalGroups[1]"])]
    #[case(json!({"fsGroupChangePolicy": "OnRootMismatch"}), &[])]
    #[case(json!({"fsGroupChangePolicy": "Never"}), &["fsGroupChangePolicy"])]
    #[case(json!({"supplementalGroupsPolicy": "Strict", "seLinuxChangePolicy": "Recursive"}), &[])]
    #[case(json!({"supplementalGroupsPolicy": "strict"}), &["supplementalGroupsPolicy"])]
    #[case(json!({"seLinuxChangePolicy": "MountOption"}), &["seLinuxChangePolicy"])]
    fn contexts(#[case] context: Value, #[case] fields: &[&str]) {
        let pod = json!({"securityContext": context});
        let paths: Vec<_> = fields.iter().map(|field| format!("p.securityContext.{field}")).collect();
        assert_eq!(found(|report, path| check(report, path, &pod), "p"), paths);
    }

    #[rstest]
    #[case(json!({"hostPID": true}), &[])]
    #[case(json!({"hostPID": true, "shareProcessNamespace": true}), &["p.shareProcessNamespace"])]
    #[case(json!({"hostUsers": true, "hostIPC": true}), &[])]
    #[case(json!({"hostUsers": false, "hostIPC": true, "hostNetwork": true}), &["p.hostNetwork", "p.hostIPC"])]
    #[case(json!({"hostUsers": false, "containers": [{"volumeDevices": []}]}), &[])]
    #[case(json!({"containers": [{"volumeDevices": [{"name": "a", "devicePath": "/a"}]}]}), &[])]
    #[case(json!({"hostUsers": false, "containers": [{}, {"volumeDevices": [{"name": "a", "devicePath": "/a"}]}]}), &["p.containers[1].volumeDevices"])]
    fn namespaces(#[case] pod: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check(report, path, &pod), "p"), paths);
    }

    #[rstest]
    #[case(json!({"securityContext": {"supplementalGroupsPolicy": "odd"}}))]
    #[case(json!({"securityContext": {"seLinuxChangePolicy": "odd"}}))]
    #[case(json!({"hostUsers": false, "hostIPC": true}))]
    fn newer_fields_are_judged_since(#[case] pod: Value) {
        for (minor, count) in [(32, 0), (33, 1)] {
            assert_eq!(found_in(minor, |report, path| check(report, path, &pod), "p").len(), count);
        }
    }

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"os": {"name": "linux"}, "hostPID": true}), &[])]
    #[case(json!({"os": {}}), &["p.os.name"])]
    #[case(json!({"os": {"name": "plan9"}}), &["p.os.name"])]
    #[case(json!({"os": {"name": "linux"}, "securityContext": {"windowsOptions": {}}}), &["p.securityContext.windowsOptions"])]
    #[case(json!({"os": {"name": "windows"}, "securityContext": {"windowsOptions": {}}}), &[])]
    #[case(json!({"os": {"name": "windows"}, "hostPID": true, "securityContext": {"fsGroup": 1}}), &["p.securityContext.fsGroup", "p.hostPID"])]
    fn systems(#[case] pod: Value, #[case] paths: &[&str]) {
        assert_eq!(found(|report, path| check_system(report, path, &pod), "p"), paths);
    }
}
