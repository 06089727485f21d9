//! What a release leaves behind when it is uninstalled holds nothing up: namespaces and sessions can be deleted.
//!
//! No kubelet runs the hook of the chart here, so the test does what its pod would do: the same arguments, environment
//! and rights.

use crate::{
    replica::Replica,
    stage::{HOME, Stage, must},
};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use serde_json::{Value, json};
use sojourn_cluster::{Output, eventually, kubectl, test_namespace};
use sojourn_fake_ide::{FakeIde, Options};

/// Has a pod of a batch session that runs end well.
const ENDS: &str = "sojourn.dev/test-complete-after=0s";

/// One namespace of a stage.
struct Place<'s> {
    stage: &'s Stage,
    name: String,
}

impl<'s> Place<'s> {
    async fn new(stage: &'s Stage, name: &str) -> Self {
        Self { stage, name: test_namespace(&stage.client, name).await.unwrap() }
    }

    async fn kubectl(&self, args: &[&str]) -> Output {
        self.stage.kubectl(&[&["-n", self.name.as_str()], args].concat()).await
    }

    async fn apply(&self, object: Value) {
        let args = ["-n", self.name.as_str(), "apply", "-f", "-"];
        must(kubectl(&self.stage.cluster, &args, Some(&object.to_string())).await.unwrap());
    }

    /// A session, and the secret that it adopts if it does.
    async fn session(&self, name: &str, spec: Value, adopts: bool) {
        let mut session = json!({
            "apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession", "metadata": {"name": name},
            "spec": {"session": {"image": "debian:12"}},
        });
        json_patch::merge(&mut session["spec"], &spec);
        if adopts {
            session["spec"]["imagePullSecrets"] = json!([{"name": secret(name), "adopt": true}]);
            let metadata = json!({"name": secret(name)});
            self.apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})).await;
        }
        self.apply(session).await;
    }

    /// An object as it is; null when there is none.
    async fn get(&self, kind: &str, name: &str) -> Value {
        let found = must(self.kubectl(&["get", kind, name, "-o", "json", "--ignore-not-found"]).await);
        if found.is_empty() { Value::Null } else { serde_json::from_str(&found).unwrap() }
    }

    async fn becomes(&self, kind: &str, name: &str, what: &str, holds: impl Fn(&Value) -> bool) {
        let check = async || holds(&self.get(kind, name).await);
        let reached = eventually(&format!("{kind} {name} {what}"), check).await;
        assert!(reached.is_ok(), "{}; it is {}", reached.unwrap_err(), self.get(kind, name).await);
    }

    async fn reaches(&self, name: &str, state: &str) {
        self.becomes("ams", name, &format!("is {state}"), |it| it["status"]["state"] == state).await;
    }

    /// A batch session whose pod runs.
    async fn batch(&self, name: &str) {
        self.session(name, json!({"sessionType": "NonInteractive"}), false).await;
        self.reaches(name, "Running").await;
        self.becomes("job", name, "is held", |job| is_held(job, "sojourn.dev/result")).await;
    }

    /// Has the pod of a batch session end, and waits until its Job knows.
    async fn ends(&self, name: &str) {
        let label = format!("job-name={name}");
        must(self.kubectl(&["annotate", "pod", "-l", &label, ENDS]).await);
        let complete =
            |job: &Value| job["status"]["succeeded"] == 1 && job["status"]["completionTime"].is_string();
        self.becomes("job", name, "is complete", complete).await;
    }

    /// Deletes a session, and waits until that has begun.
    async fn delete(&self, name: &str) {
        must(self.kubectl(&["delete", "ams", name, "--wait=false"]).await);
    }

    async fn delete_namespace(&self) {
        must(self.stage.kubectl(&["delete", "namespace", &self.name, "--wait=false"]).await);
    }

    async fn namespace(&self) -> Option<Namespace> {
        let namespaces: Api<Namespace> = Api::all(self.stage.client.clone());
        namespaces.get_opt(&self.name).await.unwrap()
    }

    /// Waits until the deletion of the namespace waits for a finalizer.
    async fn is_held_by(&self, finalizer: &str) {
        let held = async || {
            let conditions = self.namespace().await.unwrap().status.unwrap().conditions.unwrap_or_default();
            conditions.iter().any(|condition| {
                let message = condition.message.as_deref().unwrap_or_default();
                condition.type_ == "NamespaceFinalizersRemaining"
                    && condition.status == "True"
                    && message.contains(finalizer)
            })
        };
        eventually(&format!("the namespace waits for {finalizer}"), held).await.unwrap();
    }

    async fn is_gone(&self) {
        let gone = eventually("the namespace is gone", async || self.namespace().await.is_none()).await;
        assert!(gone.is_ok(), "{}; it is {:#?}", gone.unwrap_err(), self.namespace().await);
    }
}

/// The name of the secret that a session adopts.
fn secret(session: &str) -> String {
    format!("{session}-pull")
}

fn is_held(object: &Value, finalizer: &str) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|held| held.contains(&json!(finalizer)))
}

/// The hook of a release: its objects, and its Job apart.
struct Hook {
    rights: Vec<Value>,
    job: Value,
}

impl Hook {
    /// Reads it from the release.
    async fn of(stage: &Stage) -> Self {
        let text = must(stage.helm(&["get", "hooks", "sojourn"]).await);
        let objects = text.split("\n---").filter_map(|it| serde_saphyr::from_str::<Value>(it).ok());
        let after = objects.filter(|it| it["metadata"]["annotations"]["helm.sh/hook"] == "post-delete");
        let (mut jobs, rights): (Vec<_>, Vec<_>) = after.partition(|object| object["kind"] == "Job");
        assert_eq!(jobs.len(), 1);
        Self { rights, job: jobs.remove(0) }
    }

    /// Does what the pod of its Job would do.
    async fn run(&self, stage: &Stage) -> Output {
        for object in &self.rights {
            let apply = ["apply", "-f", "-"];
            must(kubectl(&stage.cluster, &apply, Some(&object.to_string())).await.unwrap());
        }
        let spec = &self.job["spec"]["template"]["spec"];
        let account = spec["serviceAccountName"].as_str().unwrap();
        let kubeconfig = stage.cluster.service_account_kubeconfig(HOME, account).await.unwrap();
        let container = &spec["containers"][0];
        let args: Vec<String> = serde_json::from_value(container["args"].clone()).unwrap();
        let variables = container["env"].as_array().unwrap().iter().map(|variable| {
            let field = variable.pointer("/valueFrom/fieldRef/fieldPath").and_then(Value::as_str);
            let value = match field {
                Some("metadata.name") => "sojourn-release-x7x7x",
                Some("metadata.namespace") => HOME,
                Some(other) => panic!("{other} is not known here"),
                None => variable["value"].as_str().unwrap(),
            };
            (variable["name"].as_str().unwrap(), value)
        });
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_sojourn"))
            .args(args)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .env_clear()
            .envs(variables)
            .output()
            .await
            .unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Sessions of every kind that is run, in the states that outlive an operator.
async fn leave(place: &Place<'_>, held: &Place<'_>, ide: &FakeIde) {
    let stage = place.stage;
    let operator: Replica = stage.connected_to(ide, &[]).await;
    place.session("runs", json!({}), true).await;
    place.session("rests", json!({"hibernated": true}), true).await;
    place.session("going", json!({}), true).await;
    for batch in ["works", "unrecorded", "orphan"] {
        place.batch(batch).await;
    }
    for name in ["runs", "going"] {
        place.reaches(name, "Running").await;
    }
    place.reaches("rests", "Hibernated").await;
    held.batch("alone").await;
    stage.running("debugs").await;
    stage.running("ends").await;

    // An operator is in the way, and is named.
    let arguments = ["release", "--namespace", HOME, "--cluster-scoped", "--wait=1s"];
    let (code, text) = stage.sojourn(&arguments);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("sojourn-0_") && text.contains("holds the Lease"), "{text}");

    // It does not hand the Lease over: as when its rights go before it.
    stage.kill(operator).await;
    place.ends("unrecorded").await;
    assert_ne!(place.get("ams", "unrecorded").await["status"]["state"], "Succeeded");
    place.delete("going").await;
    place.delete("orphan").await;
    let is_left = |job: &Value| job["metadata"]["deletionTimestamp"].is_string();
    place.becomes("job", "orphan", "is left behind", is_left).await;
    stage.delete("ends").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_an_operator_that_is_gone() {
    let stage = Stage::set().await;
    let ide = FakeIde::start(Options::default()).await.unwrap();
    let (place, held) = (Place::new(&stage, "left").await, Place::new(&stage, "held").await);
    leave(&place, &held, &ide).await;

    let hook = Hook::of(&stage).await;
    must(stage.helm(&["uninstall", "sojourn", "--wait"]).await);
    let kinds = "job,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding";
    let own = "app.kubernetes.io/component=release";
    let left = must(stage.kubectl(&["get", kinds, "-n", HOME, "-l", own, "-o", "name"]).await);
    assert_eq!(left, "", "the hook leaves nothing of its own");

    // Its pod did nothing here, so this is what there was before: a namespace that cannot be deleted.
    held.delete_namespace().await;
    held.is_held_by("sojourn.dev/result").await;
    let output = hook.run(&stage).await;
    let text = format!("{}{}", output.stdout, output.stderr);
    assert_eq!(output.code, 0, "{text}");
    held.is_gone().await;

    // The result is on record, what runs goes on, and what was being deleted is gone with what goes with it.
    let line = |object: &str, more: &str| {
        let line = format!("released  {object}{more}\n");
        assert!(output.stdout.contains(&line), "{line:?} is missing in {text}");
    };
    let of = |kind: &str, name: &str| format!("{kind} {}/{name}", place.name);
    line(&of("Job", "unrecorded"), "; the result of its session is on record now");
    line(&of("Job", "works"), "");
    line(&of("Job", "orphan"), "");
    for name in ["runs", "rests"] {
        line(&of("AmaltheaSession", name), "");
    }
    line(&of("AmaltheaSession", "going"), "; it was being deleted, and what goes with it is deleted");
    line("IdeSession debugs", "");
    line("IdeSession ends", "");
    assert!(output.stdout.ends_with("9 released, 1 results recorded, 0 failed\n"), "{text}");
    let recorded = place.get("ams", "unrecorded").await;
    assert_eq!(recorded["status"]["state"], "Succeeded", "{recorded}");
    let finished = |it: &&Value| it["type"] == "Finished" && it["status"] == "True";
    assert_eq!(recorded["status"]["conditions"].as_array().unwrap().iter().filter(finished).count(), 1);
    for (kind, name) in [("ams", "going"), ("secret", "going-pull"), ("job", "orphan")] {
        place.becomes(kind, name, "is gone", Value::is_null).await;
    }
    stage.gone("ends").await;
    for (kind, name) in [("job", "works"), ("ams", "runs"), ("ams", "rests")] {
        let object = place.get(kind, name).await;
        let metadata = &object["metadata"];
        assert!(metadata["name"] == name && metadata["deletionTimestamp"].is_null(), "{object}");
        assert!(metadata["finalizers"].is_null(), "{object}");
    }
    assert_eq!(place.get("job", "works").await["status"]["active"], 1);
    for kept in ["runs-pull", "rests-pull"] {
        assert!(!place.get("secret", kept).await.is_null(), "{kept}");
    }
    let debugs = stage.session("debugs").await.unwrap();
    assert_eq!(debugs.metadata.finalizers.unwrap_or_default(), Vec::<String>::new());

    // Once more finds nothing, and sessions are deleted without anybody.
    let again = hook.run(&stage).await;
    assert!(
        again.success() && again.stdout.ends_with("0 released, 0 results recorded, 0 failed\n"),
        "{again:?}"
    );
    place.delete_namespace().await;
    place.is_gone().await;
    stage.delete("debugs").await;
    stage.gone("debugs").await;
    stage.cluster.stop().await;
}
