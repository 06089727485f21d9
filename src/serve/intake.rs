//! How requests to the TLS port are taken in: what a client can make the server hold for it is bounded, before anything
//! is known of the request.
//!
//! A request is read first, body and all, and only then gets one of the places in which requests are worked on: who
//! sends nothing takes no place from others. Bodies are bounded by their bytes and not by their number. All three (requests,
//! bytes, places) are shared by the addresses of clients as [`Shares`] says: that, and not a short time limit, is what keeps
//! room for others. An API server that has much to do sends some bodies seconds after their heads, and its users would be
//! refused.

use crate::http_server::{
    Claimant,
    shares::{Share, Shares},
};
use axum::{
    body::Body,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use futures::stream;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Body as HttpBody;
use sojourn_webhooks::http::{Arrived, BODY_LIMIT};
use std::{io, pin::pin, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Bounds of what is taken in.
#[derive(Debug, Clone, Copy)]
pub struct IntakeLimits {
    /// Requests at a time, whatever they wait for. More are refused. Each holds its head, of 16 KiB at most.
    pub requests: usize,
    /// Fields of a head; as many as the HTTP library allows by HTTP/1.1. Short ones take more memory than bytes.
    pub fields: usize,
    /// Bytes of bodies at a time; more bodies wait, unread. A body is counted by the length that it announces.
    pub body_bytes: usize,
    /// Requests that are worked on at a time; more wait.
    pub places: usize,
    /// How long a request may take until it is worked on. No webhook has a longer timeout, so nobody waits any more.
    pub wait: Duration,
}

/// The replica has 256 MiB. Of these, bodies take 48, and heads 52: 16 KiB of text each, and 10 for a hundred fields.
impl Default for IntakeLimits {
    fn default() -> Self {
        Self { requests: 2048, fields: 100, body_bytes: 48 << 20, places: 256, wait: Duration::from_secs(5) }
    }
}

/// A request is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum IntakeError {
    /// The client has as many requests in progress as it may have.
    #[error("too many requests at a time from this address")]
    TooManyRequests,
    /// The head of the request has too many fields.
    #[error("too many header fields")]
    TooManyFields,
    /// There was no room for the body, or no place for the request, in time.
    #[error("too much is going on; try again")]
    Busy,
}

impl IntoResponse for IntakeError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{self}\n")).into_response()
    }
}

/// A body is not there, or not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadBodyError {
    TooLarge,
    TooSlow,
    BrokenOff,
}

/// The requests that are taken in.
pub(super) struct Intake {
    limits: IntakeLimits,
    requests: Shares,
    body_bytes: Shares,
    places: Shares,
}

/// What a request holds until it is answered.
pub(super) struct Held {
    _request: Share,
    _body: Share,
    _place: Share,
}

impl Intake {
    pub(super) fn new(limits: IntakeLimits) -> Self {
        Self {
            limits,
            requests: Shares::new(limits.requests),
            body_bytes: Shares::new(limits.body_bytes),
            places: Shares::new(limits.places),
        }
    }

    /// Reads a request and waits for a place for it. A body that cannot be read becomes one that fails in the same way,
    /// so that its route says and counts what is wrong.
    pub(super) async fn take<B>(
        &self,
        request: Request<B>,
        claimant: impl Fn() -> Claimant,
    ) -> Result<(Request<Body>, Held), IntakeError>
    where
        B: HttpBody<Data = Bytes>,
    {
        if request.headers().len() > self.limits.fields {
            return Err(IntakeError::TooManyFields);
        }
        let arrived = Instant::now();
        let deadline = arrived + self.limits.wait;
        let held = self.requests.try_take(claimant(), 1).ok_or(IntakeError::TooManyRequests)?;
        let (mut head, body) = request.into_parts();
        // A body of unknown length may be as long as any.
        let length = body.size_hint().upper().unwrap_or(BODY_LIMIT as u64);
        let length = usize::try_from(length).ok().filter(|length| *length <= BODY_LIMIT);
        let bytes = self.body_bytes.take(claimant(), length.unwrap_or_default(), deadline);
        let mut bytes = bytes.await.ok_or(IntakeError::Busy)?;
        let read = match length {
            Some(_) => timeout_at(deadline, read(body)).await.unwrap_or(Err(ReadBodyError::TooSlow)),
            None => Err(ReadBodyError::TooLarge),
        };
        bytes.shrink_to(read.as_ref().map_or(0, Bytes::len));
        let place = self.places.take(claimant(), 1, deadline).await.ok_or(IntakeError::Busy)?;
        head.extensions.insert(Arrived(arrived));
        let body = read.map_or_else(failing, Body::from);
        Ok((Request::from_parts(head, body), Held { _request: held, _body: bytes, _place: place }))
    }
}

/// Reads a body.
async fn read<B>(body: B) -> Result<Bytes, ReadBodyError>
where
    B: HttpBody<Data = Bytes>,
{
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(ReadBodyError::BrokenOff) };
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > BODY_LIMIT {
                return Err(ReadBodyError::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

/// A body that fails as the one of the client did.
fn failing(error: ReadBodyError) -> Body {
    let kind = match error {
        ReadBodyError::TooLarge => return Body::new(Limited::new(Full::new(Bytes::from_static(b"x")), 0)),
        ReadBodyError::TooSlow => io::ErrorKind::TimedOut,
        ReadBodyError::BrokenOff => io::ErrorKind::UnexpectedEof,
    };
    Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::from(kind))]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{SinkExt as _, channel::mpsc};
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use sojourn_webhooks::table::TABLE;
    use std::{convert::Infallible, net::Ipv4Addr};

    type Pieces = mpsc::Sender<Result<Frame<Bytes>, Infallible>>;

    fn claimant(last: u8) -> impl Fn() -> Claimant {
        move || Claimant { address: Ipv4Addr::new(10, 0, 0, last).into(), proven: false }
    }

    /// A request whose body is sent by the test.
    fn slow() -> (Pieces, Request<impl HttpBody<Data = Bytes>>) {
        let (sender, pieces) = mpsc::channel(0);
        (sender, Request::new(StreamBody::new(pieces)))
    }

    fn whole(body: &'static str) -> Request<Full<Bytes>> {
        Request::new(Full::new(Bytes::from_static(body.as_bytes())))
    }

    async fn text(request: Request<Body>) -> Result<String, String> {
        let body = axum::body::to_bytes(request.into_body(), BODY_LIMIT).await;
        body.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|error| error.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_do_not_come_keep_no_place_and_are_given_up() {
        let limits = IntakeLimits { places: 1, ..IntakeLimits::default() };
        let intake = Intake::new(limits);
        let (_nothing, stalled) = slow();
        let started = Instant::now();
        let mut stalled = Box::pin(intake.take(stalled, claimant(1)));
        assert!(futures::poll!(&mut stalled).is_pending());
        let (request, held) = intake.take(whole("here"), claimant(1)).await.unwrap();
        assert_eq!(text(request).await.unwrap(), "here");
        drop(held);
        let (request, _held) = stalled.await.unwrap();
        assert_eq!(text(request).await.unwrap_err(), "timed out");
        assert_eq!(started.elapsed(), limits.wait);
    }

    /// Its goroutines wait for a processor: seconds between a head and its body were seen.
    #[tokio::test(start_paused = true)]
    async fn a_body_of_an_api_server_with_much_to_do_may_come_late() {
        let limits = IntakeLimits::default();
        let intake = Intake::new(limits);
        let (mut pieces, request) = slow();
        let send = async move {
            for piece in [&b"he"[..], b"re"] {
                tokio::time::sleep(limits.wait * 2 / 5).await;
                pieces.send(Ok(Frame::data(Bytes::from_static(piece)))).await.unwrap();
            }
        };
        let (taken, ()) = tokio::join!(intake.take(request, claimant(1)), send);
        assert_eq!(text(taken.unwrap().0).await.unwrap(), "here");
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_are_bounded_by_their_bytes_and_one_that_waits_is_not_read() {
        let limits = IntakeLimits { body_bytes: BODY_LIMIT, ..IntakeLimits::default() };
        let intake = Intake::new(limits);
        let (_pieces, unknown) = slow();
        let mut unknown = Box::pin(intake.take(unknown, claimant(1)));
        assert!(futures::poll!(&mut unknown).is_pending());
        let mut other = Box::pin(intake.take(whole("here"), claimant(2)));
        assert!(futures::poll!(&mut other).is_pending(), "one of unknown length may take all that there is");
        drop(unknown);
        let (request, held) = other.await.unwrap();
        assert_eq!(text(request).await.unwrap(), "here");
        // It counts for what it is once it is read.
        let (_pieces, unknown) = slow();
        let mut unknown = Box::pin(intake.take(unknown, claimant(1)));
        assert!(futures::poll!(&mut unknown).is_pending());
        drop(held);
        assert_eq!(unknown.await.err(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_finds_no_place_in_time_is_told_to_try_again() {
        let limits = IntakeLimits { places: 1, ..IntakeLimits::default() };
        let intake = Intake::new(limits);
        let _held = intake.take(whole(""), claimant(1)).await.unwrap();
        let started = Instant::now();
        let refused = intake.take(whole(""), claimant(2)).await.err();
        assert_eq!(refused, Some(IntakeError::Busy));
        assert_eq!(started.elapsed(), limits.wait);
    }

    #[tokio::test]
    async fn requests_of_one_address_are_bounded_and_others_have_room() {
        let intake = Intake::new(IntakeLimits { requests: 256, ..IntakeLimits::default() });
        let mut held = Vec::new();
        let refused = loop {
            match intake.take(whole("x"), claimant(1)).await {
                Ok(taken) => held.push(taken),
                Err(error) => break error,
            }
        };
        assert_eq!((refused, held.len()), (IntakeError::TooManyRequests, 38));
        assert!(intake.take(whole("x"), claimant(2)).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_too_large_is_not_read() {
        let intake = Intake::new(IntakeLimits::default());
        let request = Request::new(Full::new(Bytes::from(vec![b'x'; BODY_LIMIT + 1])));
        let (request, _held) = intake.take(request, claimant(1)).await.unwrap();
        assert_eq!(text(request).await.unwrap_err(), "length limit exceeded");
    }

    #[test]
    fn no_webhook_waits_for_longer() {
        let wait = IntakeLimits::default().wait;
        for row in &TABLE {
            assert!(Duration::from_secs(row.timeout_seconds.try_into().unwrap()) <= wait, "{}", row.name);
        }
    }

    #[test]
    fn the_largest_body_of_a_stranger_is_read() {
        let IntakeLimits { body_bytes, .. } = IntakeLimits::default();
        let shares = Shares::new(body_bytes);
        let _something = shares.try_take(claimant(1)(), 1);
        assert!(shares.try_take(claimant(2)(), BODY_LIMIT).is_some());
    }
}
