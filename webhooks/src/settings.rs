//! The settings of the operator that the rules depend on.

use serde::Deserialize;
use sojourn_crds::amalthea::OnDeadline;
use sojourn_crds::ambient::Limits;

use crate::adoption::ApprovalKey;
use crate::finding::Severity;
use crate::rules::operator_credentials::OwnCredentials;

/// The settings of the operator that the rules depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionSettings {
    /// The user of the operator. Its requests are exempt from the rules.
    pub operator_user: String,
    /// Controllers that are exempt from some rules for the Jobs of sessions.
    pub trusted_users: Vec<String>,
    /// What happens when a batch session reaches its `maxAge`.
    pub on_deadline: OnDeadline,
    /// The limits of the lifetime of an `AgenticSession`.
    pub agentic: Limits,
    /// The version of the cluster whose API server will validate the children.
    pub kubernetes: KubernetesVersion,
    /// What becomes of a session with the address of an elder one.
    pub ingress_conflicts: Severity,
    /// Which pods the operator makes.
    pub pod_security: PodSecurity,
    /// What the operator authenticates with.
    pub own: OwnCredentials,
    /// The key that approved adoptions are recorded with; without one none is recorded.
    pub approval_key: Option<ApprovalKey>,
}

/// Which pods the operator makes for sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum PodSecurity {
    /// Those of the original operator.
    #[default]
    Original,
    /// Those that the Pod Security Standard `restricted` allows, unless the session says something else.
    Restricted,
}

impl std::str::FromStr for PodSecurity {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Original" => Ok(Self::Original),
            "Restricted" => Ok(Self::Restricted),
            _ => Err("Original or Restricted was expected"),
        }
    }
}

/// Major and minor version of a Kubernetes API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KubernetesVersion {
    /// For example 1.
    pub major: u16,
    /// For example 34.
    pub minor: u16,
}

impl KubernetesVersion {
    /// The version as an API server gives it. Some providers append a plus sign to the minor version.
    pub fn parse(major: &str, minor: &str) -> Option<Self> {
        Some(Self { major: major.parse().ok()?, minor: minor.trim_end_matches('+').parse().ok()? })
    }
}

impl std::str::FromStr for KubernetesVersion {
    type Err = &'static str;

    /// Reads for example `1.30`, `v1.30` or `1.30.2`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.trim_start_matches('v').split('.');
        let version = parts.next().zip(parts.next()).and_then(|(major, minor)| Self::parse(major, minor));
        version.ok_or("a version such as 1.30 was expected")
    }
}

impl Default for KubernetesVersion {
    /// The newest that the project is tested with.
    fn default() -> Self {
        Self { major: 1, minor: 34 }
    }
}

/// Service accounts of the controllers of Kubernetes that write Jobs, and of the queueing controller that toggles
/// `suspend`. An installation adds further ones to [`AdmissionSettings::trusted_users`].
pub const DEFAULT_TRUSTED_USERS: [&str; 7] = [
    "system:kube-controller-manager",
    "system:serviceaccount:kube-system:job-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:serviceaccount:kube-system:ttl-after-finished-controller",
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:cronjob-controller",
    "system:serviceaccount:kueue-system:kueue-controller-manager",
];

impl Default for AdmissionSettings {
    fn default() -> Self {
        Self {
            operator_user: String::new(),
            trusted_users: DEFAULT_TRUSTED_USERS.map(str::to_owned).to_vec(),
            on_deadline: OnDeadline::default(),
            agentic: Limits::default(),
            kubernetes: KubernetesVersion::default(),
            ingress_conflicts: Severity::Warn,
            pod_security: PodSecurity::default(),
            own: OwnCredentials::default(),
            approval_key: None,
        }
    }
}

impl AdmissionSettings {
    /// True for the operator and the controllers that it trusts.
    pub fn trusts(&self, user: &str) -> bool {
        self.is_operator(user) || self.trusted_users.iter().any(|trusted| trusted == user)
    }

    /// True for the operator itself.
    pub fn is_operator(&self, user: &str) -> bool {
        !self.operator_user.is_empty() && self.operator_user == user
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1.30", Ok(KubernetesVersion { major: 1, minor: 30 }))]
    #[case("v1.34.4", Ok(KubernetesVersion { major: 1, minor: 34 }))]
    #[case("1.31+", Ok(KubernetesVersion { major: 1, minor: 31 }))]
    #[case("1", Err("a version such as 1.30 was expected"))]
    #[case("one.two", Err("a version such as 1.30 was expected"))]
    fn versions_are_read(#[case] text: &str, #[case] version: Result<KubernetesVersion, &str>) {
        assert_eq!(text.parse(), version);
    }
}
