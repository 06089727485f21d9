//! Clients: one that speaks HTTP properly, by either version, and the bare encrypted stream for those that do not.

use futures::stream;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Request,
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;
use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The version of HTTP that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// By what a client authenticates itself, in PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A server and who vouches for it.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    roots: RootCertStore,
    from: Ipv4Addr,
    identity: Option<Arc<Identity>>,
}

impl Target {
    pub(crate) fn new(address: SocketAddr, ca_pem: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
        Self { address, roots, from: Ipv4Addr::LOCALHOST, identity: None }
    }

    /// The same server, for clients that show a certificate.
    pub(crate) fn shown_by(&self, identity: Identity) -> Self {
        Self { identity: Some(Arc::new(identity)), ..self.clone() }
    }

    /// The same server, for clients of another loopback address.
    pub(crate) fn seen_from(&self, from: Ipv4Addr) -> Self {
        Self { from, ..self.clone() }
    }

    /// A connection without encryption yet.
    pub(crate) async fn tcp(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.from, 0).into())?;
        socket.connect(self.address).await
    }

    /// An encrypted connection on which nothing was said.
    pub(crate) async fn tls(&self, protocol: Protocol) -> io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        let name: &[u8] = if protocol == Protocol::Http2 { b"h2" } else { b"http/1.1" };
        config.alpn_protocols = vec![name.to_vec()];
        let name = ServerName::from(self.address.ip());
        let stream = TlsConnector::from(Arc::new(config)).connect(name, self.tcp().await?).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(config_name(protocol)), "the server speaks it");
        Ok(stream)
    }

    pub(crate) async fn connect(&self, protocol: Protocol) -> anyhow::Result<Client> {
        let io = TokioIo::new(self.tls(protocol).await?);
        Ok(match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Client::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Client::Http2(sender)
            }
        })
    }
}

fn config_name(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Http1 => b"http/1.1",
        Protocol::Http2 => b"h2",
    }
}

type Body = BoxBody<Bytes, Infallible>;

/// A connection by HTTP.
pub(crate) enum Client {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Client {
    /// Posts a body; returns the status, and the body of the answer if it is JSON.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<(u16, Value)> {
        let request = Request::post(format!("https://127.0.0.1{path}"))
            .header("host", "127.0.0.1")
            .header("content-type", content_type)
            .body(Full::new(body.into()).boxed())?;
        let response = self.send(request).await?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Asks for what is at a path, with a token; the body is still to come.
    pub(crate) async fn get(&mut self, path: &str, token: &str) -> anyhow::Result<hyper::Response<Incoming>> {
        let request = Request::get(format!("https://127.0.0.1{path}"))
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::default().boxed())?;
        self.send(request).await
    }

    /// Posts a body that never comes; returns the status. What is sent is sent before this is polled again.
    pub(crate) async fn stall(&mut self, path: &str) -> anyhow::Result<u16> {
        let request = Request::post(format!("https://127.0.0.1{path}"))
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("content-length", "900")
            .body(StreamBody::new(stream::pending()).boxed())?;
        Ok(self.send(request).await?.status().as_u16())
    }

    /// The same connection, for another request at the same time.
    pub(crate) fn another(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(sender) => Some(Self::Http2(sender.clone())),
        }
    }

    async fn send(&mut self, request: Request<Body>) -> anyhow::Result<hyper::Response<Incoming>> {
        Ok(match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        })
    }
}

/// What comes until the server closes the stream. How it closes it is its own affair.
pub(crate) async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        bytes.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
