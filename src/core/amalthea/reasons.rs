//! The reasons of conditions of a session, and of Events on it.

use crate::{core::event::event_reasons, reason::reasons};
use sojourn_crds::amalthea::State;

reasons! {
    /// Reasons of the condition `Ready`. But for the first and the last, they are the states of a session.
    ReadyReason {
        SessionCreated "The session is new, and is not ready yet."
        Running "The session can be used, or its batch job runs."
        NotReady "The session is starting, or waits for something. The message says for what."
        Failed "The session cannot continue. The message and the field `error` of the status say why."
        Hibernated "The session is hibernated."
        Succeeded "The batch job has succeeded."
        RunningDegraded "Kept for clients that know it. It is never set."
        Deleting "The session is being deleted. The message names the finalizers of other software that hold it."
    }
}

impl From<State> for ReadyReason {
    fn from(state: State) -> Self {
        match state {
            State::Running => Self::Running,
            State::Failed => Self::Failed,
            State::Hibernated => Self::Hibernated,
            State::NotReady => Self::NotReady,
            State::RunningDegraded => Self::RunningDegraded,
            State::Succeeded => Self::Succeeded,
        }
    }
}

reasons! {
    /// Reasons of the condition `RoutingReady`.
    RoutingReason {
        IngressOperational "The Ingress exists."
        IngressMissing "The Ingress does not exist yet."
        IngressDeleted "The spec has no Ingress any more."
        NoIngress "The spec has no Ingress. The field `url` of the status is `None`."
        Hibernated "The session is hibernated, so its Ingress is removed."
        NotInteractive "A batch session has no Ingress."
    }
}

reasons! {
    /// Reasons of the condition `FilesKept`.
    FilesReason {
        ClaimExists "The claim of the session's files exists."
        ClaimUnowned "The session uses a claim that has no owner. It is neither changed nor deleted with the session."
        ClaimDeleting "The claim is being deleted, and its files go with it when no pod uses it any more."
        ClaimLost "The claim was deleted, and its files with it. The session does not start before the claim is put back, or the loss is accepted with the annotation that the message names."
    }
}

reasons! {
    /// Reasons of the condition `Reconciled`, beside the classes of errors.
    ReconciledReason {
        AsSpecified "All children of the session are as its spec says."
        InvalidSpec "The spec breaks rules without which the session cannot run. The message lists them."
        FilesLost "The claim of the session's files was deleted. See the condition `FilesKept`."
        Unchangeable "The spec asks for something of a claim that cannot be changed. The message names the field and what the claim has."
    }
}

reasons! {
    /// Reasons of the condition `Finished`, beside those of Jobs.
    FinishedReason {
        Succeeded "The batch job has succeeded."
        Failed "The command of the batch job has failed, or the Job has failed without a reason."
        JobDeleted "The Job was deleted before it ended. It does not run again."
    }
}

reasons! {
    /// Reasons of the condition `Stalled`, beside classes of errors and reasons of Jobs.
    StalledReason {
        InvalidSpec "The spec breaks rules without which the session cannot run."
        FailedScheduling "No node has accepted the pod for a long time."
        PodSecurityViolated "The namespace enforces a Pod Security Standard that does not allow the pod. The message lists the fields."
        FilesLost "The claim of the session's files was deleted. See the condition `FilesKept`."
    }
}

reasons! {
    /// Reasons of the condition `RouteConflict`.
    RouteConflictReason {
        OlderSession "The other session is older: if the installation refuses conflicts, it keeps the address."
        NewerSession "The other session is newer."
    }
}

event_reasons! {
    /// Reasons of the Events on a session.
    SessionEvent {
        Normal Resumed "The session starts a new run."
        Normal Hibernating "A timeout of the session has expired, so it is hibernated."
        Normal Hibernated "The session does not run. Its files are kept, unless the condition `FilesKept` is false."
        Normal Succeeded "The batch job has succeeded."
        Normal Deleting "A timeout of the session has expired, so it is deleted."
        Warning Waiting "The session waits for something that may need attention."
        Warning Failed "The session has failed."
        Warning Unchangeable "The spec asks for something of a claim that cannot be changed. It is reported once, and stays in the condition `Reconciled`."
        Warning FilesLost "The claim of the session's files was deleted, or is being deleted."
        Warning ChildRestored "Another client changed or deleted a child of the session, so the operator put it back. At most one Event in ten minutes is about the same child."
        Warning SecretKept "An adopted secret is not deleted with the session: other sessions or another object use it, or its adoption was not approved."
    }
}
