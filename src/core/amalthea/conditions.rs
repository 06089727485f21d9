//! The conditions of a session, and what each says.

use super::reasons::{
    FilesReason, FinishedReason, ReadyReason, ReconciledReason, RouteConflictReason, RoutingReason,
    StalledReason,
};
use crate::{
    core::{
        conditions::{ConditionType, STALLED},
        error::ErrorClass,
        workload::diagnosis::InterruptionReason,
    },
    reason::{Reason, ReasonRow},
};

/// True while the session can be used, or its batch job is at work.
pub const READY: &str = "Ready";
/// True while there is a way to the session from outside.
pub const ROUTING_READY: &str = "RoutingReady";
/// True when everything that belongs to the session is as its spec says; otherwise says what is in the way.
pub const RECONCILED: &str = "Reconciled";
/// True while there is a claim with the session's files; absent before the claim is made. It stays false when the claim is
/// gone, until there is one again.
pub const FILES_KEPT: &str = "FilesKept";
/// True once the result of a batch job is on record. Until the next run nothing runs again.
pub const FINISHED: &str = "Finished";
/// True when what ran in the current run was ended, and why. It stays for as long as the run does: the next pod comes at
/// once, or the Job says nothing but that it has failed, and then nothing else would tell.
pub const INTERRUPTED: &str = "Interrupted";
/// True when another session is to be reached at the same address, so that one of both is not.
pub const ROUTE_CONFLICT: &str = "RouteConflict";

/// The reasons that Kubernetes gives a failed Job, and those for which it ends a pod.
const OF_JOBS: &str = "the reason of the failed Job, for example `DeadlineExceeded` or `BackoffLimitExceeded`, or that for \
                       which its pod was ended, for example `EvictionByEvictionAPI`";

/// The conditions of a session.
pub fn condition_types() -> Vec<ConditionType> {
    let errors = |lasting: fn(ErrorClass) -> bool| {
        ErrorClass::ALL.iter().copied().filter(move |class| lasting(*class)).map(ReasonRow::of)
    };
    let mut reconciled = ReasonRow::all::<ReconciledReason>();
    reconciled.extend(errors(|class| !class.passes()));
    let mut stalled = ReasonRow::all::<StalledReason>();
    stalled.extend(errors(ErrorClass::is_final));
    vec![
        ConditionType {
            name: READY,
            meaning: "`True` while the session can be used, or its batch job runs.",
            reasons: ReasonRow::all::<ReadyReason>(),
            further: None,
        },
        ConditionType {
            name: ROUTING_READY,
            meaning: "`True` while the session has an Ingress.",
            reasons: ReasonRow::all::<RoutingReason>(),
            further: None,
        },
        ConditionType {
            name: RECONCILED,
            meaning: "`True` while all children of the session are as its spec says. `False` when a child cannot be \
                      written or cannot become what the spec says; the message names it.",
            reasons: reconciled,
            further: None,
        },
        ConditionType {
            name: FILES_KEPT,
            meaning: "`True` while the claim with the files of the session exists. `False` after it was deleted. Absent \
                      before it is created.",
            reasons: ReasonRow::all::<FilesReason>(),
            further: None,
        },
        ConditionType {
            name: FINISHED,
            meaning: "`True` after the batch job of the session has ended. Absent before, and for interactive sessions.",
            reasons: ReasonRow::all::<FinishedReason>(),
            further: Some(OF_JOBS),
        },
        ConditionType {
            name: INTERRUPTED,
            meaning: "`True` after the pod of a session was ended, or a container in that of an interactive session, until \
                      the end of the run. Absent otherwise.",
            reasons: ReasonRow::all::<InterruptionReason>(),
            further: Some(
                "the reason in the status of the pod, for example `Evicted`, or in its condition `DisruptionTarget`, for \
                 example `EvictionByEvictionAPI`",
            ),
        },
        ConditionType {
            name: ROUTE_CONFLICT,
            meaning: "`True` while another session has the same `ingress.host` and `ingress.pathPrefix`. Absent otherwise.",
            reasons: ReasonRow::all::<RouteConflictReason>(),
            further: None,
        },
        ConditionType {
            name: STALLED,
            meaning: "`True` on a session that has failed and changes only if a client changes it. Absent otherwise.",
            reasons: stalled,
            further: Some(OF_JOBS),
        },
    ]
}
