//! The reasons of conditions of a session, and of Events on it.

use crate::{core::event::event_reasons, reason::reasons};

reasons! {
    /// Reasons of the condition `Ready`.
    ReadyReason {
        NotRequested "The session was not requested to run."
        WaitingForEndpoint "The session starts when its IDE is known. See the condition `EndpointReady`."
        WaitingForIDE "The session starts when its IDE is connected. See the condition `IDEConnected`."
        Starting "The operator asks the IDE to create the session."
        Running "The IDE has accepted the session."
        Stopping "The operator asks the IDE to end the session."
        StopFailed "The IDE did not end the session. The operator asks again."
        Stopped "The session has ended."
        Failed "The session has failed. The message says why."
        NeverStarted "The session was stopped before it started. It cannot run any more."
    }
}

reasons! {
    /// Reasons of the condition `EndpointReady`.
    EndpointReason {
        EndpointKnown "The endpoint of the IDE is known."
        NoEndpoint "Neither the session nor the operator names an IDE, or the IDE of the operator is gone."
        EndpointInvalid "The annotation for the IDE does not name a Secret."
        NamespaceNotRead "The operator does not read Secrets of the namespace."
        SecretNotFound "The Secret does not exist, or does not have the label of IDEs."
        SecretInvalid "The Secret is incomplete or invalid. The message says what is wrong."
        EnvironmentInvalid "The IDE in the environment of the operator is incomplete or invalid."
        CertificateRefused "The certificate of the IDE in the Secret or environment cannot be used."
        OnRecord "Only in the output of `sojourn plan`: the recorded condition is false."
    }
}

reasons! {
    /// Reasons of the condition `IDEConnected`, beside the states of the connection ([`crate::ide::ConnectionReason`]).
    ConnectedReason {
        EndpointNotReady "The endpoint of the IDE is not known. See the condition `EndpointReady`."
        NotNeeded "The operator connects to the IDE when the session has to run."
        Supposed "Only in the output of `sojourn plan`: the IDE is assumed to be connected."
    }
}

reasons! {
    /// Reasons of the condition `LogsAvailable`.
    LogsReason {
        Captured "The output of the session can be read."
        CaptureFailed "The output of the session cannot be stored. The message says why."
        NotHere "The output is not stored by this operator: it was lost, or another replica has it."
    }
}

reasons! {
    /// Reasons of the condition `Stalled`.
    StalledReason {
        Failed "The session has failed. It is never started again."
    }
}

event_reasons! {
    /// Reasons of the Events on a session.
    SessionEvent {
        Normal Starting "The session starts, or will start when its IDE is connected."
        Normal Started "The IDE has accepted the session."
        Normal Stopping "The session is being stopped."
        Normal Stopped "The session has ended."
        Warning Failed "The session has failed."
        Warning IDEError "The IDE has reported an error of the session."
        Warning EndpointNotReady "The endpoint of the IDE is not known."
        Warning IDENotConnected "The IDE cannot be connected, and the session waits for it."
        Warning IDEDisconnected "The connection to the IDE was lost."
        Warning SessionMayRemain "A session may still run in the IDE. It has to be ended there."
    }
}
