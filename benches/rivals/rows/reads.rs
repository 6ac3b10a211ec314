//! Small reads.

use std::{io, sync::Arc};

use super::{Bench, image::Images, race::race};
use crate::{
    blob::Blob,
    contestant::{Contestant, Guard},
    exchange::{Answer, Exchange},
    figures::Row,
    server::Server,
};

const CONNECTIONS: usize = 16;

/// `GET /v2/`, manifests and small blobs.
pub(super) fn reads(bench: &Bench) -> io::Result<Vec<Row>> {
    let servers = bench.servers(&Contestant::ALL, Guard::Open)?;
    let images = Images::random(bench.scale.stored);
    servers.iter().try_for_each(|server| images.store(server))?;
    let (by_tag, by_digest, blobs) = (images.manifest_paths(true), images.manifest_paths(false), images.blob_paths());
    let row = |work: &str, exchanges: Vec<Exchange>| -> io::Result<Row> {
        let entries: Vec<_> = servers.iter().map(|server| (server, exchanges.clone())).collect();
        Ok(Row::new(work, race(bench, CONNECTIONS, &entries)?))
    };
    let (r3, nginx) = (Contestant::Registry3, Contestant::Nginx);
    Ok(vec![
        version(bench, &servers)?.faster(5.0, r3),
        row("manifest by tag, GET", gets(&by_tag))?.faster(12.0, r3).faster(0.9, nginx),
        row("manifest by tag, HEAD", heads(&by_tag))?.faster(12.0, r3).faster(0.9, nginx),
        row("manifest by digest, GET", gets(&by_digest))?.faster(12.0, r3).faster(0.9, nginx),
        row("blob of 4 KiB, GET", gets(&blobs))?.faster(30.0, r3).faster(0.8, nginx),
    ])
}

/// Here nginx would have nothing to say.
fn version(bench: &Bench, servers: &[Server]) -> io::Result<Row> {
    let body = Arc::new(Blob::new(b"{}".to_vec()));
    let registries = servers.iter().filter(|server| server.contestant != Contestant::Nginx);
    let entries: Vec<_> = registries.map(|server| (server, vec![Exchange::get("/v2/", &body)])).collect();
    Ok(Row::new("`GET /v2/`", race(bench, CONNECTIONS, &entries)?))
}

pub(super) fn gets(paths: &[(String, &Arc<Blob>)]) -> Vec<Exchange> {
    paths.iter().map(|(path, blob)| Exchange::get(path, blob)).collect()
}

fn heads(paths: &[(String, &Arc<Blob>)]) -> Vec<Exchange> {
    let head =
        |(path, blob): &(String, &Arc<Blob>)| Exchange::new("HEAD", path, None, Answer::Head(blob.bytes.len() as u64));
    paths.iter().map(head).collect()
}
