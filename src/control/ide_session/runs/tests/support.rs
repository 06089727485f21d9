//! A fake IDE, the runs that are at it, and sessions for them.

use super::super::*;
use crate::{
    core::ide_session::StopFacts,
    ide::{
        Endpoint, InstanceId,
        dial::{Lookup, SystemLookup},
        endpoint::Origin,
        timing::Timing,
    },
};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use sojourn_crds::ide_session::{EndpointSecret, endpoint::ENDPOINT_ANNOTATION};
use sojourn_fake_ide::{FakeIde, Options};
use std::{collections::HashMap, time::Duration};
use tokio::sync::{Notify, mpsc};

/// How long a test waits for something that is to happen.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) const LAUNCH: &str = r#"[{"type":"project","project_path":"/src/app.csproj"}]"#;

/// Remembers what was to be kept.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Vec<String>>);

impl Kept {
    fn add(&self, text: String) {
        self.0.lock().push(text);
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

impl Output for Kept {
    fn begin(&self, _: Arc<str>, uid: Arc<str>) -> BoxFuture<'_, ()> {
        self.add(format!("{uid} begins"));
        Box::pin(std::future::ready(()))
    }

    fn line(&self, uid: &str, stderr: bool, line: String, _: Timestamp) {
        self.add(format!("{uid} {}: {line}", if stderr { "err" } else { "out" }));
    }

    fn note(&self, uid: &str, line: String, _: Timestamp) {
        self.add(format!("{uid} note: {line}"));
    }

    fn end(&self, uid: &str) {
        self.add(format!("{uid} ends"));
    }

    fn remove(&self, _: Arc<str>, uid: Arc<str>) -> BoxFuture<'_, ()> {
        self.add(format!("{uid} removed"));
        Box::pin(std::future::ready(()))
    }
}

/// Endpoints on loopback, where no Secret may lead to: the one that a session's annotation names, or the environment's.
#[derive(Debug)]
pub(super) struct TestEndpoints {
    by_source: Mutex<HashMap<EndpointSource, Arc<ResolvedEndpoint>>>,
    changed: mpsc::UnboundedSender<EndpointSource>,
}

impl TestEndpoints {
    /// Gives a source an endpoint, or none.
    pub(super) fn put(&self, source: EndpointSource, endpoint: Option<Arc<ResolvedEndpoint>>) {
        match endpoint {
            Some(endpoint) => drop(self.by_source.lock().insert(source.clone(), endpoint)),
            None => drop(self.by_source.lock().remove(&source)),
        }
        self.changed.send(source).unwrap();
    }
}

impl EndpointChoice for TestEndpoints {
    fn choose(
        &self,
        session: &IdeSession,
    ) -> Result<(EndpointSource, Arc<ResolvedEndpoint>), MissingEndpoint> {
        let annotation = session.metadata.annotations.as_ref().and_then(|all| all.get(ENDPOINT_ANNOTATION));
        let source = match annotation {
            Some(secret) => EndpointSource::Secret(EndpointSecret::parse(secret).unwrap()),
            None => EndpointSource::Environment,
        };
        let missing =
            || MissingEndpoint { reason: EndpointReason::NoEndpoint, message: "There is none".to_owned() };
        Ok((source.clone(), self.get(&source).ok_or_else(missing)?))
    }

    fn get(&self, source: &EndpointSource) -> Option<Arc<ResolvedEndpoint>> {
        self.by_source.lock().get(source).cloned()
    }

    fn lookup(&self) -> Arc<dyn Lookup> {
        Arc::new(SystemLookup)
    }
}

/// A fake IDE, the runs that are at it, and what they reported.
pub(super) struct Bench {
    pub(super) ide: FakeIde,
    pub(super) endpoints: Arc<TestEndpoints>,
    pub(super) runs: Arc<Runs>,
    pub(super) kept: Arc<Kept>,
    woken: Arc<Notify>,
}

/// Times at which nothing happens by itself, and everything that is asked for soon does.
pub(super) fn settings() -> IdeSettings {
    let timing = Timing {
        request: Duration::from_secs(20),
        silence: Duration::from_secs(20),
        keepalive: None,
        end: Duration::from_secs(20),
        pause: Duration::from_millis(10),
        backoff: Duration::from_millis(10),
        max_backoff: Duration::from_millis(50),
        close: Duration::from_secs(5),
    };
    IdeSettings { timing, namespaces: vec!["ides".into()], sessions: 64, ..IdeSettings::default() }
}

/// The endpoint of a fake.
pub(super) fn known(ide: &FakeIde) -> Arc<ResolvedEndpoint> {
    let variables = ide.variables();
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let endpoint = Endpoint::read(Origin::Environment, variable).unwrap();
    let instance = InstanceId::derive(&endpoint.instance_prefix, "test").unwrap();
    Arc::new(ResolvedEndpoint { endpoint, instance, secret_uid: None })
}

impl Bench {
    /// A fake IDE as the operator's environment has it, and a replica that leads.
    pub(super) async fn new() -> Self {
        let bench = Self::with(settings()).await;
        bench.endpoints.put(EndpointSource::Environment, Some(known(&bench.ide)));
        bench.runs.lead([]).await;
        bench
    }

    /// A fake IDE that nobody knows of yet, and a replica that does not lead.
    pub(super) async fn with(settings: IdeSettings) -> Self {
        let ide = FakeIde::start(Options::default()).await.unwrap();
        let (changed, changes) = mpsc::unbounded_channel();
        let endpoints = TestEndpoints { by_source: Mutex::default(), changed };
        let (endpoints, kept, woken) =
            (Arc::new(endpoints), Arc::<Kept>::default(), Arc::<Notify>::default());
        let wake: Requeue = {
            let woken = woken.clone();
            Arc::new(move |_: &str| woken.notify_waiters())
        };
        let network = ClusterNetwork { domain: "cluster.local".into(), api_server: Vec::new() };
        let runs = Runs::new(endpoints.clone(), &settings, network, kept.clone(), wake);
        tokio::spawn(runs.clone().follow(changes));
        Self { ide, endpoints, runs, kept, woken }
    }

    /// What is known of a run.
    pub(super) fn facts(&self, session: &IdeSession) -> Option<RunFacts> {
        self.runs.observe(session).1
    }

    /// What is said of the IDE of a session: whether it is connected, and a word.
    pub(super) fn endpoint(&self, session: &IdeSession) -> (bool, &'static str) {
        match self.runs.observe(session).0 {
            EndpointFacts::Missing { reason, .. } => (false, reason.as_str()),
            EndpointFacts::Known { connected, reason, .. } => (connected, reason),
        }
    }

    /// Waits until something holds that a reconciler is woken for.
    pub(super) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let waiting = async {
            loop {
                let woken = self.woken.notified();
                tokio::pin!(woken);
                woken.as_mut().enable();
                if holds() {
                    return;
                }
                woken.await;
            }
        };
        soon(what, waiting).await;
    }

    /// Waits until the run is as it should be, and returns it.
    pub(super) async fn run(&self, session: &IdeSession, holds: impl Fn(&RunFacts) -> bool) -> RunFacts {
        self.until("the run is as it should be", || self.facts(session).as_ref().is_some_and(&holds)).await;
        self.facts(session).unwrap()
    }

    pub(super) async fn carry_out(&self, session: &IdeSession, command: Command) {
        self.runs.carry_out(session, command).await;
    }

    /// Asks for a start as the reconciler does.
    pub(super) async fn ask(&self, session: &IdeSession) {
        self.carry_out(session, Command::Record).await;
        self.carry_out(session, Command::Start { launch: LAUNCH.into() }).await;
    }

    /// A session that the IDE accepted. Returns its name there.
    pub(super) async fn accepted(&self, session: &IdeSession) -> String {
        self.ask(session).await;
        let run = self.run(session, |run| !matches!(run.start, StartFacts::Waiting | StartFacts::Sent)).await;
        match run.start {
            StartFacts::Accepted { session_id, .. } => session_id,
            other => panic!("it was not accepted: {other:?}"),
        }
    }

    /// A session that runs. Returns its name at the IDE.
    pub(super) async fn running(&self, session: &IdeSession) -> String {
        let id = self.accepted(session).await;
        self.carry_out(session, Command::Confirm).await;
        id
    }

    pub(super) async fn stop(&self, session: &IdeSession, id: &str) -> StopFacts {
        self.carry_out(session, Command::Stop { session_id: id.to_owned() }).await;
        self.run(session, |run| run.stop != StopFacts::Asked).await.stop
    }

    /// Waits until the IDE was asked for it.
    pub(super) async fn asked(&self, method: &str, path: &str, times: usize) {
        self.ide.until(&format!("{method} {path}"), |ide| ide.asked_for(method, path).len() >= times).await;
    }

    /// Nothing that went over the wire was against the protocol.
    pub(super) fn assert_clean(&self) {
        assert_eq!(self.ide.violations(), Vec::<String>::new());
    }
}

/// A session that is to run.
pub(super) fn session(name: &str) -> Arc<IdeSession> {
    on_record(name, json!({"state": ""}))
}

/// A session of that status.
pub(super) fn on_record(name: &str, status: Value) -> Arc<IdeSession> {
    of_uid(name, &format!("uid-{name}"), status)
}

pub(super) fn of_uid(name: &str, uid: &str, status: Value) -> Arc<IdeSession> {
    let session = json!({
        "metadata": {"name": name, "uid": uid},
        "spec": {"launchConfigurations": LAUNCH, "desiredState": "Running"},
        "status": status,
    });
    Arc::new(serde_json::from_value(session).unwrap())
}

/// Waits for something that is to happen.
pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(result) => result,
        Err(_) => panic!("it never came to pass that {what}"),
    }
}

/// Waits for what nobody is woken for.
pub(super) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
