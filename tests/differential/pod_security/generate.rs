//! Sessions whose pods a Pod Security Standard may or may not allow. All are valid: what is not never gets as far.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

/// Values for a field of a container, at its pointer. Absent is one of them.
type Field = (&'static str, fn() -> Vec<Value>);

const FIELDS: &[Field] = &[
    ("/securityContext/allowPrivilegeEscalation", || vec![json!(false), json!(false), json!(true)]),
    ("/securityContext/runAsNonRoot", || vec![json!(true), json!(true), json!(false)]),
    ("/securityContext/runAsUser", || vec![json!(0), json!(1000)]),
    ("/securityContext/seccompProfile", || {
        let local = json!({"type": "Localhost", "localhostProfile": "a.json"});
        vec![json!({"type": "RuntimeDefault"}), json!({"type": "Unconfined"}), local]
    }),
    ("/securityContext/appArmorProfile", || {
        let local = json!({"type": "Localhost", "localhostProfile": "a"});
        vec![json!({"type": "RuntimeDefault"}), json!({"type": "Unconfined"}), local]
    }),
    ("/securityContext/seLinuxOptions", || {
        vec![
            json!({"level": "s0:c1,c2"}),
            json!({"type": "container_t"}),
            json!({"type": "container_engine_t"}),
            json!({"type": "spc_t"}),
            json!({"user": "system_u"}),
            json!({"role": "system_r"}),
        ]
    }),
    ("/securityContext/capabilities/drop", || {
        vec![
            json!(["ALL"]),
            json!(["ALL"]),
            json!(["CHOWN"]),
            json!(["CHOWN", "ALL"]),
            json!([]),
            json!(["all"]),
        ]
    }),
    ("/securityContext/capabilities/add", || {
        vec![
            json!(["NET_BIND_SERVICE"]),
            json!(["CHOWN"]),
            json!(["NET_BIND_SERVICE", "SYS_ADMIN"]),
            json!([]),
        ]
    }),
    ("/ports", || vec![json!([{"containerPort": 9000}]), json!([{"containerPort": 9000, "hostPort": 9000}])]),
    ("/readinessProbe", || {
        vec![
            json!({"httpGet": {"port": 9000, "path": "/"}}),
            json!({"httpGet": {"port": 9000, "path": "/", "host": "10.0.0.1"}}),
            json!({"tcpSocket": {"port": 9000, "host": "localhost"}}),
        ]
    }),
    ("/lifecycle", || {
        vec![
            json!({"preStop": {"httpGet": {"port": 9000}}}),
            json!({"postStart": {"httpGet": {"port": 9000, "host": "10.0.0.1"}}}),
        ]
    }),
];

/// The session of that seed.
pub(super) fn session(seed: u64) -> Value {
    let rng = &mut StdRng::seed_from_u64(seed);
    let mut object = json!({
        "apiVersion": "amalthea.dev/v1alpha1",
        "kind": "AmaltheaSession",
        "metadata": {"name": "demo"},
        "spec": {"hibernated": false, "session": {"image": "busybox:1.36"}},
    });
    let spec = &mut object["spec"];
    shape(spec, rng);
    let fields = rng.random_range(0..4);
    let (extra, init) = (rng.random_range(0..3), rng.random_range(0..2));
    let mut containers = (0..extra + init).map(|number| container(number, fields, rng));
    spec["extraContainers"] = containers.by_ref().take(extra).collect();
    spec["initContainers"] = containers.collect();
    if let Some(containers) = spec["initContainers"].as_array_mut() {
        // What asks a container while it runs is for those that run on.
        containers.iter_mut().for_each(|container| container["restartPolicy"] = json!("Always"));
    }
    if rng.random_bool(0.4) {
        spec["extraVolumes"] = json!([volume(rng)]);
    }
    if rng.random_bool(0.2) {
        let profile = *["unconfined", "runtime/default", "localhost/a"].choose(rng).unwrap();
        let key = "container.apparmor.security.beta.kubernetes.io/amalthea-session";
        spec["template"] = json!({"metadata": {"annotations": {key: profile}}});
    }
    object
}

/// What the operator makes containers for.
fn shape(spec: &mut Value, rng: &mut StdRng) {
    match rng.random_range(0..10) {
        0..3 => spec["sessionType"] = json!("NonInteractive"),
        3 => {
            spec["location"] = json!("remote");
            spec["ingress"] = json!({"host": "demo.example.org"});
        }
        _ => {}
    }
    if rng.random_bool(0.3) {
        let kind = ["token", "oauth2proxy", "oidc"].choose(rng).unwrap();
        spec["ingress"] = json!({"host": "demo.example.org"});
        spec["authentication"] = json!({"type": kind, "secretRef": {"name": "login", "key": "auth.yaml"}});
    }
    if rng.random_bool(0.3) {
        spec["codeRepositories"] = json!([{"remote": "https://git.example.org/a/b.git"}]);
    }
    if rng.random_bool(0.2) {
        spec["dataSources"] = json!([{"secretRef": {"name": "storage"}, "mountPath": "/storage"}]);
    }
    if rng.random_bool(0.2) {
        spec["session"]["runAsUser"] = json!(0);
    }
    if rng.random_bool(0.2) {
        spec["session"]["shmSize"] = json!("64Mi");
    }
}

/// A container that `restricted` would allow, or one that says nothing, with some fields of other values.
fn container(number: usize, fields: usize, rng: &mut StdRng) -> Value {
    let mut container = json!({"name": format!("side{number}"), "image": "busybox:1.36"});
    if rng.random_bool(0.6) {
        container["securityContext"] = json!({
            "allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        });
    }
    for (pointer, values) in FIELDS.choose_multiple(rng, fields) {
        let value = values().choose(rng).unwrap().clone();
        let mut at = &mut container;
        for step in pointer.split('/').skip(1) {
            at = &mut at[step];
        }
        *at = value;
    }
    if let Some(port) = container.pointer_mut("/ports/0/hostPort") {
        // A port of the node is there once.
        *port = json!(9000 + number);
    }
    if rng.random_bool(0.1) {
        // It is valid only if it may escalate.
        container["securityContext"]["privileged"] = json!(true);
        container["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    }
    container
}

fn volume(rng: &mut StdRng) -> Value {
    let sources = [
        json!({}),
        json!({"emptyDir": {}}),
        json!({"configMap": {"name": "a"}}),
        json!({"csi": {"driver": "csi.example.org"}}),
        json!({"downwardAPI": {}}),
        json!({"persistentVolumeClaim": {"claimName": "a"}}),
        json!({"projected": {"sources": [{"secret": {"name": "a"}}]}}),
        json!({"secret": {"secretName": "a"}}),
        json!({"ephemeral": {"volumeClaimTemplate": {"spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}}),
        json!({"hostPath": {"path": "/data"}}),
        json!({"nfs": {"server": "server", "path": "/data"}}),
        json!({"gitRepo": {"repository": "https://git.example.org/a/b.git"}}),
        json!({"iscsi": {"targetPortal": "10.0.0.1:3260", "iqn": "iqn.2024-01.org.example:target", "lun": 0}}),
    ];
    let mut volume = sources.choose(rng).unwrap().clone();
    volume["name"] = json!("data");
    volume
}
