//! What was found out about an installation. Plain values, so that the judgement needs no cluster.

use jiff::Timestamp;
use serde_json::Value;

/// Something that was asked for, or why it is not known.
pub(super) type Seen<T> = Result<T, Unseen>;

/// Why something is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unseen {
    /// Whoever asks may not know.
    Forbidden,
    /// Asking failed.
    Failed(String),
}

/// Everything that is judged.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// When it was found out.
    pub(super) now: Timestamp,
    /// Who asked, as the API server knows them.
    pub(super) me: String,
    /// Of each of our CRDs.
    pub(super) crds: Vec<Crd>,
    /// Whether the webhook configurations could be listed.
    pub(super) configurations: Seen<()>,
    /// Every installation.
    pub(super) installations: Vec<Installation>,
}

/// A CRD, as it should be and as it is.
#[derive(Clone, Debug)]
pub(super) struct Crd {
    /// Its name.
    pub(super) name: String,
    /// As this program has it.
    pub(super) wanted: Value,
    /// As the cluster has it; `None` when it has not.
    pub(super) live: Seen<Option<Value>>,
}

/// One installation: a pair of webhook configurations, and what stands behind them.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    /// Name of both configurations.
    pub(super) name: String,
    /// Webhooks that validate.
    pub(super) validating: Option<Vec<Value>>,
    /// Webhooks that mutate.
    pub(super) mutating: Option<Vec<Value>>,
    /// What came of a TLS handshake with the server.
    pub(super) handshake: Handshake,
    /// What is behind the Service; `None` when the webhooks are called at a URL.
    pub(super) endpoints: Option<Seen<Vec<Endpoint>>>,
    /// The Lease of the writers; `None` when nobody knows the namespace of the operator.
    pub(super) lease: Option<Seen<Option<Lease>>>,
    /// Rights that were asked about.
    pub(super) rights: Seen<Vec<Right>>,
    /// Where the trials were made.
    pub(super) trial_namespace: String,
    /// What became of a session that cannot work.
    pub(super) bad_trial: Trial,
    /// What became of a session that can.
    pub(super) good_trial: Trial,
}

/// What came of a TLS handshake in which the server had to show a certificate that the `caBundle` vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    /// It did.
    Verified,
    /// It answered with something else.
    Refused(String),
    /// The server is not reached from here, which says nothing about the API server.
    Unreachable(String),
    /// There is no bundle to check against.
    NoBundle,
}

/// An address behind the Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Whether it takes requests.
    pub(super) ready: bool,
    /// The node that it is on.
    pub(super) node: Option<String>,
}

/// The Lease of the writers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// Who holds it; empty when nobody does.
    pub(super) holder: String,
    /// When it was last renewed.
    pub(super) renewed: Option<Timestamp>,
    /// For how many seconds it holds.
    pub(super) seconds: i32,
}

/// A right of the operator, and whether it has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Right {
    /// What may be done with what, for people.
    pub(super) what: String,
    /// Whether the API server says so.
    pub(super) allowed: bool,
}

/// What the API server said to a session that was created by dry run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// It would be created.
    Admitted,
    /// It would not, and this was said.
    Refused {
        /// HTTP status.
        code: u16,
        /// For people.
        message: String,
    },
    /// The API server could not be asked.
    Unknown(String),
}
