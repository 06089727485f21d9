//! What is known of one session, and one decision about it.

use crate::core::{
    conditions::{assert_documented, find},
    event::EventRecord,
    ide_session::{
        Capture, Command, EndFacts, EndpointFacts, Files, Observed, Plan, PlanContext, RunFacts, StartFacts,
        conditions::condition_types, events, plan, reasons::EndpointReason, status,
    },
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time},
    jiff::{SignedDuration, Timestamp},
};
use sojourn_crds::{
    condition::Condition,
    ide_session::{FINALIZER, IdeSession, IdeSessionSpec, IdeSessionStatus, State},
};
use std::sync::Arc;

/// The launch configurations of every session of the tests.
pub(super) const LAUNCH: &str = r#"[{"type":"project","project_path":"/a"}]"#;
/// The IDE's name for the session.
pub(super) const ID: &str = "run-1";

/// So many seconds after the beginning of the tests: 2026-01-01T00:00:00Z.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600).unwrap() + SignedDuration::from_secs(seconds)
}

pub(super) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// An endpoint that is known.
pub(super) fn known(connected: bool) -> EndpointFacts {
    let (reason, message) = if connected {
        ("Connected", "connected")
    } else {
        ("ConnectionRefused", "nobody listens; start the IDE")
    };
    EndpointFacts::Known {
        secret_uid: Some("uid-of-secret".into()),
        instance_id: "me-abc".into(),
        connected,
        reason,
        message: message.into(),
    }
}

/// No endpoint.
pub(super) fn missing() -> EndpointFacts {
    EndpointFacts::Missing { reason: EndpointReason::NoEndpoint, message: "name a Secret".into() }
}

/// The session has ended, so long after the beginning.
pub(super) fn end(exit_code: Option<i32>, seconds: i64) -> EndFacts {
    EndFacts { exit_code, at: at(seconds) }
}

pub(super) fn accepted() -> StartFacts {
    StartFacts::Accepted { session_id: ID.into(), at: at(2) }
}

pub(super) fn owned() -> RunFacts {
    RunFacts::new(StartFacts::Owned)
}

pub(super) fn stop() -> Command {
    Command::Stop { session_id: ID.into() }
}

pub(super) fn adopt() -> Command {
    Command::Adopt { session_id: ID.into() }
}

pub(super) fn start() -> Command {
    Command::Start { launch: LAUNCH.into() }
}

/// A session as it is written, with the finalizer that it gets first.
pub(super) fn session(desired: &str) -> IdeSession {
    IdeSession {
        metadata: ObjectMeta {
            name: Some("web".into()),
            uid: Some("uid-of-web".into()),
            generation: Some(1),
            finalizers: Some(vec![FINALIZER.into()]),
            ..ObjectMeta::default()
        },
        spec: IdeSessionSpec { launch_configurations: LAUNCH.into(), desired_state: desired.into() },
        status: None,
    }
}

/// What is known of one session.
#[derive(Clone)]
pub(super) struct Scene(pub(super) Observed);

/// What is decided about it.
pub(super) struct Decision {
    pub(super) plan: Plan,
    pub(super) status: IdeSessionStatus,
    pub(super) events: Vec<EventRecord>,
}

/// A session that is asked to run and in that state, with the name that the IDE gave it where it has one; nothing is
/// known of a run.
pub(super) fn scene(state: State) -> Scene {
    let named = matches!(state, State::Running | State::Stopping);
    let status = IdeSessionStatus {
        state,
        start_attempt_time: (state != State::Initial).then(|| MicroTime(at(0))),
        session_id: named.then(|| ID.to_owned()),
        ..IdeSessionStatus::default()
    };
    let session = IdeSession { status: Some(status), ..session("Running") };
    Scene(Observed { session: Arc::new(session), endpoint: known(true), run: None, capture: Capture::None })
}

impl Scene {
    pub(super) fn edit(mut self, change: impl FnOnce(&mut IdeSession)) -> Self {
        change(Arc::make_mut(&mut self.0.session));
        self
    }

    pub(super) fn status(self, change: impl FnOnce(&mut IdeSessionStatus)) -> Self {
        self.edit(|session| change(session.status.get_or_insert_default()))
    }

    pub(super) fn desired(self, desired: &str) -> Self {
        self.edit(|session| session.spec.desired_state = desired.into())
    }

    pub(super) fn deleting(self) -> Self {
        self.edit(|session| session.metadata.deletion_timestamp = Some(Time(at(5))))
    }

    pub(super) fn endpoint(mut self, endpoint: EndpointFacts) -> Self {
        self.0.endpoint = endpoint;
        self
    }

    pub(super) fn run(mut self, run: RunFacts) -> Self {
        self.0.run = Some(run);
        self
    }

    pub(super) fn start(self, start: StartFacts) -> Self {
        self.run(RunFacts::new(start))
    }

    pub(super) fn captured(mut self) -> Self {
        self.0.capture = Capture::Kept(Files { std_out: "/logs/out".into(), std_err: "/logs/err".into() });
        self
    }

    /// The context of a decision so many seconds after the beginning.
    pub(super) fn context(seconds_since: i64) -> PlanContext {
        PlanContext { now: at(seconds_since), patience: seconds(120) }
    }

    /// What is decided so many seconds after the beginning.
    pub(super) fn decide(&self, seconds: i64) -> Decision {
        let plan = plan(&self.0, &Self::context(seconds));
        let status = status(&self.0, &plan.step, at(seconds));
        assert_documented(&status.conditions, &condition_types());
        let events = events::for_status(&self.0, &status);
        Decision { plan, status, events }
    }
}

impl Decision {
    pub(super) fn condition(&self, kind: &str) -> Option<&Condition> {
        find(&self.status.conditions, kind)
    }

    /// Status and reason of a condition.
    pub(super) fn says(&self, kind: &str) -> Option<(&str, &str)> {
        let condition = self.condition(kind)?;
        Some((&condition.status, condition.reason.as_deref()?))
    }

    /// The reasons of the Events.
    pub(super) fn told(&self) -> Vec<&str> {
        self.events.iter().map(|note| note.reason).collect()
    }

    pub(super) fn message(&self) -> &str {
        self.status.message.as_deref().unwrap_or_default()
    }
}
