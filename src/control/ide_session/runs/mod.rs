//! Runs of sessions in IDEs: executes commands, and holds the facts that follow from them.
//!
//! Only the leader connects to an IDE, since a second connection would close the first. State is kept by the UID of the
//! object, so that no object gets the session of another that had its name. It ends with leadership: the next leader
//! starts with what the statuses record.
//!
//! * [`Runs::lead`] comes first: sessions on record are registered before notifications about them arrive.
//! * [`Runs::observe`] returns the facts, and connects the IDE of a session that needs it.
//! * [`Runs::carry_out`] executes commands. Each can be repeated.
//! * [`Runs::retire`] closes all connections. No session is stopped by that.

mod ide_connection;
mod output;
mod requeue;
mod run;
mod starts;
mod state;
mod stats;
mod stops;
#[cfg(test)]
mod tests;

pub use output::Output;
pub use requeue::Requeue;

use super::endpoints::{Changes, EndpointChoice, EndpointSource, MissingEndpoint, ResolvedEndpoint};
use crate::{
    core::ide_session::{
        Command, EndpointFacts, RunFacts, StartFacts,
        reasons::{ConnectedReason, EndpointReason},
    },
    ide::{Notification, Payload, SessionId, buffer::Limits, egress::Egress, notification::Level},
    reason::Reason,
    settings::IdeSettings,
    telemetry::ides::{IdeStats, RequestMetrics},
};
use futures::future::join_all;
use ide_connection::{ConnectionEvents, IdeHandle, Setup};
use jiff::Timestamp;
use parking_lot::Mutex;
use requeue::RequeueDebouncer;
use run::{Uid, Urgency};
use sojourn_crds::ide_session::IdeSession;
use state::{State, needs_ide};
use std::{
    net::IpAddr,
    sync::{Arc, Weak},
};
use tokio::sync::watch;

/// The runs of all sessions.
#[derive(Debug)]
pub struct Runs {
    endpoints: Arc<dyn EndpointChoice>,
    setup: Arc<Setup>,
    output: Arc<dyn Output>,
    requeues: RequeueDebouncer,
    requests: RequestMetrics,
    state: Mutex<State>,
}

/// What egress rules depend on, of the cluster that IDEs are in.
#[derive(Clone, Debug)]
pub struct ClusterNetwork {
    /// The cluster's domain.
    pub domain: String,
    /// Addresses of the API server, at which no IDE is.
    pub api_server: Vec<IpAddr>,
}

impl Runs {
    /// Runs in the IDEs that `endpoints` know. Connects to none before it leads.
    pub fn new(
        endpoints: Arc<dyn EndpointChoice>,
        settings: &IdeSettings,
        network: ClusterNetwork,
        output: Arc<dyn Output>,
        wake: Requeue,
    ) -> Arc<Self> {
        let egress = Egress {
            networks: settings.networks.clone(),
            suffixes: settings.suffixes.clone(),
            refused: network.api_server,
            cluster_domain: network.domain,
            plain_text: settings.plain_text,
        };
        Arc::new_cyclic(|runs: &Weak<Self>| Self {
            setup: Arc::new(Setup {
                timing: settings.timing,
                limits: Limits { sessions: settings.sessions, ..Limits::default() },
                egress,
                lookup: endpoints.lookup(),
                changed: watch::Sender::new(0),
                events: runs.clone(),
            }),
            endpoints,
            output,
            requeues: RequeueDebouncer::new(wake),
            requests: RequestMetrics::default(),
            state: Mutex::default(),
        })
    }

    /// This replica begins to lead. All sessions that there are come along: the IDEs' names for those that are not
    /// over are known before an IDE is connected.
    pub async fn lead(&self, sessions: impl IntoIterator<Item = Arc<IdeSession>>) {
        let on_record = |session: &Arc<IdeSession>| {
            let id = session.status.as_ref()?.session_id.clone()?;
            (!session.state().is_terminal()).then_some(id)
        };
        let sessions: Vec<_> =
            sessions.into_iter().filter_map(|session| Some((on_record(&session)?, session))).collect();
        for (_, session) in &sessions {
            self.output.begin(session.name().into(), session.uid().into()).await;
        }
        let mut state = self.state.lock();
        state.leads = true;
        for (id, session) in &sessions {
            self.adopt(&mut state, session, id);
        }
    }

    /// This replica is no longer the leader. Sessions go on, except for those that were created and are not recorded:
    /// they are stopped, since no other replica knows them.
    pub async fn retire(&self) {
        let state = self.state.lock().clear();
        for run in state.members.values().filter_map(|member| member.run.as_ref()) {
            run.cancel.cancel();
        }
        for uid in state.members.keys() {
            self.output.end(uid);
        }
        join_all(state.ides.values().map(|ide| ide.connection.close())).await;
    }

    /// Whether a start was sent whose outcome is not on record yet.
    pub fn is_starting(&self) -> bool {
        let state = self.state.lock();
        let mut runs = state.members.values().filter_map(|member| member.run.as_ref());
        runs.any(|run| matches!(run.facts.start, StartFacts::Sent | StartFacts::Accepted { .. }))
    }

    /// What is known of the IDE of a session, and of its run. Connects the IDE if the session needs it.
    pub fn observe(&self, session: &IdeSession) -> (EndpointFacts, Option<RunFacts>) {
        let mut state = self.state.lock();
        let endpoint = self.assign(&mut state, session);
        let run = state.members.get(session.uid()).and_then(|member| member.run.as_ref());
        (endpoint, run.map(|run| run.facts.clone()))
    }

    /// Carries out a command for a session. What becomes of it is seen by [`Runs::observe`].
    pub async fn carry_out(self: &Arc<Self>, session: &IdeSession, command: Command) {
        if !self.state.lock().leads {
            return;
        }
        let (name, uid): (Arc<str>, Uid) = (session.name().into(), session.uid().into());
        if matches!(command, Command::Record | Command::Adopt { .. }) {
            self.output.begin(name.clone(), uid.clone()).await;
        }
        match command {
            Command::Record => {
                let mut state = self.state.lock();
                if state.leads {
                    state.begin(session, StartFacts::NotAsked);
                    self.assign(&mut state, session);
                }
            }
            Command::Adopt { session_id } => {
                let mut state = self.state.lock();
                if state.leads {
                    self.adopt(&mut state, session, &session_id);
                    self.assign(&mut state, session);
                }
            }
            Command::Start { launch } => self.start(&uid, &launch),
            Command::CancelStart => self.cancel_start(&uid),
            Command::Confirm => self.confirm(&uid),
            Command::Stop { session_id } => self.stop(&uid, &session_id),
            Command::Release => {
                let run = self.state.lock().forget(&uid);
                self.end(&uid, run);
            }
            Command::RemoveFiles => self.output.remove(name, uid).await,
        }
    }

    /// An object is gone. Without its finalizer it may be so while it runs; what was accepted and never confirmed is
    /// stopped.
    pub fn forget(&self, uid: &str) {
        let run = self.state.lock().forget(&uid.into());
        self.end(uid, run);
    }

    /// Follows changes of endpoints: who has new credentials is connected by them, who is gone is not. To be run on
    /// every replica, for as long as the process runs.
    pub async fn follow(self: Arc<Self>, mut changes: Changes) {
        while let Some(source) = changes.recv().await {
            let now = self.endpoints.get(&source);
            {
                let mut state = self.state.lock();
                let known = state.ides.get(&source).map(|ide| ide.known.clone());
                if known.is_some() && known != now {
                    for uid in state.close(&source) {
                        // An error is reported when each session is reconciled.
                        now.iter().for_each(|now| drop(state.join(&uid, &source, now, &self.setup)));
                    }
                }
            }
            self.requeue_at(&source);
        }
    }

    /// The state of all IDE connections. Sessions are not counted here.
    pub fn stats(&self) -> IdeStats {
        let state = self.state.lock();
        state.closed.with_open(state.ides.values())
    }

    /// Counts of the requests to IDEs.
    pub fn requests(&self) -> &RequestMetrics {
        &self.requests
    }

    /// The connection of a session's IDE, as soon as there is one other than that of the number `not`.
    async fn ide_handle(&self, uid: &Uid, not: Option<u64>) -> IdeHandle {
        let mut changed = self.setup.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if let Some(ide_handle) =
                self.current_ide_handle(uid).filter(|ide_handle| not != Some(ide_handle.number))
            {
                return ide_handle;
            }
            // The sender lives as long as the runs.
            changed.changed().await.ok();
        }
    }

    /// The connection of a session's IDE, if there is one.
    fn current_ide_handle(&self, uid: &Uid) -> Option<IdeHandle> {
        self.state.lock().ide_handle(uid)
    }

    /// Assigns a session to the IDE that it is for. Returns the facts of that.
    fn assign(&self, state: &mut State, session: &IdeSession) -> EndpointFacts {
        let chosen = self.endpoints.choose(session);
        let uid: Uid = session.uid().into();
        let needs = {
            let run = state.members.get(&uid).and_then(|member| member.run.as_ref());
            needs_ide(session, run)
        };
        if !state.leads || !needs && session.state().is_terminal() {
            // No run is lost by that: a session with a run needs its IDE.
            state.forget(&uid);
        } else {
            state.member(session);
            state.place(&uid, chosen.as_ref().ok().map(|(source, _)| source));
        }
        let (source, known) = match chosen {
            Ok(chosen) => chosen,
            Err(MissingEndpoint { reason, message }) => return EndpointFacts::Missing { reason, message },
        };
        let joined = match (state.leads, needs) {
            (true, true) => state.join(&uid, &source, &known, &self.setup),
            _ => {
                state.leave(&uid, &source);
                Ok(())
            }
        };
        if let Err(error) = joined {
            let reason = EndpointReason::CertificateRefused;
            return EndpointFacts::Missing { reason, message: error.to_string() };
        }
        self.facts(state, &source, &known)
    }

    fn facts(&self, state: &State, source: &EndpointSource, known: &ResolvedEndpoint) -> EndpointFacts {
        let link = match state.ides.get(source) {
            Some(ide) => ide_connection::link_facts(&ide.connection.link().borrow()),
            None => {
                let message = "The IDE is connected when the session is to run".to_owned();
                (false, ConnectedReason::NotNeeded.as_str(), message)
            }
        };
        ide_connection::facts(known, link)
    }

    /// Makes a session of an earlier life that of an object.
    fn adopt(&self, state: &mut State, session: &IdeSession, id: &str) {
        let uid: Uid = session.uid().into();
        state.begin(session, StartFacts::Owned);
        let source = self.endpoints.choose(session).ok().map(|(source, _)| source);
        state.place(&uid, source.as_ref());
        let run = state.members.get(&uid).and_then(|member| member.run.as_ref());
        if run.is_some_and(|run| run.session.is_some()) {
            return;
        }
        if !SessionId::read(id).is_ok_and(|id| state.own(&uid, id)) {
            tracing::warn!(session = session.name(), "its session ID is not usable, or another's");
        }
    }

    /// Lets through what the IDE says of a session: its name is on record.
    fn confirm(&self, uid: &Uid) {
        let mut state = self.state.lock();
        let Some(run) = state.members.get_mut(uid).and_then(|member| member.run.as_mut()) else { return };
        let (Some(started), Some(session)) = (run.started.take(), run.session.clone()) else { return };
        run.facts.start = StartFacts::Owned;
        // If the connection that created it was replaced meanwhile, the new one is not affected.
        started.confirm();
        state.own(uid, session);
    }

    /// Writes output and messages to the log of the session.
    fn keep(&self, uid: &str, name: &str, what: Payload, at: Timestamp) {
        match what {
            Payload::Log { stderr, line } => self.output.line(uid, stderr, line, at),
            Payload::Message { level, text } => {
                // Never above debug: it is the text of a peer.
                tracing::debug!(session = name, ?level, text, "the IDE says");
                let level = match level {
                    Level::Error => "error",
                    Level::Info => "info",
                    Level::Debug => "debug",
                };
                self.output.note(uid, format!("the IDE says ({level}): {text}"), at);
            }
            Payload::Dropped(count) => {
                tracing::warn!(session = name, count, "an IDE said more than could be taken in");
                self.output.note(uid, format!("{count} lines or messages of the IDE were dropped"), at);
            }
            Payload::Process { .. } | Payload::Ended(_) => {}
        }
    }

    /// Requeues the sessions of an IDE, and those without one.
    fn requeue_at(&self, source: &EndpointSource) {
        let names = self.state.lock().names_at(source);
        names.iter().for_each(|name| self.requeues.now(name));
    }

    /// What is left of a run ends without the lock: it may ask the IDE to stop the session.
    fn end(&self, uid: &str, run: Option<run::Run>) {
        if let Some(run) = run {
            run.cancel.cancel();
            self.output.end(uid);
        }
    }
}

impl ConnectionEvents for Runs {
    fn notification(&self, source: &EndpointSource, Notification { session, what }: Notification) {
        let at = Timestamp::now();
        let (uid, name, news) = {
            let mut state = self.state.lock();
            let Some(uid) = state.owner(source, &session).cloned() else { return };
            let Some(member) = state.members.get_mut(&uid) else { return };
            let Some(run) = &mut member.run else { return };
            (uid, member.name.clone(), run.apply(&what, at))
        };
        self.keep(&uid, &name, what, at);
        match news {
            Urgency::Now => self.requeues.now(&name),
            Urgency::Soon => self.requeues.soon(&name),
            Urgency::Nothing => {}
        }
    }

    /// Ends that were to come by this connection are not waited for any more.
    fn disconnected(&self, source: &EndpointSource, number: u64) {
        let names: Vec<_> = {
            let mut state = self.state.lock();
            if state.ides.get(source).is_some_and(|ide| ide.number == number) {
                return;
            }
            let at_source = |member: &&mut state::Member| member.source.as_ref() == Some(source);
            let members = state.members.values_mut().filter(at_source);
            let waiting = |member: &mut state::Member| {
                let run = member.run.as_mut().filter(|run| run.stopped)?;
                run.end_stop(Timestamp::now());
                Some(member.name.clone())
            };
            members.filter_map(waiting).collect()
        };
        names.iter().for_each(|name| self.requeues.now(name));
    }

    fn link_changed(&self, source: &EndpointSource) {
        self.requeue_at(source);
    }
}
