//! The embedded broker in a list of adapters.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};

use crate::{Adapter, AdapterError, Broker, Embedded, Finding, Guarantees, Setup};

/// The adapter of [`Embedded`]. It has no URL: its name alone selects it.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedAdapter;

impl Adapter for EmbeddedAdapter {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn guarantees(&self) -> Guarantees {
        Embedded::GUARANTEES
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["embedded"]
    }

    fn example(&self) -> &'static str {
        "embedded"
    }

    fn connect(&self, _: &str, setup: Setup) -> Result<Arc<dyn Broker>, AdapterError> {
        Ok(Arc::new(Embedded::new(setup.topology)))
    }

    fn reach<'a>(
        &'a self,
        _: &'a str,
        _: Duration,
        _: &'a mut (dyn FnMut(String) + Send),
    ) -> BoxFuture<'a, Result<(), AdapterError>> {
        future::ready(Ok(())).boxed()
    }

    fn declare<'a>(&'a self, url: &'a str, setup: Setup) -> BoxFuture<'a, Result<Arc<dyn Broker>, AdapterError>> {
        future::ready(self.connect(url, setup)).boxed()
    }

    fn inspect<'a>(&'a self, _: &'a str, _: Setup) -> BoxFuture<'a, Vec<Finding>> {
        future::ready(vec![Finding::good("broker", "embedded in the process")]).boxed()
    }
}
