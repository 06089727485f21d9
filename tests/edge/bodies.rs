//! Bodies that are no reviews, or reviews that hold no object that could be judged.

use crate::{Served, client::Protocol, good_review, good_session, path, patient, review};
use rstest::rstest;
use serde_json::{Value, json};
use sojourn::http_server::Limits;
use sojourn_webhooks::http::BODY_LIMIT;
use tokio::io::AsyncWriteExt as _;

const JSON: &str = "application/json";

fn padded(size: usize) -> Vec<u8> {
    let mut body = good_review();
    body.resize(size, b' ');
    body
}

/// A good review in which `part` is replaced.
fn with(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut review = review(&good_session());
    change(&mut review);
    review.to_string().into_bytes()
}

fn nested(depth: usize) -> Vec<u8> {
    let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    review(&json!("deep")).to_string().replace("\"deep\"", &deep).into_bytes()
}

/// A part of the envelope that nobody reads, nested as deeply.
fn nested_envelope(depth: usize) -> Vec<u8> {
    let deep = format!("{}{}", "{\"a\":".repeat(depth), "1".to_owned() + &"}".repeat(depth));
    let text = with(|review| review["request"]["options"] = json!("deep"));
    String::from_utf8(text).unwrap().replace("\"deep\"", &deep).into_bytes()
}

#[rstest]
#[case::nothing(JSON, Vec::new(), 400)]
#[case::largest(JSON, padded(BODY_LIMIT), 200)]
#[case::too_large(JSON, padded(BODY_LIMIT + 1), 413)]
#[case::far_too_large(JSON, padded(3 * BODY_LIMIT), 413)]
#[case::object_too_deep(JSON, nested(100_000), 200)]
#[case::only_brackets(JSON, vec![b'['; 1_000_000], 400)]
#[case::unread_part_too_deep(JSON, nested_envelope(100_000), 200)]
#[case::yaml("application/yaml", good_review(), 415)]
#[case::no_type("", good_review(), 415)]
#[case::old_version(JSON, with(|review| review["apiVersion"] = json!("admission.k8s.io/v1beta1")), 400)]
#[case::null_review(JSON, b"null".to_vec(), 400)]
#[case::null_request(JSON, with(|review| review["request"] = Value::Null), 400)]
#[case::null_object(JSON, with(|review| review["request"]["object"] = Value::Null), 200)]
#[case::uid_is_a_number(JSON, with(|review| review["request"]["uid"] = json!(7)), 400)]
#[case::uid_is_a_list(JSON, with(|review| review["request"]["uid"] = json!(["the-uid"])), 400)]
#[case::not_utf8(JSON, [good_review(), vec![0xff]].concat(), 400)]
#[tokio::test]
async fn what_comes_is_answered(
    #[case] content_type: &str,
    #[case] body: Vec<u8>,
    #[case] status: u16,
    #[values(Protocol::Http1, Protocol::Http2)] protocol: Protocol,
) {
    // How long a body takes is the affair of other tests, and of a machine that may have much to do.
    let served = Served::start(patient()).await;
    let mut client = served.target.connect(protocol).await.unwrap();
    match client.post(&path(), content_type, body).await {
        Ok((got, answer)) => {
            assert_eq!(got, status, "{answer}");
            assert!(got != 200 || answer["response"]["uid"] == "the-uid", "{answer}");
        }
        // Cut off while it sends more than is read: a client may see that before it sees the answer.
        Err(error) => assert_eq!(status, 413, "{error:#}"),
    }
    served.still_serves().await;
}

#[tokio::test]
async fn an_incomplete_body_does_not_affect_others() {
    let served = Served::start(Limits::default()).await;
    let mut stream = served.target.tls(Protocol::Http1).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: {JSON}\r\ncontent-length: 900\r\n\r\n{{",
        path()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    drop(stream);
    served.still_serves().await;
}

#[rstest]
#[case::not_http(b"\x16\x03\x01 this is not HTTP\r\n\r\n".to_vec())]
#[case::endless_head([b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'a'; 4 << 20]].concat())]
#[case::odd_length(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_vec())]
#[case::two_lengths(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_vec())]
#[tokio::test]
async fn what_is_no_http_is_cut_off(#[case] bytes: Vec<u8>) {
    let served = Served::start(Limits::default()).await;
    let mut stream = served.target.tls(Protocol::Http1).await.unwrap();
    // The server may close before it has read all of it.
    let _ = stream.write_all(&bytes).await;
    let answer = crate::client::rest(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    served.still_serves().await;
}
