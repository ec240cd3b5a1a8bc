//! Commands to a running server, in Erlang.
//!
//! RabbitMQ's own `rabbitmqctl` takes seconds, for it starts a second Erlang; `erl_call` takes milliseconds.

use std::path::{Path, PathBuf};

use super::USER;
use super::programs::plain;
use crate::chance;
use crate::error::{Error, feed};

/// Access to a server's Erlang node: its port, and the folder with its cookie.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub port: u16,
    pub home: PathBuf,
}

impl Control {
    /// The value of an expression, as Erlang prints it.
    pub fn eval(&self, expression: &str) -> Result<String, Error> {
        let mut call = plain(Path::new("erl_call"), &self.home);
        // Under a name of its own, for the server takes one caller of a name at a time.
        call.args(["-h", &chance::word(), "-address", &format!("127.0.0.1:{}", self.port), "-e"]);
        let said = feed(call, &format!("{expression}.\n"))?;
        let value = said.trim().strip_prefix("{ok, ").and_then(|rest| rest.strip_suffix('}'));
        value.map(str::to_owned).ok_or_else(|| Error::new(format!("RabbitMQ can't do `{expression}`: {said}")))
    }

    /// Makes an empty virtual host with a name that no other has, and answers with the name.
    pub fn create_vhost(&self) -> Result<String, Error> {
        let name = format!("test-{}", chance::word());
        self.make_vhost(&name).map(|()| name)
    }

    /// Makes an empty virtual host in which the user of the URLs may do everything.
    pub fn make_vhost(&self, name: &str) -> Result<(), Error> {
        let all = r#"<<".*">>"#;
        let made = self.eval(&format!(
            r#"ok = rabbit_vhost:add(<<"{name}">>, <<"{USER}">>),
            ok = rabbit_auth_backend_internal:set_permissions(
                <<"{USER}">>, <<"{name}">>, {all}, {all}, {all}, <<"{USER}">>)"#
        ))?;
        if made == "ok" { Ok(()) } else { Err(Error::new(format!("RabbitMQ makes no virtual host: {made}"))) }
    }

    /// Removes a virtual host and all that is in it.
    pub fn delete_vhost(&self, name: &str) -> Result<(), Error> {
        self.eval(&format!(r#"rabbit_vhost:delete(<<"{name}">>, <<"{USER}">>)"#)).map(drop)
    }
}
