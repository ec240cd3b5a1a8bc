//! Threads with a name, ended from async code.

use std::path::Path;
use std::thread::JoinHandle;

use crate::Error;

/// Starts a thread that profilers and `top` show as `write orders` or `read orders`.
pub(super) fn start(role: &str, store: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let service = Path::new(store).file_stem().unwrap_or_default().to_string_lossy();
    let thread = std::thread::Builder::new().name(format!("{role} {service}")).spawn(run);
    thread.map_err(|error| Error::Unavailable {
        store: store.to_owned(),
        detail: format!("its threads can't be started: {error}"),
    })
}

/// Waits for threads without blocking the runtime.
pub(super) async fn join_all(threads: Vec<JoinHandle<()>>) {
    let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok()));
    if !joined.await.unwrap_or(false) {
        tracing::error!("a storage thread ended by a panic");
    }
}
