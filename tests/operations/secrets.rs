//! Secrets are planted wherever sessions and operators have them, a session of every kind lives its whole life, and
//! then everything that anybody can read of it is searched.

use crate::{
    replica::{Replica, page},
    stage::{HOME, OPERATOR, Stage, must},
};
use base64::Engine;
use serde_json::{Value, json};
use sojourn_cluster::{eventually, kubectl};
use std::collections::BTreeMap;

const NAMESPACE: &str = "vault";

/// Values that must not be seen, by what they are.
#[derive(Default)]
pub(crate) struct Planted(BTreeMap<String, String>);

impl Planted {
    pub(crate) fn plant(&mut self, what: &str) -> String {
        let value = format!("planted-{what}-7Qx9");
        self.0.insert(what.to_owned(), value.clone());
        value
    }

    /// Takes in the values of a secret that the cluster has.
    fn learn(&mut self, secret: &Value) {
        let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        let name = secret["metadata"]["name"].as_str().unwrap();
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            let text = String::from_utf8_lossy(&decode(value.as_str().unwrap())).trim().to_owned();
            // The certificate of an authority is public.
            if text.len() >= 12 && !text.contains("BEGIN CERTIFICATE") {
                self.0.insert(format!("{key} of {name}"), text);
            }
        }
    }

    /// The values in any form in which they are found in `text`.
    pub(crate) fn found_in(&self, text: &str) -> Vec<String> {
        let base64 = |value: &String| base64::engine::general_purpose::STANDARD.encode(value);
        let forms = self.0.iter().flat_map(|(what, value)| [(what, value.clone()), (what, base64(value))]);
        forms.filter(|(_, form)| text.contains(form.as_str())).map(|(what, _)| what.clone()).collect()
    }
}

async fn create(stage: &Stage, object: Value) {
    must(
        kubectl(&stage.cluster, &["apply", "-n", NAMESPACE, "-f", "-"], Some(&object.to_string()))
            .await
            .unwrap(),
    );
}

async fn secret(stage: &Stage, name: &str, data: Value) {
    let object =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
    create(stage, object).await;
}

fn session(name: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession", "metadata": {"name": name},
        "spec": {"session": {"image": "debian:12"}},
    });
    json_patch::merge(&mut object["spec"], &spec);
    object
}

async fn state(stage: &Stage, name: &str, wanted: &str) {
    let path = "jsonpath={.status.state}";
    let reached =
        async || stage.kubectl(&["get", "ams", "-n", NAMESPACE, name, "-o", path]).await.stdout == wanted;
    eventually(&format!("{name} is {wanted}"), reached).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn hibernate(stage: &Stage, name: &str, hibernated: bool) {
    let patch = json!({"spec": {"hibernated": hibernated}}).to_string();
    must(stage.kubectl(&["patch", "ams", "-n", NAMESPACE, name, "--type=merge", "-p", &patch]).await);
}

/// Everything that a replica shows of itself, by where it does.
pub(crate) async fn shown(replica: &Replica) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for path in ["/debug/state", "/debug/log", "/metrics", "/readyz?verbose"] {
        let (status, body) = page(replica.health, path).await.unwrap();
        assert!(status == 200 && !body.is_empty(), "{path}: {status} {body}");
        texts.push((path.to_owned(), body));
    }
    let arguments = std::fs::read(format!("/proc/{}/cmdline", replica.child.id())).unwrap();
    texts.push(("arguments".to_owned(), String::from_utf8_lossy(&arguments).into_owned()));
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_told_anywhere() {
    let stage = Stage::set().await;
    // All that there is to say, libraries included.
    let loud = [
        "--log-filter=debug,sojourn=trace,sojourn_webhooks=trace,sojourn_certs=trace",
        "--shutdown-delay=0s",
    ];
    let mut first = stage.replica(&loud).await;
    stage.ready(1).await;
    let second = stage.replica(&loud).await;
    stage.ready(2).await;
    must(stage.kubectl(&["create", "namespace", NAMESPACE]).await);

    // A class under the name that claims of data sources have, whose volumes there are.
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                       "metadata": {"name": "csi-rclone-secret-annotation"}, "provisioner": "kubernetes.io/host-path"});
    create(&stage, class).await;

    let mut planted = Planted::default();
    let client_secret = planted.plant("client-secret");
    let auth =
        format!("client_id: notebook\nclient_secret: {client_secret}\nissuer_url: https://id.example.org\n");
    secret(&stage, "auth", json!({"auth.yaml": auth, "token": planted.plant("access-token")})).await;
    secret(&stage, "pull", json!({".dockerconfigjson": planted.plant("pull")})).await;
    secret(&stage, "data", json!({"remote": "s3", "configData": planted.plant("data-source")})).await;
    secret(&stage, "clone", json!({"config": planted.plant("clone")})).await;
    secret(&stage, "env", json!({"PASSWORD": planted.plant("from-env")})).await;
    // Not a Secret's, and yet nothing to be logged: the body of an admission request.
    let body = planted.plant("environment");

    let reference = |key: &str| json!({"name": "auth", "key": key});
    let everything = json!({
        "session": {
            "env": [{"name": "PASSWORD", "value": body},
                    {"name": "OTHER", "valueFrom": {"secretKeyRef": {"name": "env", "key": "PASSWORD"}}}],
        },
        "ingress": {"host": "vault.example.org"},
        "imagePullSecrets": [{"name": "pull", "adopt": true}],
        "dataSources": [{"type": "rclone", "mountPath": "/data", "accessMode": "ReadWriteOnce", "secretRef": {"name": "data", "adopt": true}}],
        "codeRepositories": [{"type": "git", "remote": "https://example.org/a.git", "clonePath": "a",
                              "cloningConfigSecretRef": {"name": "clone", "key": "config"}}],
    });
    let with = |kind: &str, key: &str| {
        let mut spec = everything.clone();
        spec["authentication"] = json!({"type": kind, "secretRef": reference(key)});
        spec
    };
    create(&stage, session("oidc", with("oidc", "auth.yaml"))).await;
    create(&stage, session("token", with("token", "token"))).await;
    let batch = json!({"sessionType": "NonInteractive", "session": everything["session"],
                       "culling": {"maxAge": "1h"}});
    create(&stage, session("batch", batch)).await;
    for name in ["oidc", "token", "batch"] {
        state(&stage, name, "Running").await;
    }
    // Refused, with the body in hand.
    let mut bad = everything.clone();
    bad["culling"] = json!({"maxAge": "1d"});
    let bad = session("bad", bad).to_string();
    let refused = kubectl(&stage.cluster, &["apply", "-n", NAMESPACE, "-f", "-"], Some(&bad)).await.unwrap();
    assert!(!refused.success());
    // What the operator made up itself, and what it is known by.
    let all = must(stage.kubectl(&["get", "secrets", "-A", "-o", "json"]).await);
    let all: Value = serde_json::from_str(&all).unwrap();
    let items = all["items"].as_array().unwrap();
    assert!(items.iter().any(|secret| secret["metadata"]["name"] == "oidc---internal"));
    assert!(items.iter().any(|secret| secret["metadata"]["name"] == "sojourn-webhook"));
    let ours = items.iter().filter(|secret| secret["type"] != "helm.sh/release.v1");
    ours.for_each(|secret| planted.learn(secret));
    let kubeconfig = stage.cluster.service_account_kubeconfig(HOME, "sojourn").await.unwrap();
    let kubeconfig: Value = serde_saphyr::from_str(&std::fs::read_to_string(kubeconfig).unwrap()).unwrap();
    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap();
    planted.0.insert("token of the operator".to_owned(), token.to_owned());

    // A life: asleep, awake under the next leader, broken, gone.
    hibernate(&stage, "oidc", true).await;
    state(&stage, "oidc", "Hibernated").await;
    let mut texts = shown(&first).await;
    first.terminate();
    assert!(first.ended().await);
    hibernate(&stage, "oidc", false).await;
    state(&stage, "oidc", "Running").await;
    must(stage.kubectl(&["delete", "statefulset", "-n", NAMESPACE, "token"]).await);
    must(stage.kubectl(&["delete", "secret", "-n", NAMESPACE, "oidc---internal"]).await);
    let remade =
        async || stage.kubectl(&["get", "secret", "-n", NAMESPACE, "oidc---internal"]).await.success();
    eventually("the internal secret is made again", remade).await.unwrap();
    let again =
        must(stage.kubectl(&["get", "secret", "-n", NAMESPACE, "oidc---internal", "-o", "json"]).await);
    planted.learn(&serde_json::from_str(&again).unwrap());
    texts.push((
        "status".into(),
        must(stage.kubectl(&["get", "ams", "-A", "-o", "jsonpath={.items[*].status}"]).await),
    ));
    let mut edited = with("oidc", "auth.yaml");
    edited["session"]["image"] = json!("debian:13");
    let edited = session("oidc", edited);
    let file = stage.cluster.dir().join("edited.json");
    std::fs::write(&file, edited.to_string()).unwrap();
    let file = file.to_str().unwrap();
    for output in ["text", "json"] {
        // The session's own environment is the session's; only what lies in secrets must stay there.
        let (_, text) = stage.sojourn(&["plan", file, "--namespace", NAMESPACE, "--output", output]);
        assert!(text.contains("StatefulSet"), "{text}");
        texts.push((format!("plan as {output}"), text.replace(&body, "")));
        texts.push((format!("doctor as {output}"), stage.sojourn(&["doctor", "--output", output]).1));
    }
    must(stage.kubectl(&["delete", "ams", "-n", NAMESPACE, "--all", "--wait"]).await);
    texts.extend(shown(&second).await);
    texts.push(("events".into(), must(stage.kubectl(&["get", "events", "-A", "-o", "json"]).await)));
    texts.push(("refusal".into(), refused.stderr));
    for replica in [&first, &second] {
        texts.push(("log".into(), std::fs::read_to_string(&replica.log).unwrap()));
    }

    let (log, events) =
        (&texts.last().unwrap().1, &texts.iter().find(|(name, _)| name == "events").unwrap().1);
    assert!(log.lines().count() > 100 && log.contains("\"level\":\"DEBUG\""), "the log is loud: {log}");
    assert!(events.contains("sojourn"), "there are events of ours");
    assert!(planted.0.len() > 8, "{:?}", planted.0.keys());
    // It is found where it may be.
    let held = must(stage.kubectl(&["get", "secrets", "-n", NAMESPACE, "-o", "json"]).await);
    assert!(planted.found_in(&held).len() > 2, "{:?}", planted.found_in(&held));
    for (place, text) in &texts {
        let found = planted.found_in(text);
        assert!(found.is_empty(), "{found:?} of {OPERATOR} stand in the {place}");
    }
    stage.cluster.stop().await;
}
