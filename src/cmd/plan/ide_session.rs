//! Plans for `IdeSession`: what is read of one, and what is reported of it.

use super::{
    cluster::{self, AskClusterError, Known},
    kind::{Forecast, PlannedKind},
    report::conditions_text,
};
use crate::{
    cmd::terminal::printable,
    core::{
        ide_session::{Command, Preview, preview},
        settings::SessionSettings,
    },
};
use anyhow::Context as _;
use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use sojourn_crds::ide_session::{API_VERSION, IdeSession, KIND, State};

/// The row of `IdeSession`.
#[derive(Debug)]
pub(super) struct IdeSessions;

impl PlannedKind for IdeSessions {
    fn api_version(&self) -> &'static str {
        API_VERSION
    }

    fn kind(&self) -> &'static str {
        KIND
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn observe<'a>(
        &'a self,
        client: &'a Client,
        _: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Known, AskClusterError>> {
        cluster::observe::<IdeSession>(client, None, name).boxed()
    }

    fn forecast(
        &self,
        stored: Value,
        known: &Known,
        _: &SessionSettings,
        now: Timestamp,
    ) -> anyhow::Result<Box<dyn Forecast>> {
        let session: IdeSession = serde_json::from_value(stored).context("the session cannot be read")?;
        Ok(Box::new(Session { exists: known.session.is_some(), preview: preview(&session, now) }))
    }
}

/// A session in an IDE, and what would be done for it.
#[derive(Debug)]
struct Session {
    /// Whether it is in the cluster.
    exists: bool,
    preview: Preview,
}

impl Forecast for Session {
    fn suppositions(&self) -> &'static [&'static str] {
        &["it is supposed that the IDE of the session is known and connected, unless the \
           status says otherwise, and does what it was asked before"]
    }

    fn text(&self) -> String {
        let line = |(mark, text): (&str, String)| format!("  {mark} {}\n", printable(&text));
        let status = &self.preview.status;
        let state = match status.state {
            State::Initial => "not started",
            state => state.as_str(),
        };
        let next = match status.state {
            State::Starting if status.start_attempt_time.is_none() => {
                "  next: the start, when the IDE is connected\n"
            }
            State::Starting | State::Stopping => "  next: what the IDE answers\n",
            State::Running => "  next: nothing, until the IDE says so or somebody asks it to stop\n",
            State::Initial | State::Stopped | State::Failed => "  next: nothing\n",
        };
        let lines: String = steps(self).map(line).collect();
        format!("{lines}  status {state}\n{}{next}", conditions_text(&status.conditions))
    }

    fn plan(&self) -> Value {
        json!({
            "exists": self.exists,
            "steps": steps(self).map(|(_, text)| text).collect::<Vec<_>>(),
        })
    }

    fn status(&self) -> Value {
        json!(self.preview.status)
    }

    fn deadlines(&self) -> Value {
        json!([])
    }
}

/// A command for people: a mark, and what is done. What only the operator itself notices is not worth a line.
fn said(command: &Command) -> Option<(&'static str, String)> {
    match command {
        Command::Start { .. } => Some(("+", "the IDE is asked to create the session".to_owned())),
        Command::CancelStart => Some(("-", "the start is called off".to_owned())),
        Command::Adopt { session_id } => Some(("=", format!("session {session_id} is taken over"))),
        Command::Stop { session_id } => {
            Some(("-", format!("the IDE is asked to end the session {session_id}")))
        }
        Command::RemoveFiles => Some(("-", "what the session wrote is removed".to_owned())),
        Command::Record | Command::Confirm | Command::Release => None,
    }
}

/// What is done, in order.
fn steps(session: &Session) -> impl Iterator<Item = (&'static str, String)> {
    let plan = &session.preview.plan;
    let finalizers = session.preview.finalizers.as_ref().or(plan.finalizers.as_ref());
    let finalizers =
        finalizers.map(|names| ("~", format!("finalizers of the session: {}", names.join(", "))));
    finalizers.into_iter().chain(plan.first.iter().chain(&plan.then).filter_map(said))
}
