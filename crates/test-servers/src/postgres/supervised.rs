//! A server process under a small supervisor that ends it when the test is gone.
//!
//! `Drop` does not run in a process that is killed, and a death signal follows threads, not processes.
//! So a shell stands between: it waits for a word on a pipe, and the end of the pipe is a word too.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::Error;
use super::programs::{Programs, output};

/// `$1` is the folder that goes with the test, the rest is the server.
/// The server is not waited for before a word came, so its number stays its own for as long as it is used.
const SUPERVISOR: &str = r#"
folder=$1; shift
"$@" </dev/null >>"$folder/log" 2>&1 &
server=$!
echo "$server"
exec >/dev/null
read -r word
case $word in
    drain) kill -INT "$server" ;;
    *) kill -QUIT "$server" ;;
esac
wait "$server"
[ -n "$word" ] || rm -rf "$folder"
"#;

pub(super) struct Supervised {
    supervisor: Child,
    words: ChildStdin,
    server: u32,
}

impl Supervised {
    /// Starts the server. It may not be ready yet, and may still fail.
    pub fn start(programs: &Programs, folder: &Path, server: &Command) -> Result<Self, Error> {
        let mut shell = programs.run(Path::new("sh"));
        shell.args(["-c", SUPERVISOR, "supervisor"]).arg(folder).arg(server.get_program()).args(server.get_args());
        // In a group of its own: whoever ends the test's group must leave somebody to clean up.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut supervisor = shell.spawn().map_err(Error::of("a shell"))?;
        let words = supervisor.stdin.take().expect("its input is piped");
        let mut said = String::new();
        let pipe = supervisor.stdout.take().expect("its output is piped");
        BufReader::new(pipe).read_line(&mut said).map_err(Error::of("a shell"))?;
        let server = said.trim().parse().map_err(|_| Error::new(format!("a shell said {said:?}, not a number")))?;
        Ok(Self { supervisor, words, server })
    }

    /// The number of the server's process.
    pub fn id(&self) -> u32 {
        self.server
    }

    /// Lets connections be closed and memory be written, then ends.
    pub fn drain(self) {
        self.end("drain\n");
    }

    /// Ends at once, in the server's own way.
    pub fn quit(self) {
        self.end("quit\n");
    }

    /// `kill -9` of the server and of all its processes.
    pub fn kill(self) -> Result<(), Error> {
        let server = self.server.to_string();
        // First held, so that it makes no more processes.
        signal("STOP", std::slice::from_ref(&server))?;
        let mut all = children(self.server)?;
        all.push(server);
        signal("KILL", &all)?;
        self.end("killed\n");
        Ok(())
    }

    fn end(mut self, word: &str) {
        // It can't be gone: nobody else ends it.
        let _ = self.words.write_all(word.as_bytes());
        drop(self.words);
        let _ = self.supervisor.wait();
    }
}

fn signal(name: &str, processes: &[String]) -> Result<(), Error> {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s \"$@\"", "kill", name]).args(processes);
    output(&mut kill).map(drop)
}

/// The processes that a process made.
fn children(parent: u32) -> Result<Vec<String>, Error> {
    let processes = fs::read_dir("/proc").map_err(Error::of("/proc, where Linux tells of processes,"))?;
    let parent = parent.to_string();
    let made = processes.flatten().filter_map(|process| {
        // `number (name) state parent …`, where the name may hold anything.
        let status = fs::read_to_string(process.path().join("stat")).ok()?;
        let (_, after_name) = status.rsplit_once(')')?;
        let is_made = after_name.split_whitespace().nth(1) == Some(parent.as_str());
        is_made.then(|| process.file_name().to_string_lossy().into_owned())
    });
    Ok(made.collect())
}
