//! An operator with an API server before it and an IDE behind it, as far as the core can tell. It may be killed
//! between any two of its effects, and then knows nothing but what is on record.

use super::fixtures::*;
use crate::core::ide_session::{
    Capture, Command, EndFacts, EndpointFacts, Files, Observed, Plan, PlanContext, RunFacts, StartFacts,
    StopFacts, plan, status,
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use sojourn_crds::ide_session::{IdeSession, IdeSessionStatus, State};
use std::sync::Arc;

/// See the module.
pub(super) struct Peer {
    /// The object; none when it is gone.
    pub(super) session: Option<IdeSession>,
    pub(super) endpoint: EndpointFacts,
    /// What the operator knows of the run.
    pub(super) run: Option<RunFacts>,
    pub(super) now: Timestamp,
    /// Requests to create that were sent, ever.
    pub(super) starts: usize,
    /// Whether the IDE was ever asked to stop the session by its name.
    pub(super) stop_asked: bool,
    /// Whether the IDE runs the session.
    pub(super) running: bool,
    /// The end that the IDE told of or will tell of.
    pub(super) end: Option<EndFacts>,
    /// Whether there are captured files.
    pub(super) files: bool,
    /// How often in a row the IDE did not stop it.
    tries: u32,
    /// So many effects are left before the operator is killed.
    pub(super) effects_left: Option<usize>,
}

/// The operator was killed.
struct Killed;

impl Peer {
    pub(super) fn new(desired: &str) -> Self {
        let mut session = session(desired);
        session.metadata.finalizers = None;
        Self {
            session: Some(session),
            endpoint: known(true),
            run: None,
            now: at(0),
            starts: 0,
            stop_asked: false,
            running: false,
            end: None,
            files: false,
            tries: 0,
            effects_left: None,
        }
    }

    pub(super) fn state(&self) -> State {
        self.session.as_ref().map(IdeSession::state).unwrap_or_default()
    }

    pub(super) fn observed(&self) -> Option<Observed> {
        let files = || Files { std_out: "/logs/out".into(), std_err: "/logs/err".into() };
        let capture = if self.files { Capture::Kept(files()) } else { Capture::None };
        let session = Arc::new(self.session.clone()?);
        Some(Observed { session, endpoint: self.endpoint.clone(), run: self.run.clone(), capture })
    }

    fn context(&self) -> PlanContext {
        PlanContext { now: self.now, patience: seconds(30) }
    }

    /// Passes until there is nothing to do. What is planned then is nothing.
    pub(super) fn settle(&mut self) {
        for _ in 0..20 {
            if !self.pass() {
                return;
            }
        }
        panic!(
            "there is always something to do: {:?}",
            self.observed().map(|observed| plan(&observed, &self.context()))
        );
    }

    /// One pass. Returns whether it did anything.
    pub(super) fn pass(&mut self) -> bool {
        let Some(observed) = self.observed() else { return false };
        let plan = plan(&observed, &self.context());
        let new = status(&observed, &plan.step, self.now);
        self.carry_out(&observed, plan, new).unwrap_or_else(|Killed| {
            self.kill();
            true
        })
    }

    /// The operator is killed, and the next one begins.
    pub(super) fn kill(&mut self) {
        self.effects_left = None;
        self.tries = 0;
        self.run = None;
    }

    fn carry_out(&mut self, observed: &Observed, plan: Plan, new: IdeSessionStatus) -> Result<bool, Killed> {
        let old = observed.session.status.clone().unwrap_or_default();
        let mut busy = !plan.first.is_empty() || !plan.then.is_empty();
        for command in plan.first {
            self.obey(command)?;
        }
        if let Some(finalizers) = plan.finalizers {
            self.effect()?;
            let session = self.session.as_mut().expect("it is there in a pass");
            session.metadata.finalizers = Some(finalizers.clone());
            if observed.is_deleting() && finalizers.is_empty() {
                self.farewell(&old);
            }
            return Ok(true);
        }
        if new != old {
            self.effect()?;
            assert!(old.state.may_become(new.state), "{:?} became {:?}", old.state, new.state);
            self.session.as_mut().expect("it is there in a pass").status = Some(new);
            busy = true;
        }
        for command in plan.then {
            self.obey(command)?;
        }
        Ok(busy)
    }

    fn farewell(&mut self, last: &IdeSessionStatus) {
        assert!(last.state == State::Initial || last.state.is_terminal(), "went while {:?}", last.state);
        assert!(!self.files, "files are left behind");
        if last.session_id.is_some() {
            assert!(self.stop_asked || self.end.is_some(), "went without having been stopped");
        }
        assert!(!self.running || last.state == State::Failed, "the IDE runs on, and nobody was told");
        self.session = None;
        self.run = None;
    }

    fn effect(&mut self) -> Result<(), Killed> {
        match &mut self.effects_left {
            Some(0) => Err(Killed),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), Killed> {
        self.effect()?;
        let end = self.end;
        match (command, &mut self.run) {
            (Command::Record, run) => {
                run.get_or_insert_with(|| RunFacts::new(StartFacts::NotAsked));
            }
            (Command::Start { launch }, Some(run)) => {
                assert_eq!((launch.as_str(), &run.start), (LAUNCH, &StartFacts::NotAsked));
                run.start = StartFacts::Waiting;
            }
            (Command::CancelStart, Some(run)) if run.start == StartFacts::Waiting => {
                run.start = StartFacts::Cancelled;
            }
            (Command::Confirm, Some(run)) => {
                run.start = StartFacts::Owned;
                run.end = end;
            }
            (Command::Adopt { session_id }, run @ None) => {
                assert_eq!(session_id, ID);
                *run = Some(RunFacts { end, ..owned() });
            }
            (Command::Stop { session_id }, Some(run)) => {
                assert_eq!((session_id.as_str(), &run.start), (ID, &StartFacts::Owned));
                run.stop = match run.stop {
                    StopFacts::Failed { tries, .. } if tries >= 4 => panic!("tried too often"),
                    StopFacts::Asked | StopFacts::Ended { .. } => panic!("asked for twice"),
                    _ => StopFacts::Asked,
                };
                self.stop_asked = true;
            }
            (Command::Release, run) => {
                if run.take().is_some_and(|run| matches!(run.start, StartFacts::Accepted { .. })) {
                    self.stop_asked = true;
                    self.running = false;
                }
            }
            (Command::RemoveFiles, _) => self.files = false,
            (command, run) => panic!("{command:?} for {run:?}"),
        }
        Ok(())
    }

    /// The start has its turn.
    pub(super) fn send(&mut self) {
        if let Some(run) = self.run.as_mut().filter(|run| run.start == StartFacts::Waiting) {
            run.start = StartFacts::Sent;
            let status = self.session.as_ref().and_then(|session| session.status.as_ref());
            assert!(status.is_some_and(|status| status.start_attempt_time.is_some()), "not on record");
            self.starts += 1;
            self.files = true;
        }
    }

    /// The IDE answers the request to create.
    pub(super) fn answer(&mut self, answer: StartFacts) {
        if let Some(run) = self.run.as_mut().filter(|run| run.start == StartFacts::Sent) {
            self.running = matches!(answer, StartFacts::Accepted { .. });
            if let StartFacts::Over { exit_code, at, .. } = answer {
                self.end = Some(EndFacts { exit_code, at });
            }
            run.start = answer;
        }
    }

    /// The session ends in the IDE.
    pub(super) fn ends(&mut self, exit_code: Option<i32>) {
        if std::mem::take(&mut self.running) {
            self.end = Some(EndFacts { exit_code, at: self.now });
            if let Some(run) = self.run.as_mut().filter(|run| run.start == StartFacts::Owned) {
                run.end = self.end;
            }
        }
    }

    /// What comes of a stop.
    pub(super) fn stopped(&mut self, well: bool, told: bool) {
        let now = self.now;
        let Some(run) = self.run.as_ref().filter(|run| run.stop == StopFacts::Asked) else { return };
        let tries = 1 + self.tries;
        let stop = if well {
            StopFacts::Ended { at: now }
        } else {
            StopFacts::Failed { tries, message: "no".into(), at: now }
        };
        let known = run.start == StartFacts::Owned;
        self.tries = if well { 0 } else { tries };
        if well && told && known {
            self.ends(None);
        } else if well {
            self.running = false;
        }
        if let Some(run) = &mut self.run {
            run.stop = stop;
        }
    }

    pub(super) fn delete(&mut self) {
        let now = self.now;
        if let Some(session) = &mut self.session {
            session.metadata.deletion_timestamp.get_or_insert(Time(now));
            if session.metadata.finalizers.iter().flatten().next().is_none() {
                self.session = None;
                self.run = None;
            }
        }
    }
}
