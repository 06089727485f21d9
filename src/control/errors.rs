//! Errors of calls to the API server, their classes, and the backoff after them.

use crate::core::error::ErrorClass;
use kube::runtime::watcher;
use std::time::Duration;

/// A call to the API server failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The API server answered with an error, or could not be reached.
    #[error("{}", error_message(.0))]
    Kube(#[from] kube::Error),
    /// There was no response within the deadline.
    #[error("the API server did not answer within {0:?}")]
    Timeout(Duration),
    /// This replica is no longer the leader; the next leader continues.
    #[error("this replica does not lead")]
    NotLeading,
    /// The response cannot be parsed.
    #[error("the API server's answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// The message of the API server, without that of the client library.
pub fn error_message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// The message of the API server to a watch.
pub fn watch_error_message(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error_message(error),
        watcher::Error::WatchError(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Whether a watch failed because the API server does not serve the kind.
pub fn is_not_served(error: &watcher::Error) -> bool {
    matches!(error,
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 404)
}

/// Whether a watch failed because the API server does not stream lists: it finds `sendInitialEvents` invalid.
pub fn is_streaming_refused(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 422)
}

impl CallError {
    /// The class of the error.
    pub fn class(&self) -> ErrorClass {
        let Self::Kube(kube::Error::Api(status)) = self else { return ErrorClass::Transient };
        match status.code {
            409 => ErrorClass::Conflict,
            403 if status.message.contains("exceeded quota") => ErrorClass::Quota,
            // A namespace that is going takes no new objects; it takes the session along soon.
            403 if status.message.contains("being terminated") => ErrorClass::Transient,
            401 | 403 => ErrorClass::Forbidden,
            400 | 404 | 405 | 413 | 415 | 422 => ErrorClass::Invalid,
            _ => ErrorClass::Transient,
        }
    }

    /// Whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Kube(kube::Error::Api(status)) if status.code == 404)
    }

    /// Whether an object of that name exists already.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::Kube(kube::Error::Api(status)) if status.code == 409 && status.reason == "AlreadyExists")
    }
}

/// The backoff after `failures` consecutive errors, the last one of `class`.
///
/// `spread` in 0..1 is the jitter.
pub fn backoff(class: ErrorClass, failures: u32, spread: f64) -> Duration {
    let (first, most) = match class {
        ErrorClass::Conflict | ErrorClass::Transient => (0.2, 300.0),
        // A user has to act first; a change of the session or its children requeues it at once anyway.
        ErrorClass::Quota | ErrorClass::Forbidden | ErrorClass::Foreign | ErrorClass::Invalid => {
            (30.0, 600.0)
        }
    };
    let doubled = first * f64::from(2u32.saturating_pow(failures.saturating_sub(1).min(20)));
    Duration::from_secs_f64(doubled.min(most) * (0.75 + 0.5 * spread.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_by_class() {
        let conflict = |failures| backoff(ErrorClass::Conflict, failures, 0.5);
        assert_eq!(conflict(1), Duration::from_millis(200));
        assert_eq!(conflict(2), Duration::from_millis(400));
        assert_eq!(conflict(40), Duration::from_secs(300));
        assert_eq!(backoff(ErrorClass::Quota, 1, 0.5), Duration::from_secs(30));
        assert!(backoff(ErrorClass::Invalid, 99, 1.0) <= Duration::from_secs(750));
    }
}
