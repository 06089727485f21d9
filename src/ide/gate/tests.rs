//! One test for each promise, by example. The properties are in `properties`.

use super::{super::notification::Level, *};

fn id(text: &str) -> SessionId {
    SessionId::read(text).unwrap()
}

fn log(line: &str) -> What {
    What::Log { stderr: false, line: line.to_owned() }
}

fn said(text: &str) -> What {
    What::Said { level: Level::Error, text: text.to_owned() }
}

fn over(exit_code: Option<i32>) -> What {
    What::Ended(End { exit_code, told_by: Teller::Ide })
}

struct Fixture {
    gate: Gate,
    now: Instant,
}

impl Fixture {
    fn new(limits: Limits) -> Self {
        Self { gate: Gate::new(limits), now: Instant::now() }
    }

    fn hear(&mut self, session: &str, what: What) -> Heard {
        self.gate.notify(Notification { session: id(session), what }, self.now)
    }

    fn create(&mut self, ticket: Ticket, session: &str) -> Result<Created, Taken> {
        self.gate.created(ticket, &id(session), self.now)
    }

    fn running(&mut self, session: &str) {
        let ticket = self.gate.begin().unwrap();
        assert_eq!(self.create(ticket, session), Ok(Created::Waiting));
        self.gate.confirm(&id(session));
    }

    fn taken(&mut self) -> Vec<(String, What)> {
        std::iter::from_fn(|| self.gate.take()).map(|next| (next.session.to_string(), next.what)).collect()
    }
}

fn gate() -> Fixture {
    Fixture::new(Limits::default())
}

fn of(session: &str, what: What) -> (String, What) {
    (session.to_owned(), what)
}

#[test]
fn what_comes_early_waits_for_the_answer_and_for_its_owner() {
    let mut gate = gate();
    let ticket = gate.gate.begin().unwrap();
    assert_eq!(gate.hear("a", What::Process { pid: Some(1) }), Heard::Kept);
    gate.hear("a", log("one"));
    assert_eq!(gate.taken(), []);
    assert_eq!(gate.create(ticket, "a"), Ok(Created::Waiting));
    gate.hear("a", log("two"));
    assert_eq!(gate.taken(), []);
    gate.gate.confirm(&id("a"));
    let expected = [What::Process { pid: Some(1) }, log("one"), log("two")].map(|what| of("a", what));
    assert_eq!(gate.taken(), expected);
}

#[test]
fn nobody_confirms_what_was_not_created() {
    let mut gate = gate();
    let ticket = gate.gate.begin().unwrap();
    gate.hear("a", log("one"));
    gate.gate.confirm(&id("a"));
    assert_eq!(gate.taken(), []);
    gate.gate.failed(ticket);
    assert_eq!(gate.gate.figures(), Figures::default());
}

#[test]
fn an_early_end_takes_along_what_was_said() {
    let mut gate = gate();
    let ticket = gate.gate.begin().unwrap();
    gate.hear("a", log("one"));
    gate.hear("a", said("why"));
    assert_eq!(gate.hear("a", over(Some(3))), Heard::Ended);
    gate.hear("a", log("two"));
    let end = End { exit_code: Some(3), told_by: Teller::Ide };
    let early = Early { end, process: false, rest: vec![log("one"), said("why"), log("two")] };
    assert_eq!(gate.create(ticket, "a"), Ok(Created::Over(early)));
    assert_eq!(gate.hear("a", log("three")), Heard::Late);
    assert_eq!(gate.gate.figures(), Figures::default());
}

#[test]
fn an_early_end_remembers_a_process() {
    let mut gate = gate();
    let ticket = gate.gate.begin().unwrap();
    gate.hear("a", What::Process { pid: None });
    gate.hear("a", over(None));
    assert!(matches!(gate.create(ticket, "a"), Ok(Created::Over(early)) if early.process));
}

#[test]
fn an_end_between_answer_and_confirmation_is_not_lost() {
    let mut gate = gate();
    let ticket = gate.gate.begin().unwrap();
    gate.create(ticket, "a").unwrap();
    assert_eq!(gate.hear("a", over(Some(0))), Heard::Ended);
    assert_eq!(gate.taken(), []);
    gate.gate.confirm(&id("a"));
    assert_eq!(gate.taken(), [of("a", over(Some(0)))]);
}

#[test]
fn the_id_of_another_session_is_refused() {
    let mut gate = gate();
    gate.running("a");
    let ticket = gate.gate.begin().unwrap();
    assert_eq!(gate.create(ticket, "a"), Err(Taken));
    gate.hear("a", log("one"));
    assert_eq!(gate.taken(), [of("a", log("one"))]);
    assert_eq!(gate.gate.figures().starting, 0);
}

#[test]
fn an_end_is_told_once_and_by_the_ide_even_after_us() {
    let mut gate = gate();
    gate.running("a");
    gate.gate.conclude(&id("a"));
    gate.gate.conclude(&id("a"));
    assert_eq!(gate.hear("a", over(Some(1))), Heard::Ended);
    assert_eq!(gate.hear("a", over(Some(2))), Heard::Repeated);
    gate.gate.conclude(&id("a"));
    let ours = What::Ended(End { exit_code: None, told_by: Teller::Client });
    assert_eq!(gate.taken(), [of("a", ours), of("a", over(Some(1)))]);
}

#[test]
fn a_talkative_session_holds_nobody_up() {
    let mut gate = gate();
    gate.running("loud");
    gate.running("quiet");
    for line in 0..500 {
        gate.hear("loud", log(&line.to_string()));
    }
    gate.hear("quiet", log("me"));
    let next: Vec<_> = gate.taken().into_iter().take(2).map(|(session, _)| session).collect();
    assert_eq!(next, ["loud", "quiet"]);
}

#[test]
fn output_is_dropped_first_then_the_rest_and_never_the_end() {
    let mut gate = Fixture::new(Limits { notifications: 3, ..Limits::default() });
    gate.running("a");
    for what in [said("one"), log("two"), over(Some(9)), said("three"), said("four"), log("five")] {
        gate.hear("a", what);
    }
    // `two` made room for `four`; then `five` for itself.
    let expected = [What::Lost(3), over(Some(9)), said("three"), said("four")];
    assert_eq!(gate.taken(), expected.map(|what| of("a", what)));
    assert_eq!(gate.gate.figures().dropped, 3);
}

#[test]
fn bytes_are_bounded_for_one_and_for_all() {
    let limits = Limits { bytes: 4000, all_bytes: 10_000, ..Limits::default() };
    let mut gate = Fixture::new(limits);
    for session in ["a", "b", "c", "d"] {
        gate.running(session);
        for _ in 0..100 {
            gate.hear(session, log(&"x".repeat(300)));
            assert!(gate.gate.figures().bytes <= 10_000);
        }
    }
    let heard_of = |name: &str, taken: &[(String, What)]| taken.iter().any(|(session, _)| session == name);
    let taken = gate.taken();
    assert!(["a", "b", "c", "d"].iter().all(|name| heard_of(name, &taken)), "{taken:?}");
    assert_eq!(gate.gate.figures().bytes, 0);
}

#[test]
fn unknown_sessions_are_kept_only_while_somebody_may_learn_of_them() {
    let mut gate = gate();
    assert_eq!(gate.hear("stray", log("x")), Heard::Unknown);
    let (first, second) = (gate.gate.begin().unwrap(), gate.gate.begin().unwrap());
    gate.hear("stray", log("x"));
    let third = gate.gate.begin().unwrap();
    gate.gate.failed(first);
    assert_eq!(gate.gate.figures().unknown, 1);
    // The third began after the first notification, so that the session cannot be its own.
    gate.gate.failed(second);
    assert_eq!((gate.gate.figures().unknown, gate.gate.figures().bytes), (0, 0));
    gate.gate.failed(third);
}

#[test]
fn of_too_many_unknown_sessions_the_oldest_goes() {
    let mut gate = gate();
    let ticket = gate.gate.begin().unwrap();
    for n in 0..100 {
        gate.hear(&format!("stray-{n}"), log("x"));
    }
    gate.hear("mine", over(Some(7)));
    assert_eq!(gate.gate.figures().unknown, 64);
    assert!(matches!(gate.create(ticket, "mine"), Ok(Created::Over(_))));
    assert_eq!(gate.gate.figures(), Figures::default());
}

#[test]
fn released_sessions_are_remembered_for_a_minute() {
    let mut gate = gate();
    gate.running("a");
    gate.hear("a", log("x"));
    gate.gate.release(&id("a"), gate.now);
    assert_eq!(gate.taken(), []);
    let ticket = gate.gate.begin().unwrap();
    assert_eq!(gate.hear("a", log("x")), Heard::Late);
    gate.now += Duration::from_secs(60);
    assert_eq!(gate.hear("a", log("x")), Heard::Kept);
    gate.gate.failed(ticket);
}

#[test]
fn an_adopted_session_is_heard_at_once() {
    let mut gate = gate();
    gate.gate.adopt(&id("old"));
    gate.hear("old", over(Some(0)));
    assert_eq!(gate.taken(), [of("old", over(Some(0)))]);
}

#[test]
fn an_endpoint_has_so_many_sessions() {
    let mut gate = Fixture::new(Limits { sessions: 2, ..Limits::default() });
    gate.running("a");
    let ticket = gate.gate.begin().unwrap();
    assert_eq!(gate.gate.begin(), Err(TooMany(2)));
    gate.gate.failed(ticket);
    gate.running("b");
    gate.gate.release(&id("a"), gate.now);
    assert!(gate.gate.begin().is_ok());
}
