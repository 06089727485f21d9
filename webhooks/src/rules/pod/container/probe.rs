//! Probes of a container.
//!
//! `validateLivenessProbe` and its neighbours, after `SetDefaults_Probe`: a number that is zero has its default.

use serde_json::Value;

use super::at::At;
use super::handler;
use super::value::{NOT_NEGATIVE, check_range};
use crate::finding::Code;
use crate::rules::pod::Report;
use crate::rules::pod::read::present;

const CODE: Code = Code::ProbeInvalid;

/// The fields of a probe that say how is asked.
pub(crate) const HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];

/// Which probe of a container it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeKind {
    /// `livenessProbe`
    Liveness,
    /// `readinessProbe`
    Readiness,
    /// `startupProbe`
    Startup,
}

impl ProbeKind {
    /// Every kind.
    pub(crate) const ALL: [Self; 3] = [Self::Liveness, Self::Readiness, Self::Startup];

    /// The field of a container that holds the probe.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Liveness => "livenessProbe",
            Self::Readiness => "readinessProbe",
            Self::Startup => "startupProbe",
        }
    }
}

/// Says what is wrong with a probe.
pub(crate) fn check(report: &mut Report<'_>, at: &At<'_>, probe: &Value, kind: ProbeKind) {
    handler::check(report, at, probe, &HANDLERS);
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold"] {
        check_range(report, CODE, &at.child(field), &probe[field], NOT_NEGATIVE);
    }
    let once = kind != ProbeKind::Readiness;
    let successes = if once { 0..=1 } else { NOT_NEGATIVE };
    check_range(report, CODE, &at.child("successThreshold"), &probe["successThreshold"], successes);
    let Some(grace) = present(probe, "terminationGracePeriodSeconds") else { return };
    let at = at.child("terminationGracePeriodSeconds");
    if once {
        check_range(report, CODE, &at, grace, 1..=i64::MAX);
    } else {
        report.add(CODE, at.path(), "it is not for readiness probes, which end nothing", "leave it out");
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::paths_of;
    use super::ProbeKind::{Liveness, Readiness, Startup};
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"exec": {"command": ["true"]}}), &[])]
    #[case(json!({"exec": {"command": [""]}, "grpc": null}), &[])]
    #[case(json!({"httpGet": {"port": 80, "path": "", "scheme": "", "host": "x"}}), &[])]
    #[case(json!({"httpGet": {"port": "http", "scheme": "HTTPS", "httpHeaders": [{"name": "X-1", "value": ""}]}}), &[])]
    #[case(json!({"tcpSocket": {"port": 65535}}), &[])]
    #[case(json!({"grpc": {"port": 1, "service": ""}}), &[])]
    #[case(json!({}), &["x"])]
    #[case(json!({"sleep": {"seconds": 1}}), &["x"])]
    #[case(json!({"exec": {}}), &["x.exec.command"])]
    #[case(json!({"exec": {"command": []}}), &["x.exec.command"])]
    #[case(json!({"exec": {"command": ["a"]}, "httpGet": {"port": 0}, "grpc": {"port": 0}}), &["x.grpc", "x.httpGet"])]
    #[case(json!({"httpGet": {"port": 0}}), &["x.httpGet.port"])]
    #[case(json!({"httpGet": {"port": "80"}}), &["x.httpGet.port"])]
    #[case(json!({"httpGet": {"port": 80, "scheme": "http"}}), &["x.httpGet.scheme"])]
    #[case(json!({"httpGet": {"port": 80, "httpHeaders": [{"name": "a"}, {"name": "a_b"}, {"name": ""}]}}),
        &["x.httpGet.httpHeaders[1].name", "x.httpGet.httpHeaders[2].name"])]
    #[case(json!({"tcpSocket": {"port": 65536}}), &["x.tcpSocket.port"])]
    #[case(json!({"grpc": {}}), &["x.grpc.port"])]
    fn actions(#[case] probe: Value, #[case] wrong: &[&str]) {
        assert_eq!(paths_of(|report, at| check(report, at, &probe, Readiness)), wrong, "{probe}");
    }

    #[rstest]
    #[case("initialDelaySeconds", 0, Liveness, true)]
    #[case("initialDelaySeconds", -1, Liveness, false)]
    #[case("timeoutSeconds", -1, Readiness, false)]
    #[case("periodSeconds", -1, Startup, false)]
    #[case("failureThreshold", -1, Startup, false)]
    #[case("failureThreshold", 2147483647, Startup, true)]
    #[case("failureThreshold", 2147483648, Startup, false)]
    #[case("successThreshold", 0, Liveness, true)]
    #[case("successThreshold", 1, Startup, true)]
    #[case("successThreshold", 2, Liveness, false)]
    #[case("successThreshold", 2, Startup, false)]
    #[case("successThreshold", 2, Readiness, true)]
    #[case("successThreshold", -1, Readiness, false)]
    #[case("terminationGracePeriodSeconds", 1, Liveness, true)]
    #[case("terminationGracePeriodSeconds", 0, Liveness, false)]
    #[case("terminationGracePeriodSeconds", 1, Startup, true)]
    #[case("terminationGracePeriodSeconds", 1, Readiness, false)]
    fn numbers(#[case] field: &str, #[case] number: i64, #[case] kind: ProbeKind, #[case] good: bool) {
        let probe = json!({"tcpSocket": {"port": 1}, field: number});
        let found = paths_of(|report, at| check(report, at, &probe, kind));
        assert_eq!(found.is_empty(), good, "{probe}: {found:?}");
    }
}
