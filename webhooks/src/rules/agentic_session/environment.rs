//! Variables have valid names, do not replace those of the operator, and keep the state of the agent in the workspace.
//!
//! In the original, the variables of a session replace those of the runner, except for variables from a secret and the
//! two switches of Vertex. Kubernetes refuses the pod for an invalid name, or for a state directory outside the
//! workspace, and the session stays pending for ever. A runner with replaced variables runs, but rarely as intended. The
//! prompt is a variable, too.

use std::path::{Component, Path};

use sojourn_crds::ambient::names::{FORCE_EXECUTE_PROMPT, STATE_DIR_VARIABLE};

use super::{Subject, spec};
use crate::finding::{Code, FieldPath, seen};
use crate::rules::pod::Report;
use crate::rules::pod::container::env;

/// Variables of the operator that a session cannot replace.
const KEPT: [&str; 4] = ["AGUI_TOKEN", "BOT_TOKEN", "CLAUDE_CODE_USE_VERTEX", "USE_VERTEX"];

/// Variables that the operator derives from other fields, with the field to change instead.
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

/// The longest variable, name and value, that Linux hands to a process where pages have 4 KiB.
const LONGEST: usize = 32 * 4096 - "=\0".len();

/// Reports what is wrong with the variables.
pub(crate) fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (name, value) in &subject.spec().environment_variables {
        let path = spec("environmentVariables").key(name);
        check_name(name, &path, report);
        check_value(name, value, &path, report);
        check_owner(name, value, subject, &path, report);
        if name == STATE_DIR_VARIABLE && !value.is_empty() && !lies_within(value) {
            report.add(
                Code::StateDirInvalid,
                path,
                format!("{} does not lie in the workspace", seen(value)),
                "write a relative path without '..', for example .claude",
            );
        }
    }
    if let Some(prompt) = &subject.spec().initial_prompt {
        check_value("INITIAL_PROMPT", prompt, &spec("initialPrompt"), report);
    }
}

/// Reports names that Kubernetes does not accept here, or did not accept before 1.32.
fn check_name(name: &str, path: &FieldPath, report: &mut Report<'_>) {
    if !env::is_name(report, name) {
        let message = format!("{} cannot name a variable", seen(name));
        let hint = "use letters, digits and '_', and no digit first";
        report.add(Code::EnvNameInvalid, path.clone(), message, hint);
    } else if !env::is_strict_name(name) {
        let message = "is a name that clusters before 1.32 refuse";
        report.add(Code::EnvNameOdd, path.clone(), message, "use letters, digits and '_'");
    }
}

/// Reports values that most nodes cannot hand to a process. It depends on their runtime and on the size of their pages.
fn check_value(name: &str, value: &str, path: &FieldPath, report: &mut Report<'_>) {
    let length = name.len() + value.len();
    let problem = if value.contains('\0') {
        "NUL characters keep most runtimes from starting a container".to_owned()
    } else if length > LONGEST {
        format!("with {length} bytes it is too long for a process, so the container does not start")
    } else {
        return;
    };
    report.add(Code::EnvValueUnusable, path.clone(), problem, "put it into a file");
}

fn check_owner(name: &str, value: &str, subject: &Subject<'_>, path: &FieldPath, report: &mut Report<'_>) {
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
            report.add(Code::EnvIgnored, path.clone(), message, "");
            return;
        }
        None => return,
    };
    let message = "replaces the operator's own value";
    report.add(Code::EnvReserved, path.clone(), message, hint);
}

/// Whether Kubernetes accepts a path below the root of a volume.
fn lies_within(path: &str) -> bool {
    !path.starts_with('/') && Path::new(path).components().all(|part| part != Component::ParentDir)
}
