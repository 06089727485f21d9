//! What a session becomes next. One function for each state; the permission matrix has the last word.
//!
//! A step is taken from what is on record, so that a process that knows nothing but that goes on from it. Facts of
//! this process only ever move it on.

use super::{
    conditions::IDE_CONNECTED,
    observed::{EndFacts, EndpointFacts, Observed, PlanContext, RunFacts, StartFacts, StopFacts},
};
use crate::core::conditions::find;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use sojourn_crds::ide_session::{DesiredState, Endpoint, State};

/// What is said of a session whose start another process may have sent.
pub const START_OUTCOME_UNKNOWN: &str = "operator restarted while the start request was in flight";
/// What is said of a session that ended before the IDE had answered, and that nobody saw run.
pub const START_FAILURE: &str = "IDE reported session start failure";

/// After how long an IDE that did not stop a session is asked again.
const STOP_RETRIES: [SignedDuration; 3] =
    [SignedDuration::from_secs(1), SignedDuration::from_secs(5), SignedDuration::from_secs(15)];

/// What a session becomes, and what goes on record with that. Where there is nothing, what is on record stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// The state. Mostly the one that it is in.
    pub to: State,
    /// The IDE that is to be asked.
    pub endpoint: Option<Endpoint>,
    /// When the request to create is about to be sent.
    pub attempt: Option<Timestamp>,
    /// The IDE's name for the session.
    pub session_id: Option<String>,
    /// When the IDE had answered.
    pub startup: Option<Timestamp>,
    /// When the end was first seen.
    pub finish: Option<Timestamp>,
    /// With what it ended.
    pub exit_code: Option<i32>,
    /// Why it failed.
    pub failure: Option<String>,
}

impl Step {
    fn stay(state: State) -> Self {
        Self { to: state, ..Self::default() }
    }

    fn failed(failure: impl Into<String>, finish: Timestamp) -> Self {
        Self { finish: Some(finish), failure: Some(failure.into()), ..Self::stay(State::Failed) }
    }

    fn stopped(finish: Timestamp) -> Self {
        Self { finish: Some(finish), ..Self::stay(State::Stopped) }
    }

    fn created(self, session_id: &str, at: Timestamp) -> Self {
        Self { session_id: Some(session_id.to_owned()), startup: Some(at), ..self }
    }
}

/// What the session becomes.
pub fn step(observed: &Observed, context: &PlanContext) -> Step {
    let now = context.now;
    let from = observed.session.state();
    let step = match from {
        State::Initial => initial(observed, now),
        State::Starting => starting(observed, context),
        State::Running => running(observed),
        State::Stopping => stopping(observed, now),
        State::Stopped | State::Failed => Step::stay(from),
    };
    if from.may_become(step.to) { step } else { Step::stay(from) }
}

fn initial(observed: &Observed, now: Timestamp) -> Step {
    match observed.endpoint {
        EndpointFacts::Known { .. } if observed.wants_start() => begin(observed, now),
        _ => Step::stay(State::Initial),
    }
}

/// The request is about to be sent when the IDE is there to take it. Until then every leader can continue safely.
fn begin(observed: &Observed, now: Timestamp) -> Step {
    let starting = Step::stay(State::Starting);
    let EndpointFacts::Known { secret_uid, instance_id, connected, .. } = &observed.endpoint else {
        return starting;
    };
    let endpoint = Endpoint { secret_uid: secret_uid.clone(), instance_id: Some(instance_id.clone()) };
    Step { endpoint: Some(endpoint), attempt: connected.then_some(now), ..starting }
}

/// A session whose start was not asked for yet.
fn unasked(observed: &Observed, context: &PlanContext) -> Step {
    let now = context.now;
    if observed.is_to_end() {
        // There is nothing to ask the IDE for.
        return Step::stay(State::Stopping);
    }
    if give_up(observed, context).is_some_and(|at| at <= now) {
        let failure =
            "IdeSession could not be started: run session could not be started: the IDE is not connected";
        return Step { startup: Some(now), ..Step::failed(failure, now) };
    }
    if observed.may_have_been_sent() { Step::stay(State::Starting) } else { begin(observed, now) }
}

/// When it is not waited for the IDE any longer. It counts from when it was last seen to be away.
pub fn give_up(observed: &Observed, context: &PlanContext) -> Option<Timestamp> {
    let status = observed.session.status.as_ref().filter(|status| status.state == State::Starting)?;
    let away = matches!(
        observed.endpoint,
        EndpointFacts::Missing { .. } | EndpointFacts::Known { connected: false, .. }
    );
    let since = find(&status.conditions, IDE_CONNECTED).filter(|said| away && said.status == "False")?;
    since.last_transition_time.as_ref()?.0.checked_add(context.patience).ok()
}

fn starting(observed: &Observed, context: &PlanContext) -> Step {
    let Some(run) = &observed.run else {
        return match observed.session_id() {
            Some(_) => Step::stay(State::Running),
            // A request to create cannot be repeated.
            None if observed.may_have_been_sent() => Step::failed(START_OUTCOME_UNKNOWN, context.now),
            None => unasked(observed, context),
        };
    };
    match &run.start {
        StartFacts::NotAsked => unasked(observed, context),
        StartFacts::Cancelled => Step::stay(State::Stopping),
        StartFacts::Waiting | StartFacts::Sent => Step::stay(State::Starting),
        StartFacts::Accepted { session_id, at } => Step::stay(State::Running).created(session_id, *at),
        StartFacts::Owned => Step::stay(State::Running),
        StartFacts::Over { session_id, process, exit_code, at } => {
            let end = EndFacts { exit_code: *exit_code, at: *at };
            ended(observed, run, end, *process).created(session_id, *at)
        }
        StartFacts::Failed { message, called, at } => {
            Step { startup: called.then_some(*at), ..Step::failed(message, *at) }
        }
    }
}

fn running(observed: &Observed) -> Step {
    let stay = Step::stay(if observed.is_to_end() { State::Stopping } else { State::Running });
    let Some(run) = &observed.run else { return stay };
    match (&run.end, &run.start) {
        (Some(end), _) => ended(observed, run, *end, true),
        // On record already, unless somebody else wrote over it.
        (None, StartFacts::Accepted { session_id, at }) => stay.created(session_id, *at),
        _ => stay,
    }
}

fn stopping(observed: &Observed, now: Timestamp) -> Step {
    if observed.session_id().is_none() {
        return Step::stopped(now);
    }
    let Some(run) = &observed.run else { return Step::stay(State::Stopping) };
    if let Some(end) = run.end {
        return ended(observed, run, end, true);
    }
    match &run.stop {
        StopFacts::Ended { at } => Step::stopped(*at),
        StopFacts::Failed { tries, message, at } if retry(*tries, *at).is_none() => {
            Step::failed(format!("could not stop IDE session: {message}"), *at)
        }
        StopFacts::NotAsked | StopFacts::Asked | StopFacts::Failed { .. } => Step::stay(State::Stopping),
    }
}

/// What an end means. `seen` is whether the session had been seen to run: by the IDE's answer, or by a process before it.
fn ended(observed: &Observed, run: &RunFacts, end: EndFacts, seen: bool) -> Step {
    let asked_for = observed.is_to_end() || observed.session.state() == State::Stopping;
    let failure = match (end.exit_code, seen) {
        // Who is stopped mostly dies of it.
        _ if asked_for => None,
        (Some(0), _) | (None, true) => None,
        (_, false) => Some(START_FAILURE.to_owned()),
        (Some(code), true) => Some(format!("session terminated with non-zero exit code {code}")),
    };
    let step = match (failure, &run.message) {
        (None, _) => Step::stopped(end.at),
        (Some(failure), Some(said)) => Step::failed(format!("{failure}: {said}"), end.at),
        (Some(failure), None) => Step::failed(failure, end.at),
    };
    Step { exit_code: end.exit_code, ..step }
}

/// When an IDE that did not stop a session is asked again; `None` when it was asked often enough.
pub fn retry(tries: u32, failed: Timestamp) -> Option<Timestamp> {
    let delay = STOP_RETRIES.get(usize::try_from(tries.saturating_sub(1)).ok()?)?;
    failed.checked_add(*delay).ok()
}

impl Observed {
    /// Whether the session is being deleted.
    pub fn is_deleting(&self) -> bool {
        self.session.metadata.deletion_timestamp.is_some()
    }

    /// Whether it is asked to end, by who asks for it or by who deletes it.
    pub fn is_to_end(&self) -> bool {
        self.is_deleting() || self.session.spec.desired() == Some(DesiredState::Stopped)
    }

    /// Whether it is asked to run.
    pub fn wants_start(&self) -> bool {
        !self.is_deleting() && self.session.spec.desired() == Some(DesiredState::Running)
    }

    /// Whether the request to create may have been sent, as far as the record tells.
    pub fn may_have_been_sent(&self) -> bool {
        self.session.status.as_ref().is_some_and(|status| status.start_attempt_time.is_some())
    }

    /// The IDE's name for it, as it is on record.
    pub fn session_id(&self) -> Option<&str> {
        self.session.status.as_ref()?.session_id.as_deref()
    }
}
