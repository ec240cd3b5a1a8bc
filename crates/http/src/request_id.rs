//! The id of the request that a task answers, as its problems show it.

tokio::task_local! {
    static REQUEST_ID: String;
}

/// Runs the request under its id, so that problems can name it.
pub(super) async fn under_id<T>(id: String, request: impl Future<Output = T>) -> T {
    REQUEST_ID.scope(id, request).await
}

/// The id of the request that this task answers, as the client sees it; empty outside of one.
pub fn current_request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}
