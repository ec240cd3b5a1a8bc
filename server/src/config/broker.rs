//! The broker that the settings name.

use bus::{Adapter, EmbeddedAdapter, scheme_of};

use super::Secret;
use crate::shop::Shop;

/// A broker: its kind, and the URL at which it is.
#[derive(Clone, Debug)]
pub struct BrokerSetting {
    /// Its kind.
    pub adapter: &'static dyn Adapter,
    /// Its URL, which may hold a password.
    pub url: Secret,
}

impl BrokerSetting {
    /// The broker of a setting such as `embedded` or `amqp://user:password@host:5672/vhost`, or what is expected.
    pub fn parse(shop: &Shop, text: &str) -> Result<Self, String> {
        let adapter = shop.brokers().iter().find(|adapter| adapter.schemes().contains(&scheme_of(text)));
        let adapter = adapter.copied().filter(|adapter| !has_host(adapter.example()) || has_host(text));
        let url = Secret::new(text.to_owned());
        adapter.map(|adapter| Self { adapter, url }).ok_or_else(|| format!("a broker as in {}", examples(shop)))
    }

    /// A broker for a process that has nothing to send and nothing to receive.
    pub(crate) fn embedded() -> Self {
        Self { adapter: &EmbeddedAdapter, url: Secret::new(EmbeddedAdapter.example().to_owned()) }
    }

    /// The broker of a shop whose settings name none.
    ///
    /// # Panics
    ///
    /// A shop has at least one broker.
    pub fn of_default(shop: &Shop) -> Self {
        let adapter = *shop.brokers().first().expect("a shop has at least one broker");
        Self { adapter, url: Secret::new(adapter.example().to_owned()) }
    }

    /// Says that several processes can use it.
    pub fn is_shared(&self) -> bool {
        self.adapter.guarantees().is_shared()
    }
}

/// The settings that name the brokers of a shop, for people.
pub fn examples(shop: &Shop) -> String {
    shop.brokers().iter().map(|adapter| adapter.example()).collect::<Vec<_>>().join(" or ")
}

fn has_host(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_found_by_the_scheme_of_its_url() {
        let shop = Shop::tradepost();
        let name = |text| BrokerSetting::parse(&shop, text).map(|broker| broker.adapter.name());
        assert_eq!(name("embedded"), Ok("embedded"));
        assert_eq!(name("amqps://user:password@host/vhost"), Ok("rabbitmq"));
        assert_eq!(name("redis://host"), Ok("redis"));
        let expected = "a broker as in embedded or amqp://user:password@host:5672/vhost or \
            redis://user:password@host:6379/0?prefix=shop:";
        for bad in ["", "amqp", "amqp:", "amqp://", "redis:", "http://host", "EMBEDDED"] {
            assert_eq!(name(bad), Err(expected.to_owned()), "{bad}");
        }
        assert_eq!(BrokerSetting::of_default(&shop).adapter.name(), "embedded");
        assert!(!BrokerSetting::of_default(&shop).is_shared());
    }
}
