//! Errors of private servers, and running programs.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Reason why a server can't be started: what failed, on what, and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub(crate) String);

impl Error {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The thing that could not be read, written or run.
    pub(crate) fn of(what: &str) -> impl Fn(std::io::Error) -> Self + '_ {
        move |error| Self(format!("{what} can't be used: {error}"))
    }
}

/// For tests: there is nothing to be done but to say what went wrong.
#[track_caller]
pub(crate) fn expect<T>(result: Result<T, Error>) -> T {
    match result {
        Ok(done) => done,
        Err(error) => panic!("{error}"),
    }
}

/// Standard output of a program that succeeded; otherwise an error with its standard error.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().display().to_string();
    judged(&program, command.output().map_err(|error| Error::new(format!("{program} did not start: {error}")))?)
}

/// Runs a program to its end with this text as its input; what it printed.
pub(crate) fn feed(mut command: Command, text: &str) -> Result<String, Error> {
    let program = command.get_program().display().to_string();
    let failed = Error::of(&program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(&failed)?;
    let mut input = child.stdin.take().expect("its input is piped");
    input.write_all(text.as_bytes()).map_err(&failed)?;
    drop(input);
    judged(&program, child.wait_with_output().map_err(&failed)?)
}

fn judged(program: &str, Output { status, stdout, stderr }: Output) -> Result<String, Error> {
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    Err(Error::new(format!("{program} ended with {status}: {}", String::from_utf8_lossy(&stderr).trim())))
}
