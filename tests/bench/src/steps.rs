//! Part d: the pure steps, in nanoseconds per call. What they are measured against is one reading of their object from
//! JSON, which nothing that decides about it can do without.

use crate::{
    fixture, input,
    table::{Bound, Row, Table},
};
use anyhow::Context as _;
use k8s_openapi::api::authentication::v1::UserInfo;
use kube::core::DynamicObject;
use serde_json::{Value, json};
use sojourn::core::{
    amalthea::{Applied, Observed, PlanContext, plan, status, validate},
    manifest::Write,
    object::CachedObject,
};
use sojourn_crds::amalthea::AmaltheaSession;
use sojourn_webhooks::{
    AdmissionSettings, Object, Offline, Operation, Request, TABLE, evaluate,
    table::{MUTATE_JOB, VALIDATE_SESSION},
};
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

const NAMESPACE: &str = "sessions";
const NOW: &str = "2026-01-01T12:00:00Z";

/// Measures each step.
pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    let now: jiff::Timestamp = NOW.parse()?;
    let mut add = |figure: &str, value: f64, limit: f64| {
        let figure = figure.to_owned();
        table.add(Row { part: 'd', figure, unit: "ns", value, limit: Some(limit), bound: Bound::None });
    };

    let object = fixture::full_session();
    let text = object.to_string();
    let user = UserInfo { username: Some("somebody".into()), ..UserInfo::default() };
    let parse = time(|| serde_json::from_str::<Value>(black_box(&text)));
    let mut facts = Offline::new(now, AdmissionSettings::default());
    let row = row(VALIDATE_SESSION)?;
    let create = request(&user, None, &object);
    add("validate a session on creation", time(|| evaluate(row, black_box(&create), &facts)), parse);
    let update = request(&user, Some(&object), &object);
    add("validate a session on update", time(|| evaluate(row, black_box(&update), &facts)), parse);

    let session: AmaltheaSession = serde_json::from_value(object)?;
    let settings = input::settings();
    let context = input::context(&settings, now);
    let fresh = input::new_session(session);
    let steady = steady(&fresh, &context)?;
    let nothing = Applied::default();
    let checked = |observed: &Observed| {
        validate(black_box(&observed.session), Vec::new()).map(|c| plan(&c, observed, &context))
    };
    add("plan a new session", time(|| checked(&fresh)), parse);
    add("plan a steady session", time(|| checked(&steady)), parse);
    let session = steady.session.clone();
    let read = validate(&session, Vec::new()).context("the session has a spec")?;
    add("status of a steady session", time(|| status(&read, black_box(&steady), &nothing, &context)), parse);

    let (owner, job) = batch();
    let text = job.to_string();
    let parse = time(|| serde_json::from_str::<Value>(black_box(&text)));
    facts.know(NAMESPACE, &owner);
    let row = self::row(MUTATE_JOB)?;
    let create = request(&user, None, &job);
    anyhow::ensure!(
        evaluate(row, &create, &facts).patch.len() == 2,
        "the Job of the fixture is to be completed"
    );
    add("mutate a Job", time(|| evaluate(row, black_box(&create), &facts)), parse);
    Ok(())
}

/// Nanoseconds per call: the median of some rounds, each long enough for the clock.
fn time<T>(mut step: impl FnMut() -> T) -> f64 {
    const ROUNDS: usize = 15;
    const ROUND: Duration = Duration::from_millis(20);
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            let mut calls = 0u32;
            while started.elapsed() < ROUND {
                for _ in 0..16 {
                    black_box(step());
                }
                calls += 16;
            }
            started.elapsed().as_nanos() as f64 / f64::from(calls)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn row(name: &str) -> anyhow::Result<&'static sojourn_webhooks::Row> {
    TABLE.iter().find(|row| row.name == name).with_context(|| format!("the table has no row {name}"))
}

fn request<'a>(user: &'a UserInfo, old: Option<&'a Value>, new: &'a Value) -> Request<'a> {
    Request {
        operation: if old.is_some() { Operation::Update } else { Operation::Create },
        subresource: None,
        namespace: NAMESPACE,
        name: fixture::NAME,
        user,
        old: old.map(Object::Value),
        new: Some(Object::Value(new)),
        dry_run: false,
    }
}

/// The observed after everything that was planned is done and written down.
fn steady(fresh: &Observed, context: &PlanContext) -> anyhow::Result<Observed> {
    let checked = validate(&fresh.session, Vec::new()).context("the session has a spec")?;
    let mut applied = Applied::default();
    for write in plan(&checked, fresh, context).write {
        let Write::Create { kind, name, mut manifest } = write else { continue };
        manifest["metadata"]["uid"] = format!("uid-of-{kind}-{name}").into();
        let object: DynamicObject = serde_json::from_value(manifest)?;
        let live = CachedObject::from_dynamic(kind, object).context("a manifest has a name")?;
        applied.children.insert((kind, name), Arc::new(live));
    }
    let mut steady = fresh.after(&applied).into_owned();
    let mut session = (*fresh.session).clone();
    session.status = Some(status(&checked, &steady, &applied, context).status);
    steady.session = Arc::new(session);
    let checked = validate(&steady.session, Vec::new()).context("the session has a spec")?;
    let left = plan(&checked, &steady, context).write;
    anyhow::ensure!(left.is_empty(), "a steady session has nothing to write: {left:?}");
    Ok(steady)
}

/// A batch session and its Job as somebody would write it.
fn batch() -> (Value, Value) {
    let mut object = fixture::small_session(fixture::NAME);
    object["metadata"]["uid"] = fixture::UID.into();
    object["spec"]["sessionType"] = "NonInteractive".into();
    object["spec"]["culling"] = json!({"maxAge": "1h", "maxHibernatedDuration": "30m"});
    let labels = json!({
        "app.kubernetes.io/name": "AmaltheaSession",
        "app.kubernetes.io/instance": fixture::NAME,
        "app.kubernetes.io/part-of": "amaltheasession-operator",
        "app.kubernetes.io/created-by": "controller-manager",
    });
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": fixture::NAME,
            "labels": labels,
            "ownerReferences": [{
                "apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession", "name": fixture::NAME,
                "uid": fixture::UID, "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "parallelism": 1, "completions": 1, "backoffLimit": 0,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "amalthea-session", "image": "busybox:1.36"}],
                },
            },
        },
    });
    (object, job)
}
