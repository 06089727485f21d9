//! Frames of HTTP/2 that no honest client sends.

use crate::{
    Served,
    client::{Protocol, Target, rest},
    good_review, path,
};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sojourn::http_server::Limits;
use tokio::{
    io::{AsyncWriteExt as _, ReadHalf, WriteHalf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field that is not put into the table, as HPACK writes it.
fn field(name: &str, value: &[u8]) -> Vec<u8> {
    let length = |length: usize| match length {
        0..127 => vec![u8::try_from(length).unwrap()],
        _ => {
            let (mut rest, mut bytes) = (length - 127, vec![127]);
            while rest >= 128 {
                bytes.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            bytes.push(u8::try_from(rest).unwrap());
            bytes
        }
    };
    [&[0][..], &length(name.len()), name.as_bytes(), &length(value.len()), value].concat()
}

/// The head of a good request.
fn head() -> Vec<u8> {
    let path = path();
    let fields = [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", &path)];
    fields.iter().flat_map(|(name, value)| field(name, value.as_bytes())).collect()
}

type Halves = (ReadHalf<TlsStream<TcpStream>>, WriteHalf<TlsStream<TcpStream>>);

async fn open(target: &Target) -> Halves {
    let (reader, mut writer) = tokio::io::split(target.tls(Protocol::Http2).await.unwrap());
    writer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    writer.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    (reader, writer)
}

/// Sends `frames` again and again until the server closes the connection; returns how often. A server that does not is a
/// test without an end.
async fn flood((mut reader, mut writer): Halves, mut frames: impl FnMut() -> Vec<u8>) -> usize {
    let mut sent = 0;
    let sending = async {
        while writer.write_all(&frames()).await.is_ok() && writer.flush().await.is_ok() {
            sent += 1;
            // The server's turn: what fills the buffers before it reads anything would count too.
            tokio::task::yield_now().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = rest(&mut reader) => {}
        () = sending => {}
    }
    sent
}

#[tokio::test]
async fn a_head_without_an_end_is_cut_off() {
    let served = Served::start(Limits::default()).await;
    let (reader, mut writer) = open(&served.target).await;
    writer.write_all(&frame(HEADERS, 0, 1, &head())).await.unwrap();
    let piece = field("x-more", &[b'x'; 8000]);
    let sent = flood((reader, writer), || frame(CONTINUATION, 0, 1, &piece)).await;
    // What is on its way when the server closes the connection counts too.
    assert!(sent < 500, "{sent} frames");
    served.still_serves().await;
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_close_the_connection() {
    let served = Served::start(Limits::default()).await;
    let halves = open(&served.target).await;
    let mut stream = 1;
    let mut burst = || {
        let mut frames = Vec::new();
        for _ in 0..200 {
            frames.extend(frame(HEADERS, END_HEADERS, stream, &head()));
            frames.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
            stream += 2;
        }
        frames
    };
    let sent = flood(halves, &mut burst).await;
    assert!(sent < 200, "{sent} bursts of 200 streams");
    served.still_serves().await;
}

#[tokio::test]
async fn a_head_of_many_short_fields_is_refused_by_either_version() {
    let served = Served::start(Limits::default()).await;
    let fields = |request: http::request::Builder, count| {
        (0..count).fold(request, |request, number| request.header(format!("x-{number}"), "1"))
    };
    for (count, status) in [(90, 200), (150, 431)] {
        let stream = TokioIo::new(served.target.tls(Protocol::Http2).await.unwrap());
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        let request =
            Request::post(format!("https://127.0.0.1{}", path())).header("content-type", "application/json");
        let request = fields(request, count).body(Full::new(Bytes::from(good_review())).boxed()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), status, "{count} fields");

        let mut stream = served.target.tls(Protocol::Http1).await.unwrap();
        let review = String::from_utf8(good_review()).unwrap();
        let more: String = (0..count).map(|number| format!("x-{number}: 1\r\n")).collect();
        let text = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{more}\r\n{review}",
            path(),
            review.len()
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{count} fields: {answer}");
    }
}
