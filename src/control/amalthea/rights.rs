//! The rights on `AmaltheaSession`s.

use crate::control::rbac::{Right, on_sessions};
use sojourn_crds::DescribedKind;
use sojourn_crds::amalthea::{AmaltheaSession, GROUP};

pub(in crate::control) const RIGHTS: [Right; 3] = [
    on_sessions(
        GROUP,
        AmaltheaSession::DESCRIPTOR.plural,
        &["list", "watch", "patch", "delete"],
        "follow sessions, hibernate them, hold and release finalizers, delete those whose time is over",
    ),
    on_sessions(GROUP, "amaltheasessions/status", &["patch"], "say how a session is doing"),
    on_sessions(
        GROUP,
        "amaltheasessions/finalizers",
        &["update"],
        "own children that block the deletion of their session, where that is enforced",
    ),
];
