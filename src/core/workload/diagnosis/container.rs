//! Why a container fails.

use k8s_openapi::{
    api::core::v1::{ContainerStateTerminated, ContainerStatus, PodStatus},
    jiff::Timestamp,
};

/// Why a container fails; `pod` is the name of its pod.
pub(super) fn of_container(status: &ContainerStatus, pod: Option<&str>) -> Option<String> {
    let name = &status.name;
    if status.ready && status.started == Some(true) {
        return None;
    }
    let state = status.state.as_ref()?;
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let message = text(&waiting.message);
        return match reason {
            "" | "ContainerCreating" | "PodInitializing" => None,
            "ErrImagePull" | "ImagePullBackOff" => Some(format!(
                "failure to retrieve image for container {name}: {}",
                message.unwrap_or_else(|| reason.to_owned())
            )),
            "CrashLoopBackOff" => Some(crash(status, message, pod)),
            _ => Some(format!(
                "the container {name} is failing because {}",
                message.unwrap_or_else(|| reason.to_owned())
            )),
        };
    }
    state.terminated.as_ref().and_then(|end| of_end(end, name, see_log(pod, name, "")))
}

/// Why the container ended that was started again last, and when; `pod` is the name of the pod.
pub fn before_restart(status: &PodStatus, pod: &str) -> Option<(Timestamp, String)> {
    let ends = status.container_statuses.iter().flatten().filter_map(|container| {
        container.state.as_ref()?.running.as_ref()?;
        let end = container.last_state.as_ref()?.terminated.as_ref()?;
        let log = see_log(Some(pod), &container.name, " --previous");
        Some((end.finished_at.as_ref()?.0, of_end(end, &container.name, log)?))
    });
    ends.max_by_key(|(at, _)| *at)
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEnd {
    /// When, should the kubelet say so.
    pub at: Option<Timestamp>,
    /// Why, if not well.
    pub error: Option<String>,
}

/// How the regular container `name` of a pod ended, if it has and is not started again; `pod` is the name of the pod.
pub fn container_end(status: &PodStatus, pod: &str, name: &str) -> Option<ContainerEnd> {
    let container = status.container_statuses.iter().flatten().find(|container| container.name == name)?;
    let end = container.state.as_ref()?.terminated.as_ref()?;
    Some(ContainerEnd {
        at: end.finished_at.as_ref().map(|at| at.0),
        error: of_end(end, name, see_log(Some(pod), name, "")),
    })
}

/// Why a container ended by itself, if not well; `log` says where to look for more.
fn of_end(end: &ContainerStateTerminated, name: &str, log: String) -> Option<String> {
    if end.exit_code == 0 {
        return None;
    }
    if end.reason.as_deref() == Some("OOMKilled") {
        return Some(out_of_memory(name));
    }
    Some(match end.message.as_deref().filter(|text| !text.is_empty()) {
        Some(message) => {
            let disk = if tells_of_full_disk(message) { "; you are running out of disk space" } else { "" };
            format!("the container {name} terminated with an error {}{disk}", message.trim_end())
        }
        None => format!(
            "the command in container {name} terminated with an error exit code ({}){}{log}",
            end.exit_code,
            if end.exit_code == KILLED {
                ", this could be because you are running out of memory"
            } else {
                ""
            },
        ),
    })
}

/// What programs say when a disk is full, in lower case. Exit codes do not tell.
const FULL_DISK: [&str; 5] = ["no space left", "enospc", "disk quota exceeded", "disk full", "disk is full"];

fn tells_of_full_disk(text: &str) -> bool {
    let text = text.to_lowercase();
    FULL_DISK.iter().any(|words| text.contains(words))
}

/// The exit code of a command that was killed. Mostly that is for want of memory: a node can be too busy to
/// say so before the container counts as ended.
const KILLED: i32 = 137;

/// Where to look when a container ended without a word for its status.
fn see_log(pod: Option<&str>, container: &str, option: &str) -> String {
    pod.map(|pod| format!("; its log may say more: kubectl logs {pod} -c {container}{option}"))
        .unwrap_or_default()
}

fn crash(status: &ContainerStatus, message: Option<String>, pod: Option<&str>) -> String {
    let name = &status.name;
    let last = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    if last.is_some_and(|last| last.reason.as_deref() == Some("OOMKilled")) {
        return out_of_memory(name);
    }
    let told = last.and_then(|last| last.message.clone()).filter(|text| !text.is_empty());
    // That it is started again later says less than how it ended.
    let ended = last.map(|last| match last.exit_code {
        0 => "it ended by itself (exit code 0), but must run for as long as the session".to_owned(),
        KILLED => format!("exit code {KILLED}, as when it runs out of memory"),
        code => format!("exit code {code}"),
    });
    let hint = if told.is_some() { String::new() } else { see_log(pod, name, " --previous") };
    let best = told.or(ended).or(message).unwrap_or_default();
    let best = best.trim_end();
    let disk = if tells_of_full_disk(best) { " this can occur when you run out of disk space," } else { "" };
    format!(
        "the command in container {name} is crashing,{disk} this is the best reason for the crash we could extract: {best:?}{hint}"
    )
}

fn out_of_memory(name: &str) -> String {
    format!("the container {name} ran out of memory (OOMKilled); ask for more memory in its resources")
}
