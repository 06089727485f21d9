//! The rights on `AmaltheaSession`s.

use crate::control::rbac::{Right, on_sessions, on_subresource};
use sojourn_crds::{DescribedKind, KindDescriptor, amalthea::AmaltheaSession};

const SESSIONS: &KindDescriptor = AmaltheaSession::DESCRIPTOR;

pub(in crate::control) const RIGHTS: [Right; 3] = [
    on_sessions(
        SESSIONS,
        &["list", "watch", "patch", "delete"],
        "follow sessions, hibernate them, hold and release finalizers, delete those whose time is over",
    ),
    on_subresource(SESSIONS, "status", &["patch"], "say how a session is doing"),
    on_subresource(
        SESSIONS,
        "finalizers",
        &["update"],
        "own children that block the deletion of their session, where that is enforced",
    ),
];
