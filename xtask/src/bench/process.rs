//! Programs that are run or kept running.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Starts a program in the background and prints its process id; kills it when its own input ends. That is when whoever
/// started it ends, however that comes about.
const SUPERVISED: &str = "\"$@\" </dev/null & echo $!; exec >/dev/null; read -r _; kill -9 $!; wait $! 2>/dev/null";

/// A program that runs until this goes out of use.
pub(crate) struct Server {
    shell: Child,
    pub id: u32,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Server {
    pub fn start(command: &Command) -> Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", SUPERVISED, "sh"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut shell = shell.spawn().context("sh did not start")?;
        let (stdout, stderr) = (shell.stdout.take(), shell.stderr.take());
        let mut id = String::new();
        BufReader::new(stdout.context("stdout is piped")?).read_line(&mut id)?;
        let id = id.trim().parse().context("the shell prints no number")?;
        Ok(Self { shell, id, stderr: BufReader::new(stderr.context("stderr is piped")?) })
    }

    /// The text after `prefix` on the first line of stderr that has it.
    pub fn line_after(&mut self, prefix: &str) -> Result<String> {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if self.stderr.read_line(&mut line)? == 0 {
                bail!("the server ended: {said}");
            }
            if let Some(rest) = line.strip_prefix(prefix) {
                return Ok(rest.trim().to_owned());
            }
            said.push_str(&line);
        }
    }

    /// Reads what else it says, so that it never waits for a reader.
    pub fn drain(self) -> Drained {
        let Self { shell, id, mut stderr } = self;
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Drained { shell, id }
    }
}

/// A server whose words nobody needs any more.
pub(crate) struct Drained {
    shell: Child,
    pub id: u32,
}

impl Drop for Drained {
    fn drop(&mut self) {
        // The shell kills the server, waits for its end, and ends.
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Runs it to its end; answers with its stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    eprintln!("    $ {}", shown(command));
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{} did not start", command.get_program().to_string_lossy()))?;
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    ensure!(output.status.success() || is_verdict(output.status.code()), "it failed: {stderr}");
    Ok(stdout.into_owned())
}

/// Books that don't balance are reported in the output.
fn is_verdict(code: Option<i32>) -> bool {
    code == Some(8)
}

/// The command line, for a reader who wants to repeat it: programs without their folders, nobody's password.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy);
    words.map(|word| without_password(&word)).collect::<Vec<_>>().join(" ")
}

pub(crate) fn without_password(word: &str) -> String {
    match (word.strip_prefix("postgres://"), word.rsplit_once('@')) {
        (Some(_), Some((_, place))) => format!("postgres://{place}"),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_without_folders_and_passwords() {
        let mut command = Command::new("/usr/lib/postgresql/15/bin/pgbench");
        command.args(["--time", "10", "postgres://tradepost:secret@127.0.0.1:5000/test"]);
        assert_eq!(shown(&command), "pgbench --time 10 postgres://127.0.0.1:5000/test");
    }

    #[test]
    fn a_server_ends_with_its_owner() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo ready here >&2; exec sleep 1000"]);
        let mut server = Server::start(&command).unwrap();
        assert_eq!(server.line_after("ready ").unwrap(), "here");
        let id = server.id;
        drop(server.drain());
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        assert!(status.is_empty() || status.contains("zombie"), "{status}");
    }
}
