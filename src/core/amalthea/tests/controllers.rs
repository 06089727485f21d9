//! What Kubernetes' controllers, its nodes and its people do to what belongs to a session.

use super::{
    cluster::Cluster,
    fixtures::{at, seconds},
};
use crate::core::{amalthea::Usage, object::Kind};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn condition(object: &mut Value, kind: &str, fields: Value) {
    let mut condition = json!({"type": kind, "status": "True"});
    condition.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap_or_default());
    let conditions = &mut object["status"]["conditions"];
    let mut list = conditions.as_array().cloned().unwrap_or_default();
    list.retain(|condition| condition["type"] != kind);
    list.push(condition);
    *conditions = json!(list);
}

pub(super) fn has_ended(job: &Value) -> bool {
    let conditions = job["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Complete" || condition["type"] == "Failed")
}

impl Cluster {
    /// One round of the controllers; whether something moved.
    pub(super) fn run_controllers(&mut self) -> bool {
        let workloads = |cluster: &Self| {
            let kinds = [Kind::StatefulSet, Kind::Job];
            let found = kinds.map(|kind| cluster.find(kind).map(|object| object["status"].clone()));
            let pods: Vec<_> = cluster.pods.values().map(|pod| pod["metadata"].clone()).collect();
            (found, pods, cluster.objects.len())
        };
        let before = workloads(self);
        self.pods.retain(|_, pod| pod["metadata"].get("deletionTimestamp").is_none());
        self.collect_garbage();
        self.let_claims_go();
        self.run_stateful_set();
        self.run_job();
        before != workloads(self)
    }

    fn collect_garbage(&mut self) {
        if self.session.is_null() {
            let keys: Vec<_> = self.objects.keys().cloned().collect();
            keys.iter().for_each(|key| self.delete_object(key));
        }
        let workloads: Vec<String> = self
            .objects
            .iter()
            .filter(|((kind, _), _)| matches!(kind, Kind::StatefulSet | Kind::Job))
            .filter_map(|(_, object)| object["metadata"]["uid"].as_str().map(str::to_owned))
            .collect();
        self.pods.retain(|_, pod| {
            let owner = pod["metadata"]["ownerReferences"][0]["uid"].as_str().unwrap_or_default();
            workloads.iter().any(|uid| uid == owner)
        });
    }

    /// A claim that is being deleted goes when no pod uses it that has not ended.
    fn let_claims_go(&mut self) {
        let volumes = |pod: &Value| pod["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        let has_ended =
            |pod: &&Value| pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed";
        let used: Vec<Value> = self.pods.values().filter(|pod| !has_ended(pod)).flat_map(volumes).collect();
        let is_used = |name: &str| used.iter().any(|it| it["persistentVolumeClaim"]["claimName"] == name);
        self.objects.retain(|(kind, name), claim| {
            let deleting = claim["metadata"].get("deletionTimestamp").is_some();
            *kind != Kind::PersistentVolumeClaim || !deleting || is_used(name)
        });
    }

    fn run_stateful_set(&mut self) {
        let Some(set) = self.find(Kind::StatefulSet).cloned() else { return };
        let name = format!("{}-0", self.name());
        let wanted = set["spec"]["replicas"] == 1;
        if !wanted || self.pods.get(&name).is_some_and(|pod| pod["template"] != set["spec"]["template"]) {
            self.end_pod(&name);
        }
        if wanted && !self.pods.contains_key(&name) {
            self.make_pod(&name, &set);
        }
        let (replicas, ready) = (i32::from(wanted), self.pods.get(&name).is_some_and(is_ready));
        let set = self.child_mut(Kind::StatefulSet);
        set["status"] = json!({"replicas": replicas, "readyReplicas": i32::from(ready)});
    }

    fn run_job(&mut self) {
        let Some(mut job) = self.find(Kind::Job).cloned() else { return };
        let name = format!("{}-x", self.name());
        let deleting = job["metadata"].get("deletionTimestamp").is_some();
        let uid = job["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        if deleting || has_ended(&job) {
            if deleting {
                self.end_pod(&name);
            }
            let ended = time(&job["status"]["endedForTests"]);
            let kept = job["spec"]["ttlSecondsAfterFinished"].as_i64();
            if let (Some(ended), Some(kept)) = (ended, kept)
                && !deleting
                && self.now >= ended + seconds(kept)
            {
                let key = (Kind::Job, self.name());
                self.delete_object(&key);
            }
            return;
        }
        if job["spec"]["suspend"] == true {
            self.end_pod(&name);
            job["status"] = json!({"conditions": [{"type": "Suspended", "status": "True"}]});
        } else {
            let started = time(&job["status"]["startTime"]);
            if started.is_none() {
                job["status"] = json!({"startTime": self.now.to_string(), "active": 1});
            }
            let deadline = job["spec"]["activeDeadlineSeconds"].as_i64();
            if let (Some(started), Some(deadline)) = (started, deadline)
                && self.now >= started + seconds(deadline)
            {
                self.end_pod(&name);
                let message = "Job was active longer than specified deadline";
                return self.end_job("Failed", json!({"reason": "DeadlineExceeded", "message": message}));
            }
            if !self.pods.contains_key(&name) {
                self.make_pod(&name, &job);
                self.started_jobs.insert(uid);
            }
            let ready = self.pods.get(&name).is_some_and(is_ready);
            job["status"]["active"] = json!(1);
            job["status"]["ready"] = json!(i32::from(ready));
        }
        *self.child_mut(Kind::Job) = job;
    }

    fn end_job(&mut self, how: &str, fields: Value) {
        let now = self.now.to_string();
        let job = self.child_mut(Kind::Job);
        job["status"]["active"] = json!(0);
        job["status"]["ready"] = json!(0);
        job["status"]["endedForTests"] = json!(now);
        condition(job, how, fields);
    }

    fn end_pod(&mut self, name: &str) {
        let now = self.now.to_string();
        if let Some(pod) = self.pods.get_mut(name) {
            pod["metadata"]["deletionTimestamp"] = json!(now);
        }
    }

    fn make_pod(&mut self, name: &str, workload: &Value) {
        let version = self.next_version();
        let template = &workload["spec"]["template"];
        self.pods.insert(
            name.to_owned(),
            json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "template": template,
                "metadata": {
                    "name": name,
                    "namespace": "team",
                    "uid": format!("uid-{version}"),
                    "labels": template["metadata"]["labels"],
                    "annotations": template["metadata"]["annotations"],
                    "creationTimestamp": self.now.to_string(),
                    "ownerReferences": [{
                        "apiVersion": "v1", "kind": "Any", "name": self.name(),
                        "uid": workload["metadata"]["uid"], "controller": true,
                    }],
                },
                "spec": template["spec"],
                "status": {"phase": "Pending"},
            }),
        );
    }

    /// The session's pod as the node reports it.
    pub(super) fn pod(&mut self) -> &mut Value {
        self.pods.values_mut().next().unwrap()
    }

    /// Sets the status of the session's pod, and lets its controller take note.
    pub(super) fn pod_status(&mut self, status: Value) -> &mut Self {
        self.pod()["status"] = status;
        self.run_controllers();
        self
    }

    /// The status of one regular container that is in `state`.
    pub(super) fn container(&mut self, state: Value) -> &mut Self {
        self.pod_status(
            json!({"phase": "Running", "containerStatuses": [status_of("amalthea-session", state)]}),
        )
    }

    /// All of the session's containers run and are ready.
    pub(super) fn pod_ready(&mut self) -> &mut Self {
        let now = self.now.to_string();
        let Some(pod) = self.pods.values_mut().next() else { return self };
        let statuses: Vec<Value> = pod["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|container| {
                json!({"name": container["name"], "ready": true, "started": true, "image": "", "imageID": "",
                    "restartCount": 0, "state": {"running": {"startedAt": now}}})
            })
            .collect();
        pod["status"] = json!({
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": statuses,
        });
        self.run_controllers();
        self
    }

    /// The session's process ends with `code`.
    pub(super) fn pod_exits(&mut self, code: i32) -> &mut Self {
        if self.pods.is_empty() {
            return self;
        }
        let (phase, reason) = if code == 0 { ("Succeeded", "Completed") } else { ("Failed", "Error") };
        let state = json!({"terminated": {"exitCode": code, "reason": reason}});
        let job = self.find(Kind::Job).is_some_and(|job| !has_ended(job) && job["spec"]["suspend"] != true);
        let status = status_of("amalthea-session", state);
        if job {
            self.pod()["status"] = json!({"phase": phase, "containerStatuses": [status]});
            let how = if code == 0 { "Complete" } else { "Failed" };
            self.end_job(how, json!({"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}));
        } else if self.find(Kind::StatefulSet).is_some() {
            let state = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
            self.container(state);
        }
        self
    }

    /// The session's process ends with `code`, and what runs beside it runs on.
    pub(super) fn own_container_exits(&mut self, code: i32) -> &mut Self {
        let now = self.now.to_string();
        let is_up =
            |pod: &Value| pod["status"]["containerStatuses"].as_array().is_some_and(|all| all.len() > 1);
        if let Some(pod) = self.pods.values_mut().next().filter(|pod| is_up(pod)) {
            let reason = if code == 0 { "Completed" } else { "Error" };
            let end = json!({"terminated": {"exitCode": code, "reason": reason, "finishedAt": now}});
            pod["status"]["containerStatuses"][0] = status_of("amalthea-session", end);
            pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
            self.run_controllers();
        }
        self
    }

    /// A measurement of the session's CPU use, now.
    pub(super) fn uses_cpu(&mut self, millis: i128) -> &mut Self {
        self.usage = Some(Usage { cpu_nanos: millis * 1_000_000, at: self.now });
        self
    }

    /// A session that was started and became ready, so many seconds after its creation.
    pub(super) fn running(mut self, when: i64) -> Self {
        self.now = at(when);
        self.settle();
        self.pod_ready();
        self.settle();
        self
    }
}

/// The status of a container that is in `state`.
pub(super) fn status_of(name: &str, state: Value) -> Value {
    json!({"name": name, "ready": false, "started": false, "image": "", "imageID": "", "restartCount": 0, "state": state})
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
