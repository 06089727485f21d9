//! Operators that are connected to an IDE, and what becomes of its sessions when they end.

mod endpoints;
mod lives;
mod tokens;

use crate::{
    replica::Replica,
    stage::{HOME, Stage, must},
};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};
use sojourn_cluster::{eventually, kubectl};
use sojourn_crds::ide_session::{IdeSession, State};
use sojourn_fake_ide::{FakeIde, Step};

/// Flags of every operator here.
const FLAGS: &[&str] = &["--shutdown-delay=0s"];

/// What only the create request of that session has in its body.
fn mark(name: &str) -> String {
    format!("/src/{name}.csproj")
}

/// How often an IDE was asked to create that session.
fn creations(ide: &FakeIde, name: &str) -> usize {
    ide.asked_for("PUT", "/run_session").iter().filter(|asked| asked.body.contains(&mark(name))).count()
}

/// How often an IDE was asked to stop that session of its own.
fn stops(ide: &FakeIde, id: &str) -> usize {
    let path = format!("/run_session/{id}");
    ide.asked_for("DELETE", &path).iter().filter(|asked| asked.path == path).count()
}

/// What an IDE does when it is asked to create that session.
fn on_create(ide: &FakeIde, name: &str, steps: Vec<Step>) {
    ide.script(|script| script.create_of.push((mark(name), steps)));
}

impl Stage {
    /// Starts an operator that is to be connected to `ide`, and waits until it serves.
    pub(crate) async fn connected_to(&self, ide: &FakeIde, more: &[&str]) -> Replica {
        let mut variables = ide.variables();
        let files = self.cluster.dir().join("ide-sessions");
        std::fs::create_dir_all(&files).unwrap();
        variables.push(("DCP_SESSION_FOLDER", files.display().to_string()));
        self.operator(&variables, more).await
    }

    /// Starts an operator with those variables, and waits until it serves.
    async fn operator(&self, variables: &[(&str, String)], more: &[&str]) -> Replica {
        let replica = self.replica_in(variables, &[FLAGS, more].concat()).await;
        self.ready(self.service.endpoints.count()).await;
        replica
    }

    /// Kills an operator, and waits until the Service knows.
    pub(crate) async fn kill(&self, mut replica: Replica) {
        replica.child.kill().unwrap();
        replica.child.wait().unwrap();
        self.left(&replica).await;
    }

    /// Has an operator end in order.
    async fn end(&self, mut replica: Replica) {
        replica.terminate();
        assert!(replica.ended().await, "it ends by itself, and well");
        self.left(&replica).await;
    }

    async fn left(&self, replica: &Replica) {
        self.service.endpoints.remove(replica.health);
        self.ready(self.service.endpoints.count()).await;
    }

    fn ide_sessions(&self) -> Api<IdeSession> {
        Api::all(self.client.clone())
    }

    async fn apply(&self, object: Value) {
        must(kubectl(&self.cluster, &["apply", "-f", "-"], Some(&object.to_string())).await.unwrap());
    }

    /// Creates a session that is for the IDE of a Secret, or for that of the environment.
    async fn create(&self, name: &str, desired: &str, secret: Option<&str>) {
        let launch = json!([{"type": "project", "project_path": mark(name)}]).to_string();
        let mut session = json!({"apiVersion": "usvc-dev.developer.microsoft.com/v1", "kind": "IdeSession",
            "metadata": {"name": name}, "spec": {"launchConfigurations": launch, "desiredState": desired}});
        if let Some(secret) = secret {
            let secret = format!("{HOME}/{secret}");
            session["metadata"]["annotations"] = json!({"sojourn.dev/ide-endpoint-secret": secret});
        }
        self.apply(session).await;
    }

    /// Makes a Secret that says how an IDE is reached.
    async fn endpoint(&self, name: &str, data: Value) {
        let metadata =
            json!({"name": name, "namespace": HOME, "labels": {"sojourn.dev/ide-endpoint": "true"}});
        self.apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}))
            .await;
    }

    async fn desire(&self, name: &str, desired: &str) {
        let patch = json!({"spec": {"desiredState": desired}}).to_string();
        must(self.kubectl(&["patch", "idesession", name, "--type=merge", "-p", &patch]).await);
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.ide_sessions().delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub(crate) async fn session(&self, name: &str) -> Option<IdeSession> {
        self.ide_sessions().get_opt(name).await.unwrap()
    }

    /// Waits until something holds for a session.
    async fn becomes(&self, name: &str, what: &str, holds: impl Fn(&IdeSession) -> bool) -> IdeSession {
        let check = async || self.session(name).await.is_some_and(|session| holds(&session));
        let reached = eventually(&format!("{name} {what}"), check).await;
        let session = self.session(name).await;
        assert!(reached.is_ok(), "{}; it is {session:#?}", reached.unwrap_err());
        session.unwrap()
    }

    async fn reaches(&self, name: &str, state: State) -> IdeSession {
        self.becomes(name, &format!("is {state:?}"), |session| session.state() == state).await
    }

    /// A session that runs. Returns the IDE's name for it.
    pub(crate) async fn running(&self, name: &str) -> String {
        self.create(name, "Running", None).await;
        self.reaches(name, State::Running).await.status.unwrap().session_id.unwrap()
    }

    /// Waits until a session's object is gone.
    pub(crate) async fn gone(&self, name: &str) {
        let gone = eventually(&format!("{name} is gone"), async || self.session(name).await.is_none()).await;
        assert!(gone.is_ok(), "{}; it is {:#?}", gone.unwrap_err(), self.session(name).await);
    }

    /// Waits for an Event on a session.
    async fn tells(&self, name: &str, part: &str) {
        let api: Api<Event> = Api::namespaced(self.client.clone(), "default");
        let about = format!("involvedObject.kind=IdeSession,involvedObject.name={name}");
        let events = async || {
            let events = api.list(&ListParams::default().fields(&about)).await.unwrap().items;
            let text = |event: Event| {
                format!("{}: {}", event.reason.unwrap_or_default(), event.message.unwrap_or_default())
            };
            events.into_iter().map(text).collect::<Vec<_>>()
        };
        let told = eventually(&format!("an Event on {name} says {part:?}"), async || {
            events().await.iter().any(|event| event.contains(part))
        })
        .await;
        assert!(told.is_ok(), "{}; there are {:#?}", told.unwrap_err(), events().await);
    }
}
