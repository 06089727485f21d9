//! The body of a response. While a streamed one has not ended, its request counts as in progress, and the connection
//! knows whether it waits for the next piece or for its client: only a client that receives nothing is disconnected.

use super::connections::RequestInProgress;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// A body that reports its progress to the connection, if it is streamed.
pub(super) struct StreamingBody<B> {
    body: B,
    /// `None` for a body that is complete.
    request: Option<RequestInProgress>,
}

impl<B> StreamingBody<B> {
    pub(super) fn new(body: B, request: Option<RequestInProgress>) -> Self {
        Self { body, request }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for StreamingBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Some(request) = &mut self.request {
            match &polled {
                Poll::Pending => request.wait_for_data(),
                Poll::Ready(_) => request.wait_for_client(),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
