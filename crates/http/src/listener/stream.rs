//! The socket as hyper sees it: it tells the watch what moves, and speaks where hyper would answer without a problem.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use kernel::Ids;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::refusal::last_words;
use super::watch::Watch;

/// What a refused client may still send until it is cut off, in bytes.
const LINGER_BYTES_MAX: usize = 4 << 20;

pub(super) struct Stream {
    socket: TcpStream,
    watch: Arc<Watch>,
    ids: Ids,
    /// What is said in the place of hyper's own words, and how much of it was sent.
    own_words: Option<(Vec<u8>, usize)>,
    /// The last write took only part of what was offered: the next begins in the middle of an answer.
    is_mid_answer: bool,
    lingered: usize,
    has_shut_down: bool,
}

impl Stream {
    pub fn new(socket: TcpStream, watch: Arc<Watch>, ids: Ids) -> Self {
        Self { socket, watch, ids, own_words: None, is_mid_answer: false, lingered: 0, has_shut_down: false }
    }

    /// The status that hyper is about to answer by itself, without a body.
    ///
    /// Every answer of ours carries a request id, and is begun while the connection is busy or just was.
    fn status_of_hyper(&self, bytes: &[u8]) -> Option<StatusCode> {
        if self.is_mid_answer || self.watch.is_busy() {
            return None;
        }
        let text = str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
        let mut lines = text.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
        let is_hypers = !lines.any(|line| line.is_empty() || line.to_ascii_lowercase().starts_with("x-request-id:"));
        let status = status.parse().ok().filter(|_| is_hypers);
        status.filter(|status| {
            matches!(
                *status,
                StatusCode::BAD_REQUEST | StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            )
        })
    }

    fn poll_own_words(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((words, sent)) = &mut self.own_words {
            let rest = words.get(*sent..).unwrap_or_default();
            if rest.is_empty() {
                self.own_words = None;
                break;
            }
            let written = Pin::new(&mut self.socket).poll_write(cx, rest);
            self.watch.has_written(written.is_ready());
            *sent += ready!(written)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.watch.is_expired() {
            if self.watch.is_in_head() {
                // As much as the socket takes at once: whoever was that slow is not waited for.
                let _ = self.socket.try_write(&last_words(StatusCode::REQUEST_TIMEOUT, &self.ids));
            }
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.watch.has_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.own_words.is_none()
            && let Some(status) = self.status_of_hyper(bytes)
        {
            self.watch.leave_unread();
            self.own_words = Some((last_words(status, &self.ids), 0));
        }
        if self.own_words.is_some() {
            return self.poll_own_words(cx).map_ok(|()| bytes.len());
        }
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.watch.has_written(written.is_ready());
        let written = ready!(written)?;
        self.is_mid_answer = written < bytes.len();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Closing while the client sends would take its answer away before it was read (RFC 9112 §9.6): what still comes
    /// is read for a while, and dropped.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_shut_down {
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
            self.has_shut_down = true;
        }
        let mut room = [0; 8 * 1024];
        while self.watch.linger() && self.lingered < LINGER_BYTES_MAX {
            let mut buf = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                break;
            }
            self.lingered += buf.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
