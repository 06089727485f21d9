//! Hooks of a container.
//!
//! `validateLifecycle`. `stopSignal` is of a gate that is off and is dropped; where the gate is on, Kubernetes refuses it
//! without `spec.os`, which a session's pod has not.

use serde_json::Value;

use super::at::At;
use super::handler;
use super::versions::{SLEEP_ZERO, since};
use crate::finding::Code;
use crate::rules::pod::Report;
use crate::rules::pod::read::present;

const CODE: Code = Code::ProbeInvalid;

/// Says what is wrong with the hooks of a container whose pod has `grace_seconds` to end.
pub(crate) fn check(report: &mut Report<'_>, at: &At<'_>, lifecycle: &Value, grace_seconds: i64) {
    for hook in ["postStart", "preStop"] {
        let Some(action) = present(lifecycle, hook) else { continue };
        let at = at.child(hook);
        let given = handler::check(report, &at, action, &["exec", "httpGet", "tcpSocket", "sleep"]);
        if let Some(("sleep", sleep)) = given {
            check_sleep(report, &at.child("sleep"), sleep, grace_seconds);
        }
    }
}

fn check_sleep(report: &mut Report<'_>, at: &At<'_>, sleep: &Value, most: i64) {
    let least = i64::from(!since(report, SLEEP_ZERO));
    // Absent seconds are zero.
    let seconds = if sleep["seconds"].is_null() { Some(0) } else { sleep["seconds"].as_i64() };
    if let Some(seconds) = seconds.filter(|seconds| !(least..=most).contains(seconds)) {
        let message = format!("{seconds} seconds are not from {least} to the {most} that the pod has to end");
        report.add(CODE, at.child("seconds").path(), message, "use a number in that range");
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{paths_at, paths_of};
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({}), &[])]
    #[case(json!({"stopSignal": "SIGNONE"}), &[])]
    #[case(json!({"postStart": null, "preStop": {"exec": {"command": ["a"]}}}), &[])]
    #[case(json!({"postStart": {"sleep": {"seconds": 30}}}), &[])]
    #[case(json!({"preStop": {}}), &["x.preStop"])]
    #[case(json!({"preStop": {"grpc": {"port": 1}}}), &["x.preStop"])]
    #[case(json!({"postStart": {"httpGet": {"port": ""}}}), &["x.postStart.httpGet.port"])]
    #[case(json!({"preStop": {"tcpSocket": {"port": 1}, "sleep": {"seconds": 99}}}), &["x.preStop.sleep"])]
    #[case(json!({"preStop": {"sleep": {"seconds": 31}}}), &["x.preStop.sleep.seconds"])]
    #[case(json!({"preStop": {"sleep": {"seconds": -1}}}), &["x.preStop.sleep.seconds"])]
    fn hooks(#[case] lifecycle: Value, #[case] wrong: &[&str]) {
        assert_eq!(paths_of(|report, at| check(report, at, &lifecycle, 30)), wrong, "{lifecycle}");
    }

    #[rstest]
    #[case(32, false)]
    #[case(33, true)]
    fn sleeping_for_no_time(#[case] minor: u16, #[case] good: bool) {
        for sleep in [json!({"seconds": 0}), json!({})] {
            let lifecycle = json!({"preStop": {"sleep": sleep}});
            assert_eq!(paths_at(minor, |report, at| check(report, at, &lifecycle, 30)).is_empty(), good);
        }
    }
}
