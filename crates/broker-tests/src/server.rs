//! Servers that tests stop, kill and hold.

use test_servers::{RabbitMq, Redis};

/// A server of a test's own. Each call blocks until it is done.
pub trait Server {
    /// Stops it as an administrator would.
    fn stop(&mut self);

    /// `kill -9`.
    fn kill(&mut self);

    /// Starts it again with the data that it had, after a stop if it runs.
    fn restart(&mut self);

    /// Holds it: connections stay, and nobody is answered.
    fn freeze(&self);

    /// Lets it go on.
    fn thaw(&self);
}

macro_rules! servers {
    ($($server:ty),*) => {
        $(
            impl Server for $server {
                fn stop(&mut self) {
                    self.stop();
                }

                fn kill(&mut self) {
                    self.kill();
                }

                fn restart(&mut self) {
                    self.restart();
                }

                fn freeze(&self) {
                    self.freeze();
                }

                fn thaw(&self) {
                    self.thaw();
                }
            }
        )*
    };
}

servers!(RabbitMq, Redis);
