//! Chance pulls all the levers: users edit, pods fail, Jobs end, children are deleted by hand, the operator
//! is killed between two calls, time passes, and clocks jump. After each step what must always hold is checked.

use super::{
    cluster::{Cluster, cluster},
    controllers::has_ended,
    fixtures::*,
};
use crate::core::{conditions, error::ErrorClass, object::Kind, workload::WorkloadKind};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rstest::rstest;
use serde_json::{Value, json};
use sojourn_crds::amalthea::AmaltheaSession;
use sojourn_crds::{
    amalthea::{OnDeadline, State, names},
    duration::parse,
};

const STEPS: usize = 50;

struct Model {
    cluster: Cluster,
    chance: StdRng,
    /// How many Jobs had started when the batch job got its result.
    started_at_end: Option<usize>,
    /// The run ID when it was last looked at, unless the session was hibernated since.
    run: Option<String>,
    /// All run IDs of before.
    old_runs: Vec<String>,
    /// UID of the claim of the session's files, unless its loss was accepted since.
    files: Option<String>,
    steps: Vec<String>,
}

fn any_session(chance: &mut StdRng) -> Draft {
    let mut draft = session("hello");
    if chance.random_bool(0.5) {
        draft = draft.batch();
    }
    if chance.random_bool(0.2) {
        draft = draft.hibernated();
    }
    if chance.random_bool(0.3) {
        draft = draft
            .ingress()
            .spec("ingress/tlsSecret", json!({"name": "tls", "adopt": true}))
            .approved(&["tls"]);
    }
    for rule in
        ["maxAge", "maxIdleDuration", "maxStartingDuration", "maxFailedDuration", "maxHibernatedDuration"]
    {
        if chance.random_bool(0.4) {
            let text = ["90s", "10m", "1h30m0.5s", "0s", "1d"].choose(chance).unwrap();
            draft = draft.spec(&format!("culling/{rule}"), json!(text));
        }
    }
    if chance.random_bool(0.3) {
        draft = draft.spec("extraContainers", json!([{"name": "proxy", "image": "proxy"}]));
    }
    draft.strategy(["always", "never", "whenFailedOrHibernated"].choose(chance).unwrap())
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut cluster = cluster(any_session(&mut chance));
        cluster.secrets.insert("tls".into());
        if chance.random_bool(0.5) {
            cluster.settings.on_deadline = OnDeadline::Hibernate;
        }
        Self {
            cluster,
            chance,
            started_at_end: None,
            run: None,
            old_runs: Vec::new(),
            files: None,
            steps: Vec::new(),
        }
    }

    fn step(&mut self) {
        self.cluster.now += jiff::SignedDuration::from_millis(1);
        let lever = self.chance.random_range(0..30);
        let note = match lever {
            0..=3 => self.let_time_pass(),
            4..=6 => {
                self.cluster.pod_ready();
                "pod ready".into()
            }
            7 => self.exit(1),
            8 => self.exit(0),
            9 | 10 => self.edit("hibernated", json!(true)),
            11..=13 => self.edit("hibernated", json!(false)),
            14 => {
                let text = *["90s", "10m", "2h", "0s"].choose(&mut self.chance).unwrap();
                self.edit("culling/maxAge", json!(text))
            }
            15 => {
                let value = self.chance.random_range(0..9).to_string();
                self.edit("session/env", json!([{"name": "A", "value": value}]))
            }
            16 => {
                let some = self.chance.random_bool(0.5);
                self.edit("tolerations", if some { json!([{"key": "gpu"}]) } else { json!([]) })
            }
            17 => self.delete_by_hand(),
            18 => self.edit_by_hand(),
            19 | 20 => self.crash(),
            21 => {
                let millis = self.chance.random_range(0..2) * 1000;
                self.cluster.uses_cpu(millis);
                format!("uses {millis}m")
            }
            22 => self.unschedulable(),
            24 => {
                let count = self.chance.random_range(0..3);
                let source = |index| json!({"mountPath": format!("/d{index}"), "secretRef": {"name": "s"}});
                self.edit("dataSources", (0..count).map(source).collect())
            }
            23 => {
                let kind = *AmaltheaSession::CHILDREN.choose(&mut self.chance).unwrap();
                let class = *[ErrorClass::Quota, ErrorClass::Transient].choose(&mut self.chance).unwrap();
                let refused = self.chance.random_bool(0.3);
                self.cluster.refuse = refused.then(|| (kind, class, "refused".into()));
                format!("refuse {:?}", self.cluster.refuse)
            }
            25 => self.clock_jumps(),
            26 | 27 => self.accept_empty_disk(),
            28 => {
                let code = self.chance.random_range(0..2);
                self.cluster.own_container_exits(code);
                format!("own container exits {code}")
            }
            _ => {
                if self.chance.random_bool(0.1) {
                    self.cluster.delete_session();
                    "delete session".into()
                } else {
                    let touched = self.cluster.now.to_string();
                    self.edit("culling/lastInteraction", json!(touched))
                }
            }
        };
        self.steps.push(note);
    }

    fn edit(&mut self, field: &str, value: Value) -> String {
        let note = format!("{field} = {value}");
        self.cluster.edit(field, value);
        note
    }

    fn exit(&mut self, code: i32) -> String {
        self.cluster.pod_exits(code);
        format!("pod exits {code}")
    }

    /// Time passes; the operator looks when it said that it would.
    fn let_time_pass(&mut self) -> String {
        let span = *[1, 20, 60, 700, 6000, 90_000].choose(&mut self.chance).unwrap();
        let until = self.cluster.now + seconds(span);
        for _ in 0..100 {
            self.settle();
            let wake = if self.cluster.session.is_null() { None } else { self.cluster.requeue_at };
            let next = wake.map_or(until, |wake| (wake + jiff::SignedDuration::from_millis(1)).min(until));
            self.quiet_until(next);
            self.cluster.now = self.cluster.now.max(next);
            if self.cluster.now >= until {
                return format!("{span} s pass");
            }
        }
        panic!("the session is reconciled again and again: {:?}", self.cluster.seen());
    }

    /// Until the moment that the operator asked for there is nothing to do.
    fn quiet_until(&mut self, next: k8s_openapi::jiff::Timestamp) {
        let early = self.cluster.now.max(next - seconds(1));
        if early < next && !self.cluster.session.is_null() {
            let now = std::mem::replace(&mut self.cluster.now, early);
            let calls = self.cluster.pass();
            assert_eq!(
                calls,
                0,
                "something was due before the requested time: {:?}",
                self.cluster.log.last()
            );
            self.cluster.now = now;
        }
    }

    /// Somebody sets the clock, forth or back.
    fn clock_jumps(&mut self) -> String {
        let span = *[3, 70, 3_700, 100_000].choose(&mut self.chance).unwrap();
        let forth = self.chance.random_bool(0.5);
        // No clock shows the very same moment twice.
        let span = seconds(span) + jiff::SignedDuration::from_micros(self.chance.random_range(1..999));
        self.cluster.now += if forth { span } else { -span };
        format!("clock jumps {} by {span}", if forth { "forth" } else { "back" })
    }

    fn delete_by_hand(&mut self) -> String {
        let keys: Vec<_> = self.cluster.objects.keys().cloned().collect();
        let Some(key) = keys.choose(&mut self.chance) else { return "nothing to delete".into() };
        self.cluster.delete_object(key);
        format!("delete {} by hand", key.0)
    }

    /// Somebody does what the status says, should the files be lost.
    fn accept_empty_disk(&mut self) -> String {
        if !self.cluster.accept_empty_disk() {
            return "no files are lost".into();
        }
        self.files = None;
        "accept an empty disk".into()
    }

    fn edit_by_hand(&mut self) -> String {
        if self.cluster.find(Kind::StatefulSet).is_some() {
            self.cluster.child_mut(Kind::StatefulSet)["spec"]["replicas"] = json!(3);
        }
        if self.cluster.find(Kind::Service).is_some() {
            self.cluster.child_mut(Kind::Service)["spec"]["ports"][0]["targetPort"] = json!(1);
        }
        if let Some(job) = self.cluster.find(Kind::Job).cloned().filter(|job| !has_ended(job)) {
            let suspended = job["spec"]["suspend"] == true;
            self.cluster.child_mut(Kind::Job)["spec"]["suspend"] = json!(!suspended);
        }
        "edit by hand".into()
    }

    /// The operator is killed between two calls.
    fn crash(&mut self) -> String {
        let calls = self.chance.random_range(0..5);
        self.cluster.calls_left = Some(calls);
        self.cluster.pass();
        self.cluster.calls_left = None;
        self.look();
        format!("killed after {calls} calls")
    }

    fn unschedulable(&mut self) -> String {
        if !self.cluster.pods.is_empty() {
            self.cluster.pod_status(json!({"phase": "Pending", "conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node",
            }]}));
        }
        "unschedulable".into()
    }

    fn settle(&mut self) {
        self.look();
        self.cluster.settle();
        self.look();
    }

    /// Takes note of what has an end. A result counts from the moment that the Job has it.
    fn look(&mut self) {
        let status = &self.cluster.session["status"];
        if status.get("hibernatedSince").is_some() && status.get("runID").is_none() {
            self.old_runs.extend(self.run.take());
        }
        let recorded = conditions::holds(&self.cluster.recorded_conditions(), "Finished");
        if recorded && self.started_at_end.is_none() {
            self.started_at_end = Some(self.cluster.started_jobs.len());
        }
        let backstop = self.cluster.settings.on_deadline == OnDeadline::Hibernate;
        let Some(job) = self.cluster.find(Kind::Job) else { return };
        let by_deadline = job["status"].to_string().contains("DeadlineExceeded");
        if has_ended(job) && !(backstop && by_deadline) && self.started_at_end.is_none() {
            self.started_at_end = Some(self.cluster.started_jobs.len());
        }
    }

    fn check(&mut self) {
        let cluster = &self.cluster;
        if let Some(started) = self.started_at_end {
            assert_eq!(cluster.started_jobs.len(), started, "a batch job that has ended ran again");
        }
        if cluster.session.is_null() {
            assert!(cluster.objects.is_empty(), "left behind: {:?}", cluster.objects.keys());
            return;
        }
        let status = cluster.status();
        let spec = cluster.typed().spec.clone().unwrap();
        if cluster.refuse.is_none() {
            let claim = |name: String| cluster.objects.contains_key(&(Kind::PersistentVolumeClaim, name));
            let wanted = spec.data_sources.len();
            let told = status.conditions.iter().any(|it| it.kind == "FilesKept" && it.status == "False");
            assert!(claim(cluster.name()) || told, "the user's files are gone, and nobody is told");
            assert!((0..wanted).all(|index| claim(names::data_source("hello", index))));
        }
        let files = cluster.objects.get(&(Kind::PersistentVolumeClaim, cluster.name()));
        let stays = |claim: &&Value| claim["metadata"].get("deletionTimestamp").is_none();
        if let Some(claim) = files.filter(stays) {
            let uid = claim["metadata"]["uid"].as_str().unwrap().to_owned();
            let known = self.files.get_or_insert(uid.clone());
            assert_eq!(*known, uid, "an empty disk took the place of the files");
        }
        let workloads =
            [Kind::StatefulSet, Kind::Job].into_iter().filter(|kind| cluster.find(*kind).is_some());
        assert!(workloads.count() <= 1);
        assert!(cluster.pods.len() <= 1, "{:?}", cluster.pods.keys());
        let finished = status.conditions.iter().any(|condition| condition.kind == "Finished");
        if let Some(job) = cluster.find(Kind::Job).filter(|job| {
            !finished
                && !has_ended(job)
                && cluster.refuse.is_none()
                && job["metadata"].get("deletionTimestamp").is_none()
        }) {
            let max_age =
                spec.culling.and_then(|culling| culling.max_age).and_then(|text| parse(&text.0).ok());
            let least = max_age.map_or(0, |span| span.seconds_ceil());
            let deadline = job["spec"]["activeDeadlineSeconds"].as_i64();
            assert_eq!(deadline.is_some(), least > 0, "deadline {deadline:?} for {least}");
            assert!(deadline.is_none_or(|deadline| deadline >= least), "{deadline:?} < {least}");
        }
        // A session that was just started again after a crash has not recovered yet.
        let between = matches!(status.state, State::Running | State::NotReady);
        assert!(status.failing_since.is_some() || status.state != State::Failed);
        assert!(status.failing_since.is_none() || status.state == State::Failed || between);
        assert_eq!(status.idle, status.idle_since.is_some());
        if spec.hibernated && !finished {
            assert!(status.hibernated_since.is_some());
            assert_eq!((&status.run_id, &status.failed_scheduling_since), (&None, &None));
            if status.state == State::Hibernated {
                assert_eq!(status.idle_since, None);
            } else {
                assert!(cluster.refuse.is_some(), "not hibernated although nothing is in the way");
            }
        } else if !finished {
            assert_eq!(status.hibernated_since, None);
            let run = status.run_id.clone().expect("a run has an ID");
            assert!(!self.old_runs.contains(&run), "the run ID {run} came back");
            assert_eq!(self.run.get_or_insert(run.clone()), &run, "a second ID for one run");
        } else {
            assert_eq!(status.hibernated_since, None);
            assert!(matches!(status.state, State::Succeeded | State::Failed));
        }
    }
}

/// 2,000 sessions of 50 steps: 100,000 steps.
#[rstest]
fn whatever_happens(#[values(0, 1, 2, 3, 4, 5, 6, 7)] part: u64) {
    for seed in part * 250..(part + 1) * 250 {
        let mut model = Model::new(seed);
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                model.step();
                // Sometimes more happens before the operator gets to look.
                if model.chance.random_bool(0.7) {
                    model.settle();
                    model.check();
                }
            }
        }));
        if let Err(panic) = run {
            eprintln!("seed {seed}, steps {:#?}", model.steps);
            eprintln!("calls {:#?}", model.cluster.log);
            eprintln!("status {}", model.cluster.session["status"]);
            std::panic::resume_unwind(panic);
        }
    }
}
