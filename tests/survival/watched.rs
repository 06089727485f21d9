//! The events of a watch on their way to the operator: they may be late, be the last thing that it does not
//! hear, or be replaced by the word that the watch is too old.

use crate::line::{AnyBody, Line, Trouble};
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame};
use serde_json::json;
use std::future::pending;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::Instant,
};
use tower::BoxError;

/// A line of a watch, and when it came.
type Arrival = (Instant, Result<Vec<u8>, BoxError>);

/// The body of a watch on `path`, as `line` lets it through.
pub(crate) fn watched<B>(body: B, line: Line, path: String) -> AnyBody
where
    B: Body<Data = Bytes, Error = BoxError> + Send + Unpin + 'static,
{
    let (sender, receiver) = channel(1024);
    tokio::spawn(read(body, sender));
    let state = Some((receiver, line, path));
    BodyExt::boxed_unsync(StreamBody::new(stream::unfold(state, async |state| {
        let (mut receiver, line, path) = state?;
        let next = hear(&mut receiver, &line, &path).await?;
        let goes_on = matches!(next, Heard::Line(_));
        let frame = match next {
            Heard::Line(text) | Heard::Last(text) => Ok(Frame::data(Bytes::from(text))),
            Heard::Broken(error) => Err(error),
        };
        Some((frame, goes_on.then_some((receiver, line, path))))
    })))
}

enum Heard {
    Line(Vec<u8>),
    Last(Vec<u8>),
    Broken(BoxError),
}

async fn hear(receiver: &mut Receiver<Arrival>, line: &Line, path: &str) -> Option<Heard> {
    let (at, text) = receiver.recv().await?;
    tokio::time::sleep_until(at + (line.lag)(path)).await;
    let text = match text {
        Ok(text) => text,
        Err(error) => return Some(Heard::Broken(error)),
    };
    // Bookmarks come with time, and not because something happened.
    let happened = !text.starts_with(br#"{"type":"BOOKMARK""#);
    match happened.then(|| line.hearing(path)).flatten() {
        Some(Trouble::Expire) => {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "too old resource version", "reason": "Expired", "code": 410,
            });
            return Some(Heard::Last(format!("{}\n", json!({"type": "ERROR", "object": status})).into()));
        }
        Some(_) => line.death.cancel(),
        None => {}
    }
    if line.death.is_cancelled() {
        return pending().await;
    }
    Some(Heard::Line(text))
}

/// Reads lines as they come, however late they are passed on, until nobody listens any more.
async fn read<B>(mut body: B, sender: Sender<Arrival>)
where
    B: Body<Data = Bytes, Error = BoxError> + Send + Unpin,
{
    let mut read = Vec::new();
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = sender.closed() => return,
        };
        let arrivals = match frame {
            None => return,
            Some(Err(error)) => vec![Err(error)],
            Some(Ok(frame)) => {
                read.extend(frame.into_data().unwrap_or_default());
                let mut lines: Vec<Vec<u8>> =
                    read.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                read = lines.pop_if(|last| last.last() != Some(&b'\n')).unwrap_or_default();
                lines.into_iter().map(Ok).collect()
            }
        };
        for arrival in arrivals {
            if sender.send((Instant::now(), arrival)).await.is_err() {
                return;
            }
        }
    }
}
