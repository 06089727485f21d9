//! What a fake IDE knows: its sessions, what it was asked, and who listens.

use crate::{
    Options,
    notify::{Frame, Outbox},
    schema::{self, Part},
    script::Script,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::sync::Notify;

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Query; empty when there is none.
    pub query: String,
    /// Value of `Authorization`.
    pub authorization: Option<String>,
    /// Value of `Microsoft-Developer-DCP-Instance-ID`.
    pub instance: Option<String>,
    /// Value of `Content-Type`.
    pub content_type: Option<String>,
    /// Body, as it came.
    pub body: String,
}

pub(crate) struct State {
    pub(crate) script: Script,
    pub(crate) asked: Vec<Asked>,
    pub(crate) violations: Vec<String>,
    pub(crate) outbox: Outbox,
    pub(crate) pings: u64,
    pub(crate) goodbyes: u64,
    /// Sessions that run, with their owners.
    pub(crate) sessions: BTreeMap<String, String>,
    created: u64,
}

pub(crate) struct Record {
    pub(crate) state: Mutex<State>,
    pub(crate) changed: Notify,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").finish_non_exhaustive()
    }
}

impl Record {
    pub(crate) fn new(options: &Options) -> Self {
        let state = State {
            script: Script::default(),
            asked: Vec::new(),
            violations: Vec::new(),
            outbox: Outbox::new(options.replays),
            pings: 0,
            goodbyes: 0,
            sessions: BTreeMap::new(),
            created: 0,
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock());
        self.changed.notify_waiters();
        result
    }

    /// An id that no session has had.
    pub(crate) fn next_id(&self) -> String {
        let mut state = self.state.lock();
        state.created += 1;
        format!("test-session-{}", state.created)
    }

    pub(crate) fn hold_against(&self, part: Part, value: &Value) {
        if let Err(violation) = schema::check(part, value) {
            self.change(|state| state.violations.push(violation));
        }
    }

    pub(crate) fn notify(&self, notification: &Value) {
        self.hold_against(Part::Notification, notification);
        self.change(|state| state.outbox.send(Frame::Text(notification.to_string())));
    }

    pub(crate) fn end(&self, session: &str, exit_code: Option<i64>) {
        let mut notification = json!({"notification_type": "sessionTerminated", "session_id": session});
        if let Some(exit_code) = exit_code {
            notification["exit_code"] = exit_code.into();
        }
        self.change(|state| state.sessions.remove(session));
        self.notify(&notification);
    }
}
