//! A map of bounded size.

use std::{collections::HashMap, hash::Hash};

/// A map of at most `bound` entries. Entries that were not used for long are dropped first, roughly.
///
/// There are a young and an old half. An entry that is inserted or found is in the young half. When that is full, it
/// becomes the old half, and the entries of the old half are dropped. Each operation takes constant time.
pub(super) struct BoundedMap<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Hash + Eq + Clone, V> BoundedMap<K, V> {
    pub(super) fn new(bound: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (bound / 2).max(1) }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<&mut V> {
        if let Some(value) = self.old.remove(key) {
            self.insert(key.clone(), value);
        }
        self.young.get_mut(key)
    }

    /// The value of `key`, inserted if there is none.
    pub(super) fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        if self.get(&key).is_none() {
            self.insert(key.clone(), V::default());
        }
        self.young.entry(key).or_default()
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bound_and_keeps_what_is_used() {
        let mut table = BoundedMap::new(100);
        table.insert(0, "kept");
        for key in 1..10_000 {
            table.insert(key, "flood");
            assert!(table.len() <= 100);
            if key % 20 == 0 {
                assert_eq!(table.get(&0), Some(&mut "kept"));
            }
        }
        assert_eq!(table.get(&1), None);
        assert_eq!(table.get(&0), Some(&mut "kept"));
    }
}
