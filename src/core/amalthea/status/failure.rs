//! Why a session fails, in words that say what to do. Clients of the original match on parts of these
//! texts, so their beginnings stay.

use super::pod_status;
use crate::core::{
    amalthea::{Checked, Observed, PlanContext, conditions::READY, run},
    conditions,
    object::{CachedObject, Kind},
};
use k8s_openapi::api::{
    core::v1::{
        ContainerStateTerminated, ContainerStatus, PersistentVolumeClaimStatus, PodStatus, ServiceStatus,
    },
    networking::v1::IngressStatus,
};
use k8s_openapi::jiff::Timestamp;
use sojourn_crds::amalthea::names;

/// The first failure among what belongs to the session: pod, claims, service, ingress, quota.
pub(super) fn of_children(checked: &Checked, observed: &Observed, context: &PlanContext) -> Option<String> {
    pod_status(observed)
        .and_then(|pod| of_pod(&pod, observed.pod()))
        .or_else(|| of_claims(checked, observed))
        .or_else(|| of_load_balancers(checked, observed))
        .or_else(|| of_quota(checked, observed, context))
}

/// Why a pod fails.
pub(super) fn of_pod(pod: &PodStatus, live: Option<&CachedObject>) -> Option<String> {
    // What the node has to say of a pod that it evicted is why its containers ended.
    if pod.reason.is_some()
        && let Some(why) = rejected(pod, live)
    {
        return Some(why);
    }
    let containers =
        pod.init_container_statuses.iter().flatten().chain(pod.container_statuses.iter().flatten());
    let name = live.map(|live| live.name.as_str());
    containers
        .into_iter()
        .find_map(|container| of_container(container, name))
        .or_else(|| disruption(pod).map(|(_, message)| message.to_owned()))
        .or_else(|| rejected(pod, live))
}

/// TimeoutReason Kubernetes ends a pod that is none the worse: in one word, and for people.
pub(super) fn disruption(pod: &PodStatus) -> Option<(&str, &str)> {
    let mut conditions = pod.conditions.iter().flatten();
    let disrupted =
        conditions.find(|condition| condition.type_ == "DisruptionTarget" && condition.status == "True")?;
    let reason = disrupted.reason.as_deref().unwrap_or("Disrupted");
    Some((reason, disrupted.message.as_deref().unwrap_or(reason)))
}

/// A pod that the node refused or evicted has failed without any container saying why.
fn rejected(pod: &PodStatus, live: Option<&CachedObject>) -> Option<String> {
    (pod.phase.as_deref() == Some("Failed")).then(|| {
        let why = pod.message.as_deref().or(pod.reason.as_deref()).unwrap_or("the node gave no reason");
        let why = why.trim_end();
        format!("the pod {} failed: {why}", live.map_or("of the session", |live| live.name.as_str()))
    })
}

fn of_container(status: &ContainerStatus, pod: Option<&str>) -> Option<String> {
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
pub(super) fn before_restart(status: &PodStatus, pod: &str) -> Option<(Timestamp, String)> {
    let ends = status.container_statuses.iter().flatten().filter_map(|container| {
        container.state.as_ref()?.running.as_ref()?;
        let end = container.last_state.as_ref()?.terminated.as_ref()?;
        let log = see_log(Some(pod), &container.name, " --previous");
        Some((end.finished_at.as_ref()?.0, of_end(end, &container.name, log)?))
    });
    ends.max_by_key(|(at, _)| *at)
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
        Some(message) => format!("the container {name} terminated with an error {}", message.trim_end()),
        None => format!(
            "the command in container {name} terminated with an error exit code ({}), this could be because you are running out of {}{log}",
            end.exit_code,
            if end.exit_code == KILLED { "memory" } else { "disk space" },
        ),
    })
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
    format!(
        "the command in container {name} is crashing, this can occur when you run out of disk space, this is the best reason for the crash we could extract: {best:?}{hint}"
    )
}

fn out_of_memory(name: &str) -> String {
    format!("the container {name} ran out of memory (OOMKilled); ask for more memory in its resources")
}

/// A claim that cannot grow, or cannot be made.
fn of_claims(checked: &Checked, observed: &Observed) -> Option<String> {
    let sources =
        (0..checked.spec.data_sources.len()).map(|index| names::data_source(checked.session.name(), index));
    std::iter::once(checked.session.name().to_owned()).chain(sources).find_map(|name| {
        let claim = observed.owned(Kind::PersistentVolumeClaim, &name).filter(|claim| !claim.deleting)?;
        let status: PersistentVolumeClaimStatus = claim.status();
        if status.phase.as_deref() == Some("Bound") {
            return None;
        }
        of_claim(&name, &status).or_else(|| {
            let refused = observed.warnings.iter().find(|warning| {
                warning.kind == Kind::PersistentVolumeClaim
                    && warning.name == name
                    && warning.reason == "ProvisioningFailed"
            })?;
            Some(format!("the PVC \"{name}\" cannot be provisioned: {}", refused.message))
        })
    })
}

fn of_claim(name: &str, status: &PersistentVolumeClaimStatus) -> Option<String> {
    let infeasible = status.allocated_resource_statuses.iter().flatten().find_map(|(resource, status)| {
        matches!(status.as_str(), "NodeResizeInfeasible" | "ControllerResizeInfeasible")
            .then(|| format!("the PVC \"{name}\" failed with status \"{status}\" for resource {resource}"))
    });
    infeasible.or_else(|| {
        status.conditions.iter().flatten().find_map(|condition| {
            let resizing = matches!(condition.type_.as_str(), "Resizing" | "FileSystemResizePending");
            condition.message.clone().filter(|_| resizing && condition.status == "False")
        })
    })
}

fn of_load_balancers(checked: &Checked, observed: &Observed) -> Option<String> {
    let name = checked.session.name();
    let service = observed.owned(Kind::Service, name).and_then(|live| {
        let status: ServiceStatus = live.status();
        status
            .load_balancer?
            .ingress?
            .into_iter()
            .flat_map(|entry| entry.ports.unwrap_or_default())
            .find_map(|port| port.error)
    });
    service.or_else(|| {
        let status: IngressStatus = observed.owned(Kind::Ingress, name)?.status();
        status
            .load_balancer?
            .ingress?
            .into_iter()
            .flat_map(|entry| entry.ports.unwrap_or_default())
            .find_map(|port| port.error)
    })
}

/// A quota that keeps the workload from making its pod. Warnings outlive what they warn of by an hour, so
/// only those count that came in the current run and after the session was last seen to get or to lose its
/// pod, and only while there is no pod.
fn of_quota(checked: &Checked, observed: &Observed, context: &PlanContext) -> Option<String> {
    if observed.pod().is_some() || checked.spec.hibernated {
        return None;
    }
    let began = match run::run(checked.session, context.now) {
        run::Run::Current(id) => run::began(checked.session, &id),
        _ => None,
    };
    let old = checked.session.status.as_ref();
    let ready = old.and_then(|status| conditions::find(&status.conditions, READY));
    let turned = ready.and_then(|ready| ready.last_transition_time.as_ref()).map(|time| time.0);
    let since = began.max(turned);
    let refused = observed.warnings.iter().find(|warning| {
        warning.reason == "FailedCreate"
            && since.is_none_or(|since| warning.at.as_second() >= since.as_second())
    })?;
    Some(if refused.message.contains("exceeded quota") {
        "Quota exceeded: Your resource pool does not contain enough free resources (CPU / Memory / GPU / Storage) to schedule the session".to_owned()
    } else {
        format!("the pod of the session cannot be created: {}", refused.message)
    })
}
