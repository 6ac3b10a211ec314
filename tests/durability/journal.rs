//! A log of what was acknowledged, kept outside the store, and the check that it is there.

use std::sync::Mutex;

use crate::support::{
    http::{Answer, Registry, Repository},
    image::{Blob, Image},
};

/// What a registry has answered 201 to.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Vec<Entry>>);

enum Entry {
    Blob { repository: String, blob: Blob },
    Image { repository: String, tag: String, image: Image },
}

impl Journal {
    /// Pushes an image as far as the registry takes it and notes each acknowledgement. The answers that were no success
    /// come back, and whether the connection was lost.
    pub(crate) fn push(&self, registry: &Registry, repository: &str, tag: &str, image: &Image) -> Outcome {
        self.push_by(registry, repository, tag, image, Repository::try_blob)
    }

    /// The same, with PATCH and PUT for each blob.
    pub(crate) fn push_in_chunks(&self, registry: &Registry, repository: &str, tag: &str, image: &Image) -> Outcome {
        self.push_by(registry, repository, tag, image, crate::load::in_chunks)
    }

    fn push_by(
        &self,
        registry: &Registry,
        repository: &str,
        tag: &str,
        image: &Image,
        push: impl Fn(&Repository, &Blob) -> reqwest::Result<Answer>,
    ) -> Outcome {
        let (there, mut outcome) = (registry.repository(repository), Outcome::default());
        for blob in image.blobs() {
            if outcome.note(push(&there, blob)) {
                let (repository, blob) = (repository.to_owned(), blob.clone());
                self.0.lock().unwrap().push(Entry::Blob { repository, blob });
            }
        }
        if outcome.is_clean() && outcome.note(there.try_manifest(tag, image.manifest())) {
            let (repository, tag, image) = (repository.to_owned(), tag.to_owned(), image.clone());
            self.0.lock().unwrap().push(Entry::Image { repository, tag, image });
        }
        outcome
    }

    /// Requires everything that was acknowledged, byte for byte.
    #[track_caller]
    pub(crate) fn check(&self, registry: &Registry) {
        let missing = self.missing(registry);
        assert!(missing.is_empty(), "acknowledged and gone: {missing:?}");
    }

    /// What was acknowledged and is not there, or not as it was.
    pub(crate) fn missing(&self, registry: &Registry) -> Vec<String> {
        let entries = self.0.lock().unwrap();
        let has = |repository: &str, blob: &Blob| {
            let answer = registry.repository(repository).get(&format!("blobs/{}", blob.digest()));
            answer.status == 200 && answer.body == blob.bytes()
        };
        let missing = entries.iter().filter_map(|entry| match entry {
            Entry::Blob { repository, blob } => {
                (!has(repository, blob)).then(|| format!("{repository}@{}", blob.digest()))
            }
            Entry::Image { repository, tag, image } => {
                let manifest = registry.repository(repository).manifest(tag);
                let whole =
                    manifest.body == image.manifest().bytes() && image.blobs().all(|blob| has(repository, blob));
                (!whole).then(|| format!("{repository}:{tag}"))
            }
        });
        missing.collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// How a push went that may have met a fault.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) refusals: Vec<Answer>,
    pub(crate) lost_connection: bool,
}

impl Outcome {
    pub(crate) fn is_clean(&self) -> bool {
        self.refusals.is_empty() && !self.lost_connection
    }

    /// Of requests that are answered with `success` if there is no fault.
    pub(crate) fn of(answers: impl IntoIterator<Item = reqwest::Result<Answer>>, success: u16) -> Self {
        let mut outcome = Self::default();
        for answer in answers {
            outcome.expect(answer, success);
        }
        outcome
    }

    /// Whether it was a 201.
    fn note(&mut self, answer: reqwest::Result<Answer>) -> bool {
        self.expect(answer, 201)
    }

    fn expect(&mut self, answer: reqwest::Result<Answer>, success: u16) -> bool {
        match answer {
            Ok(answer) if answer.status == success => return true,
            Ok(answer) => self.refusals.push(answer),
            Err(_) => self.lost_connection = true,
        }
        false
    }
}

/// An image that a push left unacknowledged is there wholly or not at all.
#[track_caller]
pub(crate) fn expect_whole_or_absent(registry: &Registry, repository: &str, tag: &str, image: &Image) {
    let there = registry.repository(repository);
    for blob in image.blobs() {
        let answer = there.get(&format!("blobs/{}", blob.digest()));
        let absent = answer.status == 404;
        assert!(absent || answer.body == blob.bytes(), "half a blob is served: {}", answer.status);
    }
    let manifest = there.manifest(tag);
    if manifest.status != 404 {
        there.expect_image(tag, image);
    }
}
