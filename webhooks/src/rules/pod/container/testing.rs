//! What the tests of the container rules share.

use super::at::At;
use crate::rules::pod::Report;
use crate::settings::KubernetesVersion;

/// The paths of what a check finds at `x`, in order, on the newest server.
pub(crate) fn paths_of(check: impl FnOnce(&mut Report<'_>, &At<'_>)) -> Vec<String> {
    paths_at(KubernetesVersion::default().minor, check)
}

/// The paths of what a check finds at `x`, in order, on a server of `minor`.
pub(crate) fn paths_at(minor: u16, check: impl FnOnce(&mut Report<'_>, &At<'_>)) -> Vec<String> {
    let mut findings = Vec::new();
    check(&mut Report::new(KubernetesVersion { major: 1, minor }, &mut findings), &At::root("x"));
    let mut paths: Vec<_> = findings.iter().map(|finding| finding.path.to_string()).collect();
    paths.sort();
    paths
}
