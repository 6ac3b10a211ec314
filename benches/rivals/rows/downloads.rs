//! A large blob, over few and many connections.

use std::{fs::File, io, sync::Arc};

use super::{
    Bench,
    image::{REPOSITORY, blob_path, file},
    race::race,
};
use crate::{
    blob::Blob,
    client::Client,
    contestant::{Contestant, Guard},
    exchange::{Answer, Exchange},
    figures::{Claim, Row, Series},
    server::Server,
};

const CONNECTIONS: [usize; 3] = [2, 16, 64];

/// By plain HTTP, where the kernel sends files by itself.
pub(super) fn plain(bench: &Bench) -> io::Result<Vec<Row>> {
    let servers = bench.servers(&Contestant::ALL, Guard::Open)?;
    let blob = Arc::new(Blob::random(bench.scale.large));
    for server in &servers {
        store(server, &blob, server)?;
        server.client()?.check(&blob_path(&blob), &blob)?;
    }
    rows(bench, &servers, &blob, "")
}

/// By TLS, where somebody has to encrypt them. What is stored was pushed without.
pub(super) fn encrypted(bench: &Bench) -> io::Result<Vec<Row>> {
    let blob = Arc::new(Blob::random(bench.scale.large));
    for server in bench.servers(&Contestant::ALL, Guard::Open)? {
        store(&server, &blob, &server)?;
    }
    let started = Contestant::ALL.iter().map(|contestant| Server::start(bench, *contestant, Guard::Tls, "a"));
    let servers: Vec<_> = started.filter_map(Result::transpose).collect::<io::Result<_>>()?;
    rows(bench, &servers, &blob, ", TLS")
}

fn store(server: &Server, blob: &Blob, at: &Server) -> io::Result<()> {
    if server.contestant == Contestant::Nginx {
        file(server, &blob_path(blob), blob)?;
        // On the disk, as those of the others are: what is still to be written would disturb.
        return File::open(at.folder.join("store").join(blob_path(blob).trim_start_matches('/')))?.sync_all();
    }
    Client::connect(server.address)?.push(REPOSITORY, blob)
}

fn rows(bench: &Bench, servers: &[Server], blob: &Arc<Blob>, how: &str) -> io::Result<Vec<Row>> {
    let exchange = Exchange::new("GET", &blob_path(blob), None, Answer::Large(Arc::clone(blob)));
    let entries: Vec<_> = servers.iter().map(|server| (server, vec![exchange.clone()])).collect();
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let work = format!("blob of {} MiB over {connections} connections{how}", blob.bytes.len() >> 20);
        let row = Row::new(work, race(bench, connections, &entries)?);
        rows.push(row.faster(1.0, Contestant::Nginx).cheaper(1.0, Contestant::Nginx));
    }
    rows.push(memory(servers, how));
    Ok(rows)
}

#[expect(clippy::cast_precision_loss, reason = "no memory here is anywhere near 2^52 bytes")]
fn memory(servers: &[Server], how: &str) -> Row {
    let of = |server: &Server| {
        let mut series = Series::new(server.contestant, "MiB");
        series.values.push(server.memory().highest as f64 / f64::from(1 << 20));
        series
    };
    let series: Vec<_> = servers.iter().map(of).collect();
    let of = |contestant| series.iter().find(|series| series.contestant == contestant).map(|series| series.values[0]);
    let ratio = of(Contestant::Wharf).zip(of(Contestant::Nginx)).map(|(wharf, nginx)| wharf / nginx);
    let claim = Claim::at_most(1.0, "×", " nginx", ratio);
    Row::new(format!("highest memory after these{how}"), series).claim(claim)
}
