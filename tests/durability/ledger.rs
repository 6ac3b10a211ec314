//! What clients were told and what they asked for meanwhile, kept outside of the store: what may be there after a
//! crash.
//!
//! Each name belongs to one client, so that the order of what was acknowledged is known; content is shared by all.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard},
};

use crate::support::{
    http::{Answer, Registry},
    image::{Blob, Image, sha256},
};

/// What a name may lead to.
#[derive(Clone, Default)]
struct Slot {
    /// The last that was acknowledged; `None`: nothing.
    known: Option<String>,
    /// What was asked for since, of which nobody knows whether it was done.
    asked: Vec<Option<String>>,
}

impl Slot {
    fn allows(&self, found: Option<&str>) -> bool {
        self.known.as_deref() == found || self.asked.iter().any(|asked| asked.as_deref() == found)
    }
}

/// A tag or a manifest of a repository.
type Name = (String, String);

#[derive(Default)]
struct State {
    names: HashMap<Name, Slot>,
    /// By digest of the manifest.
    images: HashMap<String, Image>,
    /// Blobs that were acknowledged in a repository.
    blobs: HashMap<Name, Blob>,
    /// What was written since the last look.
    fresh_names: HashSet<Name>,
    fresh_blobs: HashSet<Name>,
    uploads: Vec<Upload>,
    acknowledged: u64,
}

/// An upload of which a part was acknowledged.
#[derive(Clone)]
pub(crate) struct Upload {
    pub(crate) repository: String,
    pub(crate) location: String,
    pub(crate) blob: Blob,
    pub(crate) acknowledged: usize,
}

/// What all clients know.
#[derive(Default)]
pub(crate) struct Ledger {
    state: Mutex<State>,
    /// Whether the disk may fail, so that a 5xx is no mistake.
    may_fail: bool,
}

impl Ledger {
    /// Of clients whose registry may meet a disk that fails.
    pub(crate) fn of_a_disk_that_fails() -> Self {
        Self { may_fail: true, ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.state().acknowledged
    }

    /// An image that may come to be somewhere.
    pub(crate) fn image(&self, image: &Image) {
        self.state().images.entry(image.manifest().digest().to_owned()).or_insert_with(|| image.clone());
    }

    /// A blob was asked for; whether it was acknowledged.
    pub(crate) fn blob(&self, repository: &str, blob: &Blob, answer: reqwest::Result<Answer>) -> bool {
        if !self.said_yes(answer, &[201]) {
            return false;
        }
        let mut state = self.state();
        let name = (repository.to_owned(), blob.digest().to_owned());
        state.fresh_blobs.insert(name.clone());
        state.blobs.insert(name, blob.clone());
        state.acknowledged += 1;
        true
    }

    /// Asks for names to lead somewhere, and notes what came of it.
    pub(crate) fn ask(
        &self,
        repository: &str,
        names: &[&str],
        target: Option<&str>,
        ask: impl FnOnce() -> reqwest::Result<Answer>,
    ) -> bool {
        let names: Vec<Name> = names.iter().map(|name| (repository.to_owned(), (*name).to_owned())).collect();
        let target = target.map(str::to_owned);
        {
            let mut state = self.state();
            for name in &names {
                state.names.entry(name.clone()).or_default().asked.push(target.clone());
                state.fresh_names.insert(name.clone());
            }
        }
        let is_known = self.said_yes(ask(), &[201, 202]);
        if is_known {
            let mut state = self.state();
            state.acknowledged += 1;
            for name in names {
                state.names.insert(name, Slot { known: target.clone(), asked: Vec::new() });
            }
        }
        is_known
    }

    pub(crate) fn upload(&self, upload: Upload) {
        self.state().uploads.push(upload);
    }

    pub(crate) fn take_uploads(&self) -> Vec<Upload> {
        std::mem::take(&mut self.state().uploads)
    }

    /// Requires what was written since the last look, and `sample` in every so many of all else; what is found is from
    /// now on what is known. How much was looked at.
    #[track_caller]
    pub(crate) fn check(&self, registry: &Registry, sample: usize) -> usize {
        let (names, blobs) = {
            let mut state = self.state();
            let (names, blobs) = (std::mem::take(&mut state.fresh_names), std::mem::take(&mut state.fresh_blobs));
            let names: Vec<_> = names.into_iter().chain(state.names.keys().step_by(sample).cloned()).collect();
            let blobs: Vec<_> = blobs.into_iter().chain(state.blobs.keys().step_by(sample).cloned()).collect();
            (names, blobs)
        };
        for name in &names {
            self.check_name(registry, name);
        }
        for name in &blobs {
            let blob = self.state().blobs[name].clone();
            let answer = registry.repository(&name.0).get(&format!("blobs/{}", blob.digest())).expect(200);
            assert!(answer.body == blob.bytes(), "{name:?} has other bytes");
        }
        names.len() + blobs.len()
    }

    fn check_name(&self, registry: &Registry, name: &Name) {
        let repository = registry.repository(&name.0);
        let answer = repository.manifest(&name.1);
        let found = match answer.status {
            404 => None,
            _ => Some(sha256(&answer.expect(200).body)),
        };
        let mut state = self.state();
        let slot = state.names.get_mut(name).unwrap();
        assert!(
            slot.allows(found.as_deref()),
            "{name:?} leads to {found:?}; known {:?}, asked {:?}",
            slot.known,
            slot.asked
        );
        *slot = Slot { known: found.clone(), asked: Vec::new() };
        let image = found.map(|found| state.images[&found].clone());
        drop(state);
        if let Some(image) = image {
            repository.expect_image(&name.1, &image);
        }
    }

    /// Whether this was an acknowledgement. A valid request is never refused; and only a disk that fails makes a 5xx.
    /// What is deleted may be gone already.
    fn said_yes(&self, answer: reqwest::Result<Answer>, yes: &[u16]) -> bool {
        let Ok(answer) = answer else { return false };
        let is_fault = answer.status >= 500 && self.may_fail;
        let is_no = !yes.contains(&answer.status);
        assert!(!is_no || is_fault || answer.status == 404, "a valid request is refused: {answer:?}");
        !is_no
    }
}
