//! The volumes of a pod: each has at most one source, and that source has what it needs. One family of sources a file.
//!
//! Names are judged where the operator's own volumes are known.

mod block;
mod cloud;
mod downward;
mod ephemeral;
mod files;
mod network;
mod node;
mod projected;

use serde_json::Value;

use super::Report;
use super::read::{is_set, text};
use crate::finding::{Code, FieldPath};
use crate::settings::KubernetesVersion;

pub(crate) use node::check_size;

const CODE: Code = Code::VolumeInvalid;

type Check = fn(&mut Report<'_>, &FieldPath, &Value);

/// Every source, and what is asked of it.
const SOURCES: [(&str, Check); 30] = [
    ("awsElasticBlockStore", cloud::aws),
    ("azureDisk", cloud::azure_disk),
    ("azureFile", cloud::azure_file),
    ("cephfs", network::cephfs),
    ("cinder", cloud::cinder),
    ("configMap", files::config_map),
    ("csi", node::csi),
    ("downwardAPI", downward::check),
    ("emptyDir", node::empty_dir),
    ("ephemeral", ephemeral::check),
    ("fc", block::fibre_channel),
    ("flexVolume", node::flex_volume),
    ("flocker", network::flocker),
    ("gcePersistentDisk", cloud::gce),
    ("gitRepo", node::git_repo),
    ("glusterfs", network::glusterfs),
    ("hostPath", node::host_path),
    ("image", node::image),
    ("iscsi", block::iscsi),
    ("nfs", network::nfs),
    ("persistentVolumeClaim", node::claim),
    ("photonPersistentDisk", cloud::photon),
    ("portworxVolume", cloud::portworx),
    ("projected", projected::check),
    ("quobyte", network::quobyte),
    ("rbd", network::rbd),
    ("scaleIO", cloud::scale_io),
    ("secret", files::secret),
    ("storageos", cloud::storage_os),
    ("vsphereVolume", cloud::vsphere),
];

/// When the API server knows volumes of images, and since when it keeps them unless the gate `ImageVolume` is off.
/// Between the two it drops such a volume and its mounts unread.
const IMAGES_KNOWN: KubernetesVersion = KubernetesVersion { major: 1, minor: 31 };
const IMAGES_KEPT: KubernetesVersion = KubernetesVersion { major: 1, minor: 35 };

/// Says what is wrong with the sources of the volumes at `path`. A volume without a source is an `emptyDir`.
pub(crate) fn check(report: &mut Report<'_>, path: &FieldPath, volumes: &[Value]) {
    for (index, volume) in volumes.iter().enumerate() {
        if is_set(volume, "image") && (IMAGES_KNOWN..IMAGES_KEPT).contains(&report.kubernetes) {
            continue;
        }
        let known = |name: &str| name != "image" || report.kubernetes >= IMAGES_KNOWN;
        let sources: Vec<_> =
            SOURCES.iter().filter(|(name, _)| known(name) && is_set(volume, name)).collect();
        match sources[..] {
            [] => {}
            [(name, check)] => {
                check(report, &path.index(index).child(name), &volume[*name]);
                block::check_initiator(report, &path.index(index), volume);
            }
            [(first, _), (second, _), ..] => report.add(
                CODE,
                path.index(index),
                format!("the volume has {} sources, {first} and {second} among them", sources.len()),
                "keep one, and make a volume of each other one",
            ),
        }
    }
}

/// Says which of the texts `fields` are empty or absent.
fn check_needed(report: &mut Report<'_>, path: &FieldPath, source: &Value, fields: &[&str]) {
    for field in fields.iter().filter(|field| text(source, field).is_empty()) {
        report.required(CODE, path.child(field), &format!("this sort of volume needs its {field}"));
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
    #[case(json!({"emptyDir": {}}), &[])]
    #[case(json!({"emptyDir": {}, "secret": null}), &[])]
    #[case(json!({"emptyDir": {}, "hostPath": {"path": "/a"}}), &["v[0]"])]
    // What is wrong with one of several sources does not matter yet.
    #[case(json!({"emptyDir": {}, "secret": {}, "configMap": {}}), &["v[0]"])]
    #[case(json!({"secret": {}}), &["v[0].secret.secretName"])]
    fn sources(#[case] mut volume: Value, #[case] paths: &[&str]) {
        volume["name"] = json!("a");
        assert_eq!(found(|report, path| check(report, path, &[volume]), "v"), paths);
    }

    #[rstest]
    #[case(30, json!({"image": {"pullPolicy": "Odd"}}), 0)]
    #[case(30, json!({"image": {}, "emptyDir": {}}), 0)]
    #[case(30, json!({"image": {}, "secret": {}}), 1)]
    #[case(31, json!({"image": {"pullPolicy": "Odd"}, "secret": {}}), 0)]
    #[case(34, json!({"image": {"pullPolicy": "Odd"}}), 0)]
    #[case(35, json!({"image": {"pullPolicy": "Odd"}}), 1)]
    #[case(35, json!({"image": {"reference": "a"}, "emptyDir": {}}), 1)]
    #[case(35, json!({"image": {"reference": "a"}}), 0)]
    fn images_are_read_since(#[case] minor: u16, #[case] volume: Value, #[case] count: usize) {
        assert_eq!(found_in(minor, |report, path| check(report, path, &[volume]), "v").len(), count);
    }

    #[test]
    fn every_source_of_the_schema_is_known() {
        let crd = sojourn_crds::amalthea::crd();
        let spec =
            &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        let fields = spec["extraVolumes"]["items"]["properties"].as_object().unwrap();
        let unknown: Vec<_> = fields
            .keys()
            .filter(|field| *field != "name" && !SOURCES.iter().any(|(name, _)| name == field))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
