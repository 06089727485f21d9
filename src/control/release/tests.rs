//! Releasing against an API server in memory: pages, conflicts, kinds that are not served, and a Job that ends meanwhile.

use super::*;
use crate::{control::lease::Leadership, settings::flags::Flags, telemetry::metrics::Metrics};
use clap::{Args, Command, FromArgMatches};
use http::{Request, Response};
use kube::{Client, client::Body};
use serde_json::Value;
use sojourn_webhooks::adoption::{self, ApprovalKey, Binding};
use std::{collections::BTreeMap, convert::Infallible, sync::Mutex};

const JOBS: &str = "/apis/batch/v1/namespaces/team/jobs";
const SESSIONS: &str = "/apis/amalthea.dev/v1alpha1/namespaces/team/amaltheasessions";
const RESULT: &str = "sojourn.dev/result";
const SECRETS: &str = "amalthea.dev/secrets-finalizer";

/// What an API server holds, by path. A kind without objects is not served, unless it is one of Kubernetes.
#[derive(Default)]
struct Store {
    objects: BTreeMap<String, Value>,
    changes: u64,
    /// Requests that change something, in their order.
    writes: Vec<String>,
    /// Objects in a page at most.
    page: usize,
    /// What becomes of the next patch of the object at a path, before it is looked at.
    meanwhile: BTreeMap<String, Vec<Value>>,
    /// Paths whose objects may not be patched.
    forbidden: Vec<String>,
}

impl Store {
    fn add(&mut self, path: &str, mut object: Value) {
        self.changes += 1;
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        object["metadata"]["resourceVersion"] = json!(self.changes.to_string());
        object["metadata"]["uid"] = json!(format!("uid-of-{name}"));
        self.objects.insert(format!("{path}/{name}"), object);
    }

    fn change(&mut self, path: &str, patch: &Value) -> Value {
        self.changes += 1;
        let object = self.objects.get_mut(path).unwrap();
        json_patch::merge(object, patch);
        object["metadata"]["resourceVersion"] = json!(self.changes.to_string());
        let metadata = &object["metadata"];
        let answer = object.clone();
        if metadata["deletionTimestamp"].is_string() && metadata["finalizers"] == json!([]) {
            self.objects.remove(path);
        }
        answer
    }

    fn answer(&mut self, method: &str, path: &str, query: &str, body: &Value) -> (u16, Value) {
        let path = path.trim_end_matches("/status");
        match method {
            "GET" => self.list(path, query),
            "POST" => (201, body.clone()),
            "DELETE" => {
                self.writes.push(format!("DELETE {path}"));
                self.objects.remove(path).map_or_else(|| refusal(404, "NotFound"), |object| (200, object))
            }
            _ => self.patch(path, body),
        }
    }

    fn patch(&mut self, path: &str, body: &Value) -> (u16, Value) {
        if self.forbidden.iter().any(|it| it == path) {
            return refusal(403, "Forbidden");
        }
        if let Some(change) = self.meanwhile.get_mut(path).and_then(Vec::pop) {
            self.change(path, &change);
        }
        let Some(found) = self.objects.get(path) else { return refusal(404, "NotFound") };
        if body["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"] {
            return refusal(409, "Conflict");
        }
        self.writes.push(format!("PATCH {path}"));
        (200, self.change(path, body))
    }

    fn list(&self, path: &str, query: &str) -> (u16, Value) {
        let query: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let everywhere = path.rsplit('/').next().unwrap();
        let in_list = |found: &str| {
            let (folder, _) = found.rsplit_once('/').unwrap();
            folder == path || (!path.contains("/namespaces/") && folder.ends_with(&format!("/{everywhere}")))
        };
        let own = path.starts_with("/api/v1/") || path.starts_with("/apis/batch/") || path.contains("k8s.io");
        if !own && !path.starts_with("/apis/apps/") && !self.objects.keys().any(|found| in_list(found)) {
            return refusal(404, "NotFound");
        }
        let name = query.get("fieldSelector").and_then(|it| it.strip_prefix("metadata.name="));
        let labels: Vec<(&str, &str)> = query
            .get("labelSelector")
            .map(|text| text.split(',').filter_map(|pair| pair.split_once('=')).collect())
            .unwrap_or_default();
        let fits = |object: &Value| {
            name.is_none_or(|name| object["metadata"]["name"] == name)
                && labels.iter().all(|(label, value)| object["metadata"]["labels"][label] == *value)
        };
        let all = self.objects.iter().filter(|(found, object)| in_list(found) && fits(object));
        let from: usize = query.get("continue").map_or(0, |token| token.parse().unwrap());
        let items: Vec<&Value> = all.map(|(_, object)| object).skip(from).collect();
        let limit = query.get("limit").map_or(usize::MAX, |_| self.page);
        let next = if items.len() > limit { (from + limit).to_string() } else { String::new() };
        let items: Vec<_> = items.into_iter().take(limit).collect();
        (200, json!({"metadata": {"continue": next, "resourceVersion": "1"}, "items": items}))
    }
}

fn refusal(code: u16, reason: &str) -> (u16, Value) {
    let status =
        json!({"kind": "Status", "status": "Failure", "message": reason, "reason": reason, "code": code});
    (code, status)
}

/// Releases what is in a store. The outcomes come as they are shown, in the order of their texts.
async fn release(store: &Arc<Mutex<Store>>) -> Vec<String> {
    release_with(store, Leadership::always()).await
}

async fn release_with(store: &Arc<Mutex<Store>>, leadership: Leadership) -> Vec<String> {
    let held = store.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let store = held.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or_default();
            let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
            let (code, answer) = store.lock().unwrap().answer(parts.method.as_str(), path, query, &body);
            let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
            Ok::<_, Infallible>(answer.unwrap())
        }
    });
    let context = Context {
        client: Client::new(service, "default"),
        identity: "test".into(),
        metrics: Metrics::default().reconcile,
        leadership,
    };
    let arguments = Flags::augment_args(Command::new("release")).try_get_matches_from(["release"]).unwrap();
    let flags = Flags { cluster_scoped: Some(true), ..Flags::from_arg_matches(&arguments).unwrap() };
    let mut settings = Settings::read(flags, &|_| None).unwrap();
    settings.sessions.approval_key = Some(approval_key());
    let mut told = Vec::new();
    Releaser::new(&context, &settings).run(&mut |outcome| told.push(outcome.to_string())).await;
    told.sort();
    told
}

fn approval_key() -> ApprovalKey {
    ApprovalKey::new([1; ApprovalKey::LENGTH])
}

fn session(name: &str, spec: Value, finalizers: &[&str], deleting: bool) -> Value {
    let mut session = json!({
        "apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession",
        "metadata": {"name": name, "namespace": "team", "generation": 1, "finalizers": finalizers,
            "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"session": {"image": "debian:12"}},
    });
    json_patch::merge(&mut session["spec"], &spec);
    if deleting {
        session["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:01:00Z");
    }
    session
}

/// The Job of a batch session.
fn job(name: &str, finalizers: &[&str]) -> Value {
    let owner = json!({"apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession", "name": name,
        "uid": format!("uid-of-{name}"), "controller": true});
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "namespace": "team", "ownerReferences": [owner], "finalizers": finalizers,
            "labels": {"app.kubernetes.io/instance": name, "app.kubernetes.io/part-of": "amaltheasession-operator"},
            "annotations": {"renku.io/run_id": "first"}},
        "spec": {},
        "status": {"active": 1},
    })
}

fn batch(name: &str) -> Value {
    let mut session = session(name, json!({"sessionType": "NonInteractive"}), &[], false);
    session["status"] = json!({"state": "Running", "runID": "first"});
    session
}

fn adopting(secret: &str) -> Value {
    json!({"imagePullSecrets": [{"name": secret, "adopt": true}]})
}

fn complete() -> Value {
    json!({"status": {"active": 0, "succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}})
}

fn store() -> Arc<Mutex<Store>> {
    Arc::new(Mutex::new(Store { page: 3, ..Store::default() }))
}

#[tokio::test]
async fn every_page_is_released_and_finalizers_of_others_stay() {
    let store = store();
    for number in 0..8 {
        let finalizers: &[&str] = if number % 2 == 0 { &["a/b", RESULT, "c/d"] } else { &["a/b"] };
        store.lock().unwrap().add(JOBS, job(&format!("j-{number}"), finalizers));
    }
    store.lock().unwrap().add(SESSIONS, session("s", adopting("x"), &[SECRETS, "a/b"], false));
    let told = release(&store).await;
    let expected = ["AmaltheaSession team/s", "Job team/j-0", "Job team/j-2", "Job team/j-4", "Job team/j-6"];
    assert_eq!(told, expected.map(|object| format!("released  {object}")));
    {
        let store = store.lock().unwrap();
        assert_eq!(store.objects[&format!("{JOBS}/j-0")]["metadata"]["finalizers"], json!(["a/b", "c/d"]));
        assert_eq!(store.objects[&format!("{SESSIONS}/s")]["metadata"]["finalizers"], json!(["a/b"]));
        assert_eq!(store.writes.len(), 5, "{:?}", store.writes);
    }
    assert_eq!(release(&store).await, Vec::<String>::new(), "nothing is left to do");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ends_meanwhile_is_not_let_go_before_its_result_is_recorded() {
    let store = store();
    let (at, of) = (format!("{JOBS}/hero"), format!("{SESSIONS}/hero"));
    {
        let mut store = store.lock().unwrap();
        store.add(SESSIONS, batch("hero"));
        store.add(JOBS, job("hero", &[RESULT]));
        store.meanwhile.insert(at.clone(), vec![complete()]);
    }
    let told = release(&store).await;
    assert_eq!(told, ["released  Job team/hero; the result of its session is on record now"]);
    let store = store.lock().unwrap();
    assert_eq!(store.writes, [format!("PATCH {of}"), format!("PATCH {at}")]);
    assert_eq!(store.objects[&of]["status"]["state"], "Succeeded");
}

#[tokio::test]
async fn a_result_that_cannot_be_recorded_keeps_its_job_and_no_other() {
    let store = store();
    {
        let mut store = store.lock().unwrap();
        for name in ["bad", "good", "recorded"] {
            store.add(SESSIONS, batch(name));
            let mut job = job(name, &[RESULT]);
            json_patch::merge(&mut job, &complete());
            store.add(JOBS, job);
        }
        let finished = json!({"status": {"state": "Succeeded",
            "conditions": [{"type": "Finished", "status": "True", "reason": "Succeeded"}]}});
        store.change(&format!("{SESSIONS}/recorded"), &finished);
        store.forbidden.push(format!("{SESSIONS}/bad"));
    }
    let told = release(&store).await;
    let expected = [
        "FAIL      Job team/bad: its session cannot be settled: Forbidden",
        "released  Job team/good; the result of its session is on record now",
        "released  Job team/recorded",
    ];
    assert_eq!(told, expected);
    let store = store.lock().unwrap();
    assert_eq!(store.objects[&format!("{JOBS}/bad")]["metadata"]["finalizers"], json!([RESULT]));
}

#[tokio::test]
async fn what_is_being_deleted_goes_with_its_secrets_but_for_those_of_others() {
    let store = store();
    let secrets = "/api/v1/namespaces/team/secrets";
    {
        let mut store = store.lock().unwrap();
        for name in ["own", "shared", "kept"] {
            store.add(secrets, json!({"metadata": {"name": name, "namespace": "team"}}));
        }
        let both =
            json!({"imagePullSecrets": [{"name": "own", "adopt": true}, {"name": "shared", "adopt": true}]});
        let mut going = session("going", both, &[SECRETS], true);
        let binding = Binding::Created("2026-01-01T00:00:01Z".parse().unwrap());
        let approved = ["own", "shared"].map(str::to_owned).into();
        let record = adoption::record(&approval_key(), "team", binding, approved);
        going["metadata"]["annotations"] = json!({adoption::ANNOTATION: record});
        store.add(SESSIONS, going);
        for name in ["a", "b", "c", "other"] {
            store.add(SESSIONS, session(name, json!({"imagePullSecrets": [{"name": "shared"}]}), &[], false));
        }
        store.add(SESSIONS, session("stays", adopting("kept"), &[SECRETS], false));
        // Its session is gone.
        let mut orphan = job("orphan", &[RESULT]);
        orphan["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:01:00Z");
        store.add(JOBS, orphan);
    }
    let told = release(&store).await;
    let expected = [
        "released  AmaltheaSession team/going; it was being deleted, and what goes with it is deleted",
        "released  AmaltheaSession team/stays",
        "released  Job team/orphan",
    ];
    assert_eq!(told, expected);
    let store = store.lock().unwrap();
    let left = store.objects.keys().filter(|path| path.starts_with(secrets));
    assert_eq!(left.map(|path| path.rsplit('/').next().unwrap()).collect::<Vec<_>>(), ["kept", "shared"]);
    assert!(!store.objects.contains_key(&format!("{SESSIONS}/going")));
    assert!(!store.objects.contains_key(&format!("{JOBS}/orphan")));
}

#[tokio::test]
async fn without_the_leadership_nothing_is_written() {
    let store = store();
    store.lock().unwrap().add(JOBS, job("hero", &[RESULT]));
    let (_, lost) = Leadership::always().behind();
    assert_eq!(release_with(&store, lost).await, ["FAIL      Job team/hero: this replica does not lead"]);
    assert_eq!(store.lock().unwrap().writes, Vec::<String>::new());
}

#[test]
fn an_operator_of_some_namespaces_leaves_the_rest_alone() {
    let kinds = |scope| targets(&scope).iter().map(|target| target.kind).collect::<Vec<_>>();
    assert_eq!(kinds(Scope::Cluster), ["Job", "AmaltheaSession", "IdeSession"]);
    assert_eq!(kinds(Scope::Namespaces(vec!["team".into()])), ["Job", "AmaltheaSession"]);
    assert_eq!(targets(&Scope::Namespaces(vec!["team".into()]))[0].parts, [Some("team".to_owned())]);
}
