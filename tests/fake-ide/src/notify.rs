//! The WebSocket of the fake: at most one, the youngest.

use crate::record::Record;
use futures::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::mpsc;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

/// Something to send.
#[derive(Debug)]
pub(crate) enum Frame {
    Text(String),
    Binary(Vec<u8>),
    Close(String),
    Drop,
}

/// Where frames go: to who listens, or into a queue for who listens next.
pub(crate) struct Outbox {
    listener: Option<mpsc::UnboundedSender<Frame>>,
    waiting: VecDeque<Frame>,
    replays: bool,
}

impl Outbox {
    pub(crate) fn new(replays: bool) -> Self {
        Self { listener: None, waiting: VecDeque::new(), replays }
    }

    pub(crate) fn send(&mut self, frame: Frame) {
        let leaves = matches!(frame, Frame::Close(_) | Frame::Drop);
        let unsent = match &self.listener {
            Some(listener) => listener.send(frame).err().map(|unsent| unsent.0),
            None => Some(frame),
        };
        if leaves {
            self.listener = None;
        } else if let Some(frame) = unsent
            && self.replays
        {
            self.waiting.push_back(frame);
        }
    }

    pub(crate) fn has_listener(&self) -> bool {
        self.listener.as_ref().is_some_and(|listener| !listener.is_closed())
    }

    /// A new listener; the one before is told that it is replaced.
    fn listen(&mut self) -> mpsc::UnboundedReceiver<Frame> {
        if self.has_listener() {
            self.send(Frame::Close("Replaced by a newer DCP connection".to_owned()));
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        for frame in self.waiting.drain(..) {
            sender.send(frame).ok();
        }
        self.listener = Some(sender);
        receiver
    }
}

/// Serves a WebSocket until either side ends it.
pub(crate) async fn serve(stream: TokioIo<Upgraded>, record: Arc<Record>) {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let mut frames = record.change(|state| state.outbox.listen());
    loop {
        let deaf = record.state.lock().script.deaf;
        tokio::select! {
            frame = frames.recv() => {
                let message = match frame {
                    Some(Frame::Text(text)) => Message::Text(text.into()),
                    Some(Frame::Binary(bytes)) => Message::Binary(bytes.into()),
                    Some(Frame::Close(reason)) => {
                        let frame = CloseFrame { code: CloseCode::Normal, reason: reason.into() };
                        socket.close(Some(frame)).await.ok();
                        break;
                    }
                    Some(Frame::Drop) | None => break,
                };
                if socket.send(message).await.is_err() {
                    break;
                }
            }
            message = socket.next(), if !deaf => match message {
                Some(Ok(Message::Ping(_))) => record.change(|state| state.pings += 1),
                Some(Ok(Message::Close(_))) => {
                    record.change(|state| state.goodbyes += 1);
                    break;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    drop(frames);
    record.changed.notify_waiters();
}
