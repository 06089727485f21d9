//! `spec.idle`: when a notebook counts as idle, and what happens to it then.

use crate::duration::GoDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When the notebook counts as idle, and what happens to it then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Idle {
    /// How long after the last activity the notebook is stopped, as a Go duration of at least `1s`. A start counts as
    /// activity. Default: that of the operator, 4h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<GoDuration>,
    /// What counts as activity. `Touch`: what callers report. `Jupyter`: what the server itself says of its kernels,
    /// terminals and requests. `Any`: whichever is newer. A server that cannot be asked is never taken for idle.
    pub source: IdleSource,
    /// What an idle notebook loses. `Delete`: Deployment and Service. `ScaleToZero`: its pod only, so that the objects
    /// and the address stay. The files stay in either case.
    pub on_idle: OnIdle,
    /// How often the server is asked, as a Go duration; it is also asked right before it would be stopped. Only with
    /// the source `Jupyter` or `Any`. Default: that of the operator, 5m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_interval: Option<GoDuration>,
    /// Headers that are sent along when the server is asked, for one that wants to know who asks. Whoever may read the
    /// Notebook may read them. Only with the source `Jupyter` or `Any`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub probe_headers: BTreeMap<String, String>,
    /// After how many failures in a row to ask the server it is taken for idle all the same. Only with the source
    /// `Jupyter` or `Any`. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub probe_failure_limit: Option<i32>,
}

/// What counts as activity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdleSource {
    /// What callers report.
    #[default]
    Touch,
    /// What the server says.
    Jupyter,
    /// Either.
    Any,
}

/// What an idle notebook loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnIdle {
    /// Deployment and Service.
    #[default]
    Delete,
    /// Its pod.
    ScaleToZero,
}
