//! Plans for `IdeSession`: what is read of one, and what is said of it.

use super::{
    live::{AskClusterError, Known},
    outline::IdeSession as Session,
    report::conditions_text,
};
use crate::{
    cmd::check::report::printable,
    control::{api, context::ReconciledKind},
    core::ide_session::{Command, preview},
};
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use sojourn_crds::ide_session::{IdeSession, State};

/// What every plan supposes.
pub(super) const SUPPOSED: [&str; 1] =
    ["it is supposed that the IDE of the session is known and connected, unless the \
    status says otherwise, and does what it was asked before"];

/// What the cluster holds of the session of that name.
pub(super) async fn observe(client: &Client, name: &str) -> Result<Known, AskClusterError> {
    let found = api::within(api::of_resource(client, &IdeSession::resource(), None).get_opt(name)).await;
    let found = found.map_err(|source| AskClusterError::Session { name: name.to_owned(), source })?;
    let session = found.map(|session| serde_json::to_value(session).unwrap_or_default());
    Ok(Known { asked: true, session, ..Known::default() })
}

/// What the operator would do for a session.
pub(super) fn foresee(session: &IdeSession, known: &Known, now: Timestamp) -> Session {
    Session { exists: known.session.is_some(), asked: known.asked, preview: preview(session, now) }
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

/// The plan for people.
pub(super) fn text(session: &Session) -> String {
    let line = |(mark, text): (&str, String)| format!("  {mark} {}\n", printable(&text));
    let status = &session.preview.status;
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
    let lines: String = steps(session).map(line).collect();
    format!("{lines}  status {state}\n{}{next}", conditions_text(&status.conditions))
}

/// The plan for programs.
pub(super) fn object(session: &Session) -> Value {
    json!({
        "exists": session.exists,
        "steps": steps(session).map(|(_, text)| text).collect::<Vec<_>>(),
    })
}
