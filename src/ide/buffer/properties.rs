//! Promises of the buffer for any history: creates, notifications, confirmations, releases and takers in any
//! order.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

const LIMITS: Limits = Limits {
    sessions: 6,
    unknown: 3,
    notifications: 8,
    bytes: 2000,
    all_bytes: 6000,
    remember: Duration::from_secs(60),
};

#[derive(Clone, Debug)]
enum Act {
    Begin,
    Fail,
    Create(u8),
    Confirm(u8),
    Adopt(u8),
    Log(u8, usize),
    Process(u8),
    End(u8),
    Conclude(u8),
    Release(u8),
    Take,
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    let id = 0..8_u8;
    prop_oneof![
        3 => Just(Act::Begin),
        1 => Just(Act::Fail),
        3 => id.clone().prop_map(Act::Create),
        3 => id.clone().prop_map(Act::Confirm),
        1 => id.clone().prop_map(Act::Adopt),
        12 => (id.clone(), 0..600_usize).prop_map(|(id, size)| Act::Log(id, size)),
        3 => id.clone().prop_map(Act::Process),
        2 => id.clone().prop_map(Act::End),
        1 => id.clone().prop_map(Act::Conclude),
        2 => id.prop_map(Act::Release),
        6 => Just(Act::Take),
        1 => Just(Act::Wait),
    ]
}

/// The buffer beside the little that its promises are about.
struct Model {
    buffer: NotificationBuffer,
    now: Instant,
    tickets: Vec<Ticket>,
    /// Sessions that may be heard of.
    open: HashSet<u8>,
    /// Sessions whose end is to come out.
    ending: HashSet<u8>,
    sent: i64,
    heard: HashMap<u8, i64>,
}

fn id(n: u8) -> SessionId {
    SessionId::read(&format!("s{n}")).unwrap()
}

impl Model {
    fn new() -> Self {
        let (buffer, now) = (NotificationBuffer::new(LIMITS), Instant::now());
        Self {
            buffer,
            now,
            tickets: vec![],
            open: HashSet::new(),
            ending: HashSet::new(),
            sent: 0,
            heard: HashMap::new(),
        }
    }

    fn hear(&mut self, n: u8, what: Payload) {
        let is_end = matches!(what, Payload::Ended(_));
        let heard = self.buffer.notify(Notification { session: id(n), what }, self.now);
        if is_end && heard == Disposition::Ended && self.buffer.owns(&id(n)) {
            self.ending.insert(n);
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Begin => self.tickets.extend(self.buffer.begin().ok()),
            Act::Fail => {
                if let Some(ticket) = self.tickets.pop() {
                    self.buffer.failed(ticket);
                }
            }
            Act::Create(n) => {
                let Some(ticket) = self.tickets.pop() else { return };
                let ours = self.buffer.owns(&id(n));
                match self.buffer.created(ticket, &id(n), self.now) {
                    Err(SessionIdTakenError) => assert!(ours),
                    Ok(Created::Over(_)) => assert!(!self.buffer.owns(&id(n))),
                    Ok(Created::Waiting) => {
                        assert!(self.buffer.owns(&id(n)) && !self.buffer.has_ended(&id(n)))
                    }
                }
            }
            Act::Confirm(n) => {
                self.buffer.confirm(&id(n));
                if self.buffer.owns(&id(n)) {
                    self.open.insert(n);
                }
            }
            Act::Adopt(n) => {
                self.buffer.adopt(&id(n));
                self.open.insert(n);
                if self.buffer.has_ended(&id(n)) {
                    // It is to come out, or did.
                    self.ending.remove(&n);
                }
            }
            // Every notification is numbered, in a field that it has.
            Act::Log(n, size) => {
                self.sent += 1;
                let line = format!("{:08}{}", self.sent, "x".repeat(size));
                self.hear(n, Payload::Log { stderr: false, line });
            }
            Act::Process(n) => {
                self.sent += 1;
                self.hear(n, Payload::Process { pid: Some(self.sent) });
            }
            Act::End(n) => self.hear(n, Payload::Ended(End { exit_code: Some(1), told_by: Teller::Ide })),
            Act::Conclude(n) => self.buffer.conclude(&id(n)),
            Act::Release(n) => {
                self.buffer.release(&id(n), self.now);
                self.open.remove(&n);
                self.ending.remove(&n);
                self.heard.remove(&n);
            }
            Act::Take => {
                self.take();
            }
            Act::Wait => self.now += Duration::from_secs(61),
        }
    }

    /// Takes the next notification; says whether there was one.
    fn take(&mut self) -> bool {
        let Some(Notification { session, what }) = self.buffer.take() else { return false };
        let n: u8 = session.as_str()[1..].parse().unwrap();
        assert!(self.open.contains(&n), "{session} was not confirmed");
        let number = match &what {
            Payload::Log { line, .. } => line[..8].parse().unwrap(),
            Payload::Process { pid } => pid.unwrap(),
            Payload::Ended(end) => {
                if end.told_by == Teller::Ide {
                    self.ending.remove(&n);
                }
                return true;
            }
            _ => return true,
        };
        let before = self.heard.insert(n, number);
        assert!(before.is_none_or(|before| before < number), "out of order");
        true
    }

    fn check(&self) {
        let figures = self.buffer.stats();
        assert!(figures.unknown <= LIMITS.unknown);
        // Ends are not dropped, one by each side for every session.
        let ends = (figures.sessions + figures.unknown) * 2 * size_of::<Payload>();
        assert!(figures.bytes <= LIMITS.all_bytes + ends);
        assert!(figures.held <= (figures.sessions + figures.unknown) * (LIMITS.notifications + 2));
        assert!(figures.starting > 0 || figures.unknown == 0, "an unknown session that nobody can claim");
        assert_eq!(figures.starting, self.tickets.len());
    }
}

proptest! {
    #[test]
    fn promises_hold_for_any_history(acts in prop::collection::vec(act(), 0..200)) {
        let mut model = Model::new();
        for act in acts {
            model.act(act);
            model.check();
        }
        // In the end everybody is confirmed and everything is taken: no end of a session of ours is lost.
        for n in 0..8 {
            model.act(Act::Confirm(n));
        }
        while model.take() {}
        prop_assert!(model.ending.is_empty(), "lost ends: {:?}", model.ending);
        // And nothing leaks.
        while let Some(ticket) = model.tickets.pop() {
            model.buffer.failed(ticket);
        }
        for n in 0..8 {
            model.act(Act::Release(n));
        }
        prop_assert_eq!(model.buffer.stats(), Stats { dropped: model.buffer.stats().dropped, ..Stats::default() });
        prop_assert!(model.buffer.ready.is_empty());
    }
}
