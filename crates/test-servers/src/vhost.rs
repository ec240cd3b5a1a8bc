//! An empty virtual host for one test, on whatever server is cheapest.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::error::{Error, expect};
use crate::rabbitmq::{Control, RabbitMq};

/// The variable with what is needed to use the server that a whole run of tests shares, as [`RabbitMq::shared`] says
/// it. `cargo xtask test` sets it.
pub const RABBITMQ_VARIABLE: &str = "TEST_RABBITMQ_URL";

/// An empty virtual host that goes with this value.
///
/// It is on the server of the whole run if [`RABBITMQ_VARIABLE`] names one,
/// else on one that the tests of this process share.
/// A test that stops its server or sets an alarm must not do so here: it starts its own [`RabbitMq`].
#[derive(Debug)]
pub struct Vhost {
    control: Control,
    server: String,
    name: String,
}

impl Vhost {
    /// Makes it.
    #[track_caller]
    pub fn create() -> Self {
        let shared = std::env::var_os(RABBITMQ_VARIABLE).map_or_else(own_server, |shared| {
            shared.into_string().unwrap_or_else(|it| panic!("{RABBITMQ_VARIABLE} is no URL: {}", it.display()))
        });
        let (server, control) = expect(parse(&shared));
        let name = expect(control.create_vhost());
        Self { control, server, name }
    }

    /// Its URL, for a user with all rights in it.
    pub fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of an Erlang expression in the server.
    #[track_caller]
    pub fn eval(&self, expression: &str) -> String {
        expect(self.control.eval(expression))
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        // Where the test failed, its own message is the one to show.
        if !std::thread::panicking() {
            expect(self.control.delete_vhost(&self.name));
        }
    }
}

/// A server that ends with this process.
fn own_server() -> String {
    static OWN: OnceLock<RabbitMq> = OnceLock::new();
    OWN.get_or_init(RabbitMq::start).shared()
}

/// The server's URL without a virtual host, and where it takes orders.
fn parse(shared: &str) -> Result<(String, Control), Error> {
    let parts = || {
        let (url, query) = shared.split_once('?')?;
        let (server, _) = url.rsplit_once('/')?;
        let (port, home) = query.strip_prefix("control=")?.split_once("&home=")?;
        Some((server.to_owned(), Control { port: port.parse().ok()?, home: PathBuf::from(home) }))
    };
    parts().ok_or_else(|| Error::new(format!("{RABBITMQ_VARIABLE} is not what `RabbitMq::shared` says")))
}
