//! Bytes as base64: a dead letter's body may be no JSON, and an event's must arrive as it was committed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serializer, de};

pub(super) fn serialize<S: Serializer>(bytes: impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(deserializer: D) -> Result<T, D::Error> {
    let bytes = STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)?;
    T::try_from(bytes).map_err(|_| de::Error::custom("bytes of another length"))
}
