//! Variables have names that a container can have, leave alone what the operator sets, and keep the agent's state in
//! the workspace.
//!
//! The original puts the variables of a session last into the runner's container, in place of its own of that name, but
//! for those that come from a secret and the two switches of Vertex. Kubernetes refuses the pod of a bad name, or of a
//! state directory outside the workspace, and the session stays pending for ever. A runner whose own variables were
//! replaced runs, though rarely as meant.

use std::path::{Component, Path};

use sojourn_crds::ambient::names::{FORCE_EXECUTE_PROMPT, STATE_DIR_VARIABLE};

use super::{Subject, spec};
use crate::finding::{Code, FieldPath, Finding, seen};

/// Variables that stay the operator's whatever a session says.
const KEPT: [&str; 4] = ["AGUI_TOKEN", "BOT_TOKEN", "CLAUDE_CODE_USE_VERTEX", "USE_VERTEX"];

/// Variables that the operator makes of something else in the object: what to change instead.
const MADE: [(&str, &str); 20] = [
    ("ACTIVE_WORKFLOW_BRANCH", "spec.activeWorkflow"),
    ("ACTIVE_WORKFLOW_GIT_URL", "spec.activeWorkflow"),
    ("ACTIVE_WORKFLOW_PATH", "spec.activeWorkflow"),
    ("AGENTIC_SESSION_NAME", "metadata.name"),
    ("AGENTIC_SESSION_NAMESPACE", "metadata.namespace"),
    ("AUTO_PUSH_ON_COMPLETE", "spec.autoPushOnComplete"),
    ("CUSTOM_MCP_SERVERS", "spec.mcpServers"),
    ("INITIAL_PROMPT", "spec.initialPrompt"),
    ("INTERACTIVE", "spec.interactive"),
    ("IS_RESUME", FORCE_EXECUTE_PROMPT),
    ("LLM_MAX_TOKENS", "spec.llmSettings"),
    ("LLM_MODEL", "spec.llmSettings"),
    ("LLM_TEMPERATURE", "spec.llmSettings"),
    ("PROJECT_MCP_SERVERS", "ProjectSettings"),
    ("PROJECT_NAME", "metadata.namespace"),
    ("REPOS_JSON", "spec.repos"),
    ("SESSION_ID", "metadata.name"),
    ("TIMEOUT", "spec.timeout"),
    ("USER_ID", "spec.userContext"),
    ("USER_NAME", "spec.userContext"),
];

/// Variables by which runner and platform find each other.
const WIRED: [&str; 5] = ["AGUI_PORT", "ARTIFACTS_DIR", "BACKEND_API_URL", "USE_AGUI", "WORKSPACE_PATH"];

/// Says what is wrong with the variables.
pub(crate) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for (name, value) in &subject.spec().environment_variables {
        let path = spec("environmentVariables").key(name);
        check_name(name, &path, findings);
        check_owner(name, value, subject, &path, findings);
        if name == STATE_DIR_VARIABLE && !value.is_empty() && !lies_within(value) {
            findings.push(Finding::new(
                Code::StateDirInvalid,
                path,
                format!("{} does not lie in the workspace", seen(value)),
                "write a relative path without '..', for example .claude",
            ));
        }
    }
}

/// Since 1.34, and by default since 1.32, Kubernetes takes every printable ASCII character but '=' in the name of a
/// variable. Before, only those that shells take too, and '-' and '.'.
fn check_name(name: &str, path: &FieldPath, findings: &mut Vec<Finding>) {
    let printable = |b: u8| (b' '..=b'~').contains(&b) && b != b'=';
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if name.is_empty() || !name.bytes().all(printable) {
        findings.push(Finding::new(
            Code::EnvironmentNameInvalid,
            path.clone(),
            format!("{} cannot name a variable", seen(name)),
            "use letters, digits and '_', and no digit first",
        ));
    } else if !name.bytes().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
        findings.push(Finding::new(
            Code::EnvironmentNameOdd,
            path.clone(),
            "is a name that clusters before 1.32 refuse",
            "use letters, digits and '_'",
        ));
    }
}

fn check_owner(
    name: &str,
    value: &str,
    subject: &Subject<'_>,
    path: &FieldPath,
    findings: &mut Vec<Finding>,
) {
    let session = subject.session;
    let own = match name {
        "AGENTIC_SESSION_NAME" | "SESSION_ID" => session.name(),
        "AGENTIC_SESSION_NAMESPACE" | "PROJECT_NAME" => session.namespace(),
        _ => "",
    };
    let made = MADE.iter().find(|(made, _)| *made == name && own != value);
    let hint = match made {
        Some((_, instead)) => format!("see {instead}"),
        None if WIRED.contains(&name) => "the runner may not be reached".to_owned(),
        None if KEPT.contains(&name) => {
            let message = "does nothing: the operator keeps its own value";
            findings.push(Finding::new(Code::EnvironmentIgnored, path.clone(), message, ""));
            return;
        }
        None => return,
    };
    let message = "replaces the operator's own value";
    findings.push(Finding::new(Code::EnvironmentReserved, path.clone(), message, hint));
}

/// What Kubernetes takes as a path below a volume's root.
fn lies_within(path: &str) -> bool {
    !path.starts_with('/') && Path::new(path).components().all(|part| part != Component::ParentDir)
}
