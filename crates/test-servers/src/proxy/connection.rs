//! One connection through the proxy: two directions, each with its own fault.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::{Fault, Faults, Shared, State, Traffic, What};

/// Bytes that are forwarded at once. A fault splits them where it must.
const CHUNK: usize = 16 * 1024;

/// Time in which a side must close its connection after the other side has closed it.
const FAREWELL: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// End of a connection that neither of its two sides caused.
enum End {
    Cut,
    Reset,
}

pub(super) struct Connection {
    shared: Arc<Shared>,
    /// Its place among all connections of the proxy.
    number: usize,
    /// Its own faults, as long as nothing was set since it came.
    queued: Option<Faults>,
    /// The setting that it came under.
    born: u64,
}

impl Connection {
    pub fn new(shared: Arc<Shared>) -> Self {
        let mut state = shared.lock();
        let (number, queued, born) = (state.traffic.len(), state.queued.pop_front(), state.setting);
        state.traffic.push(Traffic { is_open: true, ..Traffic::default() });
        drop(state);
        Self { shared, number, queued, born }
    }

    pub async fn run(self, mut client: TcpStream) {
        // To the client, a server that is down is one that closes the connection.
        let Ok(mut server) = TcpStream::connect(self.shared.upstream).await else { return self.closed() };
        let end = self.carry(&mut client, &mut server).await;
        self.closed();
        match end {
            End::Reset => {
                // Neither matters on a side that is gone already.
                let _ = (client.set_zero_linger(), server.set_zero_linger());
            }
            End::Cut => {
                let _ = tokio::time::timeout(FAREWELL, async { tokio::join!(leave(client), leave(server)) }).await;
            }
        }
    }

    fn closed(&self) {
        self.shared.lock().traffic[self.number].is_open = false;
    }

    async fn carry(&self, client: &mut TcpStream, server: &mut TcpStream) -> End {
        // Bytes are cut one by one: they must not wait to be many.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.split(), server.split());
        let up = self.pass(Direction::ToServer, &mut from_client, &mut to_server);
        let down = self.pass(Direction::ToClient, &mut from_server, &mut to_client);
        let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
        let (mut is_up_done, mut is_down_done) = (false, false);
        while !(is_up_done && is_down_done) {
            let (ended, is_done) = tokio::select! {
                ended = &mut up, if !is_up_done => (ended, &mut is_up_done),
                ended = &mut down, if !is_down_done => (ended, &mut is_down_done),
            };
            match ended {
                // One side has said all it had to say; the other may go on.
                Ok(None) => *is_done = true,
                Ok(Some(end)) => return end,
                // What broke on one side breaks on the other.
                Err(_) => return End::Reset,
            }
        }
        End::Cut
    }

    /// Passes bytes on in one direction until they end, or until a fault ends the connection.
    async fn pass(
        &self,
        direction: Direction,
        from: &mut ReadHalf<'_>,
        to: &mut WriteHalf<'_>,
    ) -> io::Result<Option<End>> {
        let mut changed = self.shared.changed.subscribe();
        let mut meter = Meter { setting: self.born, passed: 0 };
        let mut chunk = vec![0; CHUNK];
        let mut held = 0..0;
        loop {
            let (delay, fault) = self.fault(direction, &mut meter);
            let room = fault.map_or(u64::MAX, |fault| fault.after.saturating_sub(meter.passed));
            match fault.filter(|_| room == 0).map(|fault| fault.what) {
                Some(What::Cut) => return Ok(Some(End::Cut)),
                Some(What::Reset) => return Ok(Some(End::Reset)),
                Some(What::Stall) => {
                    let _ = changed.changed().await;
                    continue;
                }
                None => {}
            }
            if held.is_empty() {
                let read = tokio::select! {
                    read = from.read(&mut chunk) => read?,
                    _ = changed.changed() => continue,
                };
                if read == 0 {
                    to.shutdown().await?;
                    return Ok(None);
                }
                held = 0..read;
                if !delay.is_zero() {
                    tokio::time::sleep(delay).await;
                }
                // The faults may be others by now.
                continue;
            }
            let passing = held.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            to.write_all(&chunk[held.start..held.start + passing]).await?;
            held.start += passing;
            meter.passed += passing as u64;
            self.count(direction, passing);
        }
    }

    /// The current fault. The meter starts at zero when it has changed.
    fn fault(&self, direction: Direction, meter: &mut Meter) -> (Duration, Option<Fault>) {
        let state = self.shared.lock();
        if state.setting != meter.setting {
            *meter = Meter { setting: state.setting, passed: 0 };
        }
        let faults = self.faults(&state);
        let fault = match direction {
            Direction::ToServer => faults.to_server,
            Direction::ToClient => faults.to_client,
        };
        (faults.delay, fault)
    }

    fn faults(&self, state: &State) -> Faults {
        if state.setting == self.born { self.queued.unwrap_or(state.faults_to_come) } else { state.faults }
    }

    fn count(&self, direction: Direction, bytes: usize) {
        let traffic = &mut self.shared.lock().traffic[self.number];
        let count = match direction {
            Direction::ToServer => &mut traffic.to_server,
            Direction::ToClient => &mut traffic.to_client,
        };
        *count += bytes as u64;
    }
}

/// Closes a connection cleanly: closed with bytes unread, the other side would see a reset.
async fn leave(mut side: TcpStream) {
    // An error is of no use to anybody if the connection broke meanwhile.
    let _ = side.shutdown().await;
    let _ = tokio::io::copy(&mut side, &mut tokio::io::sink()).await;
}

/// Bytes since the faults were set.
struct Meter {
    setting: u64,
    passed: u64,
}
