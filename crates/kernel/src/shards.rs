//! The partitioning of keys among instances.

use uuid::Uuid;

use crate::Lane;

/// Number of shards into which the keys of the background lane are partitioned. The immediate lane has one.
///
/// Whoever has a shard handles all events of its keys, so that each key keeps its order with any number of instances.
/// A key's shard is the FNV-1a hash (64 bits, over the 16 bytes of the key) modulo the number of shards, so the number
/// must never change while anything is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards(u16);

impl Shards {
    /// All keys are in one shard.
    pub const ONE: Self = Self(1);

    /// The default: enough for a handful of instances of each service.
    pub const DEFAULT: Self = Self(8);

    /// More would be more queues than a broker likes, and no more instances than that help.
    pub const MAX: u16 = 256;

    /// 1 to [`MAX`](Self::MAX) shards.
    pub const fn new(count: u16) -> Option<Self> {
        if count >= 1 && count <= Self::MAX { Some(Self(count)) } else { None }
    }

    /// Number of shards of a lane.
    pub const fn count(self, lane: Lane) -> u16 {
        match lane {
            Lane::Immediate => 1,
            Lane::Background => self.0,
        }
    }

    /// All shards of a lane.
    pub fn all(self, lane: Lane) -> impl Iterator<Item = u16> {
        0..self.count(lane)
    }

    /// The shard of a key in a lane.
    pub fn of(self, lane: Lane, key: Uuid) -> u16 {
        let shard = fnv1a(key.as_bytes()) % u64::from(self.count(lane));
        u16::try_from(shard).expect("it is less than the number of shards")
    }
}

/// The FNV-1a hash of 64 bits, which never changes: <http://www.isthe.com/chongo/tech/comp/fnv/>.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    let begin = 0xcbf2_9ce4_8422_2325;
    bytes.iter().fold(begin, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_key_has_the_same_shard_for_ever() {
        let shards = Shards::new(8).unwrap();
        let key = Uuid::from_u128(0x0193_60a4_8c1e_7b3a_9d2f_5e6c_7a8b_9c0d);
        assert_eq!(shards.of(Lane::Background, key), 4);
        assert_eq!(shards.of(Lane::Immediate, key), 0);
    }

    #[test]
    fn keys_spread_over_all_shards() {
        let shards = Shards::new(8).unwrap();
        let mut seen = [0; 8];
        for number in 0..8_000 {
            seen[usize::from(shards.of(Lane::Background, Uuid::from_u128(number)))] += 1;
        }
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
    }

    #[test]
    fn there_is_at_least_one_shard_and_not_too_many() {
        assert_eq!(Shards::new(0), None);
        assert_eq!(Shards::new(1), Some(Shards::ONE));
        assert_eq!(Shards::new(Shards::MAX + 1), None);
    }
}
