//! What tests do with objects other than sessions. Reads go by the client: a kubectl process costs far more
//! than what it asks, and tests ask often.

use crate::support::{OPERATOR_USER, Scene, must, session};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use sojourn_cluster::{Output, eventually, kubectl};
use sojourn_crds::amalthea::AmaltheaSession;

/// Adds annotations that say what the pod of a session pretends.
pub(crate) fn acting(annotations: Value, spec: Value) -> Value {
    let mut all = json!({"template": {"metadata": {"annotations": annotations}}});
    json_patch::merge(&mut all, &spec);
    all
}

/// A session without a readiness probe, whose timeouts may therefore be short.
pub(crate) fn timed(culling: Value) -> Value {
    json!({"session": {"readinessProbe": {"type": "none"}}, "culling": culling})
}

/// A batch session without a readiness probe.
pub(crate) fn batch(culling: Value) -> Value {
    let mut spec = timed(culling);
    spec["sessionType"] = json!("NonInteractive");
    spec
}

/// The text of the session's error, or nothing.
pub(crate) fn error(session: &AmaltheaSession) -> &str {
    session.status.as_ref().and_then(|status| status.error.as_deref()).unwrap_or_default()
}

/// Whether the status speaks of the session's spec as it is now.
pub(crate) fn is_observed(session: &AmaltheaSession) -> bool {
    let conditions = session.status.iter().flat_map(|status| &status.conditions);
    let mut reconciled = conditions.filter(|condition| condition.kind == "Reconciled");
    reconciled.any(|condition| condition.observed_generation == session.metadata.generation)
}

/// Message of the session's condition of that type, if it is that status.
pub(crate) fn condition<'a>(session: &'a AmaltheaSession, kind: &str, status: &str) -> Option<&'a str> {
    let mut conditions = session.status.iter().flat_map(|status| &status.conditions);
    let found = conditions.find(|condition| condition.kind == kind && condition.status == status)?;
    found.message.as_deref()
}

fn resource(name: &str) -> ApiResource {
    let (group, version, kind, plural) = match name {
        "pod" => ("", "v1", "Pod", "pods"),
        "service" => ("", "v1", "Service", "services"),
        "secret" => ("", "v1", "Secret", "secrets"),
        "pvc" => ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
        "resourcequota" => ("", "v1", "ResourceQuota", "resourcequotas"),
        "statefulset" => ("apps", "v1", "StatefulSet", "statefulsets"),
        "job" => ("batch", "v1", "Job", "jobs"),
        "ingress" => ("networking.k8s.io", "v1", "Ingress", "ingresses"),
        other => panic!("add {other} to the resources that tests know"),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

impl Scene {
    /// Objects of a kind, by the name that kubectl has for it.
    pub(crate) fn objects(&self, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind))
    }

    /// Creates an object as the administrator, who is nobody special to the webhooks.
    pub(crate) async fn create(&self, kind: &str, mut manifest: Value) -> Value {
        let resource = resource(kind);
        manifest["apiVersion"] = json!(resource.api_version);
        manifest["kind"] = json!(resource.kind);
        let object: DynamicObject = serde_json::from_value(manifest).unwrap();
        let made = self.objects(kind).create(&PostParams::default(), &object).await.unwrap();
        serde_json::to_value(made).unwrap()
    }

    /// Deletes an object.
    pub(crate) async fn delete(&self, kind: &str, name: &str) {
        self.objects(kind).delete(name, &DeleteParams::background()).await.unwrap();
    }

    /// Deletes a session, and waits until it is gone.
    pub(crate) async fn delete_session(&self, name: &str) {
        self.api().delete(name, &DeleteParams::background()).await.unwrap();
        self.session_gone(name).await;
    }

    /// Waits until a session is gone.
    pub(crate) async fn session_gone(&self, name: &str) {
        eventually(&format!("session {name} is gone"), async || self.get(name).await.is_none())
            .await
            .unwrap();
    }

    /// Changes an object's status, as its controller or a kubelet would.
    pub(crate) async fn set_status(&self, kind: &str, name: &str, status: Value) {
        let patch = Patch::Merge(json!({"status": status}));
        self.objects(kind).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Waits until something holds for an object, which is `null` while it is not there.
    pub(crate) async fn becomes(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let reached =
            eventually(&format!("{kind} {name}: {what}"), async || holds(&self.json(kind, name).await)).await;
        let now = self.json(kind, name).await;
        assert!(reached.is_ok(), "{}; it is {now:#}", reached.unwrap_err());
        now
    }

    /// Runs kubectl as somebody else.
    pub(crate) async fn kubectl_as(&self, user: &str, args: &[&str], stdin: Option<&Value>) -> Output {
        let args = [&["-n", self.namespace.as_str(), "--as", user], args].concat();
        let stdin = stdin.map(Value::to_string);
        kubectl(&self.stage.cluster, &args, stdin.as_deref()).await.unwrap()
    }

    /// Makes an object as the operator's own user, whom the webhooks leave alone: it got in while they were
    /// away.
    pub(crate) async fn smuggle(&self, manifest: &Value) {
        // The group lends the rights: those of the operator are not enough to make what it only serves.
        let args = ["--as-group=system:masters", "create", "-f", "-"];
        must(self.kubectl_as(OPERATOR_USER, &args, Some(manifest)).await);
    }

    /// Makes a session as [`Scene::smuggle`] does.
    pub(crate) async fn smuggle_session(&self, name: &str, spec: Value) {
        self.smuggle(&session(name, spec)).await;
    }

    /// UIDs of the pods of a session.
    pub(crate) async fn pods(&self, session: &str) -> Vec<String> {
        let of_session = ListParams::default().labels(&format!("app.kubernetes.io/instance={session}"));
        let pods = self.objects("pod").list(&of_session).await.unwrap().items;
        pods.into_iter().filter_map(|pod| pod.metadata.uid).collect()
    }

    /// UID of an interactive session's pod.
    pub(crate) async fn pod_uid(&self, session: &str) -> String {
        let pod = self.json("pod", &format!("{session}-0")).await;
        pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
    }

    /// Events on a session, as `reason: message`.
    pub(crate) async fn events(&self, session: &str) -> Vec<String> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let about = format!("involvedObject.kind=AmaltheaSession,involvedObject.name={session}");
        let events = api.list(&ListParams::default().fields(&about)).await.unwrap().items;
        let text = |event: Event| {
            format!("{}: {}", event.reason.unwrap_or_default(), event.message.unwrap_or_default())
        };
        events.into_iter().map(text).collect()
    }

    /// Waits for an Event on a session.
    pub(crate) async fn tells(&self, session: &str, part: &str) {
        let told = eventually(&format!("an Event on {session} says {part:?}"), async || {
            self.events(session).await.iter().any(|event| event.contains(part))
        })
        .await;
        assert!(told.is_ok(), "{}; there are {:#?}", told.unwrap_err(), self.events(session).await);
    }
}
