//! The objects that are measured with.

use anyhow::ensure;
use serde_json::{Value, json};

/// Name of the sessions that are not stored.
pub(crate) const NAME: &str = "bench";
/// UID of the session whose steps are measured.
pub(crate) const UID: &str = "6f1d6f0e-58a4-4f3a-9d0e-2f4a9b1c7d10";

/// A session with most of what one can have.
pub(crate) fn full_session() -> Value {
    let env: Vec<_> = (0..24)
        .map(|n| json!({"name": format!("SETTING_{n:02}"), "value": format!("https://example.org/projects/group/{n}")}))
        .collect();
    let mounts: Vec<_> =
        (0..6).map(|n| json!({"name": format!("cache-{n}"), "mountPath": format!("/cache/{n}")})).collect();
    let volumes: Vec<_> =
        (0..6).map(|n| json!({"name": format!("cache-{n}"), "emptyDir": {"sizeLimit": "1Gi"}})).collect();
    json!({
        "apiVersion": "amalthea.dev/v1alpha1",
        "kind": "AmaltheaSession",
        "metadata": {
            "name": NAME,
            "namespace": "sessions",
            "uid": UID,
            "generation": 1,
            "creationTimestamp": "2026-01-01T11:00:00Z",
            "labels": {"example.org/user": "somebody", "example.org/project": "project"},
            "annotations": {"example.org/launcher": "01JGFJJZ000000000000000000"},
        },
        "spec": {
            "hibernated": false,
            "session": {
                "image": "registry.example.org/group/project/image:1.2.3",
                "command": ["sh", "-c"],
                "args": ["/entrypoint.sh jupyter server --ServerApp.ip=0.0.0.0 --ServerApp.port=8888"],
                "port": 8888,
                "urlPath": "/sessions/bench",
                "workingDir": "/home/me/work",
                "runAsUser": 1000,
                "runAsGroup": 100,
                "readinessProbe": {"type": "tcp"},
                "storage": {"size": "10Gi", "mountPath": "/home/me/work"},
                "shmSize": "1Gi",
                "resources": {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"memory": "4Gi"}},
                "extraVolumeMounts": mounts,
                "env": env,
            },
            "ingress": {
                "host": "bench.example.org",
                "pathPrefix": "/sessions/bench",
                "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "0"},
            },
            "codeRepositories": [
                {"remote": "https://example.org/group/one.git", "clonePath": "one", "revision": "main"},
                {"remote": "https://example.org/group/two.git", "clonePath": "two",
                 "cloningConfigSecretRef": {"name": "git", "key": "config"}},
            ],
            "dataSources": [{"mountPath": "/data", "secretRef": {"name": "storage"}, "accessMode": "ReadOnlyMany"}],
            "culling": {
                "maxAge": "24h", "maxIdleDuration": "2h", "maxStartingDuration": "10m",
                "maxFailedDuration": "5m", "maxHibernatedDuration": "168h",
            },
            "extraContainers": [{
                "name": "helper", "image": "registry.example.org/helper:1",
                "volumeMounts": [{"name": "cache-0", "mountPath": "/cache"}],
                "env": [{"name": "LEVEL", "value": "info"}],
            }],
            "extraVolumes": volumes,
            "template": {"metadata": {"labels": {"team": "a"}, "annotations": {"example.org/note": "x y"}}},
        },
    })
}

/// A review of 11 KB that asks for the creation of that session, as the API server writes it.
pub(crate) fn review() -> anyhow::Result<Vec<u8>> {
    let mut object = full_session();
    let mut fields = json!({});
    for env in object["spec"]["session"]["env"].as_array().into_iter().flatten() {
        let key = format!("k:{{\"name\":{}}}", env["name"]);
        fields[key] = json!({".": {}, "f:name": {}, "f:value": {}});
    }
    object["metadata"]["managedFields"] = json!([{
        "manager": "kubectl-client-side-apply",
        "operation": "Update",
        "apiVersion": "amalthea.dev/v1alpha1",
        "time": "2026-01-01T11:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {".": {}, "f:session": {".": {}, "f:env": fields}}},
    }]);
    // `kubectl apply` keeps a copy of what was applied.
    let mut applied = full_session();
    applied["metadata"] = json!({"name": NAME, "namespace": "sessions"});
    object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
        applied.to_string().into();
    let kind = json!({"group": "amalthea.dev", "version": "v1alpha1", "kind": "AmaltheaSession"});
    let resource = json!({"group": "amalthea.dev", "version": "v1alpha1", "resource": "amaltheasessions"});
    let review = json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": NAME,
            "namespace": "sessions",
            "operation": "CREATE",
            "userInfo": {
                "username": "somebody@example.org",
                "uid": "014fbff9a07c",
                "groups": ["system:authenticated", "users"],
            },
            "object": object,
            "oldObject": null,
            "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl"},
        },
    });
    let bytes = serde_json::to_vec(&review)?;
    ensure!((10_500..11_500).contains(&bytes.len()), "the review is to be 11 KB, not {} B", bytes.len());
    Ok(bytes)
}

/// A session that the fake nodes run, with Ingress, Service, claim and Secret.
pub(crate) fn small_session(name: &str) -> Value {
    json!({
        "apiVersion": "amalthea.dev/v1alpha1",
        "kind": "AmaltheaSession",
        "metadata": {"name": name},
        "spec": {
            "session": {"image": "busybox:1.36", "port": 8000, "storage": {"size": "1Gi"}},
            "ingress": {"host": format!("{name}.example.org")},
            "culling": {"maxAge": "24h", "maxIdleDuration": "2h"},
        },
    })
}

/// What Kubernetes alone can do: a StatefulSet of one pod with one container.
pub(crate) fn bare_stateful_set(name: &str) -> Value {
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "serviceName": name,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "session", "image": "busybox:1.36"}]},
            },
        },
    })
}

/// A StatefulSet with all that a session has beside it, which [`beside`] makes.
pub(crate) fn complete_stateful_set(name: &str) -> Value {
    let mut stateful_set = bare_stateful_set(name);
    let pod = &mut stateful_set["spec"]["template"]["spec"];
    pod["volumes"] = json!([{"name": "files", "persistentVolumeClaim": {"claimName": name}}]);
    pod["containers"][0]["volumeMounts"] = json!([{"name": "files", "mountPath": "/work"}]);
    stateful_set
}

/// What a session has beside its StatefulSet: claim, secret, service and ingress.
pub(crate) fn beside(name: &str) -> Vec<Value> {
    let metadata = json!({"name": name});
    let backend = json!({"service": {"name": name, "port": {"number": 80}}});
    vec![
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata,
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
        }),
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata,
            "spec": {"rules": [{
                "host": "sessions.example.org",
                "http": {"paths": [{"path": format!("/{name}"), "pathType": "Prefix", "backend": backend}]},
            }]},
        }),
    ]
}
