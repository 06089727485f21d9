//! Volumes that a container sees as block devices.
//!
//! `ValidateVolumeDevices`, and what `ValidateVolumeMounts` says about devices.

use std::collections::BTreeSet;

use serde_json::Value;

use super::at::At;
use crate::finding::{Code, seen};
use crate::rules::pod::Report;
use crate::rules::pod::paths::leads_up;
use crate::rules::pod::read::{is_set, text};

const CODE: Code = Code::MountInvalid;

/// What a volume of the pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VolumeSort {
    /// A claim, or the template of one: it can be a device.
    Claim,
    /// Anything else.
    Other,
}

impl VolumeSort {
    /// What a volume of a pod is.
    pub(crate) fn of(volume: &Value) -> Self {
        let claim = ["persistentVolumeClaim", "ephemeral"].iter().any(|source| is_set(volume, source));
        if claim { Self::Claim } else { Self::Other }
    }
}

/// Says what is wrong with the devices of a container with these `mounts`. `sort_of` knows the volumes of the pod.
pub(crate) fn check(
    report: &mut Report<'_>,
    at: &At<'_>,
    devices: &[Value],
    mounts: &[Value],
    sort_of: impl Fn(&str) -> Option<VolumeSort>,
) {
    if devices.is_empty() {
        return;
    }
    let mut names: BTreeSet<_> = mounts.iter().map(|mount| text(mount, "name")).collect();
    let mut paths: BTreeSet<_> = mounts.iter().map(|mount| text(mount, "mountPath")).collect();
    for (index, device) in devices.iter().enumerate() {
        let at = at.index(index);
        let (name, path) = (text(device, "name"), text(device, "devicePath"));
        let problem = match sort_of(name) {
            Some(VolumeSort::Claim) if names.insert(name) => None,
            Some(VolumeSort::Claim) => {
                Some(("is mounted, or a device already", "use a volume once in a container"))
            }
            Some(VolumeSort::Other) => Some((
                "is no claim, so it is no device",
                "use a volume with persistentVolumeClaim or ephemeral",
            )),
            None => Some(("is no volume of the pod", "add it to the volumes")),
        };
        if let Some((problem, hint)) = problem {
            report.add(CODE, at.child("name").path(), format!("{} {problem}", seen(name)), hint);
        }
        let problem = if path.is_empty() {
            "is no path"
        } else if leads_up(path) {
            "leads up with '..'"
        } else if !paths.insert(path) {
            "is the path of another device or mount"
        } else {
            continue;
        };
        let message = format!("{} {problem}", seen(path));
        report.add(
            CODE,
            at.child("devicePath").path(),
            message,
            "choose another path, for example /dev/disk",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::paths_of;
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!([]), &[])]
    #[case(json!([{"name": "a", "devicePath": "/dev/a"}, {"name": "b", "devicePath": "b"}]), &[])]
    #[case(json!([{"name": "a", "devicePath": ""}]), &["x[0].devicePath"])]
    #[case(json!([{"name": "a", "devicePath": "/dev/../a"}]), &["x[0].devicePath"])]
    #[case(json!([{"name": "a", "devicePath": "/m"}]), &["x[0].devicePath"])]
    #[case(json!([{"name": "a", "devicePath": "/a"}, {"name": "b", "devicePath": "/a"}]), &["x[1].devicePath"])]
    #[case(json!([{"name": "a", "devicePath": "/a"}, {"name": "a", "devicePath": "/b"}]), &["x[1].name"])]
    #[case(json!([{"name": "mounted", "devicePath": "/a"}]), &["x[0].name"])]
    #[case(json!([{"name": "other", "devicePath": "/a"}]), &["x[0].name"])]
    #[case(json!([{"name": "none", "devicePath": "/a"}]), &["x[0].name"])]
    #[case(json!([{}]), &["x[0].devicePath", "x[0].name"])]
    fn volume_devices(#[case] devices: Value, #[case] wrong: &[&str]) {
        let mounts = [json!({"name": "mounted", "mountPath": "/m"})];
        let sort_of = |name: &str| match name {
            "a" | "b" | "mounted" => Some(VolumeSort::Claim),
            "other" => Some(VolumeSort::Other),
            _ => None,
        };
        let devices = devices.as_array().unwrap();
        assert_eq!(paths_of(|report, at| check(report, at, devices, &mounts, sort_of)), wrong);
    }
}
