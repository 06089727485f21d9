//! Whether an interactive session is used: by its CPU use, and by the requests that its own proxy has seen.
//!
//! Whichever is newer keeps the session alive. The proxy is asked only when the session would otherwise be
//! hibernated for idleness, so a session in use costs one question in each `maxIdleDuration`. Where nobody measures
//! CPU use, the proxy alone decides; where the proxy does not answer, CPU use alone does.

use super::{Checked, Observed, PlanContext, Requests, conditions::READY};
use crate::core::{conditions, workload::pod};
use k8s_openapi::{api::core::v1::PodStatus, jiff::Timestamp};
use sojourn_crds::amalthea::{AmaltheaSessionStatus, Location, State, names};

/// After how long a proxy that did not answer is asked again.
const ASK_AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// What is known of a session's use by its CPU alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cpu {
    /// Nobody measured it lately, or it is not the session's own.
    Unknown,
    /// More than the threshold.
    Busy,
    /// Less than the threshold, in a container that had time to start.
    Idle,
}

fn cpu(checked: &Checked, observed: &Observed, context: &PlanContext) -> Cpu {
    // The container of a remote session is the controller, which uses little whatever the session does.
    if checked.spec.location == Location::Remote && has_proxy(checked, context) {
        return Cpu::Unknown;
    }
    let fresh = |at| context.now.duration_since(at) <= context.settings.usage_valid();
    let threshold = checked.spec.culling.as_ref().and_then(|culling| culling.cpu_idle_threshold.0.nanos());
    match (observed.measurements.usage.filter(|usage| fresh(usage.at)), threshold) {
        (Some(usage), Some(threshold)) => {
            let idle = usage.cpu_nanos < threshold
                && pod::settled(observed.pod(), names::SESSION_CONTAINER, usage.at);
            if idle { Cpu::Idle } else { Cpu::Busy }
        }
        _ => Cpu::Unknown,
    }
}

/// Whether a proxy of ours stands in front of the session and may be asked.
fn has_proxy(checked: &Checked, context: &PlanContext) -> bool {
    let proxied = checked.spec.authentication.as_ref().is_some_and(|auth| auth.enabled);
    proxied && checked.interactive() && context.settings.ask_proxies
}

/// What the proxy said when it was asked at `due` or later. An answer that did not come is asked for again after a
/// while.
fn answered(observed: &Observed, due: Timestamp, context: &PlanContext) -> Option<Requests> {
    observed.measurements.requests.filter(|requests| {
        requests.asked >= due
            && (requests.last.is_some() || context.now.duration_since(requests.asked) < ASK_AGAIN)
    })
}

/// The last request that the proxy is known to have seen. A clock that runs ahead counts as now.
fn last_request(observed: &Observed, now: Timestamp) -> Option<Timestamp> {
    Some(observed.measurements.requests?.last?.min(now))
}

/// Since when the session is idle, if it is, for a session that is `Running`. `known` is what was said so far. Without
/// any knowledge that stays: an outage of the metrics API neither culls nor resets.
pub(super) fn since(
    checked: &Checked,
    observed: &Observed,
    known: Option<Timestamp>,
    context: &PlanContext,
) -> Option<Timestamp> {
    let requested = last_request(observed, context.now);
    match cpu(checked, observed, context) {
        Cpu::Busy => None,
        Cpu::Idle => Some(known.unwrap_or(context.now).max(requested.unwrap_or(Timestamp::MIN))),
        Cpu::Unknown => match (requested, checked.timeouts.max_idle) {
            (Some(requested), Some(max_idle)) if has_proxy(checked, context) => {
                let unused = context.now.duration_since(requested) >= jiff::SignedDuration::from(max_idle);
                unused.then_some(requested)
            }
            _ => known,
        },
    }
}

/// The moment from which `maxIdleDuration` counts; `lastInteraction` pushes it forward.
pub(super) fn counts_from(
    checked: &Checked,
    observed: &Observed,
    status: &AmaltheaSessionStatus,
    context: &PlanContext,
) -> Option<Timestamp> {
    let unwatched = || {
        let alone = status.state == State::Running
            && has_proxy(checked, context)
            && cpu(checked, observed, context) == Cpu::Unknown;
        let ready = conditions::find(&status.conditions, READY)?.last_transition_time.as_ref()?.0;
        alone.then(|| ready.max(last_request(observed, context.now).unwrap_or(ready)))
    };
    let since = status.idle_since.as_ref().map(|time| time.0).or_else(unwatched)?;
    let culling = checked.spec.culling.as_ref();
    let touched: Option<Timestamp> =
        culling.and_then(|culling| culling.last_interaction.as_ref()).and_then(|text| text.parse().ok());
    Some(touched.map_or(since, |touched| touched.max(since)))
}

/// Whether enough is known at `due` to say that the session is still idle.
pub(super) fn is_certain(
    checked: &Checked,
    observed: &Observed,
    due: Timestamp,
    context: &PlanContext,
) -> bool {
    let cpu = cpu(checked, observed, context) == Cpu::Idle;
    if !has_proxy(checked, context) {
        return cpu;
    }
    answered(observed, due, context).is_some_and(|requests| requests.last.is_some() || cpu)
}

/// Where the session's proxy is to be asked for its last request, if the decision that is due depends on it: the
/// address of the pod.
pub fn to_be_asked(checked: &Checked, observed: &Observed, context: &PlanContext) -> Option<String> {
    let status = observed.session.status.as_ref().filter(|status| status.state == State::Running)?;
    let max_idle = jiff::SignedDuration::from(checked.timeouts.max_idle?);
    let due = counts_from(checked, observed, status, context)?.checked_add(max_idle).ok()?;
    let ask = has_proxy(checked, context) && due <= context.now && answered(observed, due, context).is_none();
    let pod: PodStatus = observed.pod().filter(|_| ask)?.status();
    pod.pod_ip
}

/// When a proxy that did not answer, and without which nothing can be decided, is to be asked again.
pub(super) fn ask_again(checked: &Checked, observed: &Observed, context: &PlanContext) -> Option<Timestamp> {
    let silent = observed.measurements.requests.filter(|requests| requests.last.is_none())?;
    let needed = has_proxy(checked, context) && cpu(checked, observed, context) == Cpu::Unknown;
    silent.asked.checked_add(ASK_AGAIN).ok().filter(|at| needed && *at > context.now)
}
