//! A table that never grows over its bound and needs no sweeping.

use std::{collections::HashMap, hash::Hash};

/// A map of at most `bound` entries that forgets what was not touched for longest, roughly: there are a young and an old half; what is
/// inserted or found is young, and when the young half is full, it becomes the old one and the old one is dropped. Every step takes constant
/// time, whatever is thrown at it.
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
