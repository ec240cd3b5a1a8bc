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
        }),*];
    };
}
