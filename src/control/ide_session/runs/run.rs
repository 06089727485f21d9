//! One run: what is known of it, and what each piece of news makes of that. Plain values: no socket, no clock.

use crate::{
    core::ide_session::{EndFacts, RunFacts, StartFacts, StopFacts},
    ide::{
        Payload, SessionId, StartError, Started, buffer::EndedEarly, launch::ReadLaunchError,
        notification::Level,
    },
};
use jiff::Timestamp;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// UID of a session.
pub(super) type Uid = Arc<str>;

/// What becomes of a start that failed, as the original says it.
const NOT_STARTED: &str = "IdeSession could not be started: ";

/// What becomes of a start whose launch configurations cannot be sent.
pub(super) fn unreadable(error: &ReadLaunchError, at: Timestamp) -> StartFacts {
    match error {
        ReadLaunchError::NotJson(_) => StartFacts::Failed { message: error.to_string(), called: false, at },
        ReadLaunchError::NotArray(_) | ReadLaunchError::Empty => {
            let message = format!("{NOT_STARTED}run session could not be started: {error}");
            StartFacts::Failed { message, called: true, at }
        }
    }
}

/// The run of a session.
#[derive(Debug)]
pub(super) struct Run {
    /// Distinguishes this run from others of the same UID, for tasks that complete late.
    pub(super) number: u64,
    pub(super) facts: RunFacts,
    /// The IDE's name for it.
    pub(super) session: Option<SessionId>,
    /// Held until it is confirmed. Dropped without, the session is stopped.
    pub(super) started: Option<Started>,
    /// Calls the start off.
    pub(super) cancel: CancellationToken,
    /// A stop succeeded, and the end that belongs to it is still on its way through the notifications.
    pub(super) stopped: bool,
}

/// How soon the reconciler should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// The state may change.
    Now,
    /// The status may change.
    Soon,
    /// There is nothing to see.
    Nothing,
}

impl Run {
    pub(super) fn new(number: u64, start: StartFacts) -> Self {
        Self {
            number,
            facts: RunFacts::new(start),
            session: None,
            started: None,
            cancel: CancellationToken::new(),
            stopped: false,
        }
    }

    /// Takes in what the IDE says of the session.
    pub(super) fn apply(&mut self, what: &Payload, at: Timestamp) -> Urgency {
        match what {
            Payload::Process { pid } => {
                let pid = pid.filter(|pid| *pid > 0);
                if pid.is_none() || pid == self.facts.pid {
                    return Urgency::Nothing;
                }
                self.facts.pid = pid;
                Urgency::Soon
            }
            Payload::Ended(end) => {
                // The first end counts; a later one can only know the code.
                let known = self.facts.end.get_or_insert(EndFacts { exit_code: None, at });
                known.exit_code = known.exit_code.or(end.exit_code);
                self.end_stop(at);
                Urgency::Now
            }
            Payload::Message { level: Level::Error, text } => {
                if self.facts.message.as_ref() == Some(text) {
                    return Urgency::Nothing;
                }
                self.facts.message = Some(text.clone());
                Urgency::Soon
            }
            Payload::Message { .. } | Payload::Log { .. } | Payload::Dropped(_) => Urgency::Nothing,
        }
    }

    /// The IDE created the session.
    pub(super) fn accepted(&mut self, started: Started, at: Timestamp) {
        let session = started.session().clone();
        self.facts.start = StartFacts::Accepted { session_id: session.to_string(), at };
        self.session = Some(session);
        self.started = Some(started);
    }

    /// The session was over before the IDE answered.
    pub(super) fn over(&mut self, session: &SessionId, early: &EndedEarly, at: Timestamp) {
        for what in &early.rest {
            self.apply(what, at);
        }
        self.facts.start = StartFacts::Over {
            session_id: session.to_string(),
            process: early.process,
            exit_code: early.end.exit_code,
            at,
        };
    }

    /// There is no session.
    pub(super) fn failed(&mut self, error: &StartError, at: Timestamp) {
        self.facts.start = StartFacts::Failed { message: format!("{NOT_STARTED}{error}"), called: true, at };
    }

    /// The IDE ended the session, or we conclude that it did.
    pub(super) fn stop_succeeded(&mut self, end_follows: bool, at: Timestamp) {
        self.stopped = true;
        if !end_follows || self.facts.end.is_some() {
            self.end_stop(at);
        }
    }

    /// The IDE did not end the session.
    pub(super) fn stop_failed(&mut self, tries: u32, message: String, at: Timestamp) {
        self.facts.stop = StopFacts::Failed { tries, message, at };
    }

    /// What the IDE said of the end in time is among the facts by now.
    pub(super) fn end_stop(&mut self, at: Timestamp) {
        if std::mem::take(&mut self.stopped) {
            self.facts.stop = StopFacts::Ended { at };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ide::notification::{End, Teller};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn run() -> Run {
        Run::new(0, StartFacts::Owned)
    }

    fn end(exit_code: Option<i32>) -> Payload {
        Payload::Ended(End { exit_code, told_by: Teller::Ide })
    }

    #[test]
    fn only_a_positive_pid_is_one() {
        let mut run = run();
        for pid in [None, Some(0), Some(-7)] {
            assert_eq!(run.apply(&Payload::Process { pid }, at(1)), Urgency::Nothing);
        }
        assert_eq!(run.apply(&Payload::Process { pid: Some(7) }, at(1)), Urgency::Soon);
        assert_eq!(run.apply(&Payload::Process { pid: None }, at(1)), Urgency::Nothing);
        assert_eq!(run.apply(&Payload::Process { pid: Some(7) }, at(1)), Urgency::Nothing);
        assert_eq!(run.facts.pid, Some(7));
    }

    #[test]
    fn an_error_of_the_ide_is_kept_whatever_the_state() {
        let mut run = run();
        let said = |level, text: &str| Payload::Message { level, text: text.to_owned() };
        assert_eq!(run.apply(&said(Level::Error, "No SDK"), at(1)), Urgency::Soon);
        assert_eq!(run.apply(&said(Level::Info, "hello"), at(1)), Urgency::Nothing);
        assert_eq!(run.facts.message.as_deref(), Some("No SDK"));
        assert_eq!(run.facts.start, StartFacts::Owned);
    }

    #[test]
    fn the_first_end_counts_and_a_later_one_can_know_the_code() {
        let mut run = run();
        assert_eq!(run.apply(&end(None), at(1)), Urgency::Now);
        run.apply(&end(Some(9)), at(2));
        run.apply(&end(Some(3)), at(3));
        assert_eq!(run.facts.end, Some(EndFacts { exit_code: Some(9), at: at(1) }));
    }

    #[test]
    fn a_stop_is_over_when_its_end_has_come_through() {
        let mut run = run();
        run.facts.stop = StopFacts::Asked;
        run.stop_succeeded(true, at(1));
        assert_eq!(run.facts.stop, StopFacts::Asked);
        run.apply(&end(Some(143)), at(2));
        assert_eq!(run.facts.stop, StopFacts::Ended { at: at(2) });
    }

    #[test]
    fn a_stop_after_the_end_is_over_at_once() {
        let mut run = run();
        run.apply(&end(None), at(1));
        run.stop_succeeded(true, at(2));
        assert_eq!(run.facts.stop, StopFacts::Ended { at: at(2) });
    }

    #[test]
    fn an_early_end_brings_its_errors_along() {
        let mut run = run();
        let said = Payload::Message { level: Level::Error, text: "No SDK".to_owned() };
        let early = EndedEarly {
            end: End { exit_code: Some(1), told_by: Teller::Ide },
            process: false,
            rest: vec![said],
        };
        run.over(&SessionId::read("s").unwrap(), &early, at(1));
        assert_eq!(run.facts.message.as_deref(), Some("No SDK"));
        let over = StartFacts::Over { session_id: "s".into(), process: false, exit_code: Some(1), at: at(1) };
        assert_eq!(run.facts.start, over);
    }
}
