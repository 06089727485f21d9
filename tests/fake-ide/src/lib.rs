//! A fake IDE on real sockets. It speaks the IDE execution protocol as the commonest IDE does, misbehaves
//! where a [`script`] says so, and records what it was asked.
//!
//! Everything that it sends or receives as it should is held against `protocol.schema.json`; what does not
//! fit is found in [`FakeIde::violations`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

pub mod certificate;
mod notify;
mod record;
pub mod schema;
pub mod script;
mod server;

pub use record::Asked;
pub use script::{Answer, Script, Step};

use certificate::Certificate;
use notify::Frame;
use record::Record;
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long a test waits for something that is to happen.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a fake IDE is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port on loopback; 0 lets the system choose.
    pub port: u16,
    /// The token that it wants.
    pub token: String,
    /// The certificate that it shows; plain text when absent.
    pub certificate: Option<Certificate>,
    /// What it answers to `GET /info`.
    pub info: Value,
    /// Whether it wants instance ids that begin with `aspire-extension-run-<owner>-`, and lets only the
    /// owner of a session stop it.
    pub owners: bool,
    /// Whether it keeps notifications while nobody listens, and sends them later.
    pub replays: bool,
    /// Whether it gives each session a process, and output.
    pub lively: bool,
    /// How long a session takes to end after it was stopped.
    pub stop_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            token: "t0ps3cret-t0ken".to_owned(),
            certificate: None,
            info: json!({
                "protocols_supported": ["2024-03-03", "2024-04-23", "2025-10-01"],
                "supported_launch_configurations": ["project", "python"],
            }),
            owners: false,
            replays: true,
            lively: false,
            stop_delay: Duration::from_millis(200),
        }
    }
}

/// A fake IDE at work. It ends when this is dropped.
#[derive(Debug)]
pub struct FakeIde {
    address: SocketAddr,
    options: Options,
    record: Arc<Record>,
    _stop: DropGuard,
}

impl FakeIde {
    /// Listens on loopback.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
        let address = listener.local_addr()?;
        let record = Arc::new(Record::new(&options));
        let stop = CancellationToken::new();
        tokio::spawn(server::serve(listener, options.clone(), record.clone(), stop.clone()));
        Ok(Self { address, options, record, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The variables that tell others of it, as an IDE sets them.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("DEBUG_SESSION_PORT", format!("localhost:{}", self.address.port())),
            ("DEBUG_SESSION_TOKEN", self.options.token.clone()),
        ];
        if let Some(certificate) = &self.options.certificate {
            variables.push(("DEBUG_SESSION_SERVER_CERTIFICATE", certificate.base64()));
        }
        if self.options.owners {
            variables.push(("DCP_INSTANCE_ID_PREFIX", "aspire-extension-run-fake-".to_owned()));
        }
        variables
    }

    /// Changes what it does from here on.
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.record.state.lock().script);
    }

    /// Sends a notification, which must fit the schema.
    pub fn notify(&self, notification: Value) {
        self.record.notify(&notification);
    }

    /// Sends a text frame as it is.
    pub fn send(&self, frame: impl Into<String>) {
        self.record.change(|state| state.outbox.send(Frame::Text(frame.into())));
    }

    /// Sends a binary frame.
    pub fn send_binary(&self, bytes: Vec<u8>) {
        self.record.change(|state| state.outbox.send(Frame::Binary(bytes)));
    }

    /// Closes the WebSocket as the protocol says.
    pub fn close_socket(&self, reason: &str) {
        self.record.change(|state| state.outbox.send(Frame::Close(reason.to_owned())));
    }

    /// Drops the WebSocket without a word.
    pub fn drop_socket(&self) {
        self.record.change(|state| state.outbox.send(Frame::Drop));
    }

    /// A session of the fake reports its process.
    pub fn process(&self, session: &str, pid: i64) {
        self.notify(json!({"notification_type": "processRestarted", "session_id": session, "pid": pid}));
    }

    /// A session of the fake writes a line.
    pub fn log(&self, session: &str, line: &str) {
        self.notify(json!({"notification_type": "serviceLogs", "session_id": session, "is_std_err": false,
            "log_message": line}));
    }

    /// A session of the fake ends.
    pub fn end(&self, session: &str, exit_code: Option<i64>) {
        self.record.end(session, exit_code);
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.record.state.lock().asked.clone()
    }

    /// What it was asked so far with this method on a path that begins like this.
    pub fn asked_for(&self, method: &str, path: &str) -> Vec<Asked> {
        self.asked()
            .into_iter()
            .filter(|asked| asked.method == method && asked.path.starts_with(path))
            .collect()
    }

    /// Whether somebody listens to notifications.
    pub fn has_listener(&self) -> bool {
        self.record.state.lock().outbox.has_listener()
    }

    /// How many pings came in.
    pub fn pings(&self) -> u64 {
        self.record.state.lock().pings
    }

    /// How many close frames came in.
    pub fn goodbyes(&self) -> u64 {
        self.record.state.lock().goodbyes
    }

    /// What went over the wire and does not fit the schema or the protocol.
    pub fn violations(&self) -> Vec<String> {
        self.record.state.lock().violations.clone()
    }

    /// Waits until something holds, and panics if it never does.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        if tokio::time::timeout(PATIENCE, self.becomes(holds)).await.is_err() {
            panic!("it never came to pass that {what}; asked: {:#?}", self.asked());
        }
    }

    /// Waits until it was asked more than so many times.
    pub async fn more_than(&self, times: usize) {
        self.becomes(|ide| ide.record.state.lock().asked.len() > times).await;
    }

    async fn becomes(&self, holds: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.record.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if holds(self) {
                return;
            }
            changed.await;
        }
    }
}
