//! A resumed batch session gets its next Job also when no watch tells that the last one is gone.

use super::Reconciler;
use crate::{
    control::{
        context::Context,
        key::Key,
        lease::Leadership,
        worker::{Action, Reconcile},
    },
    core::{
        object::{CachedObject, Kind},
        settings::SessionSettings,
    },
    telemetry::metrics::Metrics,
};
use http::{Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

const JOBS: &str = "/apis/batch/v1/namespaces/team/jobs";
const SESSIONS: &str = "/apis/amalthea.dev/v1alpha1/namespaces/team/amaltheasessions";

/// What an API server holds, by path, and how often something changed.
#[derive(Default)]
struct Store {
    objects: BTreeMap<String, Value>,
    changes: u64,
}

impl Store {
    /// Does what is asked, as far as the operator asks it.
    fn answer(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let path = path.trim_end_matches("/status");
        let found = self.objects.get(path).cloned();
        let (path, mut object) = match (method, found) {
            ("POST", _) => (format!("{path}/{}", body["metadata"]["name"].as_str().unwrap()), body),
            (_, None) => return refusal(404, "NotFound"),
            ("DELETE", Some(mut object)) => {
                object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:02:00Z");
                (path.to_owned(), object)
            }
            (_, Some(mut object)) => {
                let known = &body["metadata"]["resourceVersion"];
                if known.is_string() && *known != object["metadata"]["resourceVersion"] {
                    return refusal(409, "Conflict");
                }
                json_patch::merge(&mut object, &body);
                (path.to_owned(), object)
            }
        };
        self.changes += 1;
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = json!((100 + self.changes).to_string());
        if metadata["uid"].is_null() {
            metadata["uid"] = json!(format!("uid-{}", self.changes));
        }
        if metadata["deletionTimestamp"].is_string() && metadata["finalizers"] == json!([]) {
            self.objects.remove(&path);
        } else {
            self.objects.insert(path, object.clone());
        }
        (200, object)
    }
}

fn refusal(code: u16, reason: &str) -> (u16, Value) {
    let status =
        json!({"kind": "Status", "status": "Failure", "message": reason, "reason": reason, "code": code});
    (code, status)
}

/// A client of an API server that holds what is in `store`.
fn client(store: Arc<Mutex<Store>>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let store = store.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or_default();
            let (code, answer) = store.lock().unwrap().answer(parts.method.as_str(), parts.uri.path(), body);
            let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
            Ok::<_, Infallible>(answer.unwrap())
        }
    });
    Client::new(service, "default")
}

fn settings() -> SessionSettings {
    SessionSettings {
        // The pods of the tests have addresses that nobody has.
        ask_proxies: false,
        ..SessionSettings::default()
    }
}

#[tokio::test]
async fn who_takes_the_last_job_away_asks_for_the_next_pass() {
    let session = json!({
        "apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession",
        "metadata": {"name": "hero", "namespace": "team", "uid": "hero-uid", "resourceVersion": "5",
            "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"session": {"image": "debian:12"}, "sessionType": "NonInteractive"},
        "status": {"state": "NotReady", "runID": "second"},
    });
    let owner = json!({"apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession", "name": "hero",
        "uid": "hero-uid", "controller": true});
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "hero", "namespace": "team", "uid": "job-uid", "resourceVersion": "7",
            "ownerReferences": [owner], "finalizers": ["sojourn.dev/result"],
            "labels": {"app.kubernetes.io/instance": "hero"},
            "annotations": {"renku.io/run_id": "first"}},
        "spec": {"suspend": true},
    });
    let store = Arc::new(Mutex::new(Store::default()));
    let replica = Context {
        client: client(store.clone()),
        identity: "test".into(),
        metrics: Metrics::default().reconcile,
        leadership: Leadership::always(),
    };
    let reconciler = Reconciler::new(replica, settings());
    let known = CachedObject::from_dynamic(Kind::Job, serde_json::from_value(job.clone()).unwrap()).unwrap();
    reconciler.index.write().apply_session(serde_json::from_value(session.clone()).unwrap());
    reconciler.index.write().apply_object(known);
    // Somebody changed the Job, and the watch has not told it yet.
    job["metadata"]["resourceVersion"] = json!("8");
    let held = [(format!("{SESSIONS}/hero"), session), (format!("{JOBS}/hero"), job)];
    store.lock().unwrap().objects.extend(held);

    let (key, now) = (Key::new("team", "hero"), "2026-01-01T00:01:00Z".parse().unwrap());
    let job = || store.lock().unwrap().objects.get(&format!("{JOBS}/hero")).cloned();
    assert!(
        matches!(reconciler.reconcile(&key, now).await, Ok(Action { error: Some(_), .. })),
        "the Job had changed"
    );
    assert!(job().is_some_and(|job| job["metadata"]["deletionTimestamp"].is_string()));
    assert_eq!(reconciler.reconcile(&key, now).await.unwrap().requeue_after, Some(Duration::ZERO));
    assert_eq!(job(), None, "nothing holds it any more");
    reconciler.reconcile(&key, now).await.unwrap();
    assert_eq!(job().unwrap()["metadata"]["annotations"]["renku.io/run_id"], "second");
}
