//! The socket as hyper sees it: it reports progress to the watch, and closes without losing an answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::watch::Watch;

/// Bytes that a refused client may still send until it is cut off.
const LINGER_BYTES_MAX: usize = 4 << 20;

pub(super) struct Stream {
    socket: TcpStream,
    watch: Arc<Watch>,
    lingered: usize,
    has_shut_down: bool,
}

impl Stream {
    pub fn new(socket: TcpStream, watch: Arc<Watch>) -> Self {
        Self { socket, watch, lingered: 0, has_shut_down: false }
    }

    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.watch.has_written(written.is_ready());
        written
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.watch.is_expired() {
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
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.written(written)
    }

    /// So hyper sends a shared document from where it is, instead of copying it for each client.
    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper flushes when it has handed over all that it has.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watch.has_flushed();
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Closing while the client sends would lose its answer before it was read (RFC 9112 §9.6): data that still arrives
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
