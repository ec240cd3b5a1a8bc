//! The behaviour of a test's handlers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Semaphore;

/// The behaviour of one call of a handler.
#[derive(Clone, Copy, Debug, Default)]
pub enum Step {
    /// Commits its effect.
    #[default]
    Commit,
    /// Waits until the test lets it go, then commits.
    Wait,
    /// Fails in a way that may pass.
    Fail,
    /// Fails in a way that won't.
    Refuse,
    /// Panics.
    Panic,
    /// Decides on a row that has changed since.
    Conflict,
    /// Takes the process with it.
    EndProcess,
}

/// The script of handlers, by the name in their event. It counts their calls. Cheap to clone.
#[derive(Clone)]
pub struct Script {
    scenes: Arc<Mutex<Scenes>>,
    gate: Arc<Semaphore>,
    ends: Arc<Semaphore>,
}

#[derive(Default)]
struct Scenes {
    once: HashMap<String, VecDeque<Step>>,
    always: HashMap<String, Step>,
    calls: HashMap<String, usize>,
    outcomes: Vec<Result<(), storage::Error>>,
}

impl Script {
    /// Every handler commits.
    pub fn new() -> Self {
        Self { scenes: Arc::default(), gate: Arc::new(Semaphore::new(0)), ends: Arc::new(Semaphore::new(0)) }
    }

    /// The first calls for a name do this, the others commit.
    pub fn first(self, name: &str, steps: &[Step]) -> Self {
        self.scenes().once.insert(name.to_owned(), steps.iter().copied().collect());
        self
    }

    /// Every call for a name does this.
    pub fn always(self, name: &str, step: Step) -> Self {
        self.scenes().always.insert(name.to_owned(), step);
        self
    }

    /// From now on calls for a name commit.
    pub fn heal(&self, name: &str) {
        self.scenes().always.remove(name);
    }

    /// Number of calls of a handler for a name.
    pub fn calls(&self, name: &str) -> usize {
        self.scenes().calls.get(name).copied().unwrap_or_default()
    }

    /// Lets so many of those that wait go.
    pub fn release(&self, waiting: usize) {
        self.gate.add_permits(waiting);
    }

    /// Is done when a handler ends the process.
    pub async fn process_ends(&self) {
        self.ends.acquire().await.expect("it is never closed").forget();
    }

    /// The results of the commits of timers, in their order.
    pub fn outcomes(&self) -> Vec<Result<(), storage::Error>> {
        self.scenes().outcomes.clone()
    }

    pub(super) fn note(&self, outcome: Result<(), storage::Error>) {
        self.scenes().outcomes.push(outcome);
    }

    pub(super) fn next(&self, name: &str) -> Step {
        let mut scenes = self.scenes();
        *scenes.calls.entry(name.to_owned()).or_default() += 1;
        let always = scenes.always.get(name).copied();
        scenes.once.get_mut(name).and_then(VecDeque::pop_front).or(always).unwrap_or_default()
    }

    pub(super) async fn wait(&self) {
        self.gate.acquire().await.expect("it is never closed").forget();
    }

    pub(super) async fn end_process(&self) {
        self.ends.add_permits(1);
        std::future::pending::<()>().await;
    }

    fn scenes(&self) -> MutexGuard<'_, Scenes> {
        self.scenes.lock().expect("nothing panics while it has the script")
    }
}
