//! Security contexts in a session's pod: the operator writes them, and the rule about Pod Security judges them.
//!
//! With [`PodSecurity::Original`] they are those of the original operator. With [`PodSecurity::Restricted`] what is absent
//! is completed so that the standard `restricted` allows the pod. What a session sets itself stays as it is.

use std::borrow::Cow;

use serde_json::{Value, json};
use sojourn_crds::amalthea::Session;

use crate::rules::pod::read::{integer, is_set, is_true, list};
use crate::settings::PodSecurity;

/// The user of the sidecars' image.
const SIDECAR_USER: i64 = 1000;

/// That of the pod.
pub fn of_pod(session: &Session, pod_security: PodSecurity) -> Value {
    let mut context = json!({"fsGroup": session.run_as_group});
    if pod_security == PodSecurity::Restricted {
        context["seccompProfile"] = json!({"type": "RuntimeDefault"});
    }
    context
}

/// That of the user's process.
pub fn of_session(session: &Session, pod_security: PodSecurity) -> Value {
    let mut context = of_user(session);
    context["runAsNonRoot"] = json!(session.run_as_user != 0);
    if pod_security == PodSecurity::Restricted {
        context["allowPrivilegeEscalation"] = json!(false);
    }
    context
}

/// That of a container that clones a repository, as the user of the session.
pub fn of_cloner(session: &Session, pod_security: PodSecurity) -> Value {
    match pod_security {
        PodSecurity::Original => of_user(session),
        PodSecurity::Restricted => of_session(session, pod_security),
    }
}

fn of_user(session: &Session) -> Value {
    json!({
        "runAsUser": session.run_as_user,
        "runAsGroup": session.run_as_group,
        "capabilities": {"drop": ["ALL"]},
    })
}

/// That of a container of the operator that runs as the user of its image.
pub fn of_sidecar() -> Value {
    json!({"allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]}})
}

/// That of the proxy in front of a session.
pub fn of_proxy() -> Value {
    let mut context = of_sidecar();
    context["runAsUser"] = json!(SIDECAR_USER);
    context["runAsGroup"] = json!(SIDECAR_USER);
    context
}

/// A container of the user's with what is absent in its security context.
pub fn completed(container: &Value, pod_security: PodSecurity) -> Cow<'_, Value> {
    let context = &container["securityContext"];
    let capabilities = &context["capabilities"];
    // What is no object is no container either. It is not the one to be completed.
    let readable = container.is_object()
        && [context, capabilities].iter().all(|field| field.is_null() || field.is_object());
    // A privileged container has all rights. It is no valid one if it is said to lack any.
    if pod_security == PodSecurity::Original || !readable || is_true(context, "privileged") {
        return Cow::Borrowed(container);
    }
    let mut completed = container.clone();
    let admin = list(capabilities, "add").iter().any(|capability| capability == "CAP_SYS_ADMIN");
    if !is_set(context, "allowPrivilegeEscalation") && !admin {
        completed["securityContext"]["allowPrivilegeEscalation"] = json!(false);
    }
    // A container of user 0 would never be started.
    if !is_set(context, "runAsNonRoot") && integer(context, "runAsUser") != Some(0) {
        completed["securityContext"]["runAsNonRoot"] = json!(true);
    }
    if list(capabilities, "drop").is_empty() {
        completed["securityContext"]["capabilities"]["drop"] = json!(["ALL"]);
    }
    Cow::Owned(completed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(json!(null), json!({"allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]}}))]
    #[case(json!({"privileged": true}), json!({"privileged": true}))]
    #[case(
        json!({"runAsUser": 0, "seccompProfile": {"type": "Unconfined"}}),
        json!({"runAsUser": 0, "seccompProfile": {"type": "Unconfined"}, "allowPrivilegeEscalation": false,
               "capabilities": {"drop": ["ALL"]}}),
    )]
    #[case(
        json!({"capabilities": {"add": ["CAP_SYS_ADMIN"], "drop": ["CHOWN"]}, "runAsNonRoot": false}),
        json!({"capabilities": {"add": ["CAP_SYS_ADMIN"], "drop": ["CHOWN"]}, "runAsNonRoot": false}),
    )]
    #[case(
        json!({"allowPrivilegeEscalation": true, "capabilities": {"add": ["CHOWN"]}, "runAsUser": 7}),
        json!({"allowPrivilegeEscalation": true, "capabilities": {"add": ["CHOWN"], "drop": ["ALL"]},
               "runAsUser": 7, "runAsNonRoot": true}),
    )]
    fn what_is_absent_is_completed_and_the_rest_stays(#[case] written: Value, #[case] expected: Value) {
        let container = json!({"name": "a", "securityContext": written});
        assert_eq!(completed(&container, PodSecurity::Original).as_ref(), &container);
        assert_eq!(completed(&container, PodSecurity::Restricted)["securityContext"], expected);
    }
}
