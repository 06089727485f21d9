//! What a client can make a connection by HTTP/2 hold. Every bound is set here, whatever the library's defaults are.
//!
//! The library bounds the rest by itself: the frames that continue a head by the size of heads, its table of received
//! header fields and that of sent ones by 4 KiB each, and what it answers pings and settings with by not reading on.

use hyper_util::{rt::TokioTimer, server::conn::auto};

/// Bytes of a frame, the smallest bound that the protocol allows.
const FRAME: u32 = 16 << 10;
/// Streams that a client opened and reset before they were looked at. For one more the connection is closed.
const RESET_UNSEEN: usize = 20;
/// Streams that were reset because of what the client sent on them. For one more the connection is closed.
const RESET_FOR_ERRORS: usize = 32;

/// The bounds of one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Http2Limits {
    /// Streams at a time.
    pub(crate) streams: u32,
    /// Bytes of the head of a request, each field counted with 32 more.
    pub(crate) head: u32,
    /// Bytes of a body that may come before they are read.
    pub(crate) stream_window: u32,
    /// The same of all streams together.
    pub(crate) connection_window: u32,
    /// Bytes of a response that wait for the client to take them, of one stream.
    pub(crate) send_buffer: usize,
}

impl Http2Limits {
    /// Sets the bounds.
    pub(crate) fn apply<E>(self, builder: &mut auto::Builder<E>) {
        builder
            .http2()
            .timer(TokioTimer::new())
            .adaptive_window(false)
            .max_frame_size(FRAME)
            .max_concurrent_streams(self.streams)
            .max_header_list_size(self.head)
            .initial_stream_window_size(self.stream_window)
            .initial_connection_window_size(self.connection_window)
            .max_send_buf_size(self.send_buffer)
            .max_pending_accept_reset_streams(RESET_UNSEEN)
            .max_local_error_reset_streams(RESET_FOR_ERRORS);
    }
}
