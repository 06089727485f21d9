//! The life of a pretended pod, as kwok stages.
//!
//! `stages/next.jq` decides which step comes next and `stages/status.tmpl` writes the status of that
//! step as a kubelet would; both read [`crate::annotations`]. This module only puts them together.

use std::time::Duration;

use serde_json::{Value, json};

use crate::annotations::{COMPLETE_AFTER, START_DELAY, STOP_DELAY};

const NEXT: &str = include_str!("../stages/next.jq");
const STATUS: &str = include_str!("../stages/status.tmpl");

/// kwok may know a pod for a moment longer than there is one, when the next pod of a StatefulSet has its name already.
/// The API server refuses a change whose uid is another one's.
const SAME_POD: &str = "metadata: {uid: {{ .metadata.uid | Quote }}}\n";

/// `(step, annotation that delays it)`.
const STEPS: &[(&str, Option<&str>)] = &[
    ("create", None),
    ("image-pull-fail", None),
    ("start", Some(START_DELAY)),
    ("ready", None),
    ("not-ready", None),
    ("crash", None),
    ("complete", Some(COMPLETE_AFTER)),
    ("terminate", Some(STOP_DELAY)),
];

/// The kwok configuration: one document per step.
pub(crate) fn config(pod_start_delay: Duration) -> String {
    let status: String = STATUS.lines().map(|line| format!("  {line}\n")).collect();
    let next = NEXT.replace("@DELAYED@", if pod_start_delay.is_zero() { "false" } else { "true" });
    let mut documents: Vec<Value> = STEPS
        .iter()
        .map(|(step, annotation)| {
            let delay = if *step == "start" { pod_start_delay } else { Duration::ZERO };
            let patch = json!({
                "subresource": "status",
                "type": "strategic",
                "template": format!("{{{{ $stage := \"{step}\" }}}}\n{SAME_POD}status:\n{status}"),
            });
            stage(step, &next, delay, *annotation, json!({ "patches": [patch] }))
        })
        .collect();
    // Finalizers stay: they belong to whoever set them, such as the Job controller that counts the pod.
    documents.push(stage("delete", &next, Duration::ZERO, None, json!({ "delete": true })));
    documents.iter().map(|document| format!("---\n{document}\n")).collect()
}

fn stage(step: &str, next: &str, delay: Duration, annotation: Option<&str>, result: Value) -> Value {
    let mut wait = json!({ "durationMilliseconds": u64::try_from(delay.as_millis()).unwrap_or(u64::MAX) });
    if let Some(annotation) = annotation {
        let expression = format!(".metadata.annotations[\"{annotation}\"]");
        wait["durationFrom"] = json!({ "jq": { "expression": expression } });
    }
    json!({
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": { "name": format!("pod-{step}") },
        "spec": {
            "resourceRef": { "apiGroup": "v1", "kind": "Pod" },
            "selector": { "matchExpressions": [{ "jq": { "key": next, "operator": "In", "values": [step] } }] },
            "delay": wait,
            "next": result,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotations;

    #[test]
    fn every_step_of_the_decision_is_a_stage() {
        let config = config(Duration::ZERO);
        for word in NEXT.split("then ").chain(NEXT.split("else ")).filter_map(|rest| rest.strip_prefix('"')) {
            let step = word.split('"').next().unwrap();
            assert!(step == "none" || config.contains(&format!("\"pod-{step}\"")), "no stage for {step}");
        }
    }

    #[test]
    fn the_documented_annotations_are_the_ones_that_are_read() {
        let all = format!("{NEXT}{STATUS}{}", config(Duration::ZERO));
        for key in [
            annotations::ACT,
            annotations::START_DELAY,
            annotations::COMPLETE_AFTER,
            annotations::EXIT_CODE,
            annotations::EXIT_REASON,
            annotations::STOP_DELAY,
            annotations::STOP_EXIT_CODE,
        ] {
            assert!(all.contains(key), "{key} is documented and not read");
        }
        for value in [
            annotations::PENDING,
            annotations::NOT_READY,
            annotations::CRASH_LOOP,
            annotations::IMAGE_PULL_FAIL,
        ] {
            assert!(NEXT.contains(&format!("$act == \"{value}\"")), "{value} is documented and not read");
        }
    }
}
