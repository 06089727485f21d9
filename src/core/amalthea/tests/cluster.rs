//! A cluster that holds one session.

use super::{fixtures::*, server};
use crate::core::{
    amalthea::{
        Applied, Checked, Measurements, Observed, Plan, PlanContext, Requests, Usage,
        conditions::FILES_KEPT,
        files::ACCEPT_EMPTY_DISK,
        plan,
        status::{self, Report},
        validate,
    },
    conditions,
    error::ErrorClass,
    manifest::{MANAGER, Write},
    object::{CachedObject, Kind},
    settings::SessionSettings,
    workload::Warning,
};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use sojourn_crds::amalthea::{AmaltheaSession, AmaltheaSessionStatus, Condition};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(super) type ChildKey = (Kind, String);

/// A cluster that holds one session.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) now: Timestamp,
    name: String,
    /// The session; `Null` when it is gone.
    pub(super) session: Value,
    pub(super) objects: BTreeMap<ChildKey, Value>,
    pub(super) pods: BTreeMap<String, Value>,
    pub(super) warnings: Vec<Warning>,
    pub(super) usage: Option<Usage>,
    pub(super) requests: Option<Requests>,
    pub(super) settings: SessionSettings,
    /// Adopted secrets that exist.
    pub(super) secrets: BTreeSet<String>,
    /// The pod that ended before there was a pass over it.
    pub(super) gone: Option<Arc<CachedObject>>,
    pub(super) shared_secrets: Vec<String>,
    /// Findings of admission rules against the session.
    pub(super) findings: Vec<String>,
    /// Writes of a kind that the API server refuses, and why.
    pub(super) refuse: Option<(Kind, ErrorClass, String)>,
    /// How many calls the operator makes before it is killed.
    pub(super) calls_left: Option<usize>,
    /// UIDs of Jobs that had a pod.
    pub(super) started_jobs: BTreeSet<String>,
    /// What the operator wrote.
    pub(super) log: Vec<String>,
    /// When the operator wants to look again, as its last pass said.
    pub(super) requeue_at: Option<Timestamp>,
    applied: BTreeMap<ChildKey, Value>,
    read: RefCell<BTreeMap<ChildKey, (Value, Arc<CachedObject>)>>,
    read_session: RefCell<Option<(Value, Arc<AmaltheaSession>)>>,
    version: u64,
}

pub(super) fn cluster(draft: Draft) -> Cluster {
    Cluster {
        now: at(1),
        name: draft.0["metadata"]["name"].as_str().unwrap().to_owned(),
        session: draft.0,
        objects: BTreeMap::new(),
        pods: BTreeMap::new(),
        warnings: Vec::new(),
        usage: None,
        requests: None,
        settings: settings(),
        secrets: BTreeSet::new(),
        gone: None,
        shared_secrets: Vec::new(),
        findings: Vec::new(),
        refuse: None,
        calls_left: None,
        started_jobs: BTreeSet::new(),
        log: Vec::new(),
        requeue_at: None,
        applied: BTreeMap::new(),
        read: RefCell::default(),
        read_session: RefCell::default(),
        version: 1,
    }
}

pub(super) fn live(kind: Kind, object: &Value) -> Arc<CachedObject> {
    Arc::new(CachedObject::from_dynamic(kind, serde_json::from_value(object.clone()).unwrap()).unwrap())
}

impl Cluster {
    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    /// The session as the operator reads it. Reading is what takes time.
    pub(super) fn typed(&self) -> Arc<AmaltheaSession> {
        let mut read = self.read_session.borrow_mut();
        match &*read {
            Some((seen, session)) if *seen == self.session => session.clone(),
            _ => {
                let session: Arc<AmaltheaSession> =
                    Arc::new(serde_json::from_value(self.session.clone()).unwrap());
                read.insert((self.session.clone(), session)).1.clone()
            }
        }
    }

    pub(super) fn status(&self) -> AmaltheaSessionStatus {
        self.typed().status.clone().unwrap_or_default()
    }

    /// The conditions on record; none of a session that is gone.
    pub(super) fn recorded_conditions(&self) -> Vec<Condition> {
        if self.session.is_null() { Vec::new() } else { self.status().conditions }
    }

    pub(super) fn observed(&self) -> Observed {
        Observed {
            session: self.typed(),
            children: self
                .objects
                .iter()
                .map(|(key, object)| (key.clone(), self.remembered(key.0, object)))
                .collect(),
            pods: self.pods.values().map(|pod| self.remembered(Kind::Pod, pod)).collect(),
            gone: self.gone.clone(),
            warnings: self.warnings.clone(),
            measurements: Measurements {
                usage: self.usage,
                requests: self.requests,
                claim_is_gone: !self.objects.contains_key(&(Kind::PersistentVolumeClaim, self.name())),
                ..Measurements::default()
            },
            shared_secrets: self.shared_secrets.clone(),
            same_route: Vec::new(),
        }
    }

    /// Reading an object is what takes time; most have not changed since the pass before.
    fn remembered(&self, kind: Kind, object: &Value) -> Arc<CachedObject> {
        let mut read = self.read.borrow_mut();
        let key = (kind, object["metadata"]["name"].as_str().unwrap_or_default().to_owned());
        match read.get(&key) {
            Some((seen, live)) if seen == object => live.clone(),
            _ => read.entry(key).insert_entry((object.clone(), live(kind, object))).get().1.clone(),
        }
    }

    pub(super) fn context(&self) -> PlanContext<'_> {
        // Other bytes each time, so that what must be kept is seen to be kept.
        let entropy = [u8::try_from(self.version % 251).unwrap(); 32];
        PlanContext { now: self.now, entropy, settings: &self.settings }
    }

    pub(super) fn plan(&self) -> Plan {
        self.plan_for(&self.observed())
    }

    pub(super) fn plan_for(&self, observed: &Observed) -> Plan {
        plan::plan(&self.checked(&observed.session), observed, &self.context())
    }

    pub(super) fn report(&self, applied: &Applied) -> Report {
        let observed = self.observed();
        status::status(&self.checked(&observed.session), &observed, applied, &self.context())
    }

    /// What would be reported now if there were nothing to write.
    pub(super) fn seen(&self) -> Report {
        self.report(&Applied::default())
    }

    pub(super) fn checked<'a>(&self, session: &'a AmaltheaSession) -> Checked<'a> {
        validate(session, self.findings.clone()).unwrap()
    }

    pub(super) fn child(&self, kind: Kind) -> &Value {
        self.find(kind).unwrap_or_else(|| panic!("there is no {kind}"))
    }

    pub(super) fn find(&self, kind: Kind) -> Option<&Value> {
        self.objects.get(&(kind, self.name()))
    }

    pub(super) fn child_mut(&mut self, kind: Kind) -> &mut Value {
        let key = (kind, self.name());
        self.objects.get_mut(&key).unwrap()
    }

    /// Changes the session's spec as a user does.
    pub(super) fn edit(&mut self, pointer: &str, value: Value) -> &mut Self {
        if self.session.is_null() {
            return self;
        }
        put(&mut self.session, &format!("/spec/{pointer}"), value);
        let generation = self.session["metadata"]["generation"].as_i64().unwrap_or_default();
        self.session["metadata"]["generation"] = json!(generation + 1);
        self
    }

    /// Somebody does what the status says, should the files be lost. Whether they were.
    pub(super) fn accept_empty_disk(&mut self) -> bool {
        let conditions = self.recorded_conditions();
        let lost = conditions::find(&conditions, FILES_KEPT).filter(|files| files.status == "False");
        let Some(since) = lost.and_then(|lost| lost.last_transition_time.as_ref()) else { return false };
        self.session["metadata"]["annotations"][ACCEPT_EMPTY_DISK] = json!(since.0.to_string());
        // Nobody reads that and answers within the second that tells losses apart.
        self.pass_time(1);
        true
    }

    pub(super) fn pass_time(&mut self, seconds: i64) -> &mut Self {
        self.now += super::fixtures::seconds(seconds);
        self
    }

    pub(super) fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Carries out a write as the API server does.
    pub(super) fn write(&mut self, write: &Write) -> Result<Option<Value>, (ErrorClass, String)> {
        let (kind, name) = write.target();
        let key = (kind, name.to_owned());
        let refused = self.refuse.clone().filter(|(refused, ..)| *refused == kind);
        if let Some((_, class, message)) = refused {
            return Err((class, message));
        }
        let verb = if matches!(write, Write::Create { .. }) { "create" } else { "apply" };
        if !self.call(format!("{verb} {kind} {name}")) {
            return Ok(None);
        }
        let version = self.next_version();
        let object = match write {
            Write::Create { manifest, .. } => {
                assert!(!self.objects.contains_key(&key), "{kind} {name} is there already");
                let mut object = manifest.clone();
                object["metadata"]["uid"] = json!(format!("uid-{version}"));
                object["metadata"]["creationTimestamp"] = json!(self.now.to_string());
                object["metadata"]["managedFields"] = json!([{"manager": MANAGER, "operation": "Update"}]);
                if kind == Kind::Ingress && object["spec"].get("ingressClassName").is_none() {
                    object["spec"]["ingressClassName"] = json!("nginx");
                }
                server::complete(kind, &mut object);
                self.applied.insert(key.clone(), manifest.clone());
                object
            }
            Write::Apply { manifest, takeover, clear, .. } => {
                let old = &self.objects[&key];
                let by_post = live(kind, old).takeover;
                assert_eq!(by_post, *takeover, "fields of another writer can only go after a takeover");
                let mut object = old.clone();
                json_patch::merge(&mut object, &clear.clone().unwrap_or_else(|| json!({})));
                object["metadata"]["managedFields"] = json!([{"manager": MANAGER, "operation": "Apply"}]);
                server::apply(&mut object, self.applied.get(&key).unwrap_or(&Value::Null), manifest);
                server::complete(kind, &mut object);
                if let Some(reason) = server::refusal(kind, old, &object) {
                    return Err((ErrorClass::Invalid, format!("{kind} {name} is invalid: {reason}")));
                }
                self.applied.insert(key.clone(), manifest.clone());
                object
            }
        };
        let mut object = object;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        self.objects.insert(key, object.clone());
        Ok(Some(object))
    }

    /// Deletes an object, or marks it when a finalizer holds it.
    pub(super) fn delete_object(&mut self, key: &ChildKey) {
        let version = self.next_version();
        let Some(object) = self.objects.get_mut(key) else { return };
        if object["metadata"]["finalizers"].as_array().is_some_and(|held| !held.is_empty()) {
            object["metadata"]["deletionTimestamp"] = json!(self.now.to_string());
            object["metadata"]["resourceVersion"] = json!(version.to_string());
        } else {
            self.objects.remove(key);
            self.applied.remove(key);
        }
    }

    /// Deletes the session, or marks it when a finalizer holds it.
    pub(super) fn delete_session(&mut self) {
        if self.session.is_null() {
            return;
        }
        if self.session["metadata"]["finalizers"].as_array().is_some_and(|held| !held.is_empty()) {
            self.session["metadata"]["deletionTimestamp"] = json!(self.now.to_string());
        } else {
            self.session = Value::Null;
        }
    }
}
