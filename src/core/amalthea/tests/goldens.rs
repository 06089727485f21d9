//! All children of typical sessions, as a whole. What is in the snapshots was compared line by line with
//! what the original operator writes; a change here restarts sessions that run.

use super::{cluster::cluster, fixtures::*};
use crate::core::manifest::Write;
use base64::{Engine, engine::general_purpose::STANDARD};
use rstest::rstest;
use serde_json::{Value, json};

fn everything() -> Draft {
    session("hello")
        .ingress()
        .spec("ingress/tlsSecret", json!({"name": "tls", "adopt": true}))
        .spec("ingress/ingressClassName", json!("nginx"))
        .spec("ingress/annotations", json!({"note": "of the ingress", "ingress": "yes"}))
        .spec("template/metadata/labels", json!({"team": "blue", "app.kubernetes.io/name": "lost"}))
        .spec("template/metadata/annotations", json!({"note": "of the template"}))
        .spec("session/shmSize", json!("256Mi"))
        .spec("session/storage", json!({"className": "fast", "size": "10Gi", "mountPath": "/home/me"}))
        .spec("session/command", json!(["sh"]))
        .spec("session/args", json!(["-c", "serve"]))
        .spec("session/workingDir", json!("/home/me/work"))
        .spec("session/env", json!([{"name": "A", "value": "1"}]))
        .spec("session/resources", json!({"requests": {"cpu": "1500m", "memory": "2Gi"}}))
        .spec("session/port", json!(8888))
        .spec("session/runAsUser", json!(0))
        .spec("session/runAsGroup", json!(100))
        .spec("session/imagePullPolicy", json!("IfNotPresent"))
        .spec("session/readinessProbe/type", json!("http"))
        .spec("session/extraVolumeMounts", json!([{"name": "extra", "mountPath": "/extra"}]))
        .spec("extraContainers", json!([{"name": "helper", "image": "helper:1"}]))
        .spec("initContainers", json!([{"name": "prepare", "image": "prepare:1", "restartPolicy": "Always"}]))
        .spec("extraVolumes", json!([{"name": "extra", "emptyDir": {}}]))
        .spec("tolerations", json!([{"key": "gpu", "operator": "Exists"}]))
        .spec("nodeSelector", json!({"pool": "users"}))
        .spec("affinity", json!({"nodeAffinity": {}}))
        .spec("priorityClassName", json!("users"))
        .spec("serviceAccountName", json!("somebody"))
        .spec("imagePullSecrets", json!([{"name": "pull"}]))
        .spec(
            "dataSources",
            json!([
                {"mountPath": "/data/a", "secretRef": {"name": "rclone-a"}},
                {"mountPath": "/data/b", "accessMode": "ReadWriteMany", "secretRef": {"name": "rclone-b"}},
            ]),
        )
        .spec(
            "codeRepositories",
            json!([
                {"remote": "https://git.example/a.git", "revision": "main",
                    "cloningConfigSecretRef": {"name": "git-a", "key": "config"}},
                {"remote": "https://git.example/b.git", "clonePath": "code",
                    "cloningConfigSecretRef": {"name": "git-b", "key": "config"}},
                {"remote": "https://git.example/c.git"},
            ]),
        )
}

fn remote() -> Draft {
    session("hello")
        .remote()
        .ingress()
        .spec("session/env", json!([{"name": "A", "value": "1"}, {"name": "RENKU_B", "value": "2"}, {"name": "RSC_C", "value": "3"}]))
        .spec("session/resources", json!({"requests": {"cpu": "1500m", "memory": "2Gi"}, "limits": {"nvidia.com/gpu": "2"}}))
        .spec("session/remoteSecretRef", json!({"name": "remote-login"}))
        .spec("dataSources", json!([{"secretRef": {"name": "rclone"}}]))
}

#[rstest]
#[case::interactive("interactive", session("hello"))]
#[case::interactive_everything("interactive_everything", everything())]
#[case::token("token", session("hello").authentication("token").ingress().spec("session/stripURLPath", json!(true)))]
#[case::oauth2proxy("oauth2proxy", session("hello").authentication("oauth2proxy").ingress()
    .spec("authentication/extraVolumeMounts", json!([{"name": "certificates", "mountPath": "/certificates"}])))]
#[case::oidc("oidc", session("hello").authentication("oidc").ingress().spec("ingress/assumeHttps", json!(true)))]
#[case::authentication_disabled("authentication_disabled", session("hello").authentication("token").spec("authentication/enabled", json!(false)))]
#[case::default_certificate("default_certificate", session("hello").ingress().spec("ingress/useDefaultClusterTLSCert", json!(true)))]
#[case::remote("remote", remote())]
#[case::remote_batch("remote_batch", remote().batch())]
#[case::batch("batch", session("hello").batch().max_age("1h30m0.9s").max_hibernated("24h").authentication("token").ingress()
    .spec("session/readinessProbe/type", json!("none")))]
#[case::interactive_hibernated("interactive_hibernated", session("hello").ingress().hibernated())]
#[case::batch_hibernated("batch_hibernated", session("hello").batch().hibernated())]
fn children(#[case] name: &str, #[case] draft: Draft) {
    let plan = cluster(draft).plan();
    let written: Vec<Value> = plan
        .write
        .into_iter()
        .map(|write| match write {
            Write::Create { manifest, .. } => readable(manifest),
            Write::Apply { name, .. } => panic!("{name} is there already"),
        })
        .collect();
    insta::assert_yaml_snapshot!(name, written);
}

/// The contents of secrets as text.
fn readable(mut manifest: Value) -> Value {
    for (_, value) in manifest.get_mut("data").and_then(Value::as_object_mut).into_iter().flatten() {
        let text = STANDARD.decode(value.as_str().unwrap()).unwrap();
        *value = json!(String::from_utf8(text).unwrap());
    }
    manifest
}
