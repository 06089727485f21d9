//! What a namespace enforces, from its labels.

use std::fmt;

use crate::settings::KubernetesVersion;

/// The label by which a namespace enforces a standard.
pub const ENFORCE_LABEL: &str = "pod-security.kubernetes.io/enforce";
/// The label that says the standard of which version of Kubernetes it is.
const ENFORCE_VERSION_LABEL: &str = "pod-security.kubernetes.io/enforce-version";

/// A standard that refuses pods. The third one, `privileged`, refuses none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What gives a pod more than most need is refused.
    Baseline,
    /// A pod has to give up what it does not need.
    Restricted,
}

/// What a namespace enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enforced {
    /// The standard.
    pub level: Level,
    /// The version of the standard: that of Kubernetes 1.x.
    pub minor: u16,
}

impl Level {
    /// The standard that a label names; `None` for `privileged`. What is no standard counts as the strictest, as it does
    /// for the API server.
    pub fn read(value: &str) -> Option<Self> {
        match value {
            "privileged" => None,
            "baseline" => Some(Self::Baseline),
            _ => Some(Self::Restricted),
        }
    }

    /// The standard as labels name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Enforced {
    /// What the labels of a namespace mean in a cluster of that version. `None`: nothing is refused, unless the API server
    /// is configured to enforce a standard where there is no label. That nobody outside of it can see.
    pub fn of<'a>(label: impl Fn(&str) -> Option<&'a str>, cluster: KubernetesVersion) -> Option<Self> {
        let level = Level::read(label(ENFORCE_LABEL)?)?;
        Some(Self::new(level, label(ENFORCE_VERSION_LABEL).unwrap_or_default(), cluster))
    }

    /// What the API server names when it refuses a pod, in the words `violates PodSecurity "restricted:latest"`.
    pub fn in_refusal(message: &str, cluster: KubernetesVersion) -> Option<Self> {
        let (_, rest) = message.split_once("violates PodSecurity \"")?;
        let (policy, _) = rest.split_once('"')?;
        let (level, version) = policy.split_once(':')?;
        Some(Self::new(Level::read(level)?, version, cluster))
    }

    /// A version that is none or that the cluster does not know yet is its latest.
    fn new(level: Level, version: &str, cluster: KubernetesVersion) -> Self {
        let version = version.strip_prefix("v1.").and_then(|minor| minor.parse().ok());
        Self { level, minor: version.map_or(cluster.minor, |minor: u16| minor.min(cluster.minor)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const CLUSTER: KubernetesVersion = KubernetesVersion { major: 1, minor: 34 };
    const RESTRICTED: Option<Enforced> = Some(Enforced { level: Level::Restricted, minor: 34 });

    #[rstest]
    #[case(None, None, None)]
    #[case(Some("privileged"), None, None)]
    #[case(Some("restricted"), None, RESTRICTED)]
    #[case(Some("Restricted"), None, RESTRICTED)]
    #[case(Some("baseline"), Some("latest"), Some(Enforced { level: Level::Baseline, minor: 34 }))]
    #[case(Some("restricted"), Some("v1.25"), Some(Enforced { level: Level::Restricted, minor: 25 }))]
    #[case(Some("restricted"), Some("v1.99"), RESTRICTED)]
    #[case(Some("restricted"), Some("1.25"), RESTRICTED)]
    fn labels(
        #[case] level: Option<&str>,
        #[case] version: Option<&str>,
        #[case] enforced: Option<Enforced>,
    ) {
        let label = |key: &str| match key {
            ENFORCE_LABEL => level,
            ENFORCE_VERSION_LABEL => version,
            _ => None,
        };
        assert_eq!(Enforced::of(label, CLUSTER), enforced);
    }

    #[rstest]
    #[case(r#"pods "a-0" is forbidden: violates PodSecurity "restricted:latest": x (y)"#, RESTRICTED)]
    #[case(r#"violates PodSecurity "baseline:v1.30": x"#, Some(Enforced { level: Level::Baseline, minor: 30 }))]
    #[case(r#"pods "a-0" is forbidden: exceeded quota: small"#, None)]
    #[case(r#"violates PodSecurity "restricted"#, None)]
    fn refusals(#[case] message: &str, #[case] enforced: Option<Enforced>) {
        assert_eq!(Enforced::in_refusal(message, CLUSTER), enforced);
    }
}
