//! What the verdict on a container depends on beyond the container.

use std::collections::BTreeSet;

use serde_json::Value;

use super::devices::VolumeSort;
use crate::rules::pod::read::{is_true, list, text};

/// What the verdict on a container depends on beyond the container.
pub(crate) struct Surroundings<'a> {
    /// How long the pod has to end.
    pub(crate) grace_seconds: i64,
    /// Whether the pod is never restarted, as that of a Job.
    pub(crate) never_restarts: bool,
    /// The volumes of the pod.
    pub(crate) sort_of_volume: &'a dyn Fn(&str) -> Option<VolumeSort>,
    /// What the pod says of all its containers.
    pub(crate) pod: PodTraits<'a>,
}

/// What a pod says of all its containers. The pod of a session says nothing, which is the default.
#[derive(Debug, Default)]
pub(crate) struct PodTraits<'a> {
    /// The operating system that it names; empty for none.
    pub(crate) system: &'a str,
    /// Whether it is in the network of the host.
    pub(crate) host_network: bool,
    /// Whether it has users of its own: `hostUsers: false`.
    pub(crate) own_users: bool,
    /// The names of its claims of resources.
    pub(crate) claims: BTreeSet<&'a str>,
}

impl<'a> PodTraits<'a> {
    /// What `pod`, a pod's `spec`, says.
    pub(crate) fn of(pod: &'a Value) -> Self {
        Self {
            system: text(&pod["os"], "name"),
            host_network: is_true(pod, "hostNetwork"),
            own_users: pod["hostUsers"] == false,
            claims: list(pod, "resourceClaims").iter().map(|claim| text(claim, "name")).collect(),
        }
    }
}
