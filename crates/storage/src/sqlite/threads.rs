//! Ending threads from async code.

use std::thread::JoinHandle;

/// Waits for threads without blocking the runtime.
pub(super) async fn join_all(threads: Vec<JoinHandle<()>>) {
    let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok()));
    if !joined.await.unwrap_or(false) {
        tracing::error!("a storage thread ended by a panic");
    }
}
