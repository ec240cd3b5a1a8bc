//! Services of others, in the languages in which people write them.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use crate::{here, packages, succeed};

/// The language of a service.
#[derive(Clone, Copy)]
enum Language {
    Python,
    JavaScript,
}

/// Services of others on one broker.
pub(super) struct Others {
    language: Language,
    broker: String,
    /// The folder with a script and its packages.
    folder: TempDir,
}

impl Others {
    pub fn in_python(broker: &str) -> Self {
        Self::new(Language::Python, broker)
    }

    pub fn in_node(broker: &str) -> Self {
        Self::new(Language::JavaScript, broker)
    }

    fn new(language: Language, broker: &str) -> Self {
        Self { language, broker: broker.to_owned(), folder: tempfile::tempdir().unwrap() }
    }

    /// Has one of them do its work to the end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) {
        succeed(&mut self.script(arguments));
    }

    /// One that has said that it is ready.
    pub fn start(&self, arguments: &[&str]) -> Peer {
        let mut peer = self.start_quiet(arguments);
        assert_eq!(peer.lines(1), ["ready"]);
        peer
    }

    pub fn start_quiet(&self, arguments: &[&str]) -> Peer {
        let mut process = self.script(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Peer { process, output }
    }

    fn script(&self, arguments: &[&str]) -> Command {
        let mut command = match self.language {
            Language::Python => {
                let mut python = packages().python();
                python.arg(here().join("peers.py"));
                python
            }
            Language::JavaScript => {
                let (modules, script) = (self.folder.path().join("node_modules"), self.folder.path().join("peers.mjs"));
                if !script.exists() {
                    symlink(packages().node_modules(), modules).unwrap();
                    std::fs::copy(here().join("peers.mjs"), &script).unwrap();
                }
                let mut node = Command::new("node");
                node.arg(script);
                node
            }
        };
        command.args(arguments).env("BROKER_URL", &self.broker);
        command
    }
}

/// A service of others, ended with the test.
pub(super) struct Peer {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Peer {
    pub fn lines(&mut self, count: usize) -> Vec<String> {
        let lines = (0..count).map(|_| {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        });
        lines.collect()
    }

    pub fn wait(&mut self) {
        assert!(self.process.wait().unwrap().success());
    }

    pub fn stop(&mut self) {
        let _ = self.process.kill();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop();
        let _ = self.process.wait();
    }
}
