//! A process that holds a server and is killed: nothing of the server may be left.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tradepost_test_servers::PATIENCE;

/// Set for the process that is to be killed: the same test, started again by itself.
const HOLD: &str = "HOLD_A_SERVER";

/// Has another process run `test`, up to this call, where it holds a server; kills it and waits for the server to be
/// gone.
pub fn kill_one<S>(test: &str, start: impl FnOnce() -> S, place: impl FnOnce(&S) -> (u16, PathBuf)) {
    if std::env::var_os(HOLD).is_some() {
        hold(&start(), place);
    }
    let mut holder = Command::new(std::env::current_exe().expect("a test knows its program"));
    holder.args(["--exact", test, "--nocapture"]).env(HOLD, "yes");
    let mut holder = holder.stdout(Stdio::piped()).spawn().expect("the program starts again");
    let mut said = BufReader::new(holder.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let held = said.find_map(|line| Some(line.split_once("holding ")?.1.to_owned())).expect("it says what it holds");
    let (port, folder) = held.split_once(' ').expect("a port and a folder");
    let port: u16 = port.parse().expect("a port");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());

    holder.kill().and_then(|()| holder.wait()).expect("it lived until now");
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_ok() || Path::new(folder).exists() || has_processes(folder) {
        assert!(Instant::now() < deadline, "the server, its processes or its folder outlived its test");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Says where the server is, and keeps it until this process is killed.
fn hold<S>(server: &S, place: impl FnOnce(&S) -> (u16, PathBuf)) -> ! {
    let (port, folder) = place(server);
    let said = writeln!(std::io::stdout(), "holding {port} {}", folder.display());
    said.expect("the other half of the test listens");
    loop {
        std::thread::park();
    }
}

/// True if some process has this folder in its environment or its arguments.
fn has_processes(folder: &str) -> bool {
    std::fs::read_dir("/proc").expect("Linux lists processes").flatten().any(|process| {
        let read = |file| std::fs::read(process.path().join(file)).unwrap_or_default();
        let known = [read("environ"), read("cmdline")].concat();
        String::from_utf8_lossy(&known).contains(folder)
    })
}
