//! The rights on `IdeSession`s.

use crate::control::rbac::{Right, on_sessions, on_subresource};
use sojourn_crds::{DescribedKind, KindDescriptor, ide_session::IdeSession};

const SESSIONS: &KindDescriptor = IdeSession::DESCRIPTOR;

pub(in crate::control) const RIGHTS: [Right; 3] = [
    on_sessions(
        SESSIONS,
        &["list", "watch", "patch"],
        "follow debug sessions in IDEs, hold and release their finalizers",
    ),
    on_subresource(SESSIONS, "status", &["patch"], "say how a debug session is doing"),
    on_subresource(
        SESSIONS,
        "finalizers",
        &["update"],
        "own what belongs to a debug session, where that is enforced",
    ),
];
