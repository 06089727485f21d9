//! The sessions that there are, by name, as the watch and our own writes tell them.

use crate::control::{
    key::Key,
    version::{is_newer, number},
};
use sojourn_crds::ide_session::IdeSession;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::sync::watch;

/// See the module.
#[derive(Debug, Default)]
pub struct Index {
    sessions: HashMap<Key, Arc<IdeSession>>,
    /// Counts changes.
    changes: watch::Sender<u64>,
}

/// What news of a session changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The session that has to be looked at, if any has.
    pub about: Option<Key>,
    /// UID of an object that is gone: its name was given to another, or to none.
    pub gone: Option<String>,
}

impl Index {
    /// Takes in a session; older news than what is known is ignored.
    pub fn apply(&mut self, session: IdeSession) -> Change {
        let key = Key::new("", session.name());
        let known = self.sessions.get(&key);
        let same = known.filter(|known| known.uid() == session.uid());
        let version = |session: &IdeSession| number(session.metadata.resource_version.as_deref());
        if same.is_some_and(|known| !is_newer(version(&session), version(known))) {
            return Change::default();
        }
        let gone = known.filter(|known| known.uid() != session.uid()).map(|known| known.uid().to_owned());
        self.sessions.insert(key.clone(), Arc::new(session));
        self.tell();
        Change { about: Some(key), gone }
    }

    /// Forgets the session of that name and UID.
    pub fn remove(&mut self, key: &Key, uid: &str) -> Change {
        if self.sessions.get(key).is_some_and(|known| known.uid() == uid) {
            self.sessions.remove(key);
            self.tell();
        }
        Change { about: Some(key.clone()), gone: Some(uid.to_owned()) }
    }

    /// After a new list: forgets what was not in it, by UID.
    pub fn retain(&mut self, listed: &HashSet<String>) -> Vec<Change> {
        let gone = self.sessions.extract_if(|_, session| !listed.contains(session.uid()));
        let gone = gone
            .map(|(key, session)| Change { about: Some(key), gone: Some(session.uid().to_owned()) })
            .collect();
        self.tell();
        gone
    }

    /// Tells those who wait for changes that there is one.
    pub fn tell(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Changes whenever a session does, and when somebody tells of what else concerns all of them.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The session of that name.
    pub fn session(&self, key: &Key) -> Option<Arc<IdeSession>> {
        self.sessions.get(key).cloned()
    }

    /// All sessions.
    pub fn sessions(&self) -> impl Iterator<Item = &Arc<IdeSession>> {
        self.sessions.values()
    }

    /// Names of all sessions.
    pub fn keys(&self) -> Vec<Key> {
        self.sessions.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    fn session(uid: &str, version: &str) -> IdeSession {
        let metadata = ObjectMeta {
            name: Some("web".into()),
            uid: Some(uid.into()),
            resource_version: Some(version.into()),
            ..ObjectMeta::default()
        };
        IdeSession { metadata, ..IdeSession::default() }
    }

    #[test]
    fn older_news_are_ignored() {
        let mut index = Index::default();
        let key = Key::new("", "web");
        assert_eq!(index.apply(session("a", "5")), Change { about: Some(key.clone()), gone: None });
        assert_eq!(index.apply(session("a", "5")), Change::default());
        assert_eq!(index.apply(session("a", "4")), Change::default());
        assert_eq!(index.session(&key).unwrap().metadata.resource_version.as_deref(), Some("5"));
    }

    #[test]
    fn f2_an_object_that_took_the_name_of_another_is_another() {
        let mut index = Index::default();
        let key = Key::new("", "web");
        index.apply(session("a", "5"));
        let taken = index.apply(session("b", "9"));
        assert_eq!(taken, Change { about: Some(key.clone()), gone: Some("a".into()) });
        // The news that the first one is gone may come late.
        assert_eq!(index.remove(&key, "a").gone.as_deref(), Some("a"));
        assert_eq!(index.session(&key).unwrap().uid(), "b");
        assert_eq!(index.retain(&HashSet::from(["b".to_owned()])), []);
        assert_eq!(index.retain(&HashSet::new())[0].gone.as_deref(), Some("b"));
        assert!(index.keys().is_empty());
    }

    #[test]
    fn who_waits_hears_of_every_change() {
        let mut index = Index::default();
        let mut changes = index.changes();
        index.apply(session("a", "5"));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        index.apply(session("a", "4"));
        assert!(!changes.has_changed().unwrap());
        index.remove(&Key::new("", "web"), "a");
        assert!(changes.has_changed().unwrap());
    }
}
