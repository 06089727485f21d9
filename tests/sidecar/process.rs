//! A sidecar as a process of our binary, and HTTP to it.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::{
    io::{BufRead, BufReader, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
};
use tokio::net::{TcpSocket, TcpStream};

/// Our binary, called with `args` and nothing of the environment but `env`.
pub(crate) fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sojourn"));
    command.args(args).env_clear().envs(env.iter().copied()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A sidecar that runs until it is dropped.
pub(crate) struct Sidecar {
    child: Child,
    lines: mpsc::Receiver<serde_json::Value>,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Sidecar {
    pub(crate) fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut child = command(args, env).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let log = Arc::new(Mutex::new(String::new()));
        let (errors, kept) = (child.stderr.take().unwrap(), log.clone());
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(errors).lines() {
                let line = line.unwrap();
                kept.lock().unwrap().push_str(&format!("{line}\n"));
                sender.send(serde_json::from_str(&line).unwrap_or_default()).ok();
            }
        });
        Self { child, lines, log, reader: Some(reader) }
    }

    /// Where it listens for `purpose`. Ends the test when it does not.
    pub(crate) fn address(&self, purpose: &str) -> SocketAddr {
        for line in &self.lines {
            if line["purpose"] == purpose {
                return line["address"].as_str().unwrap().parse().unwrap();
            }
        }
        panic!("it does not listen for {purpose}: {}", self.log.lock().unwrap());
    }

    /// Memory that is the process's own, in KiB: not that of the program's file, which the kernel can drop.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// How it ended, and all that it logged.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        (status, out + &self.log.lock().unwrap())
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A connection from a loopback address.
pub(crate) async fn connect(address: SocketAddr, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((IpAddr::V4(from), 0).into()).unwrap();
    socket.connect(address).await.unwrap()
}

/// Sends `request` by a connection of its own.
pub(crate) async fn send<B>(address: SocketAddr, request: Request<B>) -> Response<Incoming>
where
    B: hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    send_from(address, Ipv4Addr::LOCALHOST, request).await
}

pub(crate) async fn send_from<B>(
    address: SocketAddr,
    from: Ipv4Addr,
    request: Request<B>,
) -> Response<Incoming>
where
    B: hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    send_by(connect(address, from).await, request).await
}

/// Sends `request` by a connection that is for it alone.
pub(crate) async fn send_by<B>(stream: TcpStream, mut request: Request<B>) -> Response<Incoming>
where
    B: hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    request.headers_mut().entry("host").or_insert("sessions.example".parse().unwrap());
    sender.send_request(request).await.unwrap()
}

/// Status and body of a GET with `headers`.
pub(crate) async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
    text(send(address, request(path, headers)).await).await
}

pub(crate) fn request(path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

pub(crate) async fn text(response: Response<Incoming>) -> (StatusCode, String) {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}
