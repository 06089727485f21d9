//! The rights on `IdeSession`s.

use crate::control::rbac::{Right, on_sessions};
use sojourn_crds::DescribedKind;
use sojourn_crds::ide_session::{GROUP, IdeSession};

pub(in crate::control) const RIGHTS: [Right; 3] = [
    on_sessions(
        GROUP,
        IdeSession::DESCRIPTOR.plural,
        &["list", "watch", "patch"],
        "follow debug sessions in IDEs, hold and release their finalizers",
    ),
    on_sessions(GROUP, "idesessions/status", &["patch"], "say how a debug session is doing"),
    on_sessions(
        GROUP,
        "idesessions/finalizers",
        &["update"],
        "own what belongs to a debug session, where that is enforced",
    ),
];
