//! What to do so that a session becomes what it is to become, and in which order.
//!
//! The order is what makes a crash harmless: a start is remembered, then goes on record, then is sent; the name of a
//! session goes on record, then its notifications are let through.

use super::{
    observed::{Command, Observed, PlanContext, RunFacts, StartFacts, StopFacts},
    step::{Step, give_up, retry, step},
};
use k8s_openapi::jiff::Timestamp;
use sojourn_crds::ide_session::{FINALIZER, State};

/// What to do for a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The finalizers that the session should have, when they are not those that it has. Nothing is reported then:
    /// a pass writes either metadata or status.
    pub finalizers: Option<Vec<String>>,
    /// What to do before anything is written.
    pub first: Vec<Command>,
    /// What the session becomes.
    pub step: Step,
    /// What to do once that is on record.
    pub then: Vec<Command>,
    /// When to look again if nothing happens before.
    pub requeue_at: Option<Timestamp>,
}

/// What to do for a session. Planning again on the observed as it is then plans nothing.
pub fn plan(observed: &Observed, context: &PlanContext) -> Plan {
    let now = context.now;
    let state = observed.session.state();
    let stay = Plan { step: Step { to: state, ..Step::default() }, ..Plan::default() };
    let release = observed.run.as_ref().map(|_| Command::Release);
    match (observed.is_deleting(), holds(observed)) {
        (false, false) => return Plan { finalizers: Some(with_finalizer(observed, true)), ..stay },
        // Somebody else's finalizer keeps it.
        (true, false) => return Plan { first: release.into_iter().collect(), ..stay },
        (true, true) if state == State::Initial || state.is_terminal() => {
            let first = release.into_iter().chain([Command::RemoveFiles]).collect();
            return Plan { finalizers: Some(with_finalizer(observed, false)), first, ..stay };
        }
        _ => {}
    }
    let step = step(observed, context);
    Plan {
        finalizers: None,
        first: before(observed, &step),
        then: after(observed, &step, now),
        requeue_at: look_again(observed, &step, context).filter(|at| *at > now),
        step,
    }
}

fn before(observed: &Observed, step: &Step) -> Vec<Command> {
    match &observed.run {
        None if step.to == State::Starting => vec![Command::Record],
        None if matches!(step.to, State::Running | State::Stopping) => {
            let adopt = |id: &str| Command::Adopt { session_id: id.to_owned() };
            observed.session_id().map(adopt).into_iter().collect()
        }
        Some(RunFacts { start: StartFacts::Waiting, .. }) if observed.is_to_end() => {
            vec![Command::CancelStart]
        }
        _ => Vec::new(),
    }
}

fn after(observed: &Observed, step: &Step, now: Timestamp) -> Vec<Command> {
    let unasked = observed.run.as_ref().is_none_or(|run| run.start == StartFacts::NotAsked);
    if step.to == State::Starting {
        let due = unasked && (step.attempt.is_some() || observed.may_have_been_sent());
        let launch = || observed.session.spec.launch_configurations.clone();
        return due.then(|| Command::Start { launch: launch() }).into_iter().collect();
    }
    let Some(run) = &observed.run else {
        return stop(observed, step).filter(|_| step.to == State::Stopping).into_iter().collect();
    };
    let accepted = matches!(run.start, StartFacts::Accepted { .. });
    match step.to {
        State::Running if accepted => vec![Command::Confirm],
        State::Stopping => {
            let confirm = accepted.then_some(Command::Confirm);
            let due = match &run.stop {
                StopFacts::NotAsked => true,
                StopFacts::Failed { tries, at, .. } => retry(*tries, *at).is_some_and(|at| at <= now),
                StopFacts::Asked | StopFacts::Ended { .. } => false,
            };
            confirm.into_iter().chain(stop(observed, step).filter(|_| due)).collect()
        }
        state if state.is_terminal() => vec![Command::Release],
        _ => Vec::new(),
    }
}

/// The command to stop the session, if the IDE has a name for it.
fn stop(observed: &Observed, step: &Step) -> Option<Command> {
    let session_id = step.session_id.as_deref().or(observed.session_id())?;
    Some(Command::Stop { session_id: session_id.to_owned() })
}

/// When time alone decides: a stop is tried again, or it is not waited for the IDE any longer.
fn look_again(observed: &Observed, step: &Step, context: &PlanContext) -> Option<Timestamp> {
    let run = observed.run.as_ref()?;
    match (&run.stop, &run.start) {
        (StopFacts::Failed { tries, at, .. }, _) if step.to == State::Stopping => retry(*tries, *at),
        (_, StartFacts::NotAsked) if step.to == State::Starting => give_up(observed, context),
        _ => None,
    }
}

fn holds(observed: &Observed) -> bool {
    observed.session.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

fn with_finalizer(observed: &Observed, wanted: bool) -> Vec<String> {
    let others = observed.session.metadata.finalizers.iter().flatten().filter(|name| *name != FINALIZER);
    others.cloned().chain(wanted.then(|| FINALIZER.to_owned())).collect()
}
