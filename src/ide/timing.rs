//! Timeouts and intervals of the protocol, and the variables that override them.

use std::time::Duration;

/// Timeouts and intervals of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Timeout of a request, and of the WebSocket handshake.
    pub request: Duration,
    /// Silence after which a peer that answers pings is considered gone.
    pub silence: Duration,
    /// Interval of pings; `None` sends none, and then silence has no limit.
    pub keepalive: Option<Duration>,
    /// Time for the end of a session after the IDE accepted to stop it.
    pub end: Duration,
    /// Delay before reconnecting after a connection was lost.
    pub pause: Duration,
    /// Backoff after the first failed attempt to connect.
    pub backoff: Duration,
    /// Largest backoff, without jitter.
    pub max_backoff: Duration,
    /// Time for sending the close frame.
    pub close: Duration,
}

impl Default for Timing {
    /// The times of the original.
    fn default() -> Self {
        Self {
            request: Duration::from_secs(120),
            silence: Duration::from_secs(20),
            keepalive: Some(Duration::from_secs(5)),
            end: Duration::from_secs(10),
            pause: Duration::from_secs(1),
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(20),
            close: Duration::from_millis(100),
        }
    }
}

impl Timing {
    /// The times of the original, overridden by variables. A value that is not a number of seconds is ignored, as
    /// there.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let seconds = |name| variable(name)?.trim().parse::<u32>().ok();
        let positive = |name| seconds(name).filter(|seconds| *seconds > 0);
        let mut timing = Self::default();
        if let Some(seconds) = positive("DCP_IDE_REQUEST_TIMEOUT_SECONDS") {
            timing.request = Duration::from_secs(seconds.into());
        }
        if let Some(seconds) = positive("DCP_IDE_NOTIFICATION_TIMEOUT_SECONDS") {
            timing.silence = Duration::from_secs(seconds.into());
        }
        if let Some(seconds) = seconds("DCP_IDE_NOTIFICATION_KEEPALIVE_SECONDS") {
            timing.keepalive = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        }
        timing
    }

    /// The backoff after `failures` consecutive failed attempts to connect. `spread` in 0..1 is the jitter, up to
    /// half of it either way.
    pub fn backoff(&self, failures: u32, spread: f64) -> Duration {
        let grown = self.backoff.as_secs_f64() * 1.5_f64.powi(failures.saturating_sub(1).min(64) as i32);
        Duration::from_secs_f64(grown.min(self.max_backoff.as_secs_f64()) * (0.5 + spread.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Timing {
        Timing::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn times_are_those_of_the_original() {
        let Timing { request, silence, keepalive, end, pause, backoff, max_backoff, close } =
            Timing::default();
        assert_eq!(
            [request, silence, end, pause, max_backoff].map(|time| time.as_secs()),
            [120, 20, 10, 1, 20]
        );
        assert_eq!([keepalive.unwrap(), backoff, close].map(|time| time.as_millis()), [5000, 500, 100]);
    }

    #[test]
    fn variables_override() {
        let timing = read(&[
            ("DCP_IDE_REQUEST_TIMEOUT_SECONDS", "7"),
            ("DCP_IDE_NOTIFICATION_TIMEOUT_SECONDS", " 9 "),
            ("DCP_IDE_NOTIFICATION_KEEPALIVE_SECONDS", "0"),
        ]);
        assert_eq!((timing.request.as_secs(), timing.silence.as_secs(), timing.keepalive), (7, 9, None));
    }

    #[test]
    fn what_is_no_number_of_seconds_changes_nothing() {
        for value in ["", "0", "-1", "1s", "x"] {
            let timing = read(&[
                ("DCP_IDE_REQUEST_TIMEOUT_SECONDS", value),
                ("DCP_IDE_NOTIFICATION_TIMEOUT_SECONDS", value),
            ]);
            assert_eq!(timing, Timing::default(), "{value:?}");
        }
    }

    #[test]
    fn waits_grow_to_a_bound_and_are_spread() {
        let timing = Timing::default();
        assert_eq!(timing.backoff(1, 0.5), Duration::from_millis(500));
        assert_eq!(timing.backoff(2, 0.5), Duration::from_millis(750));
        assert_eq!(timing.backoff(u32::MAX, 0.5), Duration::from_secs(20));
        assert_eq!((timing.backoff(1, 0.0), timing.backoff(1, 1.0)).0, Duration::from_millis(250));
        assert_eq!(timing.backoff(99, 1.0), Duration::from_secs(30));
    }
}
