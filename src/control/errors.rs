//! What an error of the API server means for what to do next.

use crate::core::error::ErrorClass;
use kube::runtime::watcher;
use std::time::Duration;

/// Why a call to the API server brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The API server answered with an error, or could not be reached.
    #[error("{}", error_message(.0))]
    Kube(#[from] kube::Error),
    /// There was no answer in time.
    #[error("the API server did not answer within {0:?}")]
    Timeout(Duration),
    /// This replica leads no more; the next leader goes on.
    #[error("this replica does not lead")]
    NotLeading,
    /// What came back is not what was asked for.
    #[error("the API server's answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// What the API server said, without the noise of our side of the call.
pub fn error_message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// What the API server said to a watch.
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
    /// What kind of error it is.
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

    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Kube(kube::Error::Api(status)) if status.code == 404)
    }

    /// Whether an object of that name is there already.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::Kube(kube::Error::Api(status)) if status.code == 409 && status.reason == "AlreadyExists")
    }
}

/// How long to wait before trying again after `failures` errors in a row, the last one of `class`.
///
/// `spread` in 0..1 keeps many sessions from coming back at the same moment.
pub fn backoff(class: ErrorClass, failures: u32, spread: f64) -> Duration {
    let (first, most) = match class {
        ErrorClass::Conflict | ErrorClass::Transient => (0.2, 300.0),
        // A person has to act first; a change of the session or its children is seen at once anyway.
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
