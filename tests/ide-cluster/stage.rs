//! One cluster for the run; an IDE and an operator for each test.

use crate::support::{
    OPERATOR, OPERATOR_USER, client_config, free_port, install, settings_with, webhooks_published,
};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use sojourn::telemetry::log::{self, LogHandle};
use sojourn_cluster::{Cluster, Options, eventually};
use sojourn_crds::ide_session::{IdeSession, IdeSessionStatus, State};
use sojourn_fake_ide::FakeIde;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::OnceLock,
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio_util::sync::CancellationToken;

/// How long a test waits for something that is to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

struct Ground {
    cluster: Cluster,
    port: u16,
    operator: PathBuf,
    turn: Mutex<()>,
}

static GROUND: OnceCell<Ground> = OnceCell::const_new();
static LOG: OnceLock<LogHandle> = OnceLock::new();

/// What one test has.
pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) ide: FakeIde,
    operator: Option<Operator>,
    ground: &'static Ground,
    logs: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// An operator at work, on a thread of its own.
struct Operator {
    stop: CancellationToken,
    kill: CancellationToken,
    thread: JoinHandle<()>,
}

async fn prepare() -> Ground {
    rustls::crypto::ring::default_provider().install_default().ok();
    let options = Options { audit_users: vec![OPERATOR_USER.into()], ..Options::default() };
    let cluster = Cluster::shared(options).await.unwrap();
    let port = free_port();
    install(&cluster, &format!("https://127.0.0.1:{port}")).await;
    let operator = cluster.service_account_kubeconfig(OPERATOR.0, OPERATOR.1).await.unwrap();
    Ground { cluster, port, operator, turn: Mutex::new(()) }
}

impl Stage {
    /// A stage with an IDE that behaves, and an operator that knows it.
    pub(crate) async fn set() -> Self {
        Self::with(sojourn_fake_ide::Options::default()).await
    }

    /// The same with an IDE as `options` say.
    pub(crate) async fn with(options: sojourn_fake_ide::Options) -> Self {
        let ground = GROUND.get_or_init(prepare).await;
        let turn = ground.turn.lock().await;
        let mut stage = Self {
            client: ground.cluster.client().await.unwrap(),
            ide: FakeIde::start(options).await.unwrap(),
            operator: None,
            ground,
            logs: tempfile::tempdir().unwrap(),
            _turn: turn,
        };
        stage.start_operator().await;
        stage
    }

    /// Starts an operator; there must be none.
    pub(crate) async fn start_operator(&mut self) {
        assert!(self.operator.is_none());
        let logs = format!("--ide-log-directory={}", self.logs.path().display());
        let bind = format!("--webhook-bind-address=127.0.0.1:{}", self.ground.port);
        let url = format!("--webhook-url=https://127.0.0.1:{}", self.ground.port);
        let flags = [bind.as_str(), &url, &logs, "--health-probe-bind-address=0", "--shutdown-delay=0s"];
        let settings = settings_with(&flags, &self.ide.variables());
        let config = client_config(&self.ground.operator).await;
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let log = LOG.get_or_init(|| log::init(&settings.log).unwrap()).clone();
        let (stopped, killed) = (stop.clone(), kill.clone());
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let client = Client::try_from(config).unwrap();
                tokio::select! {
                    ended = sojourn::cmd::run::serve(settings, client, log, stopped) => ended.unwrap(),
                    () = killed.cancelled() => {}
                }
            });
            runtime.shutdown_background();
        });
        self.operator = Some(Operator { stop, kill, thread });
        let client = &self.client;
        eventually("the webhooks answer", PATIENCE, async || {
            webhooks_published(client).await && self.is_guarded().await
        })
        .await
        .unwrap();
    }

    /// Whether the webhook of the kind answers now.
    async fn is_guarded(&self) -> bool {
        let probe = object("probe", "");
        let params = PostParams { dry_run: true, ..PostParams::default() };
        self.api().create(&params, &probe).await.is_ok()
    }

    /// Ends the operator as a rollout does.
    pub(crate) async fn stop_operator(&mut self) {
        let operator = self.operator.take().unwrap();
        operator.stop.cancel();
        tokio::task::spawn_blocking(move || operator.thread.join().unwrap()).await.unwrap();
    }

    /// Ends the operator at once, whatever it was doing.
    pub(crate) async fn kill_operator(&mut self) {
        let operator = self.operator.take().unwrap();
        operator.kill.cancel();
        tokio::task::spawn_blocking(move || operator.thread.join().unwrap()).await.unwrap();
    }

    /// Where the operator serves by TLS.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ground.port).into()
    }

    /// The files of what sessions wrote.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.logs.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    pub(crate) fn api(&self) -> Api<IdeSession> {
        Api::all(self.client.clone())
    }

    /// Creates a session.
    pub(crate) async fn create(&self, name: &str, desired: &str) -> IdeSession {
        self.api().create(&PostParams::default(), &object(name, desired)).await.unwrap()
    }

    /// Changes fields of a session.
    pub(crate) async fn patch(&self, name: &str, patch: Value) -> kube::Result<IdeSession> {
        self.api().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await
    }

    /// Asks a session to be something.
    pub(crate) async fn desire(&self, name: &str, desired: &str) {
        self.patch(name, json!({"spec": {"desiredState": desired}})).await.unwrap();
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.api().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// The session as it is now.
    pub(crate) async fn get(&self, name: &str) -> Option<IdeSession> {
        self.api().get_opt(name).await.unwrap()
    }

    /// Waits until the session is in a state.
    pub(crate) async fn reaches(&self, name: &str, state: State) -> IdeSessionStatus {
        self.eventually(name, &format!("{state:?}"), |status| status.state == state).await
    }

    /// Waits until something holds for the status of a session.
    pub(crate) async fn eventually(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&IdeSessionStatus) -> bool,
    ) -> IdeSessionStatus {
        let status = async || self.get(name).await.and_then(|session| session.status).unwrap_or_default();
        let reached = eventually(&format!("{name}: {what}"), PATIENCE, async || holds(&status().await)).await;
        if let Err(error) = reached {
            let seen = serde_json::to_string_pretty(&self.get(name).await).unwrap();
            panic!("{error}; it is {seen}; the IDE was asked {:#?}", self.ide.asked());
        }
        status().await
    }

    /// Waits until the session is gone.
    pub(crate) async fn gone(&self, name: &str) {
        eventually(&format!("{name} is gone"), PATIENCE, async || self.get(name).await.is_none())
            .await
            .unwrap();
    }

    /// The reasons of the Events of an object.
    pub(crate) async fn events(&self, session: &IdeSession) -> Vec<String> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), "default");
        let about = ListParams::default().fields(&format!("involvedObject.uid={}", session.uid()));
        events.list(&about).await.unwrap().items.into_iter().filter_map(|event| event.reason).collect()
    }

    /// Ends the test: what was sent both ways was as the protocol says, and nothing is left for the next test.
    pub(crate) async fn strike(mut self) {
        assert_eq!(self.ide.violations(), Vec::<String>::new());
        let sessions = self.api().list(&ListParams::default()).await.unwrap();
        for session in sessions {
            self.delete(session.name()).await;
            self.gone(session.name()).await;
        }
        self.stop_operator().await;
    }
}

/// A session as somebody writes it.
pub(crate) fn object(name: &str, desired: &str) -> IdeSession {
    let launch = json!([{"type": "project", "project_path": format!("/src/{name}")}]).to_string();
    let mut object = IdeSession::default();
    object.metadata.name = Some(name.to_owned());
    object.spec.launch_configurations = launch;
    object.spec.desired_state = desired.to_owned();
    object
}
