//! One test for each promise, by example. The properties are in `properties`.

use super::{super::notification::Level, *};

fn id(text: &str) -> SessionId {
    SessionId::read(text).unwrap()
}

fn log(line: &str) -> Payload {
    Payload::Log { stderr: false, line: line.to_owned() }
}

fn said(text: &str) -> Payload {
    Payload::Message { level: Level::Error, text: text.to_owned() }
}

fn over(exit_code: Option<i32>) -> Payload {
    Payload::Ended(End { exit_code, told_by: Teller::Ide })
}

struct Fixture {
    buffer: NotificationBuffer,
    now: Instant,
}

impl Fixture {
    fn new(limits: Limits) -> Self {
        Self { buffer: NotificationBuffer::new(limits), now: Instant::now() }
    }

    fn hear(&mut self, session: &str, what: Payload) -> Disposition {
        self.buffer.notify(Notification { session: id(session), what }, self.now)
    }

    fn create(&mut self, ticket: Ticket, session: &str) -> Result<Created, SessionIdTakenError> {
        self.buffer.created(ticket, &id(session), self.now)
    }

    fn running(&mut self, session: &str) {
        let ticket = self.buffer.begin().unwrap();
        assert_eq!(self.create(ticket, session), Ok(Created::Waiting));
        self.buffer.confirm(&id(session));
    }

    fn taken(&mut self) -> Vec<(String, Payload)> {
        std::iter::from_fn(|| self.buffer.take()).map(|next| (next.session.to_string(), next.what)).collect()
    }
}

fn buffer() -> Fixture {
    Fixture::new(Limits::default())
}

fn of(session: &str, what: Payload) -> (String, Payload) {
    (session.to_owned(), what)
}

#[test]
fn what_comes_early_waits_for_the_answer_and_for_its_owner() {
    let mut buffer = buffer();
    let ticket = buffer.buffer.begin().unwrap();
    assert_eq!(buffer.hear("a", Payload::Process { pid: Some(1) }), Disposition::Kept);
    buffer.hear("a", log("one"));
    assert_eq!(buffer.taken(), []);
    assert_eq!(buffer.create(ticket, "a"), Ok(Created::Waiting));
    buffer.hear("a", log("two"));
    assert_eq!(buffer.taken(), []);
    buffer.buffer.confirm(&id("a"));
    let expected = [Payload::Process { pid: Some(1) }, log("one"), log("two")].map(|what| of("a", what));
    assert_eq!(buffer.taken(), expected);
}

#[test]
fn only_a_created_session_can_be_confirmed() {
    let mut buffer = buffer();
    let ticket = buffer.buffer.begin().unwrap();
    buffer.hear("a", log("one"));
    buffer.buffer.confirm(&id("a"));
    assert_eq!(buffer.taken(), []);
    buffer.buffer.failed(ticket);
    assert_eq!(buffer.buffer.stats(), Stats::default());
}

#[test]
fn an_early_end_includes_earlier_messages() {
    let mut buffer = buffer();
    let ticket = buffer.buffer.begin().unwrap();
    buffer.hear("a", log("one"));
    buffer.hear("a", said("why"));
    assert_eq!(buffer.hear("a", over(Some(3))), Disposition::Ended);
    buffer.hear("a", log("two"));
    let end = End { exit_code: Some(3), told_by: Teller::Ide };
    let early = EndedEarly { end, process: false, rest: vec![log("one"), said("why"), log("two")] };
    assert_eq!(buffer.create(ticket, "a"), Ok(Created::Over(early)));
    assert_eq!(buffer.hear("a", log("three")), Disposition::Late);
    assert_eq!(buffer.buffer.stats(), Stats::default());
}

#[test]
fn an_early_end_remembers_a_process() {
    let mut buffer = buffer();
    let ticket = buffer.buffer.begin().unwrap();
    buffer.hear("a", Payload::Process { pid: None });
    buffer.hear("a", over(None));
    assert!(matches!(buffer.create(ticket, "a"), Ok(Created::Over(early)) if early.process));
}

#[test]
fn an_end_between_answer_and_confirmation_is_not_lost() {
    let mut buffer = buffer();
    let ticket = buffer.buffer.begin().unwrap();
    buffer.create(ticket, "a").unwrap();
    assert_eq!(buffer.hear("a", over(Some(0))), Disposition::Ended);
    assert_eq!(buffer.taken(), []);
    buffer.buffer.confirm(&id("a"));
    assert_eq!(buffer.taken(), [of("a", over(Some(0)))]);
}

#[test]
fn the_id_of_another_session_is_refused() {
    let mut buffer = buffer();
    buffer.running("a");
    let ticket = buffer.buffer.begin().unwrap();
    assert_eq!(buffer.create(ticket, "a"), Err(SessionIdTakenError));
    buffer.hear("a", log("one"));
    assert_eq!(buffer.taken(), [of("a", log("one"))]);
    assert_eq!(buffer.buffer.stats().starting, 0);
}

#[test]
fn an_end_is_reported_once_and_by_the_ide_even_after_it_was_inferred() {
    let mut buffer = buffer();
    buffer.running("a");
    buffer.buffer.conclude(&id("a"));
    buffer.buffer.conclude(&id("a"));
    assert_eq!(buffer.hear("a", over(Some(1))), Disposition::Ended);
    assert_eq!(buffer.hear("a", over(Some(2))), Disposition::Repeated);
    buffer.buffer.conclude(&id("a"));
    let ours = Payload::Ended(End { exit_code: None, told_by: Teller::Client });
    assert_eq!(buffer.taken(), [of("a", ours), of("a", over(Some(1)))]);
}

#[test]
fn a_chatty_session_does_not_delay_others() {
    let mut buffer = buffer();
    buffer.running("loud");
    buffer.running("quiet");
    for line in 0..500 {
        buffer.hear("loud", log(&line.to_string()));
    }
    buffer.hear("quiet", log("me"));
    let next: Vec<_> = buffer.taken().into_iter().take(2).map(|(session, _)| session).collect();
    assert_eq!(next, ["loud", "quiet"]);
}

#[test]
fn output_is_dropped_first_then_the_rest_and_never_the_end() {
    let mut buffer = Fixture::new(Limits { notifications: 3, ..Limits::default() });
    buffer.running("a");
    for what in [said("one"), log("two"), over(Some(9)), said("three"), said("four"), log("five")] {
        buffer.hear("a", what);
    }
    // `two` made room for `four`; then `five` for itself.
    let expected = [Payload::Dropped(3), over(Some(9)), said("three"), said("four")];
    assert_eq!(buffer.taken(), expected.map(|what| of("a", what)));
    assert_eq!(buffer.buffer.stats().dropped, 3);
}

#[test]
fn bytes_are_bounded_for_one_and_for_all() {
    let limits = Limits { bytes: 4000, all_bytes: 10_000, ..Limits::default() };
    let mut buffer = Fixture::new(limits);
    for session in ["a", "b", "c", "d"] {
        buffer.running(session);
        for _ in 0..100 {
            buffer.hear(session, log(&"x".repeat(300)));
            assert!(buffer.buffer.stats().bytes <= 10_000);
        }
    }
    let heard_of = |name: &str, taken: &[(String, Payload)]| taken.iter().any(|(session, _)| session == name);
    let taken = buffer.taken();
    assert!(["a", "b", "c", "d"].iter().all(|name| heard_of(name, &taken)), "{taken:?}");
    assert_eq!(buffer.buffer.stats().bytes, 0);
}

#[test]
fn unknown_sessions_are_kept_only_while_somebody_may_learn_of_them() {
    let mut buffer = buffer();
    assert_eq!(buffer.hear("stray", log("x")), Disposition::Unknown);
    let (first, second) = (buffer.buffer.begin().unwrap(), buffer.buffer.begin().unwrap());
    buffer.hear("stray", log("x"));
    let third = buffer.buffer.begin().unwrap();
    buffer.buffer.failed(first);
    assert_eq!(buffer.buffer.stats().unknown, 1);
    // The third began after the first notification, so that the session cannot be its own.
    buffer.buffer.failed(second);
    assert_eq!((buffer.buffer.stats().unknown, buffer.buffer.stats().bytes), (0, 0));
    buffer.buffer.failed(third);
}

#[test]
fn of_too_many_unknown_sessions_the_oldest_is_dropped() {
    let mut buffer = buffer();
    let ticket = buffer.buffer.begin().unwrap();
    for n in 0..100 {
        buffer.hear(&format!("stray-{n}"), log("x"));
    }
    buffer.hear("mine", over(Some(7)));
    assert_eq!(buffer.buffer.stats().unknown, 64);
    assert!(matches!(buffer.create(ticket, "mine"), Ok(Created::Over(_))));
    assert_eq!(buffer.buffer.stats(), Stats::default());
}

#[test]
fn released_sessions_are_remembered_for_a_minute() {
    let mut buffer = buffer();
    buffer.running("a");
    buffer.hear("a", log("x"));
    buffer.buffer.release(&id("a"), buffer.now);
    assert_eq!(buffer.taken(), []);
    let ticket = buffer.buffer.begin().unwrap();
    assert_eq!(buffer.hear("a", log("x")), Disposition::Late);
    buffer.now += Duration::from_secs(60);
    assert_eq!(buffer.hear("a", log("x")), Disposition::Kept);
    buffer.buffer.failed(ticket);
}

#[test]
fn notifications_of_an_adopted_session_are_delivered_at_once() {
    let mut buffer = buffer();
    buffer.buffer.adopt(&id("old"));
    buffer.hear("old", over(Some(0)));
    assert_eq!(buffer.taken(), [of("old", over(Some(0)))]);
}

#[test]
fn an_endpoint_has_so_many_sessions() {
    let mut buffer = Fixture::new(Limits { sessions: 2, ..Limits::default() });
    buffer.running("a");
    let ticket = buffer.buffer.begin().unwrap();
    assert_eq!(buffer.buffer.begin(), Err(TooManySessionsError(2)));
    buffer.buffer.failed(ticket);
    buffer.running("b");
    buffer.buffer.release(&id("a"), buffer.now);
    assert!(buffer.buffer.begin().is_ok());
}
