//! A load generator that speaks as the API server does: HTTP/1.1 on TLS connections that stay open, one request at a
//! time on each.

use crate::process;
use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Whom to ask.
#[derive(Clone)]
pub(crate) struct Target {
    address: SocketAddr,
    tls: TlsConnector,
}

/// What came out of a round.
#[derive(Clone, Default)]
pub(crate) struct Outcome {
    /// Requests per second.
    pub(crate) rate: f64,
    /// CPU microseconds of this process per request, client and server together.
    pub(crate) cpu: f64,
    latencies: Vec<Duration>,
}

impl Outcome {
    /// How many requests were answered.
    pub(crate) fn requests(&self) -> usize {
        self.latencies.len()
    }

    /// The latency that this share of the requests did not exceed, in microseconds.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of a list")]
        let at = (self.latencies.len() as f64 * share) as usize;
        let latency = self.latencies.get(at.min(self.latencies.len().saturating_sub(1)));
        latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
    }
}

impl Target {
    /// The server at `address`, whose certificate the authority `ca_pem` vouches for.
    pub(crate) fn new(address: SocketAddr, ca_pem: &str) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { address, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Asks for `time` on so many connections.
    pub(crate) async fn ask(
        &self,
        connections: usize,
        path: &str,
        body: &Bytes,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        let mut asking = Vec::new();
        for _ in 0..connections {
            let sender = self.connect().await?;
            asking.push((sender, path.to_owned(), body.clone()));
        }
        let cpu = process::usage(std::process::id())?.cpu;
        let started = Instant::now();
        let deadline = started + time;
        let tasks: Vec<_> = asking
            .into_iter()
            .map(|(sender, path, body)| tokio::spawn(repeat(sender, path, body, deadline)))
            .collect();
        let mut outcome = Outcome::default();
        for task in tasks {
            outcome.latencies.extend(task.await??);
        }
        outcome.rate = outcome.latencies.len() as f64 / started.elapsed().as_secs_f64();
        let cpu = process::usage(std::process::id())?.cpu - cpu;
        outcome.cpu = cpu * 1e6 / outcome.latencies.len() as f64;
        outcome.latencies.sort_unstable();
        Ok(outcome)
    }

    async fn connect(&self) -> anyhow::Result<http1::SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::from(self.address.ip());
        let stream = self.tls.connect(name, stream).await.context("the handshake failed")?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

async fn repeat(
    mut sender: http1::SendRequest<Full<Bytes>>,
    path: String,
    body: Bytes,
    deadline: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while Instant::now() < deadline {
        let started = Instant::now();
        let request = Request::post(path.as_str())
            .header(header::HOST, "127.0.0.1")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, */*")
            .body(Full::new(body.clone()))?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        latencies.push(started.elapsed());
        // An answer that is not a good one is not worth a figure.
        let allowed = answer.windows(14).any(|part| part == br#""allowed":true"#);
        ensure!(status.is_success() && allowed, "{path}: {status}: {}", String::from_utf8_lossy(&answer));
    }
    Ok(latencies)
}
