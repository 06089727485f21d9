//! What tests do with a session of theirs.

use crate::support::{Scene, must, scene_in};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use sojourn_cluster::{Output, eventually};
use sojourn_crds::{
    condition::Condition,
    ide_session::{IdeSession, IdeSessionStatus, State},
};
use sojourn_fake_ide::{Answer, FakeIde, Step};
use std::time::Duration;

/// A session of a test, with the stage that it is on.
pub(crate) struct Play {
    pub(crate) scene: Scene,
    pub(crate) ide: &'static FakeIde,
    pub(crate) name: String,
}

/// Sets the stage once, for a session of that name.
pub(crate) async fn play(name: &str) -> Play {
    let scene = scene_in("default").await;
    Play { scene, ide: crate::IDE.get().unwrap(), name: name.to_owned() }
}

/// A notification of the session that a request is about.
pub(crate) fn says(kind: &str, fields: Value) -> Step {
    let mut notification = json!({"notification_type": kind});
    json_patch::merge(&mut notification, &fields);
    Step::Notify(notification)
}

/// Time for what was said by the WebSocket to be heard before what is answered by another connection.
pub(crate) fn heard() -> Step {
    Step::Wait(Duration::from_secs(1))
}

/// The condition of that type.
pub(crate) fn condition<'a>(status: &'a IdeSessionStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.kind == kind)
}

/// Whether a condition has that status and reason.
pub(crate) fn is(session: &IdeSession, kind: &str, holds: &str, reason: &str) -> bool {
    let condition = session.status.as_ref().and_then(|status| condition(status, kind));
    condition.is_some_and(|it| it.status == holds && it.reason.as_deref() == Some(reason))
}

impl Play {
    /// What only the body of this session's create request has.
    fn mark(&self) -> String {
        format!("/src/{}.csproj", self.name)
    }

    pub(crate) fn manifest(&self, desired: &str) -> Value {
        let launch = json!([{"type": "project", "project_path": self.mark(), "mode": "Debug"}]).to_string();
        let mut spec = json!({"launchConfigurations": launch});
        if !desired.is_empty() {
            spec["desiredState"] = json!(desired);
        }
        json!({"apiVersion": "usvc-dev.developer.microsoft.com/v1", "kind": "IdeSession",
               "metadata": {"name": self.name}, "spec": spec})
    }

    pub(crate) async fn create(&self, desired: &str) {
        must(self.scene.apply(&self.manifest(desired)).await);
    }

    /// What the IDE does when it is asked to create this session.
    pub(crate) fn on_create(&self, steps: Vec<Step>) {
        self.ide.script(|script| script.create_of.push((self.mark(), steps)));
    }

    /// What the IDE does each time that it is asked to stop this session.
    pub(crate) fn on_stop(&self, id: &str, times: impl IntoIterator<Item = Vec<Step>>) {
        self.ide.script(|script| script.stop_of.entry(id.to_owned()).or_default().extend(times));
    }

    /// A session that runs. Returns the IDE's name for it.
    pub(crate) async fn running(&self) -> String {
        self.create("Running").await;
        self.reaches(State::Running).await.session_id.unwrap()
    }

    /// How often the IDE was asked to create it.
    pub(crate) fn creations(&self) -> usize {
        let puts = self.ide.asked_for("PUT", "/run_session");
        puts.iter().filter(|asked| asked.body.contains(&self.mark())).count()
    }

    /// How often the IDE was asked to stop a session.
    pub(crate) fn stops(&self, id: &str) -> usize {
        let path = format!("/run_session/{id}");
        self.ide.asked_for("DELETE", &path).iter().filter(|asked| asked.path == path).count()
    }

    pub(crate) async fn patch(&self, patch: Value) -> Output {
        let patch = patch.to_string();
        self.scene.kubectl(&["patch", "idesession", &self.name, "--type=merge", "-p", &patch]).await
    }

    pub(crate) async fn desire(&self, desired: &str) {
        must(self.patch(json!({"spec": {"desiredState": desired}})).await);
    }

    pub(crate) fn api(&self) -> Api<IdeSession> {
        Api::all(self.scene.client.clone())
    }

    pub(crate) async fn get(&self) -> Option<IdeSession> {
        self.api().get_opt(&self.name).await.unwrap()
    }

    /// Waits until the session is in a state, and returns what it then reports.
    pub(crate) async fn reaches(&self, state: State) -> IdeSessionStatus {
        let session = self.eventually(&format!("is {state:?}"), |session| session.state() == state).await;
        session.status.unwrap()
    }

    /// Waits until something holds for the session.
    pub(crate) async fn eventually(&self, what: &str, holds: impl Fn(&IdeSession) -> bool) -> IdeSession {
        let what = format!("{} {what}", self.name);
        let check = async || self.get().await.is_some_and(|session| holds(&session));
        let reached = eventually(&what, check).await;
        let session = self.get().await;
        if let Err(error) = reached {
            panic!("{error}; it is {}", serde_json::to_string_pretty(&session).unwrap());
        }
        session.unwrap()
    }

    /// Begins to delete the session.
    pub(crate) async fn delete(&self) {
        self.api().delete(&self.name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until the object is gone.
    pub(crate) async fn gone(&self) {
        let what = format!("{} is gone", self.name);
        let gone = eventually(&what, async || self.get().await.is_none()).await;
        assert!(gone.is_ok(), "{}; it is {:#?}", gone.unwrap_err(), self.get().await);
    }

    /// Takes the object away without what its finalizer is for, as somebody in a hurry does.
    pub(crate) async fn delete_torn(&self) {
        self.delete().await;
        let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        self.api().patch(&self.name, &PatchParams::default(), &patch).await.unwrap();
        self.gone().await;
    }

    /// Events on the session, as `reason: message`.
    pub(crate) async fn events(&self) -> Vec<String> {
        let api: Api<Event> = Api::namespaced(self.scene.client.clone(), "default");
        let about = format!("involvedObject.kind=IdeSession,involvedObject.name={}", self.name);
        let events = api.list(&ListParams::default().fields(&about)).await.unwrap().items;
        let text = |event: Event| {
            format!("{}: {}", event.reason.unwrap_or_default(), event.message.unwrap_or_default())
        };
        events.into_iter().map(text).collect()
    }

    /// Waits for an Event on the session.
    pub(crate) async fn tells(&self, part: &str) {
        let what = format!("an Event on {} says {part:?}", self.name);
        let told =
            eventually(&what, async || self.events().await.iter().any(|event| event.contains(part))).await;
        assert!(told.is_ok(), "{}; there are {:#?}", told.unwrap_err(), self.events().await);
    }

    /// Waits until a file has a text, and returns all of it.
    pub(crate) async fn file_has(&self, path: &str, part: &str) -> String {
        let read = || std::fs::read_to_string(path).unwrap_or_default();
        let there = eventually(&format!("{path} has {part:?}"), async || read().contains(part)).await;
        assert!(there.is_ok(), "{}; it has {:?}", there.unwrap_err(), read());
        read()
    }
}

/// An answer that refuses.
pub(crate) fn refusal(code: &str, message: &str) -> Step {
    Answer::failure(http::StatusCode::INTERNAL_SERVER_ERROR, code, message).into()
}
