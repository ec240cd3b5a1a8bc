/// Declares the events of one service: structs, their [`Event`](crate::Event) impls and the file's `EVENTS`.
macro_rules! events {
    ($source:literal; $(
        $(#[doc = $doc:literal])+
        $lane:ident $event_type:literal by $key:ident
        $name:ident { $($(#[$meta:meta])* $field:ident: $kind:ty,)* }
    )*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
            #[expect(missing_docs, reason = "an event's fields are documented by its example in the catalogue")]
            pub struct $name {
                $($(#[$meta])* pub $field: $kind,)*
            }

            impl kernel::Event for $name {
                const TYPE: &'static str = $event_type;
                const SOURCE: &'static str = $source;
                const LANE: kernel::Lane = kernel::Lane::$lane;

                fn key(&self) -> kernel::Uuid {
                    self.$key.into()
                }

                // Beside the struct it is compiled once, and not by each service that reacts to it.
                fn decode(body: &[u8]) -> serde_json::Result<Self> {
                    serde_json::from_slice(body)
                }
            }
        )*

        pub(crate) const EVENTS: &[crate::Descriptor] = &[$(crate::Descriptor {
            name: stringify!($name),
            event_type: $event_type,
            source: $source,
            lane: kernel::Lane::$lane,
            key: stringify!($key),
            fields: &[$(stringify!($field)),*],
            doc: concat!($($doc, "\n"),+),
            round_trip: |body| serde_json::to_vec_pretty(&<$name as kernel::Event>::decode(body)?),
        }),*];
    };
}

/// Names the services that emit events: declares the file of each, re-exports its structs, and lists all events.
macro_rules! emitting {
    ($($service:ident),* $(,)?) => {
        $(
            pub mod $service;
            pub use $service::*;
        )*

        /// Every event there is, service by service.
        pub fn all() -> impl Iterator<Item = &'static Descriptor> {
            [$($service::EVENTS),*].into_iter().flatten()
        }
    };
}
