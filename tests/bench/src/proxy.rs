//! Part h: the proxy of a session against nginx, which asks for the same token, before the same server.
//!
//! Both are one process with one thread that works, of plain HTTP on loopback. The server behind them and the load are
//! in this process, so none of them can be as fast as it could be alone; they are measured in turns.

use crate::{
    process,
    table::{Bound, Row, Table},
};
use anyhow::{Context as _, bail, ensure};
use axum::{Router, body::Body, routing::get};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "a-token-of-the-benchmark";
const CONNECTIONS: usize = 16;
/// Turns, of which the best counts: other work of the machine only ever takes.
const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_secs(3);
/// Large bodies at a time, and how large.
const TRANSFERS: usize = 4;
const PIECE: usize = 64 << 10;
const PIECES: usize = 4096;
/// How long a proxy may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A proxy that runs until it is dropped.
struct Proxy {
    child: Child,
    address: SocketAddr,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Without one to end there is nothing to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The best of a proxy's turns.
#[derive(Default)]
struct Best {
    requests: f64,
    megabytes: f64,
}

/// Measures both.
pub(crate) async fn run(table: &mut Table) -> anyhow::Result<()> {
    let folder = env::temp_dir().join(format!("sojourn-bench-proxy-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let measured = measure(&folder, table).await;
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    measured
}

async fn measure(folder: &Path, table: &mut Table) -> anyhow::Result<()> {
    let server = serve().await?;
    let ours = ours(folder, server).await?;
    let nginx = nginx(folder, server).await?;
    let mut best = [Best::default(), Best::default()];
    for _ in 0..ROUNDS {
        for (proxy, best) in [&ours, &nginx].into_iter().zip(&mut best) {
            best.requests = best.requests.max(requests(proxy.address).await?);
            best.megabytes = best.megabytes.max(transfer(proxy.address).await?);
        }
    }
    let [own, limit] = best;
    let mut add = |figure: &str, unit, value, limit| {
        table.add(Row { part: 'h', figure: figure.to_owned(), unit, value, limit, bound: Bound::None });
    };
    add("requests through a session's proxy; limit: nginx", "/s", own.requests, Some(limit.requests));
    add("large bodies through it; limit: nginx", "MB/s", own.megabytes, Some(limit.megabytes));
    add("memory of the proxy, peak", "MiB", process::usage(ours.child.id())?.peak, None);
    Ok(())
}

/// What stands in the place of a session.
async fn serve() -> anyhow::Result<SocketAddr> {
    let small = async || Bytes::from_static(&[b'x'; 1024]);
    let large = async || {
        let piece = Bytes::from(vec![0; PIECE]);
        let pieces = (0..PIECES).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
        Body::from_stream(futures::stream::iter(pieces))
    };
    let router = Router::new().route("/small", get(small)).route("/large", get(large));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn ours(folder: &Path, server: SocketAddr) -> anyhow::Result<Proxy> {
    let config = folder.join("auth.yaml");
    fs::write(&config, format!("token: {TOKEN}\n"))?;
    let (port, meta_port) = (free_port()?, free_port()?);
    let mut command = Command::new(env::current_exe()?.with_file_name("sojourn"));
    command.args(["sidecar", "proxy", "serve", "--address=127.0.0.1", "--config"]).arg(config).args([
        format!("--port={port}"),
        format!("--meta_port={meta_port}"),
        format!("--remote=http://{server}"),
    ]);
    start(command, port).await
}

async fn nginx(folder: &Path, server: SocketAddr) -> anyhow::Result<Proxy> {
    let (port, config) = (free_port()?, folder.join("nginx.conf"));
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let places = places.map(|name| format!("{name}_temp_path {};", folder.join(name).display())).concat();
    // What it passes on is streamed, as ours does it, and never put down in a file.
    let text = format!(
        "daemon off; master_process off; pid {pid}; error_log stderr;\n\
         events {{ worker_connections 512; }}\n\
         http {{\n access_log off; {places}\n\
         upstream session {{ server {server}; keepalive 32; keepalive_requests 100000000; }}\n\
         server {{\n listen 127.0.0.1:{port}; keepalive_requests 100000000;\n\
         location / {{\n if ($http_authorization != \"Bearer {TOKEN}\") {{ return 401; }}\n\
         proxy_pass http://session; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_set_header Host $host; proxy_max_temp_file_size 0; proxy_request_buffering off;\n }}\n }}\n}}\n",
        pid = folder.join("nginx.pid").display(),
    );
    fs::write(&config, text)?;
    let mut command = Command::new(nginx_program()?);
    command.arg("-p").arg(folder).arg("-c").arg(config);
    start(command, port).await
}

/// Where nginx is; a user's PATH may not name the folder.
fn nginx_program() -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join("nginx")).find(|file| file.is_file());
    found.context(
        "part h compares with nginx, which is not installed; in Debian it is the package nginx-light",
    )
}

/// Starts a proxy and waits until it passes on.
async fn start(mut command: Command, port: u16) -> anyhow::Result<Proxy> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = child.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let mut proxy = Proxy { child, address: SocketAddr::from(([127, 0, 0, 1], port)) };
    let began = Instant::now();
    while TcpStream::connect(proxy.address).await.is_err() {
        if let Some(status) = proxy.child.try_wait()? {
            bail!("{} ended: {status}", command.get_program().display());
        }
        ensure!(began.elapsed() < PATIENCE, "{} does not listen", command.get_program().display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Whoever does not show the token is refused by both, or they are not the same.
    let (mut sender, request) = (connect(proxy.address).await?, Request::get("/small"));
    let refused = request.header(header::HOST, "localhost").body(Empty::<Bytes>::new())?;
    let status = sender.send_request(refused).await?.status();
    ensure!(status == 401, "{} lets everybody through: {status}", command.get_program().display());
    Ok(proxy)
}

/// Small requests per second.
async fn requests(address: SocketAddr) -> anyhow::Result<f64> {
    let began = Instant::now();
    let tasks: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(repeat(address, began + TIME))).collect();
    let mut count = 0;
    for task in tasks {
        count += task.await??;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

async fn repeat(address: SocketAddr, deadline: Instant) -> anyhow::Result<u32> {
    let mut sender = connect(address).await?;
    let mut count = 0;
    while Instant::now() < deadline {
        ensure!(ask(&mut sender, "/small").await? == 1024, "the answer is not whole");
        count += 1;
    }
    Ok(count)
}

/// Large bodies, in MB/s.
async fn transfer(address: SocketAddr) -> anyhow::Result<f64> {
    let began = Instant::now();
    let tasks: Vec<_> = (0..TRANSFERS).map(|_| tokio::spawn(download(address))).collect();
    for task in tasks {
        ensure!(task.await?? == PIECE * PIECES, "the answer is not whole");
    }
    Ok((TRANSFERS * PIECE * PIECES) as f64 / 1e6 / began.elapsed().as_secs_f64())
}

async fn download(address: SocketAddr) -> anyhow::Result<usize> {
    ask(&mut connect(address).await?, "/large").await
}

async fn connect(address: SocketAddr) -> anyhow::Result<http1::SendRequest<Empty<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// The length of the answer to a request that shows the token.
async fn ask(sender: &mut http1::SendRequest<Empty<Bytes>>, path: &str) -> anyhow::Result<usize> {
    let request = Request::get(path)
        .header(header::HOST, "localhost")
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(Empty::new())?;
    sender.ready().await?;
    let mut answer = sender.send_request(request).await?;
    ensure!(answer.status().is_success(), "{path}: {}", answer.status());
    let mut length = 0;
    while let Some(frame) = answer.body_mut().frame().await {
        length += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(length)
}

/// A port of loopback that nobody has now.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
