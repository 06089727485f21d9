//! Whether a container is restarted when its resources are changed.
//!
//! `validateResizePolicy`.

use serde_json::Value;

use super::at::At;
use super::versions::{RESIZE, since};
use crate::finding::{Code, seen};
use crate::rules::pod::Report;
use crate::rules::pod::read::text;

const CODE: Code = Code::ContainerInvalid;

const NOT_REQUIRED: &str = "NotRequired";

/// Says what is wrong with the policies. In a pod that is never restarted, no container is.
pub(crate) fn check(report: &mut Report<'_>, at: &At<'_>, policies: &[Value], never_restarts: bool) {
    if !since(report, RESIZE) {
        return;
    }
    for (index, policy) in policies.iter().enumerate() {
        let (resource, restart) = (text(policy, "resourceName"), text(policy, "restartPolicy"));
        let at = at.index(index);
        if policies[..index].iter().any(|earlier| text(earlier, "resourceName") == resource) {
            let message = format!("{} has a policy already", seen(resource));
            report.add(CODE, at.path(), message, "keep one policy for each resource");
        }
        if !matches!(resource, "cpu" | "memory") {
            report.unsupported(CODE, at.child("resourceName").path(), resource, &["cpu", "memory"]);
        }
        let allowed: &[&str] =
            if never_restarts { &[NOT_REQUIRED] } else { &[NOT_REQUIRED, "RestartContainer"] };
        if !allowed.contains(&restart) {
            report.unsupported(CODE, at.child("restartPolicy").path(), restart, allowed);
        }
        // The third one is wrong whatever it says: there are two resources.
        if index == 2 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::paths_at;
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!([{"resourceName": "cpu", "restartPolicy": "NotRequired"}]), true, &[])]
    #[case(json!([{"resourceName": "memory", "restartPolicy": "RestartContainer"}]), false, &[])]
    #[case(json!([{"resourceName": "memory", "restartPolicy": "RestartContainer"}]), true, &["x[0].restartPolicy"])]
    #[case(json!([{"resourceName": "disk", "restartPolicy": "Always"}]), false, &["x[0].resourceName", "x[0].restartPolicy"])]
    #[case(json!([{}]), false, &["x[0].resourceName", "x[0].restartPolicy"])]
    #[case(json!([{"resourceName": "cpu", "restartPolicy": "NotRequired"}, {"resourceName": "cpu", "restartPolicy": "NotRequired"}]), false, &["x[1]"])]
    fn resize_policies(#[case] policies: Value, #[case] never: bool, #[case] wrong: &[&str]) {
        let policies = policies.as_array().unwrap();
        assert_eq!(paths_at(34, |report, at| check(report, at, policies, never)), wrong);
        assert!(paths_at(32, |report, at| check(report, at, policies, never)).is_empty());
    }
}
