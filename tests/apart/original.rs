//! What the original operator leaves in a cluster: sessions and their children, written as it writes them; and
//! what it does to children that it finds.

use crate::support::{OPERATOR_USER, must};
use kube::{
    Api, Client, Config,
    api::{ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Map, Value, json};
use sojourn_cluster::{Cluster, kubectl};

/// Run of all sessions, as the original wrote it down.
pub(crate) const RUN: &str = "01KAHW2E9R5T6Y7V8B9N0M1K2J";
/// What the original signs its writes with.
pub(crate) const MANAGER: &str = "Go-http-client";
/// The interactive and the batch session.
pub(crate) const SESSIONS: [(&str, bool); 2] = [("left", false), ("left-batch", true)];

/// The original, and what it was asked to run.
#[derive(Clone, Copy)]
pub(crate) struct Original {
    pub(crate) namespace: &'static str,
    pub(crate) image: &'static str,
    pub(crate) policy: &'static str,
    pub(crate) command: &'static [&'static str],
    /// CPU and memory that the sessions ask for.
    pub(crate) requests: (&'static str, &'static str),
    /// The image of the proxy in front of the interactive session, if it has one.
    pub(crate) proxy: Option<&'static str>,
}

fn labels(name: &str) -> Value {
    let mut labels = selector(name);
    labels["team"] = json!("blue");
    labels
}

fn selector(name: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "AmaltheaSession",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/part-of": "amaltheasession-operator",
        "app.kubernetes.io/created-by": "controller-manager",
    })
}

fn run(uid: &str) -> Value {
    json!({"renku.io/run_id": RUN, "renku.io/session_uid": uid})
}

const VOLUME_OF_PROXY: &str = "amalthea-proxy-configuration-secret";

/// The container that asks for a token.
fn authproxy(image: &str) -> Value {
    let probe = json!({"httpGet": {"path": "/__amalthea__/health", "port": 65535}});
    json!({
        "name": "authproxy",
        "image": image,
        "args": ["proxy", "serve", "--config", "/etc/authproxy/config.yaml"],
        "env": [
            {"name": "AUTHPROXY_PORT", "value": "65535"},
            {"name": "AUTHPROXY_META_PORT", "value": "65534"},
            {"name": "AUTHPROXY_REMOTE", "value": "http://127.0.0.1:8000"},
        ],
        "resources": {"requests": {"cpu": "20m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}},
        "readinessProbe": probe,
        "livenessProbe": probe,
        "securityContext": {
            "allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]},
            "runAsUser": 1000, "runAsGroup": 1000,
        },
        "volumeMounts": [{"name": VOLUME_OF_PROXY, "mountPath": "/etc/authproxy"}],
    })
}

impl Original {
    /// A client for objects of a kind in the sessions' namespace.
    pub(crate) fn api(&self, client: &Client, kind: &str) -> Api<DynamicObject> {
        let (group, version, plural) = match kind {
            "AmaltheaSession" => ("amalthea.dev", "v1alpha1", "amaltheasessions"),
            "StatefulSet" => ("apps", "v1", "statefulsets"),
            "Job" => ("batch", "v1", "jobs"),
            "Ingress" => ("networking.k8s.io", "v1", "ingresses"),
            "PersistentVolumeClaim" => ("", "v1", "persistentvolumeclaims"),
            "Service" => ("", "v1", "services"),
            "Secret" => ("", "v1", "secrets"),
            _ => ("", "v1", "pods"),
        };
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        Api::namespaced_with(client.clone(), self.namespace, &resource)
    }

    fn resources(&self) -> Value {
        json!({"requests": {"cpu": self.requests.0, "memory": self.requests.1}})
    }

    fn session(&self, name: &str, batch: bool) -> Value {
        let probe = if batch { "none" } else { "tcp" };
        let mut session = json!({
            "apiVersion": "amalthea.dev/v1alpha1",
            "kind": "AmaltheaSession",
            "metadata": {"name": name},
            "spec": {
                "session": {
                    "image": self.image,
                    "imagePullPolicy": self.policy,
                    "command": self.command,
                    "env": [{"name": "A", "value": "b"}],
                    "resources": self.resources(),
                    "shmSize": "1Gi",
                    "readinessProbe": {"type": probe},
                },
                "template": {"metadata": {"labels": {"team": "blue"}}},
                // As a full update by the original leaves them.
                "culling": {"maxAge": "0s", "maxIdleDuration": "0s", "maxStartingDuration": "0s",
                            "maxFailedDuration": "0s", "maxHibernatedDuration": "0s"},
            },
        });
        if batch {
            session["spec"]["sessionType"] = json!("NonInteractive");
        } else {
            let annotations = json!({"example.org/body": "8m", "example.org/old": "x"});
            session["spec"]["ingress"] = json!({"host": "left.example.org", "annotations": annotations});
            if self.proxy.is_some() {
                let secret = json!({"name": "login", "key": "config.yaml"});
                session["spec"]["authentication"] = json!({"type": "token", "secretRef": secret});
            }
        }
        session
    }

    /// The pod template of the original, for a session as [`Self::session`] makes it.
    fn template(&self, name: &str, uid: &str, batch: bool) -> Value {
        let mut session = json!({
            "name": "amalthea-session",
            "image": self.image,
            "imagePullPolicy": self.policy,
            "env": [{"name": "A", "value": "b"}],
            "resources": self.resources(),
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "securityContext": {
                "capabilities": {"drop": ["ALL"]},
                "runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": true,
            },
            "volumeMounts": [
                {"name": "amalthea-volume", "mountPath": "/workspace"},
                {"name": "amalthea-dev-shm", "mountPath": "/dev/shm"},
            ],
        });
        if !self.command.is_empty() {
            session["command"] = json!(self.command);
        }
        if !batch {
            session["readinessProbe"] = json!({
                "tcpSocket": {"port": 8000},
                "initialDelaySeconds": 10, "periodSeconds": 5, "successThreshold": 5,
            });
        }
        let mut containers = vec![session];
        let mut volumes = vec![
            json!({"name": "amalthea-volume", "persistentVolumeClaim": {"claimName": name}}),
            json!({"name": "amalthea-dev-shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}),
        ];
        if let Some(image) = self.proxy.filter(|_| !batch) {
            containers.push(authproxy(image));
            let secret = json!({"secretName": "login", "optional": false});
            volumes.push(json!({"name": VOLUME_OF_PROXY, "secret": secret}));
        }
        let mut spec = json!({
            "enableServiceLinks": false,
            "automountServiceAccountToken": false,
            "securityContext": {"fsGroup": 1000},
            "containers": containers,
            "volumes": volumes,
        });
        if batch {
            spec["restartPolicy"] = json!("Never");
        }
        json!({"metadata": {"labels": labels(name), "annotations": run(uid)}, "spec": spec})
    }

    /// The children of a session, workload last.
    fn children(&self, name: &str, batch: bool, uid: &str) -> Vec<Value> {
        let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        let secret = format!("{name}---internal");
        let mut children = vec![
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": claim}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}}),
        ];
        let template = self.template(name, uid, batch);
        if batch {
            let spec = json!({"parallelism": 1, "completions": 1, "backoffLimit": 0, "suspend": false,
                              "template": template});
            children.push(json!({"apiVersion": "batch/v1", "kind": "Job", "spec": spec}));
        } else {
            let target = if self.proxy.is_some() { 65535 } else { 8000 };
            let ports = json!([
                {"name": "amalthea-http", "port": 80, "targetPort": target, "protocol": "TCP"},
                {"name": "amalthea-http-meta", "port": 65534, "targetPort": 65534, "protocol": "TCP"},
            ]);
            let spec = json!({"selector": selector(name), "ports": ports});
            children.push(json!({"apiVersion": "v1", "kind": "Service", "spec": spec}));
            let backend = json!({"service": {"name": name, "port": {"name": "amalthea-http"}}});
            let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
            children.push(json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": {"annotations": {"example.org/body": "8m", "example.org/old": "x"}},
                "spec": {"rules": [{"host": "left.example.org", "http": {"paths": paths}}]},
            }));
            let spec = json!({
                "podManagementPolicy": "Parallel", "replicas": 1, "serviceName": "",
                "selector": {"matchLabels": selector(name)}, "template": template,
            });
            children.push(json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": spec}));
        }
        for child in &mut children {
            let workload = child["kind"] == "StatefulSet" || child["kind"] == "Job";
            let metadata = &mut child["metadata"];
            if metadata["name"].is_null() {
                metadata["name"] = json!(name);
            }
            if workload {
                metadata["annotations"] = run(uid);
            }
            metadata["labels"] = labels(name);
            metadata["ownerReferences"] = json!([{
                "apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession", "name": name, "uid": uid,
                "controller": true, "blockOwnerDeletion": true,
            }]);
        }
        children
    }

    /// Makes the sessions, and what the original makes of them.
    pub(crate) async fn leave(&self, cluster: &Cluster) -> Client {
        let client = unguarded(cluster).await;
        must(kubectl(cluster, &["create", "namespace", self.namespace], None).await.unwrap());
        let sessions = self.api(&client, "AmaltheaSession");
        let signed = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        for (name, batch) in SESSIONS {
            let object: DynamicObject = serde_json::from_value(self.session(name, batch)).unwrap();
            let uid = sessions.create(&signed, &object).await.unwrap().metadata.uid.unwrap();
            let status = json!({"status": {"state": "Running", "runID": RUN, "url": "None"}});
            sessions.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
            for child in self.children(name, batch, &uid) {
                let kind = child["kind"].as_str().unwrap().to_owned();
                let object: DynamicObject = serde_json::from_value(child).unwrap();
                self.api(&client, &kind).create(&signed, &object).await.unwrap();
            }
        }
        client
    }

    /// Writes the children of a session as the original does where it finds them. Each is returned as it was
    /// before and as it is after.
    pub(crate) async fn reconcile(&self, client: &Client, name: &str, batch: bool) -> Vec<(Value, Value)> {
        let session = self.api(client, "AmaltheaSession").get(name).await.unwrap();
        let mut written = Vec::new();
        for child in self.children(name, batch, &session.metadata.uid.unwrap()) {
            let api = self.api(client, child["kind"].as_str().unwrap());
            let name = child["metadata"]["name"].as_str().unwrap();
            let before = serde_json::to_value(api.get(name).await.unwrap()).unwrap();
            let patch = Patch::Merge(mutation(&before, &child));
            let signed = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
            let after = api.patch(name, &signed, &patch).await.unwrap();
            written.push((before, serde_json::to_value(after).unwrap()));
        }
        written
    }

    /// The pod of a session once it runs: its UID, and since when each of its containers does.
    pub(crate) async fn running_pod(&self, client: &Client, name: &str) -> Option<(String, Value)> {
        let of_session = ListParams::default().labels(&format!("app.kubernetes.io/instance={name}"));
        let pods = self.api(client, "Pod").list(&of_session).await.unwrap();
        let [pod] = <[DynamicObject; 1]>::try_from(pods.items).ok()?;
        let containers = pod.data["status"]["containerStatuses"].as_array()?.iter();
        let starts = containers.map(|status| json!([status["restartCount"], status["state"]["running"]]));
        let starts: Value = starts.collect();
        (pod.data["status"]["phase"] == "Running").then_some((pod.metadata.uid?, starts))
    }
}

/// The merge patch by which the original makes a live child what it wants: labels and annotations but those of
/// Kubernetes' domains, and the fields that it updates.
fn mutation(live: &Value, wish: &Value) -> Value {
    let texts = |key: &str| {
        let wished = wish["metadata"][key].as_object().cloned().unwrap_or_default();
        let others = live["metadata"][key].as_object().into_iter().flatten().map(|(key, _)| key);
        let dropped = others.filter(|key| !wished.contains_key(*key) && !key.contains("k8s.io/"));
        let mut texts: Map<String, Value> = dropped.map(|key| (key.clone(), Value::Null)).collect();
        texts.extend(wished);
        texts
    };
    let template = || {
        let (spec, metadata) = (&wish["spec"]["template"]["spec"], &wish["spec"]["template"]["metadata"]);
        json!({
            "metadata": metadata,
            "spec": {
                "containers": spec["containers"], "initContainers": null, "volumes": spec["volumes"],
                "tolerations": null, "affinity": null, "nodeSelector": null, "priorityClassName": null,
            },
        })
    };
    let spec = match wish["kind"].as_str().unwrap() {
        "StatefulSet" => {
            json!({"replicas": 1, "selector": wish["spec"]["selector"], "template": template()})
        }
        "Job" => {
            json!({"suspend": false, "activeDeadlineSeconds": null, "ttlSecondsAfterFinished": null,
                   "template": template()})
        }
        "PersistentVolumeClaim" => json!({"resources": wish["spec"]["resources"]}),
        "Secret" => {
            return json!({"metadata": {"labels": texts("labels"), "annotations": texts("annotations")}});
        }
        _ => wish["spec"].clone(),
    };
    json!({"metadata": {"labels": texts("labels"), "annotations": texts("annotations")}, "spec": spec})
}

/// A client that the webhooks leave alone, which nobody serves yet: the operator's user, with all rights.
async fn unguarded(cluster: &Cluster) -> Client {
    let mut kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    for user in kubeconfig.auth_infos.iter_mut().filter_map(|user| user.auth_info.as_mut()) {
        user.impersonate = Some(OPERATOR_USER.into());
        user.impersonate_groups = Some(vec!["system:masters".into()]);
    }
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}
