//! Starts: each waits for its IDE, then for one of a few slots, and is sent once.
//!
//! A start that waits for an IDE holds no slot, waits no longer than a request may take, and can be cancelled. A
//! request that was sent is completed; a session whose owner is gone by then is stopped, which is what dropping it
//! does.

use super::{
    Runs,
    ide_connection::IdeHandle,
    run::{Uid, unreadable},
    state::RunKey,
};
use crate::{
    core::ide_session::StartFacts,
    ide::{Connection, Launch, RunRequest, Start, StartError, StartErrorKind},
    telemetry::ides::{Answer, Request},
};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

impl Runs {
    /// Starts a run that is not started yet.
    pub(super) fn start(self: &Arc<Self>, uid: &Uid, launch: &str) {
        let at = Timestamp::now();
        let mut state = self.state.lock();
        let Some(member) = state.members.get_mut(uid) else { return };
        let name = member.name.clone();
        let Some(run) = member.run.as_mut().filter(|run| run.facts.start == StartFacts::NotAsked) else {
            return;
        };
        match Launch::read(launch) {
            Ok(launch) => {
                run.facts.start = StartFacts::Waiting;
                let run_key = RunKey { uid: uid.clone(), number: run.number };
                let cancel = run.cancel.clone();
                let runs = self.clone();
                tokio::spawn(async move {
                    let starting = runs.run_start(&run_key, launch.into());
                    // Cancelled while it waited, or released: a request that was sent finds no owner.
                    tokio::select! {
                        () = starting => {}
                        () = cancel.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                run.facts.start = unreadable(&error, at);
                drop(state);
                self.requeues.now(&name);
            }
        }
    }

    /// Calls a start off that was not sent yet.
    pub(super) fn cancel_start(&self, uid: &Uid) {
        let mut state = self.state.lock();
        let Some(member) = state.members.get_mut(uid) else { return };
        let Some(run) = &mut member.run else { return };
        if matches!(run.facts.start, StartFacts::NotAsked | StartFacts::Waiting) {
            run.facts.start = StartFacts::Cancelled;
            run.cancel.cancel();
            let name = member.name.clone();
            drop(state);
            self.requeues.now(&name);
        }
    }

    async fn run_start(&self, run_key: &RunKey, request: RunRequest) {
        let deadline = Instant::now() + self.setup.timing.request;
        loop {
            let (connection, place) = match self.wait_for_slot(run_key, deadline).await {
                Ok(wait_for_slot) => wait_for_slot,
                Err(cause) => return self.started(run_key, Err(cause.into())),
            };
            if !self.change(run_key, StartFacts::Waiting, StartFacts::Sent) {
                return;
            }
            let begun = Instant::now();
            let result = connection.start(&request).await;
            drop(place);
            match result {
                // It was lost while we waited for our place. Nothing was sent.
                Err(StartError { cause: StartErrorKind::NotConnected })
                    if self.change(run_key, StartFacts::Sent, StartFacts::Waiting) => {}
                result => {
                    let answer = match &result {
                        Ok(Start::Running(_)) => Answer::Done,
                        Ok(Start::Over { .. }) => Answer::Over,
                        Err(_) => Answer::Failed,
                    };
                    self.requests.count(Request::Start, answer, begun.elapsed());
                    return self.started(run_key, result);
                }
            }
        }
    }

    /// Waits for the IDE, and then for a place.
    async fn wait_for_slot(
        &self,
        run_key: &RunKey,
        deadline: Instant,
    ) -> Result<(Connection, OwnedSemaphorePermit), StartErrorKind> {
        let mut not = None;
        loop {
            let ide_handle = timeout_at(deadline, self.ide_handle(&run_key.uid, not)).await;
            let IdeHandle { number, connection, starts, .. } =
                ide_handle.map_err(|_| StartErrorKind::Closed)?;
            match timeout_at(deadline, connection.connected()).await {
                Err(_) => return Err(StartErrorKind::NotConnected),
                Ok(Ok(())) => {}
                // Closed by us: there are other credentials, or will be.
                Ok(Err(StartError { cause: StartErrorKind::Closed })) => {
                    not = Some(number);
                    continue;
                }
                Ok(Err(error)) => return Err(error.cause),
            }
            let place = starts.acquire_owned().await.map_err(|_| StartErrorKind::Closed)?;
            return Ok((connection, place));
        }
    }

    /// Takes a step of a run, if it is where it is thought to be.
    fn change(&self, run_key: &RunKey, from: StartFacts, to: StartFacts) -> bool {
        let mut state = self.state.lock();
        let Some(run) = state.run(&run_key.uid, run_key.number) else { return false };
        let there = run.facts.start == from;
        if there {
            run.facts.start = to;
        }
        there
    }

    /// Takes in what became of a start. Without its owner, what was started is dropped, and with that stopped.
    fn started(&self, run_key: &RunKey, result: Result<Start, StartError>) {
        let at = Timestamp::now();
        let mut said = Vec::new();
        let name = {
            let mut state = self.state.lock();
            let Some(run) = state.run(&run_key.uid, run_key.number) else {
                drop(state);
                if let Ok(Start::Running(started)) = result {
                    tracing::info!(session = %started.session(), "a session without an object is stopped");
                }
                return;
            };
            match result {
                Ok(Start::Running(started)) => {
                    let session = started.session().clone();
                    run.accepted(started, at);
                    state.own(&run_key.uid, session);
                }
                Ok(Start::Over { session, early }) => {
                    run.over(&session, &early, at);
                    said = early.rest;
                }
                Err(error) => run.failed(&error, at),
            }
            match state.members.get(&run_key.uid) {
                Some(member) => member.name.clone(),
                None => return,
            }
        };
        for what in said {
            self.keep(&run_key.uid, &name, what, at);
        }
        self.requeues.now(&name);
    }
}
