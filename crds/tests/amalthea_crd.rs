//! Holds the generated CRD of `AmaltheaSession` against the facts of the original's, and the committed
//! YAML against the generated.

mod support;

use rstest::rstest;
use serde_json::{Value, json};

fn schema(path: &str) -> Value {
    support::schema(&sojourn_crds::amalthea::crd(), path)
}

#[test]
fn committed_yaml_is_what_the_types_give() {
    for (file, crd) in sojourn_crds::all_crds() {
        let path = format!("{}/yaml/{file}", env!("CARGO_MANIFEST_DIR"));
        let committed = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            committed,
            sojourn_crds::generated_yaml(&crd).unwrap(),
            "{file} is stale: run `make generate`"
        );
    }
}

#[test]
fn names_scope_and_subresources() {
    let crd = sojourn_crds::amalthea::crd();
    assert_eq!(crd["metadata"]["name"], "amaltheasessions.amalthea.dev");
    assert_eq!(
        crd["spec"]["names"],
        json!({"kind": "AmaltheaSession", "listKind": "AmaltheaSessionList", "plural": "amaltheasessions",
               "singular": "amaltheasession", "shortNames": ["ams", "amss"]})
    );
    assert_eq!(crd["spec"]["scope"], "Namespaced");
    assert_eq!(crd["spec"]["versions"].as_array().unwrap().len(), 1);
    assert_eq!(crd["spec"]["versions"][0]["subresources"], json!({"status": {}}));
}

#[test]
fn columns() {
    assert_eq!(
        support::columns(&sojourn_crds::amalthea::crd()),
        [
            ["Status", "string", ".status.state"],
            ["Ready", "string", ".status.containerCounts.ready"],
            ["Total", "string", ".status.containerCounts.total"],
            ["Age", "date", ".metadata.creationTimestamp"],
            ["Idle", "boolean", ".status.idle"],
            ["URL", "string", ".status.url"],
            ["Reason", "string", ".status.conditions[?(@.type==\"Ready\")].message"],
        ]
    );
}

/// The table of the original stays as it is; what is new is in the wide one.
#[test]
fn only_the_reason_is_wide() {
    let crd = sojourn_crds::amalthea::crd();
    let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap();
    let wide: Vec<_> = columns.iter().filter(|column| column["priority"] == 1).collect();
    assert_eq!(wide.len(), 1);
    assert_eq!(wide[0]["name"], "Reason");
}

#[test]
fn small_enough_to_be_applied_client_side() {
    let size = serde_json::to_string(&sojourn_crds::amalthea::crd()).unwrap().len();
    assert!(size < 200 * 1024, "{size} bytes; kubectl keeps a copy in an annotation of at most 256 KiB");
}

#[rstest]
#[case("", json!(null))]
#[case("spec", json!(["hibernated", "session"]))]
#[case("spec.session", json!(["image"]))]
#[case("spec.codeRepositories.[]", json!(["remote"]))]
#[case("spec.codeRepositories.[].cloningConfigSecretRef", json!(["name", "key"]))]
#[case("spec.dataSources.[]", json!(null))]
#[case("spec.authentication", json!(["type", "secretRef"]))]
#[case("spec.authentication.secretRef", json!(["name"]))]
#[case("spec.ingress", json!(["host"]))]
#[case("spec.culling", json!(null))]
#[case("spec.extraContainers.[]", json!(["name"]))]
#[case("status", json!(null))]
#[case("status.conditions.[]", json!(["type", "status"]))]
fn required(#[case] path: &str, #[case] fields: Value) {
    assert_eq!(schema(path)["required"], fields);
}

#[rstest]
#[case("spec.location", json!("local"))]
#[case("spec.hibernated", json!(false))]
#[case("spec.reconcileStrategy", json!("always"))]
#[case("spec.sessionType", json!("Interactive"))]
#[case("spec.culling", json!(null))]
#[case("spec.culling.cpuIdleThreshold", json!("300m"))]
#[case("spec.culling.maxAge", json!(null))]
#[case("spec.session", json!(null))]
#[case("spec.session.imagePullPolicy", json!("Always"))]
#[case("spec.session.port", json!(8000))]
#[case("spec.session.storage", json!({}))]
#[case("spec.session.storage.size", json!("1Gi"))]
#[case("spec.session.storage.mountPath", json!("/workspace"))]
#[case("spec.session.runAsUser", json!(1000))]
#[case("spec.session.runAsGroup", json!(1000))]
#[case("spec.session.urlPath", json!("/"))]
#[case("spec.session.stripURLPath", json!(false))]
#[case("spec.session.readinessProbe", json!({}))]
#[case("spec.session.readinessProbe.type", json!("tcp"))]
#[case("spec.codeRepositories.[].type", json!("git"))]
#[case("spec.codeRepositories.[].clonePath", json!("."))]
#[case("spec.dataSources.[].type", json!("rclone"))]
#[case("spec.dataSources.[].mountPath", json!("data"))]
#[case("spec.dataSources.[].accessMode", json!("ReadOnlyMany"))]
#[case("spec.authentication.enabled", json!(true))]
#[case("spec.ingress.pathPrefix", json!("/"))]
#[case("spec.ingress.useDefaultClusterTLSCert", json!(false))]
#[case("spec.ingress.assumeHttps", json!(false))]
#[case("spec.extraContainers.[].ports.[].protocol", json!("TCP"))]
#[case("spec.extraVolumes.[].azureDisk.fsType", json!("ext4"))]
#[case("spec.extraVolumes.[].azureDisk.readOnly", json!(false))]
#[case("spec.extraVolumes.[].iscsi.iscsiInterface", json!("default"))]
#[case("spec.extraVolumes.[].rbd.keyring", json!("/etc/ceph/keyring"))]
#[case("spec.extraVolumes.[].rbd.pool", json!("rbd"))]
#[case("spec.extraVolumes.[].rbd.user", json!("admin"))]
#[case("spec.extraVolumes.[].scaleIO.fsType", json!("xfs"))]
#[case("spec.extraVolumes.[].scaleIO.storageMode", json!("ThinProvisioned"))]
#[case("status", json!({}))]
#[case("status.state", json!("NotReady"))]
#[case("status.idle", json!(false))]
#[case("status.containerCounts", json!(null))]
#[case("status.containerCounts.ready", json!(0))]
fn defaults(#[case] path: &str, #[case] default: Value) {
    assert_eq!(schema(path)["default"], default);
}

#[rstest]
#[case("spec.location", json!(["local", "remote"]))]
#[case("spec.sessionType", json!(["Interactive", "NonInteractive"]))]
#[case("spec.reconcileStrategy", json!(["never", "always", "whenFailedOrHibernated"]))]
#[case("spec.session.imagePullPolicy", json!(["Always", "Never", "IfNotPresent"]))]
#[case("spec.session.readinessProbe.type", json!(["none", "tcp", "http"]))]
#[case("spec.authentication.type", json!(["token", "oauth2proxy", "oidc"]))]
#[case("status.state", json!(["Running", "Failed", "Hibernated", "NotReady", "RunningDegraded", "Succeeded"]))]
fn enums(#[case] path: &str, #[case] values: Value) {
    assert_eq!(schema(path)["enum"], values);
    assert_eq!(schema(path)["type"], "string");
}

#[rstest]
#[case("spec.session.port", json!({"minimum": 0, "exclusiveMinimum": true, "maximum": 65530, "exclusiveMaximum": true, "format": "int32"}))]
#[case("spec.session.runAsUser", json!({"minimum": 0, "format": "int64"}))]
#[case("spec.session.runAsGroup", json!({"minimum": 0, "format": "int64"}))]
#[case("spec.session.shmSize", json!({"x-kubernetes-int-or-string": true}))]
#[case("spec.culling.maxAge", json!({"type": "string", "format": "duration"}))]
#[case("spec.culling.lastInteraction", json!({"type": "string", "format": "date-time"}))]
#[case("spec.nodeSelector", json!({"x-kubernetes-map-type": "atomic"}))]
#[case("spec.session.resources.limits.{}", json!({"x-kubernetes-int-or-string": true}))]
#[case("spec.extraContainers.[].env", json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}))]
#[case("spec.session.env", json!({"type": "array"}))]
#[case("status.runID", json!({"type": "string"}))]
#[case("status.hibernatedSince", json!({"type": "string", "format": "date-time"}))]
fn limits_and_forms(#[case] path: &str, #[case] facts: Value) {
    let schema = schema(path);
    for (key, value) in facts.as_object().unwrap() {
        assert_eq!(&schema[key], value, "{path} {key}");
    }
}

#[test]
fn session_env_is_one_value() {
    for field in ["env", "extraVolumeMounts"] {
        assert_eq!(schema(&format!("spec.session.{field}"))["x-kubernetes-list-type"], json!(null));
    }
}

/// The rules of the webhooks say how a quantity is written; a pattern would say it first, and in no words.
#[test]
fn no_quantity_has_a_pattern() {
    assert!(!sojourn_crds::amalthea::crd().to_string().contains("numkMGTPE"));
}

#[test]
fn nothing_is_nullable() {
    assert!(!sojourn_crds::amalthea::crd().to_string().contains("nullable"));
}

#[rstest]
#[case("spec.location")]
#[case("spec.sessionType")]
#[case("spec.ingress.host")]
#[case("spec")] // code repositories, judged on the parent so that adding and removing counts
fn immutable(#[case] path: &str) {
    let rule = schema(path)["x-kubernetes-validations"][0]["rule"].as_str().unwrap().to_owned();
    assert!(rule.contains("oldSelf"), "{path}: {rule}");
}
