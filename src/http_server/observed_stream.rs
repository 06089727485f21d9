//! A stream that reports the bytes that pass through it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Receives the bytes of an [`ObservedStream`]. They are never empty.
pub(crate) trait StreamObserver: Unpin {
    /// Bytes have been read from the stream.
    fn received(&mut self, bytes: &[u8]);

    /// Bytes have been written to the stream.
    fn sent(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }
}

/// A stream and its observer.
pub(crate) struct ObservedStream<I, O> {
    stream: I,
    observer: O,
}

impl<I, O> ObservedStream<I, O> {
    pub(crate) fn new(stream: I, observer: O) -> Self {
        Self { stream, observer }
    }
}

impl<I: AsyncRead + Unpin, O: StreamObserver> AsyncRead for ObservedStream<I, O> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let received = &buffer.filled()[before..];
        if !received.is_empty() {
            self.observer.received(received);
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin, O: StreamObserver> AsyncWrite for ObservedStream<I, O> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, buffer);
        if let Poll::Ready(Ok(written @ 1..)) = polled {
            self.observer.sent(&buffer[..written]);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        if let Poll::Ready(Ok(mut left)) = polled {
            for buffer in buffers {
                let sent = &buffer[..left.min(buffer.len())];
                if !sent.is_empty() {
                    self.observer.sent(sent);
                }
                left -= sent.len();
            }
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
