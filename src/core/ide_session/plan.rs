//! What to do so that a session becomes what it is to become, and in which order.
//!
//! The order is what makes a crash harmless: a start is remembered, then goes on record, then is sent; the name of a
//! session goes on record, then its notifications are let through.

use super::{
    step::{Step, retry, step},
    world::{Command, RunFacts, StartFacts, StopFacts, World},
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
    pub wake: Option<Timestamp>,
}

/// What to do for a session at `now`. Planning again on the world as it is then plans nothing.
pub fn plan(world: &World, now: Timestamp) -> Plan {
    let state = world.session.state();
    let stay = Plan { step: Step { to: state, ..Step::default() }, ..Plan::default() };
    let release = world.run.as_ref().map(|_| Command::Release);
    match (world.is_deleting(), holds(world)) {
        (false, false) => return Plan { finalizers: Some(with_finalizer(world, true)), ..stay },
        // Somebody else's finalizer keeps it.
        (true, false) => return Plan { first: release.into_iter().collect(), ..stay },
        (true, true) if state == State::Initial || state.is_terminal() => {
            let first = release.into_iter().chain([Command::RemoveFiles]).collect();
            return Plan { finalizers: Some(with_finalizer(world, false)), first, ..stay };
        }
        _ => {}
    }
    let step = step(world, now);
    Plan {
        finalizers: None,
        first: before(world, &step),
        then: after(world, &step, now),
        wake: stop_again(world, &step).filter(|at| *at > now),
        step,
    }
}

fn before(world: &World, step: &Step) -> Vec<Command> {
    let begins = world.session.state() == State::Initial && step.to == State::Starting;
    match &world.run {
        None if begins => vec![Command::Record],
        None if matches!(step.to, State::Running | State::Stopping) => {
            let adopt = |id: &str| Command::Adopt { session_id: id.to_owned() };
            world.session_id().map(adopt).into_iter().collect()
        }
        Some(RunFacts { start: StartFacts::Waiting, .. }) if world.is_to_end() => vec![Command::CancelStart],
        _ => Vec::new(),
    }
}

fn after(world: &World, step: &Step, now: Timestamp) -> Vec<Command> {
    let start = || Command::Start { launch: world.session.spec.launch_configurations.clone() };
    let Some(run) = &world.run else {
        return match step.to {
            State::Starting => vec![start()],
            State::Stopping => stop(world, step).into_iter().collect(),
            _ => Vec::new(),
        };
    };
    let accepted = matches!(run.start, StartFacts::Accepted { .. });
    match step.to {
        State::Starting if run.start == StartFacts::NotAsked => vec![start()],
        State::Running if accepted => vec![Command::Confirm],
        State::Stopping => {
            let confirm = accepted.then_some(Command::Confirm);
            let due = match &run.stop {
                StopFacts::NotAsked => true,
                StopFacts::Failed { tries, at, .. } => retry(*tries, *at).is_some_and(|at| at <= now),
                StopFacts::Asked | StopFacts::Ended { .. } => false,
            };
            confirm.into_iter().chain(stop(world, step).filter(|_| due)).collect()
        }
        state if state.is_terminal() => vec![Command::Release],
        _ => Vec::new(),
    }
}

/// The command to stop the session, if the IDE has a name for it.
fn stop(world: &World, step: &Step) -> Option<Command> {
    let session_id = step.session_id.as_deref().or(world.session_id())?;
    Some(Command::Stop { session_id: session_id.to_owned() })
}

fn stop_again(world: &World, step: &Step) -> Option<Timestamp> {
    match &world.run.as_ref()?.stop {
        StopFacts::Failed { tries, at, .. } if step.to == State::Stopping => retry(*tries, *at),
        _ => None,
    }
}

fn holds(world: &World) -> bool {
    world.session.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

fn with_finalizer(world: &World, wanted: bool) -> Vec<String> {
    let others = world.session.metadata.finalizers.iter().flatten().filter(|name| *name != FINALIZER);
    others.cloned().chain(wanted.then(|| FINALIZER.to_owned())).collect()
}
