//! A fake IDE with our client connected to it.

use sojourn::ide::{
    Connection, ConnectionState, Endpoint, InstanceId, Launch, Notification, Notifications, Options, Payload,
    RunRequest, SessionId, Start, StartErrorKind, Started,
    endpoint::Origin,
    notification::{End, Teller},
    timing::Timing,
};
use sojourn_fake_ide::{FakeIde, Options as FakeOptions};
use std::time::Duration;

/// How long a test waits for something that is to happen.
const PATIENCE: Duration = Duration::from_secs(120);

/// A fake IDE and the connection to it.
pub(crate) struct Pair {
    pub(crate) ide: FakeIde,
    pub(crate) connection: Connection,
    pub(crate) notifications: Notifications,
}

/// Times at which nothing happens by itself, and everything that is asked for soon does.
pub(crate) fn timing() -> Timing {
    Timing {
        request: Duration::from_secs(20),
        silence: Duration::from_secs(20),
        keepalive: None,
        end: Duration::from_secs(20),
        pause: Duration::from_millis(10),
        backoff: Duration::from_millis(10),
        max_backoff: Duration::from_millis(50),
        close: Duration::from_secs(5),
    }
}

pub(crate) fn options() -> Options {
    Options { timing: timing(), ..Options::default() }
}

/// The endpoint that a fake describes, as our environment would.
pub(crate) fn endpoint(ide: &FakeIde) -> Endpoint {
    endpoint_of(ide.variables())
}

pub(crate) fn endpoint_of(variables: Vec<(&'static str, String)>) -> Endpoint {
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    Endpoint::read(Origin::Environment, variable).unwrap()
}

pub(crate) fn open(ide: &FakeIde, known: &[&str], options: Options) -> (Connection, Notifications) {
    let endpoint = endpoint(ide);
    let instance = InstanceId::derive(&endpoint.instance_prefix, "test").unwrap();
    let known = known.iter().map(|session| id(session));
    Connection::open(endpoint, instance, known, options).unwrap()
}

impl Pair {
    pub(crate) async fn new() -> Self {
        Self::with(FakeOptions::default(), options()).await
    }

    pub(crate) async fn with(fake: FakeOptions, options: Options) -> Self {
        let ide = FakeIde::start(fake).await.unwrap();
        let (connection, notifications) = open(&ide, &[], options);
        let pair = Self { ide, connection, notifications };
        pair.connected().await;
        pair
    }

    /// Waits until both sides are connected.
    pub(crate) async fn connected(&self) {
        self.connection.connected().await.unwrap();
        self.ide.until("the client listens", FakeIde::has_listener).await;
    }

    pub(crate) async fn started(&self) -> Started {
        match self.connection.start(&request()).await.unwrap() {
            Start::Running(started) => started,
            Start::Over { session, .. } => panic!("{session} is over"),
        }
    }

    /// A session that runs, confirmed.
    pub(crate) async fn running(&self) -> SessionId {
        let started = self.started().await;
        let session = started.session().clone();
        started.confirm();
        session
    }

    pub(crate) async fn next(&mut self) -> Notification {
        soon("a notification", self.notifications.next()).await.unwrap()
    }

    pub(crate) async fn next_of(&mut self, session: &SessionId) -> Payload {
        let next = self.next().await;
        assert_eq!(next.session, *session);
        next.what
    }

    /// Waits until the client is not connected any more, and returns what it says of that.
    pub(crate) async fn lost(&self) -> ConnectionState {
        link(&self.connection, |link| matches!(link, ConnectionState::Connecting { why: Some(_), .. })).await
    }

    /// Nothing that went over the wire was against the protocol.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.ide.violations(), Vec::<String>::new());
    }
}

/// Waits until the connection is as it should be.
pub(crate) async fn link(
    connection: &Connection,
    wanted: impl Fn(&ConnectionState) -> bool,
) -> ConnectionState {
    let mut link = connection.link();
    soon("the state of the connection", link.wait_for(|link| wanted(link))).await.unwrap().clone()
}

/// Waits for something that is to happen.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(result) => result,
        Err(_) => panic!("{what} never came"),
    }
}

pub(crate) fn id(text: &str) -> SessionId {
    SessionId::read(text).unwrap()
}

pub(crate) const LAUNCH: &str = r#"[{"type":"project","project_path":"/src/app.csproj","mode":"Debug"}]"#;

pub(crate) fn request() -> RunRequest {
    Launch::read(LAUNCH).unwrap().into()
}

pub(crate) fn ended(exit_code: Option<i32>) -> Payload {
    Payload::Ended(End { exit_code, told_by: Teller::Ide })
}

/// An end that we conclude.
pub(crate) fn concluded() -> Payload {
    Payload::Ended(End { exit_code: None, told_by: Teller::Client })
}

pub(crate) fn log(line: &str) -> Payload {
    Payload::Log { stderr: false, line: line.to_owned() }
}

/// Whether nothing was sent to the IDE.
pub(crate) fn is_unsent(cause: &StartErrorKind) -> bool {
    use StartErrorKind::{Closed, NotConnected, TooManySessions, Unsupported};
    matches!(cause, Closed | NotConnected | TooManySessions(_) | Unsupported(_))
}
