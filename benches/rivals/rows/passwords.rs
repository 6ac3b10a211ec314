//! Reads by those who say who they are.

use std::{fs, io, path::Path, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{
    Bench,
    image::{Images, manifest_path},
    race::race,
};
use crate::{
    blob::Blob,
    contestant::{Contestant, Guard},
    exchange::{Answer, Exchange},
    figures::{Claim, Row, Series, ratio},
    server::Server,
};

const USER: &str = "bench";
const PASSWORD: &str = "a password of the benchmark";
const COST: u32 = 10;
const CONNECTIONS: usize = 16;

/// What follows `Basic`.
pub(crate) fn credentials() -> String {
    BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"))
}

/// Writes `htpasswd` into `folder`.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    let hash = bcrypt::hash(PASSWORD, COST).map_err(io::Error::other)?;
    // As Apache's htpasswd writes it, which is what the others read.
    fs::write(folder.join("htpasswd"), format!("{USER}:{}\n", hash.replacen("$2b$", "$2y$", 1)))
}

/// The same manifests from a wharf without passwords, one with, one with tokens, and registry:3 with passwords.
pub(super) fn passwords(bench: &Bench) -> io::Result<Vec<Row>> {
    bench.clear()?;
    let (open, guarded) = (bench.wharf(Guard::Open, "open")?, bench.wharf(Guard::Htpasswd, "htpasswd")?);
    let token = bench.wharf(Guard::Token, "token")?;
    let rival = Server::start(bench, Contestant::Registry3, Guard::Htpasswd, "htpasswd")?;
    let images = Images::random(bench.scale.stored);
    let mut entries = Vec::new();
    for server in [&open, &guarded, &token].into_iter().chain(&rival) {
        images.store(server)?;
        // What is there for everybody to see is refused to those who do not say who they are.
        if server.guard != Guard::Open {
            let mut nobody = crate::client::Client::connect(server.address)?;
            nobody.expect(401, "GET", &manifest_path("t0"), crate::client::Body::Nothing)?;
        }
        let authorization = server.authorization()?;
        let get = |(path, blob): (String, &Arc<Blob>)| {
            Exchange::new("GET", &path, authorization.as_deref(), Answer::Small(Arc::clone(blob)))
        };
        entries.push((server, images.manifest_paths(true).into_iter().map(get).collect()));
    }
    let mut series = race(bench, CONNECTIONS, &entries)?;
    for (series, (server, _)) in series.iter_mut().zip(&entries) {
        series.note = match server.guard {
            Guard::Open | Guard::Tls => "without passwords",
            Guard::Htpasswd => "htpasswd",
            Guard::Token => "bearer tokens",
        };
    }
    let against_open = |series: &Series, open: &Series| ratio(&series.values, &open.values);
    let (basic, bearer) = (against_open(&series[1], &series[0]), against_open(&series[2], &series[0]));
    let row = Row::new(format!("manifest by tag, htpasswd (bcrypt, cost {COST}) and tokens"), series);
    Ok(vec![row.claim(Claim::at_least(0.95, "×", " wharf without, htpasswd", basic)).claim(Claim::at_least(
        0.9,
        "×",
        " wharf without, tokens",
        bearer,
    ))])
}
