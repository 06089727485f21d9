//! The state of a connection in one word.

use crate::reason::reasons;

reasons! {
    /// The state of a connection, and why it is not connected.
    ConnectionReason {
        Connected "The IDE is connected."
        Connecting "The IDE is being connected for the first time."
        Closed "The operator has closed the connection."
        ConnectionLost "The connection was lost, and is being made again."
        Unreachable "The name of the IDE cannot be resolved, or its address does not respond in time."
        ConnectionRefused "No program listens at the address of the IDE."
        AddressNotAllowed "The operator may not connect to the address of the IDE."
        CertificateRefused "The certificate of the IDE cannot be verified, or TLS fails."
        TokenRefused "The IDE refuses the token."
        VersionTooOld "The IDE supports only versions of the protocol that are too old."
        BadAnswer "A response of the IDE does not conform to the protocol."
    }
}
