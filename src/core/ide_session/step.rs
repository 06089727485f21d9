//! What a session becomes next. One function for each state; the permission matrix has the last word.
//!
//! A step is taken from what is on record, so that a process that knows nothing but that goes on from it. Facts of
//! this process only ever move it on.

use super::world::{EndFacts, EndpointFacts, RunFacts, StartFacts, StopFacts, World};
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
    /// When the start is about to be asked for, and of whom.
    pub attempt: Option<(Timestamp, Endpoint)>,
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

/// What the session becomes at `now`.
pub fn step(world: &World, now: Timestamp) -> Step {
    let from = world.session.state();
    let step = match from {
        State::Initial => initial(world, now),
        State::Starting => starting(world, now),
        State::Running => running(world),
        State::Stopping => stopping(world, now),
        State::Stopped | State::Failed => Step::stay(from),
    };
    if from.may_become(step.to) { step } else { Step::stay(from) }
}

fn initial(world: &World, now: Timestamp) -> Step {
    let EndpointFacts::Known { secret_uid, instance_id, .. } = &world.endpoint else {
        return Step::stay(State::Initial);
    };
    if !world.wants_start() {
        return Step::stay(State::Initial);
    }
    let endpoint = Endpoint { secret_uid: secret_uid.clone(), instance_id: Some(instance_id.clone()) };
    Step { attempt: Some((now, endpoint)), ..Step::stay(State::Starting) }
}

fn starting(world: &World, now: Timestamp) -> Step {
    let Some(run) = &world.run else {
        // A request to create cannot be repeated: nobody knows whether it was sent.
        let known = world.session_id().is_some();
        return if known { Step::stay(State::Running) } else { Step::failed(START_OUTCOME_UNKNOWN, now) };
    };
    match &run.start {
        // Nothing was sent, so there is nothing to ask the IDE for.
        StartFacts::NotAsked if world.is_to_end() => Step::stay(State::Stopping),
        StartFacts::Cancelled => Step::stay(State::Stopping),
        StartFacts::NotAsked | StartFacts::Waiting | StartFacts::Sent => Step::stay(State::Starting),
        StartFacts::Accepted { session_id, at } => Step::stay(State::Running).created(session_id, *at),
        StartFacts::Owned => Step::stay(State::Running),
        StartFacts::Over { session_id, process, exit_code, at } => {
            let end = EndFacts { exit_code: *exit_code, at: *at };
            ended(world, run, end, *process).created(session_id, *at)
        }
        StartFacts::Failed { message, called, at } => {
            Step { startup: called.then_some(*at), ..Step::failed(message, *at) }
        }
    }
}

fn running(world: &World) -> Step {
    let stay = Step::stay(if world.is_to_end() { State::Stopping } else { State::Running });
    let Some(run) = &world.run else { return stay };
    match (&run.end, &run.start) {
        (Some(end), _) => ended(world, run, *end, true),
        // On record already, unless somebody else wrote over it.
        (None, StartFacts::Accepted { session_id, at }) => stay.created(session_id, *at),
        _ => stay,
    }
}

fn stopping(world: &World, now: Timestamp) -> Step {
    if world.session_id().is_none() {
        return Step::stopped(now);
    }
    let Some(run) = &world.run else { return Step::stay(State::Stopping) };
    if let Some(end) = run.end {
        return ended(world, run, end, true);
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
fn ended(world: &World, run: &RunFacts, end: EndFacts, seen: bool) -> Step {
    let asked_for = world.is_to_end() || world.session.state() == State::Stopping;
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

impl World {
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

    /// The IDE's name for it, as it is on record.
    pub fn session_id(&self) -> Option<&str> {
        self.session.status.as_ref()?.session_id.as_deref()
    }
}
