//! Stops: each command is one request. Whether to ask again is decided elsewhere, by what is known of it.

use super::{Runs, run::Uid, state::RunKey};
use crate::{
    core::ide_session::StopFacts,
    ide::{ConnectionState, SessionId, Stop, StopError, StopErrorKind},
    telemetry::ides::{Answer, Request},
};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

impl Runs {
    /// Stops a run, unless that is under way or done.
    pub(super) fn stop(self: &Arc<Self>, uid: &Uid, session: &str) {
        let at = Timestamp::now();
        let mut state = self.state.lock();
        let Some(member) = state.members.get_mut(uid) else { return };
        let Some(run) = &mut member.run else { return };
        let tries = match run.facts.stop {
            StopFacts::NotAsked => 1,
            StopFacts::Failed { tries, .. } => tries.saturating_add(1),
            StopFacts::Asked | StopFacts::Ended { .. } => return,
        };
        // What stands in a status is not sent anywhere: the session is the run's own or none.
        let Some(session) = run.session.clone().filter(|own| own.as_str() == session) else {
            let why = "its session ID is not usable, or belongs to another session";
            run.stop_failed(tries, format!("run session could not be stopped: {why}"), at);
            let name = member.name.clone();
            drop(state);
            return self.requeues.now(&name);
        };
        run.facts.stop = StopFacts::Asked;
        let run_key = RunKey { uid: uid.clone(), number: run.number };
        let runs = self.clone();
        tokio::spawn(async move {
            let result = runs.ask_to_stop(&run_key, &session).await;
            runs.stopped(&run_key, tries, result);
        });
    }

    /// Asks the IDE, once. Returns the number of the connection that it was sent by. An IDE that is just being
    /// connected is waited for; one that does not answer, or of which it is not known how it is reached, is not.
    async fn ask_to_stop(&self, run_key: &RunKey, session: &SessionId) -> Result<(Stop, u64), StopError> {
        let deadline = Instant::now() + self.setup.timing.request;
        loop {
            let ide_handle = self.current_ide_handle(&run_key.uid).ok_or(StopErrorKind::NotConnected)?;
            let place = ide_handle.stops.acquire().await;
            let begun = Instant::now();
            match ide_handle.connection.stop(session).await {
                // It has not been connected since it is ours. The place is for those who can be run_key.
                Err(StopError { cause: StopErrorKind::NotConnected }) => drop(place),
                result => {
                    let answer = if result.is_ok() { Answer::Done } else { Answer::Failed };
                    self.requests.count(Request::Stop, answer, begun.elapsed());
                    return Ok((result?, ide_handle.number));
                }
            }
            let mut link = ide_handle.connection.link();
            let settled =
                link.wait_for(|link| !matches!(link, ConnectionState::Connecting { failures: 0, .. }));
            // A copy: a borrow would block the sender.
            let settled =
                timeout_at(deadline, settled).await.ok().and_then(Result::ok).map(|link| link.clone());
            let replaced =
                || self.current_ide_handle(&run_key.uid).is_some_and(|now| now.number != ide_handle.number);
            match settled {
                Some(ConnectionState::Connected(_)) => {}
                Some(ConnectionState::Closed) if replaced() => {}
                _ => return Err(StopErrorKind::NotConnected.into()),
            }
        }
    }

    fn stopped(&self, run_key: &RunKey, tries: u32, result: Result<(Stop, u64), StopError>) {
        let at = Timestamp::now();
        let mut state = self.state.lock();
        let source = state.members.get(&run_key.uid).and_then(|member| member.source.as_ref());
        let current = source.and_then(|source| state.ides.get(source)).map(|ide| ide.number);
        let Some(run) = state.run(&run_key.uid, run_key.number) else { return };
        match result {
            Ok((stop, number)) => {
                let heard = run.started.is_none() && current == Some(number);
                run.stop_succeeded(heard && stop != Stop::NotOurs, at);
            }
            Err(error) => run.stop_failed(tries, error.to_string(), at),
        }
        let name = state.members.get(&run_key.uid).map(|member| member.name.clone());
        drop(state);
        name.iter().for_each(|name| self.requeues.now(name));
    }
}
