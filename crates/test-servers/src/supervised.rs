//! A server process under a small supervisor that ends it when the test is gone.
//!
//! `Drop` does not run in a process that is killed, and a death signal follows threads, not processes.
//! So a shell stands between: it waits for a word on a pipe, and the end of the pipe is a word too.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::output;
use crate::{Error, PATIENCE};

/// `$1` is the folder that goes with the test, `$2` and `$3` are signals, the rest is the server.
/// The server is not waited for before a word came, so its number stays its own for as long as it is used.
const SUPERVISOR: &str = r#"
folder=$1; drain=$2; quit=$3; shift 3
"$@" </dev/null >>"$folder/log" 2>&1 &
server=$!
echo "$server"
exec >/dev/null
read -r word
case $word in
    drain) kill -s "$drain" "$server" ;;
    *) kill -s "$quit" "$server" ;;
esac
wait "$server"
[ -n "$word" ] || rm -rf "$folder"
"#;

/// Interval between two checks of a process that is ending.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The signals by which a server ends.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    /// It closes connections and writes what it has in memory first.
    pub drain: &'static str,
    /// At once.
    pub quit: &'static str,
}

/// A server that runs; it ends at once with this value.
pub(crate) struct Supervised {
    supervisor: Child,
    /// `None` once the process was asked to end.
    words: Option<ChildStdin>,
    server: u32,
}

impl Supervised {
    /// Starts the server by `shell`, a plain `sh` with the user and the environment that the server is to have.
    /// The server may not be ready yet, and may still fail.
    pub fn start(mut shell: Command, folder: &Path, ends: Ends, server: &Command) -> Result<Self, Error> {
        shell.args(["-c", SUPERVISOR, "supervisor"]).arg(folder).args([ends.drain, ends.quit]);
        shell.arg(server.get_program()).args(server.get_args());
        // In a group of its own: whoever ends the test's group must leave somebody to clean up.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut supervisor = shell.spawn().map_err(Error::of("a shell"))?;
        let words = supervisor.stdin.take();
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
    pub fn drain(mut self) {
        self.end("drain\n");
    }

    /// `kill -9` of the server and of all its processes.
    pub fn kill(mut self) -> Result<(), Error> {
        let server = self.server.to_string();
        // First held, so that it makes no more processes.
        signal("STOP", std::slice::from_ref(&server))?;
        let mut all = children(self.server)?;
        all.push(server);
        signal("KILL", &all)?;
        self.end("killed\n");
        // A signal is sent before it is felt: as long as one of them lives, it holds memory and ports.
        let deadline = Instant::now() + PATIENCE;
        while all.iter().any(|process| is_alive(process)) {
            if Instant::now() > deadline {
                return Err(Error::new(format!("processes {} outlive a kill", all.join(", "))));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Holds the server where it is: it keeps its connections and answers nobody.
    pub fn freeze(&self) -> Result<(), Error> {
        signal("STOP", &[self.server.to_string()])
    }

    /// Lets it go on.
    pub fn thaw(&self) -> Result<(), Error> {
        signal("CONT", &[self.server.to_string()])
    }

    fn end(&mut self, word: &str) {
        let Some(mut words) = self.words.take() else { return };
        // It can't be gone: nobody else ends it.
        let _ = words.write_all(word.as_bytes());
        drop(words);
        let _ = self.supervisor.wait();
    }
}

impl Drop for Supervised {
    /// In the server's own way: nobody needs the data any more.
    fn drop(&mut self) {
        self.end("quit\n");
    }
}

fn signal(name: &str, processes: &[String]) -> Result<(), Error> {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s \"$@\"", "kill", name]).args(processes);
    output(&mut kill).map(drop)
}

/// True while a process exists and is not a zombie.
fn is_alive(process: &str) -> bool {
    status_of(Path::new("/proc").join(process).as_path()).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// The processes that a process made.
fn children(parent: u32) -> Result<Vec<String>, Error> {
    let processes = fs::read_dir("/proc").map_err(Error::of("/proc, where Linux lists processes,"))?;
    let parent = parent.to_string();
    let made = processes.flatten().filter_map(|process| {
        let (_, made_by) = status_of(&process.path())?;
        (made_by == parent).then(|| process.file_name().to_string_lossy().into_owned())
    });
    Ok(made.collect())
}

/// A process's state and who made it.
fn status_of(process: &Path) -> Option<(String, String)> {
    // `number (name) state parent …`, where the name may hold anything.
    let status = fs::read_to_string(process.join("stat")).ok()?;
    let (_, after_name) = status.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().map(str::to_owned);
    Some((fields.next()?, fields.next()?))
}
