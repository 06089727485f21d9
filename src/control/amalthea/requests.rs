//! Asks the proxy in front of a session when it saw its last request.
//!
//! One plain HTTP request to the pod, within a deadline, with a bounded answer and without redirects. Whoever answers
//! can at most keep its own session alive.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::Deserialize;
use sojourn_crds::amalthea::names::PROXY_META_PORT;
use std::{error::Error, net::IpAddr, time::Duration};
use tokio::net::TcpStream;

/// How long the proxy may take. It is in the same cluster and answers from memory.
const DEADLINE: Duration = Duration::from_secs(2);
/// The answer is one moment in JSON.
const LONGEST_ANSWER: usize = 4096;

#[derive(Deserialize)]
struct RequestStats {
    last_request_time: Timestamp,
}

/// When the proxy of the pod at `address` saw its last request; none when it does not say.
pub(super) async fn last_request(address: &str) -> Option<Timestamp> {
    let address: IpAddr = address.parse().ok()?;
    let answer = tokio::time::timeout(DEADLINE, ask(address)).await;
    match answer.unwrap_or_else(|_| Err("no answer in time".into())) {
        Ok(stats) => Some(stats.last_request_time),
        Err(error) => {
            tracing::debug!(%address, %error, "a session's proxy does not say when it was last used");
            None
        }
    }
}

/// The port number, which Kubernetes' types take as signed.
fn port() -> u16 {
    u16::try_from(PROXY_META_PORT).unwrap_or_default()
}

async fn ask(address: IpAddr) -> Result<RequestStats, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect((address, port())).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = http::Request::get("/request_stats")
        .header(http::header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())?;
    // The connection works while the answer is waited for, and ends when nobody can ask on it any more.
    let exchange = async move {
        let response = sender.send_request(request).await?;
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    };
    let (answer, _) = tokio::join!(exchange, connection);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A proxy at an address of its own, whose port nobody else has.
    async fn proxy(address: &str, answer: String) {
        let listener = TcpListener::bind((address, port())).await.unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked).await.unwrap();
            assert!(asked[..length].starts_with(b"GET /request_stats HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
    }

    fn response(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn the_moment_is_read() {
        let body = r#"{"last_request_time":"2026-01-01T12:00:00.5+02:00"}"#;
        proxy("127.9.9.1", response(body)).await;
        let seen = last_request("127.9.9.1").await;
        assert_eq!(seen, Some("2026-01-01T10:00:00.5Z".parse().unwrap()));
    }

    #[tokio::test]
    async fn scrap_floods_silence_and_nobody_are_no_answer() {
        proxy("127.9.9.2", response("{}")).await;
        assert_eq!(last_request("127.9.9.2").await, None);
        proxy("127.9.9.3", response(&" ".repeat(LONGEST_ANSWER + 1))).await;
        assert_eq!(last_request("127.9.9.3").await, None);
        proxy("127.9.9.4", String::new()).await;
        assert_eq!(last_request("127.9.9.4").await, None);
        assert_eq!(last_request("127.9.9.5").await, None);
        assert_eq!(last_request("not an address").await, None);
    }
}
