//! What depends on the version of the API server.
//!
//! The minors are those in which a feature gate became the default, from `pkg/features/kube_features.go` of
//! `k8s.io/kubernetes` (1.34.4, and 1.35 for [`RESTART_RULES`]). A field of a gate that is off is dropped before it is
//! judged (`dropDisabledFields` in `pkg/api/pod/util.go`), so older servers take anything in it.

use crate::rules::pod::Report;
use crate::settings::KubernetesVersion;

/// `RecursiveReadOnlyMounts`: `recursiveReadOnly` of mounts is judged.
pub(crate) const RECURSIVE_READ_ONLY: u16 = 31;
/// `RelaxedEnvironmentVariableValidation`: variables are named with any printable ASCII but '='.
pub(crate) const RELAXED_VARIABLES: u16 = 32;
/// `InPlacePodVerticalScaling`: `resizePolicy` is judged.
pub(crate) const RESIZE: u16 = 33;
/// `PodLifecycleSleepActionAllowZero`: a hook may sleep for no time.
pub(crate) const SLEEP_ZERO: u16 = 33;
/// `ProcMountType`: `procMount` is judged.
pub(crate) const PROC_MOUNT: u16 = 33;
/// `lifecycle.stopSignal` is a field. Its gate `ContainerStopSignals` is off, so that it is dropped, and with it a
/// `lifecycle` that holds nothing else.
pub(crate) const STOP_SIGNAL: u16 = 33;
/// `DynamicResourceAllocation`: `resources.claims` is judged.
pub(crate) const CLAIMS: u16 = 34;
/// A container's `restartPolicy` is dropped unless it makes a sidecar, since the gate `ContainerRestartRules` is known
/// and off. Before, one that makes no sidecar is refused.
pub(crate) const RESTART_DROPPED: u16 = 34;
/// `ContainerRestartRules`: `restartPolicy` is judged for every container.
pub(crate) const RESTART_RULES: u16 = 35;

/// Whether the API server is of `minor` or later.
pub(crate) fn since(report: &Report<'_>, minor: u16) -> bool {
    report.kubernetes >= KubernetesVersion { major: 1, minor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(1, 33, false)]
    #[case(1, 34, true)]
    #[case(1, 35, true)]
    #[case(2, 0, true)]
    fn later_versions_know_what_earlier_ones_know(
        #[case] major: u16,
        #[case] minor: u16,
        #[case] known: bool,
    ) {
        let mut findings = Vec::new();
        let report = Report::new(KubernetesVersion { major, minor }, &mut findings);
        assert_eq!(since(&report, CLAIMS), known);
    }
}
