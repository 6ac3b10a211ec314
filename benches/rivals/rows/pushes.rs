//! Pushes. What is pushed is made beforehand, and no store has seen it; afterwards it is read back.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use super::Bench;
use crate::{
    blob::{Blob, SMALL},
    client::Client,
    contestant::{Contestant, Guard},
    figures::{Row, Series},
    server::Server,
};

const REGISTRIES: [Contestant; 3] = [Contestant::Wharf, Contestant::Registry2, Contestant::Registry3];
const CLIENTS: usize = 4;

type Push = fn(&mut Client, &str, &Blob) -> io::Result<()>;

/// A large blob in one PUT.
pub(super) fn whole(bench: &Bench) -> io::Result<Vec<Row>> {
    let row = large(bench, "one PUT", Client::push)?;
    Ok(vec![row.faster(1.4, Contestant::Registry3).cheaper(0.75, Contestant::Registry3)])
}

/// A large blob in a chunked PATCH and a PUT.
pub(super) fn in_chunks(bench: &Bench) -> io::Result<Vec<Row>> {
    let row = large(bench, "PATCH in chunks, then PUT", Client::push_in_chunks)?;
    Ok(vec![row.faster(2.0, Contestant::Registry3).cheaper(0.75, Contestant::Registry3)])
}

fn large(bench: &Bench, how: &str, push: Push) -> io::Result<Row> {
    let work = format!("push of {} MiB, {how}", bench.scale.large >> 20);
    let servers = bench.servers(&REGISTRIES, Guard::Open)?;
    turns(bench, work, "GB/s", &servers, |server| {
        let (blob, mut client) = (Blob::random(bench.scale.large), server.client()?);
        let timed = timed(server, || push(&mut client, "bench/push", &blob))?;
        client.check(&format!("/v2/bench/push/blobs/{}", blob.digest), &blob)?;
        Ok((as_f64(blob.bytes.len()) / 1e9, 1.0, timed))
    })
}

/// Images of four small blobs and a manifest, by some clients at a time, each into a repository of its own.
pub(super) fn images(bench: &Bench) -> io::Result<Vec<Row>> {
    let servers = bench.servers(&REGISTRIES, Guard::Open)?;
    let work = format!("small images, {CLIENTS} clients");
    let row = turns(bench, work, "images/s", &servers, |server| {
        let all: Vec<Vec<_>> = (0..CLIENTS).map(|_| (0..bench.scale.images).map(|_| image(SMALL)).collect()).collect();
        let timed = timed(server, || each(server, &all, push_image))?;
        each(server, &all, check_image)?;
        Ok((as_f64(CLIENTS * bench.scale.images), 1e6, timed))
    })?;
    Ok(vec![row.faster(4.0, Contestant::Registry3)])
}

pub(super) type Image = (Blob, Vec<Blob>);

/// An image of four blobs of the same length.
pub(super) fn image(len: usize) -> Image {
    let blobs: Vec<_> = (0..4).map(|_| Blob::random(len)).collect();
    (Blob::manifest(&blobs[0], &blobs[1..]), blobs)
}

/// Each client with its own images, all at the same time.
pub(super) fn each(
    server: &Server,
    all: &[Vec<Image>],
    work: fn(&mut Client, &str, &Image) -> io::Result<()>,
) -> io::Result<()> {
    let address = server.address;
    thread::scope(|scope| {
        let clients = (0..).zip(all).map(|(index, images): (u32, _)| {
            scope.spawn(move || {
                let (mut client, repository) = (Client::connect(address)?, format!("bench/client{index}"));
                images.iter().try_for_each(|image| work(&mut client, &repository, image))
            })
        });
        let clients: Vec<_> = clients.collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().unwrap_or_else(|_| Err(io::Error::other("a client panicked"))))
    })
}

pub(super) fn push_image(client: &mut Client, repository: &str, (manifest, blobs): &Image) -> io::Result<()> {
    blobs.iter().try_for_each(|blob| client.push(repository, blob))?;
    client.push_manifest(repository, &manifest.hex()[..12], manifest)
}

fn check_image(client: &mut Client, repository: &str, (manifest, blobs): &Image) -> io::Result<()> {
    client.check(&format!("/v2/{repository}/manifests/{}", &manifest.hex()[..12]), manifest)?;
    blobs.iter().try_for_each(|blob| client.check(&format!("/v2/{repository}/blobs/{}", blob.digest), blob))
}

/// How long something took, and what it cost the server.
fn timed(server: &Server, work: impl FnOnce() -> io::Result<()>) -> io::Result<(Duration, Duration)> {
    let (before, began) = (server.cpu(), Instant::now());
    work()?;
    Ok((began.elapsed(), server.cpu().saturating_sub(before)))
}

/// Rounds of turns, each of which says how much was done, how costs are shown, and how long it took.
fn turns(
    bench: &Bench,
    work: String,
    unit: &'static str,
    servers: &[Server],
    turn: impl Fn(&Server) -> io::Result<(f64, f64, (Duration, Duration))>,
) -> io::Result<Row> {
    let mut series: Vec<_> = servers.iter().map(|server| Series::new(server.contestant, unit)).collect();
    for round in 0..bench.scale.rounds as usize {
        for offset in 0..servers.len() {
            let index = (round + offset) % servers.len();
            let fail = |error| io::Error::other(format!("{}: {error}", servers[index].contestant.name()));
            let (amount, cost, (elapsed, cpu)) = turn(&servers[index]).map_err(fail)?;
            series[index].values.push(amount / elapsed.as_secs_f64());
            series[index].cpu.push(cpu.as_secs_f64() / amount * cost);
        }
    }
    Ok(Row::new(work, series))
}

#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
