//! What a plausible object consists of beyond what the schema says: which fields exclude each other, and which are there
//! with every object of the kind.

use crate::values::ends_in;

/// Of these fields one is set, the first if nothing else is asked for. The first row that fits counts.
const ONE_OF: &[(&str, &[&str])] = &[
    ("livenessProbe", &["httpGet", "tcpSocket", "grpc", "exec"]),
    ("readinessProbe", &["tcpSocket", "httpGet", "grpc", "exec"]),
    ("startupProbe", &["exec", "tcpSocket", "grpc", "httpGet"]),
    ("postStart", &["exec", "httpGet", "sleep", "tcpSocket"]),
    ("preStop", &["sleep", "httpGet", "exec", "tcpSocket"]),
    ("valueFrom", &["secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef"]),
    ("env[]", &["value", "valueFrom"]),
    ("envFrom[]", &["secretRef", "configMapRef"]),
    ("downwardAPI.items[]", &["fieldRef", "resourceFieldRef"]),
    ("sources[]", &["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle"]),
    ("clusterTrustBundle", &["name", "signerName"]),
    ("flocker", &["datasetName", "datasetUUID"]),
    ("fc", &["targetWWNs", "wwids"]),
];

/// Of these at most one is set.
const AT_MOST_ONE: &[(&str, &[&str])] = &[
    ("volumeMounts[]", &["subPath", "subPathExpr"]),
    ("extraVolumeMounts[]", &["subPath", "subPathExpr"]),
    ("volumeClaimTemplate.spec", &["dataSource", "dataSourceRef"]),
];

/// Fields that are there with every object, beside those that the schema requires.
const WITH: &[(&str, &[&str])] = &[
    ("extraContainers[]", &["image"]),
    ("initContainers[]", &["image"]),
    ("exec", &["command"]),
    ("httpHeaders[]", &["value"]),
    ("sleep", &["seconds"]),
    ("resizePolicy[]", &["resourceName", "restartPolicy"]),
    ("preference", &["matchExpressions"]),
    ("ephemeral", &["volumeClaimTemplate"]),
    ("volumeClaimTemplate.spec", &["accessModes", "resources"]),
    ("volumeClaimTemplate.spec.resources", &["requests"]),
    ("projected", &["sources"]),
    ("resourceFieldRef", &["containerName"]),
    ("secret", &["secretName"]),
    ("image", &["reference"]),
    ("scaleIO", &["volumeName"]),
    ("storageos", &["volumeName"]),
    ("seccompProfile", &["type"]),
    ("appArmorProfile", &["type"]),
    ("dataSources[]", &["secretRef"]),
    ("authentication.secretRef", &["key"]),
    ("tolerations[]", &["operator"]),
    ("matchExpressions[]", &["values"]),
    ("matchFields[]", &["values"]),
];

/// The fields of which the object at `path` has one. A volume has one of its sources, which are many.
pub(super) fn one_of(path: &str) -> Option<&'static [&'static str]> {
    ONE_OF.iter().find(|row| ends_in(path, row.0)).map(|row| row.1)
}

/// Whether `field` excludes `other` in the object at `path`.
pub(super) fn excludes(path: &str, field: &str, other: &str) -> bool {
    if ends_in(path, "extraVolumes[]") {
        return field != other && field != "name" && other != "name";
    }
    // Labels select bundles of a signer, so they do not go with a name.
    if ends_in(path, "clusterTrustBundle") && (field, other) == ("labelSelector", "name") {
        return true;
    }
    // A number of a unit goes with the first of both lists.
    if ends_in(path, "fc") && (field, other) == ("lun", "wwids") {
        return true;
    }
    let rows = ONE_OF.iter().chain(AT_MOST_ONE).filter(|row| ends_in(path, row.0));
    field != other && rows.into_iter().any(|row| row.1.contains(&field) && row.1.contains(&other))
}

/// The fields that every object at `path` has.
pub(super) fn with(path: &str) -> &'static [&'static str] {
    // `image` and `secret` are sources of volumes only there; an image elsewhere is a text.
    WITH.iter().find(|row| ends_in(path, row.0)).map_or(&[], |row| row.1)
}
