//! Which manifests of a repository have which subject, in memory.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Bound::{Excluded, Unbounded},
};

use crate::oci::{Descriptor, Digest, Manifest};

/// The most bytes of descriptors in one page, so that a page is no longer than a manifest may be.
const PAGE_BYTES: usize = 4 * 1024 * 1024 - 64 * 1024;

/// A part of the referrers of a subject, in the order of their digests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferrersPage {
    /// The descriptor of each.
    pub descriptors: Vec<Descriptor>,
    /// Whether there are more after the last of them.
    pub more: bool,
}

/// The referrers of every subject in a repository.
#[derive(Debug, Default)]
pub(in crate::registry) struct ReferrersIndex {
    by_subject: HashMap<Digest, BTreeMap<Digest, Descriptor>>,
    subjects: HashMap<Digest, Digest>,
    /// The manifests without a subject; only of a shared store, where the list is read again and again.
    others: HashSet<Digest>,
}

/// A change of a manifest of a repository.
#[derive(Debug)]
pub(in crate::registry) enum ReferrerChange {
    Added { subject: Digest, descriptor: Box<Descriptor> },
    Removed(Digest),
}

impl ReferrerChange {
    /// A manifest of `size` bytes was added; `None` if it has no subject.
    pub(in crate::registry) fn added(digest: &Digest, manifest: &Manifest, size: u64) -> Option<Self> {
        let subject = manifest.subject.clone()?;
        let descriptor = Descriptor {
            media_type: manifest.media_type.clone(),
            digest: digest.clone(),
            size,
            artifact_type: manifest.artifact_type.clone(),
            annotations: manifest.annotations.clone(),
            urls: Vec::new(),
        };
        Some(Self::Added { subject, descriptor: Box::new(descriptor) })
    }
}

impl ReferrersIndex {
    /// Notes a manifest that refers to `subject`.
    pub(in crate::registry) fn add(&mut self, subject: Digest, descriptor: Descriptor) {
        self.subjects.insert(descriptor.digest.clone(), subject.clone());
        self.by_subject.entry(subject).or_default().insert(descriptor.digest.clone(), descriptor);
    }

    /// Forgets a manifest.
    pub(in crate::registry) fn remove(&mut self, digest: &Digest) {
        let Some(subject) = self.subjects.remove(digest) else { return };
        if let Some(referrers) = self.by_subject.get_mut(&subject) {
            referrers.remove(digest);
            if referrers.is_empty() {
                self.by_subject.remove(&subject);
            }
        }
    }

    /// Forgets the manifests that are not among `digests`; returns those of `digests` that are not known.
    pub(in crate::registry) fn follow(&mut self, digests: Vec<Digest>) -> Vec<Digest> {
        let there: HashSet<&Digest> = digests.iter().collect();
        self.others.retain(|digest| there.contains(digest));
        let gone: Vec<Digest> = self.subjects.keys().filter(|digest| !there.contains(digest)).cloned().collect();
        for digest in &gone {
            self.remove(digest);
        }
        digests
            .into_iter()
            .filter(|digest| !self.others.contains(digest) && !self.subjects.contains_key(digest))
            .collect()
    }

    /// Notes a manifest that has no subject.
    pub(in crate::registry) fn note_other(&mut self, digest: Digest) {
        self.others.insert(digest);
    }

    /// Everything that has a referrer.
    pub(in crate::registry) fn subjects(&self) -> Vec<Digest> {
        self.by_subject.keys().cloned().collect()
    }

    /// A part of what refers to `subject`.
    pub(in crate::registry) fn page(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&str>,
        limit: usize,
    ) -> ReferrersPage {
        let Some(referrers) = self.by_subject.get(subject) else {
            return ReferrersPage { descriptors: Vec::new(), more: false };
        };
        // The order of digests is that of their text, so any other text has its place among them, too.
        let cursor: Option<Digest> = last.and_then(|last| last.parse().ok());
        let other = last.filter(|_| cursor.is_none());
        let after = cursor.as_ref().map_or(Unbounded, Excluded);
        let mut asked = referrers
            .range::<Digest, _>((after, Unbounded))
            .skip_while(|(digest, _)| other.is_some_and(|last| digest.to_string().as_str() <= last))
            .map(|(_, descriptor)| descriptor)
            .filter(|descriptor| artifact_type.is_none_or(|wanted| is_of_type(descriptor, wanted)))
            .peekable();
        let (mut descriptors, mut bytes) = (Vec::new(), 0);
        while let Some(next) = asked.peek()
            && descriptors.len() < limit
        {
            bytes += length_of(next);
            if bytes > PAGE_BYTES && !descriptors.is_empty() {
                break;
            }
            descriptors.extend(asked.next().cloned());
        }
        ReferrersPage { more: !descriptors.is_empty() && asked.peek().is_some(), descriptors }
    }
}

/// An artifact type is a media type, of which case means nothing.
fn is_of_type(descriptor: &Descriptor, wanted: &str) -> bool {
    descriptor.artifact_type.as_deref().is_some_and(|has| has.eq_ignore_ascii_case(wanted))
}

/// How long a descriptor is in JSON, about and at most.
fn length_of(descriptor: &Descriptor) -> usize {
    serde_json::to_string(descriptor).map_or(0, |json| json.len() + 1)
}
