//! Customers all over the world: their words, their addresses, their mail; what they pay, and what they may hold unpaid.

/// An event of this type without the fields that its consumer needs.
macro_rules! malformed {
    ($name:ident like $event:ty) => {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct $name {
            key: kernel::Uuid,
        }

        impl kernel::Event for $name {
            const TYPE: &'static str = <$event as kernel::Event>::TYPE;
            const SOURCE: &'static str = <$event as kernel::Event>::SOURCE;
            const LANE: kernel::Lane = <$event as kernel::Event>::LANE;

            fn key(&self) -> kernel::Uuid {
                self.key
            }
        }
    };
}

mod hoarding;
mod mails;
mod payments;
mod prices;
mod words;
