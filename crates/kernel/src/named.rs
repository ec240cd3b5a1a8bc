//! Enums whose variants have a name in tables, bodies and metrics.

/// Gives a fieldless enum its names: `ALL`, `as_str`, `FromStr`, and a schema that lists them.
///
/// ```
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// enum Status { Open, Closed }
/// tradepost_kernel::named!(Status { Open = "open", Closed = "closed" });
///
/// assert_eq!(Status::Closed.as_str(), "closed");
/// assert_eq!("open".parse(), Ok(Status::Open));
/// assert_eq!("ajar".parse::<Status>(), Err("one of open, closed".to_owned()));
/// ```
#[macro_export]
macro_rules! named {
    ($kind:ident { $($variant:ident = $name:expr),* $(,)? }) => {
        impl $kind {
            /// All variants, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }

        impl std::str::FromStr for $kind {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().copied().find(|it| it.as_str() == text);
                found.ok_or_else(|| format!("one of {}", [$($name),*].join(", ")))
            }
        }

        impl $crate::utoipa::PartialSchema for $kind {
            fn schema() -> $crate::utoipa::openapi::RefOr<$crate::utoipa::openapi::Schema> {
                let names = [$($name),*];
                $crate::utoipa::openapi::ObjectBuilder::new()
                    .schema_type($crate::utoipa::openapi::schema::Type::String)
                    .enum_values(Some(names))
                    .into()
            }
        }

        impl $crate::utoipa::ToSchema for $kind {}
    };
}
