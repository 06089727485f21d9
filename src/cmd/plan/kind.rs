//! The kinds that plans are made for: one row each.

use super::{
    amalthea::AmaltheaSessions,
    cluster::{AskClusterError, Known},
    ide_session::IdeSessions,
};
use crate::{cmd::check::document::Document, core::object::Kind, core::settings::SessionSettings};
use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::Client;
use serde_json::Value;
use std::fmt::Debug;

/// The table.
pub(super) static KINDS: [&dyn PlannedKind; 2] = [&AmaltheaSessions, &IdeSessions];

/// A kind that plans are made for.
pub(super) trait PlannedKind: Debug + Sync {
    /// `apiVersion` of the kind.
    fn api_version(&self) -> &'static str;

    /// The kind, as manifests name it.
    fn kind(&self) -> &'static str;

    /// Whether objects of the kind are in namespaces.
    fn is_namespaced(&self) -> bool {
        true
    }

    /// What the cluster holds of the object of that name.
    fn observe<'a>(
        &'a self,
        client: &'a Client,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Known, AskClusterError>>;

    /// What the operator would do for the object, given as the API server would store it.
    fn forecast(
        &self,
        stored: Value,
        known: &Known,
        settings: &SessionSettings,
        now: Timestamp,
    ) -> anyhow::Result<Box<dyn Forecast>>;
}

/// What the operator would do for one object.
pub(super) trait Forecast: Debug {
    /// What the forecast supposes, one line each.
    fn suppositions(&self) -> &'static [&'static str] {
        &[]
    }

    /// The children that would be created.
    fn creates(&self) -> Vec<(Kind, String)> {
        Vec::new()
    }

    /// For people: one indented line for each step, the status, and the deadlines.
    fn text(&self) -> String;

    /// For programs: the steps.
    fn plan(&self) -> Value;

    /// For programs: the status that would be reported.
    fn status(&self) -> Value;

    /// For programs: the deadlines, soonest first.
    fn deadlines(&self) -> Value;
}

/// The row of the document's kind.
pub(super) fn of(document: &Document) -> Option<&'static dyn PlannedKind> {
    let named = (document.text("apiVersion"), document.text("kind"));
    KINDS.into_iter().find(|kind| (kind.api_version(), kind.kind()) == named)
}
