//! Tells a session's life with an operator on whose line something goes wrong once in each scene.

use crate::{
    line::{Fault, Lag, Line, Said},
    operator::{Life, MEASURED, approval_key},
    plots::{Act, NAME, Plot, Scene},
    stage::Stage,
};
use k8s_openapi::{api::core::v1::Secret, jiff::Timestamp};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
    core::DynamicObject,
};
use serde_json::{Value, json};
use sojourn::{control::api, core::object::Kind};
use sojourn_cluster::{ContainerUsage, PATIENCE, eventually, set_pod_usage};
use sojourn_crds::amalthea::AmaltheaSession;
use sojourn_webhooks::adoption::{self, Binding};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::OnceCell, time::Instant};

/// For so long nothing changes at the end of a scene.
const REST: Duration = Duration::from_millis(400);
/// The same, where nobody knows how the scene should end.
const LONG_REST: Duration = Duration::from_secs(2);
const CREATION: PostParams = PostParams { dry_run: false, field_manager: None };
/// Without delay.
pub(crate) const AT_ONCE: Lag = |_| Duration::ZERO;

/// How a scene went.
pub(crate) struct Told {
    pub(crate) scene: &'static str,
    /// What was said on the line.
    pub(crate) said: Said,
    /// What the namespace held at the end.
    pub(crate) holdings: Value,
}

/// What goes wrong in a telling, and how its scenes should end all the same.
#[derive(Clone, Copy)]
pub(crate) struct Telling<'a> {
    /// Happens once in each scene.
    pub(crate) fault: Option<Fault>,
    pub(crate) lag: Lag,
    /// How another telling went, in which nothing went wrong. Without it scenes end as the plot says.
    pub(crate) undisturbed: Option<&'a [Told]>,
}

impl Telling<'_> {
    /// Whether what goes wrong could still do so in the scene of that index, or in one after it.
    fn is_over(&self, index: usize) -> bool {
        let (Some(fault), Some(undisturbed)) = (self.fault, self.undisturbed) else { return false };
        undisturbed[index..].iter().all(|told| told.said.count(fault.trouble) < fault.nth)
    }
}

/// How a story goes in which nothing goes wrong. It is told once for all tests.
pub(crate) async fn undisturbed(plot: &Plot) -> Arc<Vec<Told>> {
    type Cell = Arc<OnceCell<Arc<Vec<Told>>>>;
    static TOLD: Mutex<BTreeMap<&'static str, Cell>> = Mutex::new(BTreeMap::new());
    let cell = TOLD.lock().unwrap().entry(plot.name).or_default().clone();
    let told = cell.get_or_init(async || {
        let nothing = Telling { fault: None, lag: AT_ONCE, undisturbed: None };
        let told = tell(&Stage::set().await, plot, nothing).await;
        Arc::new(told.unwrap_or_else(|error| panic!("{error}")))
    });
    told.await.clone()
}

struct Story<'a> {
    stage: &'a Stage<'a>,
    namespace: String,
    sessions: Api<AmaltheaSession>,
    lag: Lag,
    life: Life,
}

/// Tells a story. The error says what ended otherwise than it should.
pub(crate) async fn tell(stage: &Stage<'_>, plot: &Plot, telling: Telling<'_>) -> Result<Vec<Told>, String> {
    let _turn = stage.turns.acquire().await;
    let namespace = stage.namespace().await;
    let line = Line::new(telling.lag);
    line.arm(telling.fault);
    let life = Life::start(stage.cluster, &namespace, line).await;
    let sessions = Api::namespaced(stage.client.clone(), &namespace);
    let mut story = Story { stage, namespace, sessions, lag: telling.lag, life };
    let mut told = Vec::new();
    let early_end = Scene::early_end();
    for (index, scene) in plot.scenes.iter().enumerate() {
        if index > 0 {
            story.life.line.arm(telling.fault);
        }
        // Where nothing can go wrong any more there is nothing more to see.
        if telling.is_over(index) {
            story.begin(&early_end.act).await;
            story
                .rests(&early_end, Some(&json!({})))
                .await
                .map_err(|holdings| format!("not gone: {holdings:#}"))?;
            break;
        }
        let line = story.life.line.clone();
        story.begin(&scene.act).await;
        let expected = telling.undisturbed.map(|told| &told[index].holdings);
        let holdings = story.rests(scene, expected).await.map_err(|holdings| {
            let difference = expected.map(|expected| difference(expected, &holdings));
            let Said { struck, calls, .. } = line.said();
            let fault = telling.fault;
            let difference = difference.unwrap_or_else(|| format!("{holdings:#}"));
            format!("{}, {}: {fault:?} at {struck:?}: {difference}\ncalls {calls:#?}", plot.name, scene.name)
        });
        let said = line.said();
        told.push(Told { scene: scene.name, said, holdings: holdings? });
    }
    story.life.end().await;
    stage.is_free(story.namespace);
    Ok(told)
}

impl Story<'_> {
    async fn begin(&self, act: &Act) {
        match act {
            Act::Create(spec) => self.create(spec).await,
            Act::Edit(spec) => {
                let patch = Patch::Merge(json!({"spec": spec}));
                insist(async || self.sessions.patch(NAME, &PatchParams::default(), &patch).await).await;
            }
            Act::Pods(annotations) => self.annotate(annotations).await,
            Act::Uses(cpu) => self.uses(cpu).await,
            Act::Vandal => {
                self.delete(Kind::Service).await;
                let patch = Patch::Merge(json!({"spec": {"replicas": 0}}));
                let sets = self.children(Kind::StatefulSet);
                insist(async || sets.patch(NAME, &PatchParams::default(), &patch).await).await;
            }
            Act::TakeResult => {
                self.annotate(&json!({"sojourn.dev/test-complete-after": "0s"})).await;
                eventually("the Job has ended", async || {
                    let jobs = self.stage.witness.objects(&self.namespace, "Job");
                    jobs.iter().any(|job| job["status"]["completionTime"].is_string())
                })
                .await
                .unwrap();
                self.delete(Kind::Job).await;
            }
            Act::Delete => {
                insist(async || self.sessions.delete(NAME, &DeleteParams::default()).await).await;
            }
        }
    }

    fn children(&self, kind: Kind) -> Api<DynamicObject> {
        api::api(&self.stage.client, kind, Some(&self.namespace))
    }

    async fn delete(&self, kind: Kind) {
        let children = self.children(kind);
        insist(async || children.delete(NAME, &DeleteParams::background()).await).await;
    }

    async fn create(&self, spec: &Value) {
        let name = Some("adopted".to_owned());
        let secret = Secret { metadata: ObjectMeta { name, ..ObjectMeta::default() }, ..Secret::default() };
        let secrets: Api<Secret> = Api::namespaced(self.stage.client.clone(), &self.namespace);
        insist(async || secrets.create(&CREATION, &secret).await).await;
        // As the mutating webhook records it.
        let binding = Binding::Created(Timestamp::now());
        let record =
            adoption::record(&approval_key(), &self.namespace, binding, ["adopted".to_owned()].into());
        let session = serde_json::from_value(json!({
            "apiVersion": "amalthea.dev/v1alpha1", "kind": "AmaltheaSession",
            "metadata": {"name": NAME, "namespace": self.namespace,
                         "annotations": {adoption::ANNOTATION: record}},
            "spec": spec,
        }))
        .unwrap();
        insist(async || self.sessions.create(&CREATION, &session).await).await;
    }

    /// Says to all pods what they do from now on.
    async fn annotate(&self, annotations: &Value) {
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        let pods = self.children(Kind::Pod);
        for pod in self.stage.witness.objects(&self.namespace, "Pod") {
            let name = pod["metadata"]["name"].as_str().unwrap();
            insist(async || pods.patch(name, &PatchParams::default(), &patch).await).await;
        }
    }

    async fn uses(&self, cpu: &str) {
        let usage = ContainerUsage { container: "amalthea-session", cpu, memory: "1Mi" };
        // A pod that was just hibernated away uses nothing any more.
        set_pod_usage(&self.stage.client, &self.namespace, &format!("{NAME}-0"), &[usage]).await.ok();
    }

    /// Waits until the scene has ended and nothing changes any more. Another operator takes over from one that
    /// dies meanwhile. The error is what there is after a long wait.
    async fn rests(&mut self, scene: &Scene, expected: Option<&Value>) -> Result<Value, Value> {
        let started = Instant::now();
        let rest = if expected.is_some() { REST } else { LONG_REST };
        let (mut seen, mut holdings, mut since) = (None, json!({}), Instant::now());
        let mut measured = Instant::now();
        loop {
            if self.life.is_over() {
                let next = Life::start(self.stage.cluster, &self.namespace, Line::new(self.lag)).await;
                std::mem::replace(&mut self.life, next).end().await;
            }
            if let Act::Uses(cpu) = scene.act
                && measured.elapsed() > MEASURED
            {
                measured = Instant::now();
                self.uses(cpu).await;
            }
            let changes = self.stage.witness.changes(&self.namespace);
            if seen != Some(changes) {
                (seen, holdings, since) =
                    (Some(changes), self.stage.witness.holdings(&self.namespace), Instant::now());
            }
            if !self.life.is_at_work() {
                since = Instant::now();
            }
            let ended = expected.map_or_else(|| (scene.ends)(&holdings), |expected| *expected == holdings);
            if ended && since.elapsed() >= rest {
                return Ok(holdings);
            }
            if started.elapsed() > PATIENCE {
                return Err(holdings);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Repeats a call until it is done: the API server may be away. That the same was done before is as good.
async fn insist<T>(call: impl AsyncFn() -> kube::Result<T>) {
    let started = Instant::now();
    loop {
        match call().await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_already_exists() => return,
            Err(error) => assert!(started.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The objects that are not as they should be.
fn difference(expected: &Value, found: &Value) -> String {
    let keys: BTreeSet<&String> =
        [expected, found].into_iter().filter_map(Value::as_object).flat_map(|held| held.keys()).collect();
    let differing = keys.into_iter().filter(|key| expected[*key] != found[*key]);
    differing.map(|key| format!("\n{key} should be {}\n  and is {}", expected[key], found[key])).collect()
}
