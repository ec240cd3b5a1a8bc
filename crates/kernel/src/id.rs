//! Typed ids: UUIDs of which one kind can't be taken for another.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// An id of this kind. The crate that owns what it names declares it by [`id!`](crate::id).
pub struct Id<K>(Uuid, PhantomData<K>);

/// A kind of ids.
pub trait Kind: Send + Sync + 'static {
    /// The name of its ids, in code and in the description of the API.
    const NAME: &'static str;
    /// The thing that such an id names.
    const DESCRIPTION: &'static str;
}

/// Declares the ids of a kind of things.
///
/// ```
/// # use tradepost_kernel as kernel;
/// kernel::id!(BoxId, BoxKind, "One box.");
/// let id: BoxId = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d".parse()?;
/// # Ok::<(), kernel::BadId>(())
/// ```
#[macro_export]
macro_rules! id {
    ($name:ident, $kind:ident, $description:literal) => {
        #[doc = $description]
        pub type $name = $crate::Id<$kind>;

        #[doc = concat!("The kind of [`", stringify!($name), "`].")]
        #[derive(Debug)]
        pub enum $kind {}

        impl $crate::Kind for $kind {
            const NAME: &'static str = stringify!($name);
            const DESCRIPTION: &'static str = $description;
        }
    };
}

/// The text is no id.
pub type BadId = uuid::Error;

impl<K> From<Uuid> for Id<K> {
    fn from(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }
}

impl<K> From<Id<K>> for Uuid {
    fn from(id: Id<K>) -> Self {
        id.0
    }
}

impl<K> FromStr for Id<K> {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self::from)
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", K::NAME, self.0)
    }
}

// Not derived: what holds of an id holds of it whatever its kind, of which there are no values.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Id<K> {}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::from)
    }
}

impl<K: Kind> PartialSchema for Id<K> {
    fn schema() -> RefOr<Schema> {
        #[expect(deprecated, reason = "clients and documents know the single example")]
        let uuid = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
            .description(Some(K::DESCRIPTION))
            .example(Some("019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d".into()));
        uuid.into()
    }
}

impl<K: Kind> ToSchema for Id<K> {
    fn name() -> std::borrow::Cow<'static, str> {
        K::NAME.into()
    }
}

#[cfg(test)]
mod tests {
    crate::id!(BoxId, BoxKind, "One box.");

    const TEXT: &str = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d";

    #[test]
    fn an_id_is_plain_hyphenated_text_and_shows_its_kind_in_a_log() {
        let id: BoxId = TEXT.parse().unwrap();
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(format!("{id:?}"), format!("BoxId({TEXT})"));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<BoxId>(&json).unwrap(), id);
        assert!("box".parse::<BoxId>().is_err());
    }
}
