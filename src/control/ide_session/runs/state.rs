//! Which sessions there are, which IDE each is at, and which IDEs are connected. What must stay true of all three at
//! once stands here, under one lock:
//!
//! * an IDE is connected as long as a session needs it, and by the credentials that it has now;
//! * a session of an earlier life is made known to its connection before that is opened, or at once when it is open.

use super::{
    ide_connection::{IdeConnection, IdeHandle, Setup},
    run::{Run, Uid},
    stats::ClosedConnections,
};
use crate::{
    control::ide_session::endpoints::{EndpointSource, ResolvedEndpoint},
    core::ide_session::StartFacts,
    ide::{SessionId, connection::OpenConnectionError},
};
use sojourn_crds::ide_session::{DesiredState, IdeSession};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// A run that a task works on.
pub(super) struct RunKey {
    pub(super) uid: Uid,
    pub(super) number: u64,
}

/// A session that is in use.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Arc<str>,
    /// The IDE that it is for, as far as there is one.
    pub(super) source: Option<EndpointSource>,
    pub(super) run: Option<Run>,
}

/// Sessions, their runs and the connections to IDEs.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Whether this replica is the leader. The rest is empty while it is not.
    pub(super) leads: bool,
    pub(super) members: HashMap<Uid, Member>,
    pub(super) ides: HashMap<EndpointSource, IdeConnection>,
    /// What closed connections have counted.
    pub(super) closed: ClosedConnections,
    /// The owner of each session of an IDE.
    ids: HashMap<EndpointSource, HashMap<SessionId, Uid>>,
    numbers: u64,
}

impl State {
    /// Forgets everything but what was counted, and which numbers were given. Returns what is to be dropped without the
    /// lock.
    pub(super) fn clear(&mut self) -> Self {
        self.ides.values().for_each(|ide| self.closed.add(ide));
        let (numbers, closed) = (self.numbers, std::mem::take(&mut self.closed));
        std::mem::replace(self, Self { numbers, closed, ..Self::default() })
    }

    /// A number that nothing else has.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The session of an object, which is made known if it is not.
    pub(super) fn member(&mut self, session: &IdeSession) -> &mut Member {
        self.members.entry(session.uid().into()).or_insert_with(|| Member {
            name: session.name().into(),
            source: None,
            run: None,
        })
    }

    /// The run of that number, if the session still has it.
    pub(super) fn run(&mut self, uid: &str, number: u64) -> Option<&mut Run> {
        self.members.get_mut(uid)?.run.as_mut().filter(|run| run.number == number)
    }

    /// Begins a run unless there is one.
    pub(super) fn begin(&mut self, session: &IdeSession, start: StartFacts) {
        let number = self.number();
        self.member(session).run.get_or_insert_with(|| Run::new(number, start));
    }

    /// Puts a session at the IDE that it is for now.
    pub(super) fn place(&mut self, uid: &Uid, source: Option<&EndpointSource>) {
        let Some(member) = self.members.get_mut(uid) else { return };
        if member.source.as_ref() == source {
            return;
        }
        let before = std::mem::replace(&mut member.source, source.cloned());
        let session = member.run.as_ref().and_then(|run| run.session.clone());
        if let Some(before) = before {
            self.leave(uid, &before);
            if let (Some(session), Some(ids)) = (&session, self.ids.get_mut(&before)) {
                ids.retain(|id, owner| owner != uid || id != session);
            }
        }
        if let Some(session) = session {
            self.own(uid, session);
        }
    }

    /// Makes a session of an IDE that of an object, unless another has it.
    pub(super) fn own(&mut self, uid: &Uid, session: SessionId) -> bool {
        let Some(member) = self.members.get_mut(uid) else { return false };
        let Some(run) = &mut member.run else { return false };
        if let Some(source) = &member.source {
            let ids = self.ids.entry(source.clone()).or_default();
            if *ids.entry(session.clone()).or_insert_with(|| uid.clone()) != *uid {
                run.session = None;
                return false;
            }
            // What was only accepted is made known when it is confirmed.
            if run.started.is_none()
                && let Some(ide) = self.ides.get(source)
            {
                ide.connection.adopt(&session);
            }
        }
        run.session = Some(session);
        true
    }

    /// Whose session of an IDE it is.
    pub(super) fn owner(&self, source: &EndpointSource, session: &SessionId) -> Option<&Uid> {
        self.ids.get(source)?.get(session)
    }

    /// Connects the IDE of a session, if it is not connected.
    pub(super) fn join(
        &mut self,
        uid: &Uid,
        source: &EndpointSource,
        known: &Arc<ResolvedEndpoint>,
        setup: &Arc<Setup>,
    ) -> Result<(), OpenConnectionError> {
        if self.ides.get(source).is_none_or(|ide| ide.known != *known) {
            self.open(source, known, setup)?;
        }
        if let Some(ide) = self.ides.get_mut(source) {
            ide.members.insert(uid.clone());
        }
        Ok(())
    }

    /// Opens a connection in place of the one that there may be, with all sessions that are known to be there.
    fn open(
        &mut self,
        source: &EndpointSource,
        known: &Arc<ResolvedEndpoint>,
        setup: &Arc<Setup>,
    ) -> Result<(), OpenConnectionError> {
        let members = self.close(source);
        let ids = self.ids.get(source).into_iter().flat_map(|ids| ids.keys().cloned()).collect();
        let mut ide = IdeConnection::open(self.number(), source, known, ids, setup)?;
        ide.members = members;
        self.ides.insert(source.clone(), ide);
        setup.changed.send_modify(|changes| *changes += 1);
        Ok(())
    }

    /// Closes the connection to an IDE. Returns who needs it.
    pub(super) fn close(&mut self, source: &EndpointSource) -> HashSet<Uid> {
        let Some(ide) = self.ides.remove(source) else { return HashSet::new() };
        self.closed.add(&ide);
        let connection = ide.connection;
        tokio::spawn(async move { connection.close().await });
        ide.members
    }

    /// A session does not need an IDE any more.
    pub(super) fn leave(&mut self, uid: &Uid, source: &EndpointSource) {
        let Some(ide) = self.ides.get_mut(source) else { return };
        ide.members.remove(uid);
        if ide.members.is_empty() {
            self.close(source);
        }
    }

    /// Forgets the run of a session. What is left of it is to be dropped without the lock.
    pub(super) fn release(&mut self, uid: &Uid) -> Option<Run> {
        let member = self.members.get_mut(uid)?;
        let run = member.run.take();
        let source = member.source.clone();
        if let (Some(source), Some(session)) = (&source, run.as_ref().and_then(|run| run.session.as_ref())) {
            let owned = self.owner(source, session) == Some(uid);
            if owned && let Some(ids) = self.ids.get_mut(source) {
                ids.remove(session);
            }
            // A session that was never confirmed is stopped first, and released by who stops it.
            let confirmed = run.as_ref().is_some_and(|run| run.started.is_none());
            if owned
                && confirmed
                && let Some(ide) = self.ides.get(source)
            {
                ide.connection.release(session);
            }
        }
        run
    }

    /// Forgets a session.
    pub(super) fn forget(&mut self, uid: &Uid) -> Option<Run> {
        let run = self.release(uid);
        if let Some(source) = self.members.remove(uid).and_then(|member| member.source) {
            self.leave(uid, &source);
        }
        run
    }

    /// The connection of a session's IDE, if there is one.
    pub(super) fn ide_handle(&self, uid: &Uid) -> Option<IdeHandle> {
        let source = self.members.get(uid)?.source.as_ref()?;
        Some(self.ides.get(source)?.ide_handle())
    }

    /// The names of those at an IDE, and of those that have none.
    pub(super) fn names_at(&self, source: &EndpointSource) -> Vec<Arc<str>> {
        let concerned = |member: &&Member| member.source.as_ref().is_none_or(|at| at == source);
        self.members.values().filter(concerned).map(|member| member.name.clone()).collect()
    }
}

/// Whether a session needs its IDE: it runs there, or is to.
pub(super) fn needs_ide(session: &IdeSession, run: Option<&Run>) -> bool {
    let on_record = session.status.as_ref().is_some_and(|status| status.session_id.is_some());
    let wanted = session.spec.desired() == Some(DesiredState::Running)
        && session.metadata.deletion_timestamp.is_none();
    run.is_some() || !session.state().is_terminal() && (on_record || wanted)
}
