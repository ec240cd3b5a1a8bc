//! Background tasks that a drain waits for.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one process: spawned here, so that stopping can ask and await them all.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    broken: CancellationToken,
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. It should end soon after [`Tasks::stopping`] is done.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let broken = self.broken.clone();
        self.tracker.spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!("a background task ended by a panic");
                broken.cancel();
            }
        });
    }

    /// Is done when a task has ended by a panic: then something is not done any more that the process is there for.
    pub fn broken(&self) -> impl Future<Output = ()> + Send + use<> {
        self.broken.clone().cancelled_owned()
    }

    /// Is done when the tasks are asked to stop.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stop.clone().cancelled_owned()
    }

    /// A token that is cancelled when the tasks are asked to stop.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// True if the tasks were asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Asks all tasks to stop, without waiting.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Asks all tasks to stop and waits for them, at most for `deadline`. False if some were still running then.
    pub async fn stop(&self, deadline: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_logged_and_others_go_on() {
        let tasks = Tasks::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        tasks.spawn(async { panic!("the test says so") });
        tasks.broken().await;
        tasks.spawn(async move { sender.send(()).expect("the test waits") });
        receiver.await.unwrap();
        assert!(!tasks.is_stopping() && tasks.stop(Duration::from_secs(10)).await);
    }
}
