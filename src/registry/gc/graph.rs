//! The manifests of one repository, and which of them live.

use std::collections::{HashMap, HashSet};

use crate::oci::{Digest, StoredReferences};

/// The manifests of one repository, with what each keeps and what it stays for.
#[derive(Debug, Default)]
pub(super) struct Graph {
    ties: HashMap<Digest, StoredReferences>,
}

impl Graph {
    pub(super) fn insert(&mut self, digest: Digest, ties: StoredReferences) {
        self.ties.insert(digest, ties);
    }

    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.ties.contains_key(digest)
    }

    pub(super) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.ties.keys()
    }

    /// The manifests that neither are among the roots, nor are kept by one that lives, nor have a subject that lives:
    /// parents before their children.
    pub(super) fn dead(&self, is_root: impl Fn(&Digest) -> bool) -> Vec<&Digest> {
        let living = self.living(is_root);
        let dead: HashSet<&Digest> = self.ties.keys().filter(|digest| !living.contains(digest)).collect();
        self.parents_first(&dead)
    }

    fn living(&self, is_root: impl Fn(&Digest) -> bool) -> HashSet<&Digest> {
        let mut referrers: HashMap<&Digest, Vec<&Digest>> = HashMap::new();
        for (digest, ties) in &self.ties {
            if let Some(subject) = &ties.subject {
                referrers.entry(subject).or_default().push(digest);
            }
        }
        let mut living = HashSet::new();
        let mut unseen: Vec<&Digest> = self.ties.keys().filter(|digest| is_root(digest)).collect();
        while let Some(digest) = unseen.pop() {
            // A subject need not be one of these: its own link may be lost.
            let (ties, referrers) = (self.ties.get(digest), referrers.get(digest));
            if (ties.is_some() || referrers.is_some()) && living.insert(digest) {
                unseen.extend(ties.into_iter().flat_map(|ties| &ties.references));
                unseen.extend(referrers.into_iter().flatten());
            }
        }
        living
    }

    /// Each of `digests` after all of them that refer to it: a manifest that can be read has its children.
    fn parents_first<'a>(&'a self, digests: &HashSet<&'a Digest>) -> Vec<&'a Digest> {
        let children = |digest: &Digest| {
            self.ties[digest].references.iter().filter(|child| digests.contains(child)).collect::<HashSet<_>>()
        };
        let mut parents: HashMap<&Digest, usize> = HashMap::new();
        for digest in digests {
            for child in children(digest) {
                *parents.entry(child).or_default() += 1;
            }
        }
        let mut ready: Vec<&Digest> = digests.iter().copied().filter(|digest| !parents.contains_key(digest)).collect();
        let mut ordered = Vec::with_capacity(digests.len());
        while let Some(digest) = ready.pop() {
            ordered.push(digest);
            for child in children(digest) {
                // The reference of the set, which lives as long as this.
                if let Some(left) = parents.get_mut(child) {
                    *left -= 1;
                    if *left == 0 {
                        ready.extend(digests.get(child));
                    }
                }
            }
        }
        ordered
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::oci::Algorithm;

    fn digest(number: usize) -> Digest {
        Digest::of(Algorithm::Sha256, number.to_string().as_bytes())
    }

    /// Manifests by number, each with children of a higher number and perhaps a subject of any.
    fn graph(nodes: &[(Vec<usize>, Option<usize>)]) -> Graph {
        let mut graph = Graph::default();
        for (number, (children, subject)) in nodes.iter().enumerate() {
            let references = children.iter().map(|child| digest(number + 1 + child)).collect();
            graph.insert(
                digest(number),
                StoredReferences { references, subject: subject.map(digest), ..StoredReferences::default() },
            );
        }
        graph
    }

    fn dead(graph: &Graph, roots: &[usize]) -> Vec<Digest> {
        let roots: HashSet<_> = roots.iter().copied().map(digest).collect();
        graph.dead(|digest| roots.contains(digest)).into_iter().cloned().collect()
    }

    #[test]
    fn children_stay_with_their_index_and_referrers_with_their_subject() {
        // 0 is an index of 1 and 2; 3 refers to 1, 4 to 3, 5 to nothing that is here, 6 stands alone.
        let none = (vec![], None);
        let graph = graph(&[
            (vec![0, 1], None),
            none.clone(),
            none.clone(),
            (vec![], Some(1)),
            (vec![], Some(3)),
            (vec![], Some(99)),
            none,
        ]);
        let numbers = |roots: &[usize]| {
            let dead: BTreeSet<_> = dead(&graph, roots).into_iter().collect();
            (0..7).filter(|number| dead.contains(&digest(*number))).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&[0]), [5, 6]);
        assert_eq!(numbers(&[1]), [0, 2, 5, 6]);
        assert_eq!(numbers(&[5, 6]), [0, 1, 2, 3, 4]);
        assert_eq!(numbers(&[]), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_deep_graph_of_shared_children_is_walked_once() {
        let nodes: Vec<_> = (0..60).map(|_| (vec![0, 1], None)).collect();
        let graph = graph(&nodes);
        assert_eq!(dead(&graph, &[0]), []);
        assert_eq!(dead(&graph, &[]).len(), 60);
    }

    proptest! {
        #[test]
        fn agrees_with_asking_again_and_again(
            nodes in prop::collection::vec((prop::collection::vec(0..6_usize, 0..4), prop::option::of(0..12_usize)), 0..12),
            roots in prop::collection::vec(0..12_usize, 0..3),
        ) {
            let mut living: BTreeSet<usize> = roots.iter().copied().filter(|root| *root < nodes.len()).collect();
            loop {
                let before = living.len();
                for (number, (children, subject)) in nodes.iter().enumerate() {
                    if living.contains(&number) {
                        living.extend(children.iter().map(|child| number + 1 + child));
                    }
                    if subject.is_some_and(|subject| living.contains(&subject)) {
                        living.insert(number);
                    }
                }
                if living.len() == before {
                    break;
                }
            }
            let graph = graph(&nodes);
            let dead = dead(&graph, &roots);
            let expected: BTreeSet<_> = (0..nodes.len()).filter(|number| !living.contains(number)).map(digest).collect();
            prop_assert_eq!(dead.iter().cloned().collect::<BTreeSet<_>>(), expected);
            // No child before its parent.
            for (place, digest) in dead.iter().enumerate() {
                let references = &graph.ties[digest].references;
                prop_assert!(dead[..place].iter().all(|earlier| !references.contains(earlier)));
            }
        }
    }
}
