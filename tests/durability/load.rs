//! Clients that do all that clients do, until they are told to stop.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use reqwest::Method;

use crate::{
    ledger::{Ledger, Upload},
    rounds::Dice,
    support::{
        http::{Registry, Repository, try_send},
        image::{Blob, Image},
        wait::pass,
    },
};

const CLIENTS: u64 = 4;

/// Lets all clients work until `end` returns; each works on names of its own, in repositories and with content that
/// others use too.
pub(crate) fn under_load(registry: &Registry, ledger: &Ledger, round: u64, end: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let client = Client::new(registry, ledger, round, number);
            let over = &over;
            scope.spawn(move || client.work(over));
        }
        end();
        over.store(true, Relaxed);
    });
}

struct Client<'a> {
    registry: &'a Registry,
    ledger: &'a Ledger,
    number: u64,
    round: u64,
    dice: Dice,
    /// What it has pushed in this round.
    pushed: Vec<Image>,
}

impl<'a> Client<'a> {
    fn new(registry: &'a Registry, ledger: &'a Ledger, round: u64, number: u64) -> Self {
        Self { registry, ledger, number, round, dice: Dice::new(round * CLIENTS + number), pushed: Vec::new() }
    }

    fn work(mut self, over: &AtomicBool) {
        while !over.load(Relaxed) {
            match self.dice.roll(12) {
                0..=4 => self.push(),
                5 => self.retag(),
                6 => self.delete_tag(),
                7 => self.delete_manifest(),
                8 => self.mount(),
                9 => self.begin_upload(),
                10 => self.push_sha512(),
                _ => self.read(),
            }
            if self.registry.try_get("/v2/").is_err() {
                pass(Duration::from_millis(2), "it was killed: there is nothing more to ask");
            }
        }
    }

    fn name(&self) -> String {
        format!("load/{}", self.number % 2)
    }

    fn repository(&self) -> Repository {
        self.registry.repository(&self.name())
    }

    fn tag(&mut self) -> String {
        format!("c{}-{}", self.number, self.dice.roll(4))
    }

    fn push(&mut self) {
        let seed = (self.round * CLIENTS + self.number) * 1000 + self.dice.roll(6);
        let (image, tag, repository) = (Image::new(seed, "amd64"), self.tag(), self.repository());
        self.ledger.image(&image);
        for blob in image.blobs() {
            let answer = match self.dice.roll(2) {
                0 => repository.try_blob(blob),
                _ => in_chunks(&repository, blob),
            };
            if !self.ledger.blob(&self.name(), blob, answer) {
                return;
            }
        }
        let digest = image.manifest().digest();
        let put = || repository.try_manifest(&tag, image.manifest());
        if self.ledger.ask(&self.name(), &[&tag, digest], Some(digest), put) {
            self.pushed.push(image);
        }
    }

    fn retag(&mut self) {
        let Some(image) = self.pushed.last().cloned() else { return };
        let (tag, digest) = (self.tag(), image.manifest().digest());
        self.ledger.ask(&self.name(), &[&tag, digest], Some(digest), || {
            self.repository().try_manifest(&tag, image.manifest())
        });
    }

    fn delete_tag(&mut self) {
        let tag = self.tag();
        let request = self.repository().request(Method::DELETE, &format!("manifests/{tag}"));
        self.ledger.ask(&self.name(), &[&tag], None, || try_send(request));
    }

    /// All tags that it may have go with it: they become unknown, so this one has had them all at one image before.
    fn delete_manifest(&mut self) {
        let Some(image) = self.pushed.pop() else { return };
        let tags: Vec<_> = (0..4).map(|tag| format!("c{}-{tag}", self.number)).collect();
        let (repository, digest) = (self.repository(), image.manifest().digest());
        for tag in &tags {
            let put = || repository.try_manifest(tag, image.manifest());
            if !self.ledger.ask(&self.name(), &[tag, digest], Some(digest), put) {
                return;
            }
        }
        let names: Vec<_> = tags.iter().map(String::as_str).chain([digest]).collect();
        let request = repository.request(Method::DELETE, &format!("manifests/{digest}"));
        self.ledger.ask(&self.name(), &names, None, || try_send(request));
    }

    fn mount(&mut self) {
        let Some(blob) = self.pushed.last().and_then(|image| image.blobs().next().cloned()) else { return };
        let target = format!("mounted/{}", self.number);
        let path = format!("blobs/uploads/?mount={}&from={}", blob.digest(), self.name());
        let answer = try_send(self.registry.repository(&target).request(Method::POST, &path));
        self.ledger.blob(&target, &blob, answer);
    }

    fn begin_upload(&mut self) {
        let blob = Blob::noise(self.round * 1000 + self.dice.roll(1000), 300_000);
        let acknowledged = 1 + usize::try_from(self.dice.roll(200_000)).unwrap();
        let repository = self.repository();
        let begun = try_send(repository.request(Method::POST, "blobs/uploads/"));
        let Some(location) = location(begun, 202) else { return };
        let patched = repository.patch(&location, &blob.bytes()[..acknowledged]);
        if let Some(location) = location_of(patched) {
            self.ledger.upload(Upload { repository: self.name(), location, blob, acknowledged });
        }
    }

    fn push_sha512(&mut self) {
        let blob = Blob::noise(self.round * 1000 + 500 + self.dice.roll(500), 10_000).named_by_sha512();
        let answer = self.repository().try_blob(&blob);
        self.ledger.blob(&self.name(), &blob, answer);
    }

    fn read(&mut self) {
        let tag = self.tag();
        let answer = try_send(self.repository().request(Method::GET, &format!("manifests/{tag}")));
        if let Ok(answer) = answer {
            assert!(answer.status != 200 || !answer.body.is_empty(), "{answer:?}");
        }
    }
}

/// As docker does: all of it in a PATCH, and a PUT without a body.
pub(crate) fn in_chunks(repository: &Repository, blob: &Blob) -> reqwest::Result<crate::support::http::Answer> {
    let begun = try_send(repository.request(Method::POST, "blobs/uploads/"))?;
    let Some(location) = begun.header("location").filter(|_| begun.status == 202) else {
        return Ok(begun);
    };
    let patched = repository.patch(location, blob.bytes())?;
    match patched.header("location").filter(|_| patched.status == 202) {
        Some(location) => repository.finish(location, blob.digest(), b""),
        None => Ok(patched),
    }
}

fn location(answer: reqwest::Result<crate::support::http::Answer>, status: u16) -> Option<String> {
    let answer = answer.ok().filter(|answer| answer.status == status)?;
    answer.header("location").map(str::to_owned)
}

fn location_of(answer: reqwest::Result<crate::support::http::Answer>) -> Option<String> {
    location(answer, 202)
}
