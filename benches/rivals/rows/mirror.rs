//! A mirror: a hit beside a blob of the registry's own, and a cold pull by eight clients beside one direct pull.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use super::Bench;
use crate::{
    blob::{Blob, SMALL},
    client::Client,
    contestant::{Contestant, Guard},
    figures::{Claim, Row, Series, ratio},
    server::Server,
};

/// How many clients pull at once.
const CLIENTS: usize = 8;

/// How many pieces a line carries in a second.
const PIECES: u32 = 100;

/// The bytes of a piece: with [`PIECES`], 1 Gbit/s.
const PIECE: usize = 1_250_000;

/// How many small blobs a turn gets.
const SMALL_GETS: usize = 2_000;

pub(super) fn mirror(bench: &Bench) -> io::Result<Vec<Row>> {
    bench.clear()?;
    let upstream = bench.wharf(Guard::Open, "upstream")?;
    let line = line(upstream.address)?;
    let folder = bench.folder.join("mirror-wharf");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("registry.toml"), format!("[[upstream]]\nprefix = \"hub\"\nurl = \"http://{line}\"\n"))?;
    let server = bench.wharf(Guard::Open, "mirror")?;
    Ok(vec![
        hits(bench, &upstream, &server, SMALL)?,
        hits(bench, &upstream, &server, bench.scale.large)?,
        cold(bench, &upstream, &server, line)?,
    ])
}

/// Blobs of `length` bytes that were fetched before, and others that were pushed.
fn hits(bench: &Bench, upstream: &Server, server: &Server, length: usize) -> io::Result<Row> {
    let (cached, own) = (Blob::random(length), Blob::random(length));
    image(&mut upstream.client()?, "hits", &cached)?;
    image(&mut server.client()?, "own", &own)?;
    let mut client = server.client()?;
    client.discard("/v2/hub/hits/manifests/latest")?;
    let targets = [format!("/v2/hub/hits/blobs/{}", cached.digest), format!("/v2/own/blobs/{}", own.digest)];
    client.check(&targets[0], &cached)?;
    client.check(&targets[1], &own)?;
    let gets = if length > SMALL { 4 } else { SMALL_GETS };
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..bench.scale.rounds {
        for (target, times) in targets.iter().zip(&mut times) {
            times.push(
                timed(|| (0..gets).try_for_each(|_| client.discard(target)))? * 1e3
                    / f64::from(u32::try_from(gets).unwrap_or(1)),
            );
        }
    }
    let factor = ratio(&times[0], &times[1]);
    let [hits, owned] = times;
    let named = |note, values| Series { note, values, ..Series::new(Contestant::Wharf, "ms") };
    let series = vec![named("a hit", hits), named("its own blob", owned)];
    let row = Row::new(format!("mirror, a stored blob of {length} bytes"), series);
    Ok(row.claim(Claim::at_most(1.1, "×", " a blob of its own", factor)))
}

/// A cold blob by eight clients, and the same by one client from the upstream, along the same line.
fn cold(bench: &Bench, upstream: &Server, server: &Server, line: SocketAddr) -> io::Result<Row> {
    let (mut direct, mut mirrored, mut grown) = (Vec::new(), Vec::new(), 0_u64);
    let length = if bench.arguments.short { bench.scale.large } else { 4 * bench.scale.large };
    for _ in 0..bench.scale.rounds.min(2) {
        let blob = Blob::random(length);
        image(&mut upstream.client()?, "cold", &blob)?;
        let target = format!("/v2/cold/blobs/{}", blob.digest);
        direct.push(timed(|| Client::connect(line)?.discard(&target))?);
        server.client()?.discard("/v2/hub/cold/manifests/latest")?;
        let target = format!("/v2/hub/cold/blobs/{}", blob.digest);
        let (before, address) = (server.memory().highest, server.address);
        let pull = || {
            timed(|| {
                thread::scope(|scope| {
                    let pulls: Vec<_> =
                        (0..CLIENTS).map(|_| scope.spawn(|| Client::connect(address)?.discard(&target))).collect();
                    pulls
                        .into_iter()
                        .try_for_each(|pull| pull.join().unwrap_or_else(|_| Err(io::Error::other("a client died"))))
                })
            })
        };
        mirrored.push(pull()?);
        grown = grown.max(server.memory().highest.saturating_sub(before));
        server.client()?.check(&target, &blob)?;
    }
    let factor = ratio(&mirrored, &direct);
    let named = |note, values| Series { note, values, ..Series::new(Contestant::Wharf, "s") };
    let series = vec![named("8 clients of the mirror", mirrored), named("1 client of the upstream", direct)];
    #[expect(clippy::cast_precision_loss, reason = "memory is no more than a float can count")]
    let grown = grown as f64 / f64::from(1 << 20);
    let row = Row::new(format!("mirror, a cold blob of {} MiB along 1 Gbit/s", length >> 20), series);
    Ok(row.claim(Claim::at_most(1.2, "×", " one direct pull", factor)).claim(Claim::at_most(
        32.0,
        " MiB",
        " more memory",
        Some(grown),
    )))
}

fn image(client: &mut Client, repository: &str, layer: &Blob) -> io::Result<()> {
    let config = Blob::new(b"{}".to_vec());
    client.push(repository, &config)?;
    client.push(repository, layer)?;
    client.push_manifest(repository, "latest", &Blob::manifest(&config, std::slice::from_ref(layer)))
}

/// How many seconds something takes.
fn timed(work: impl FnOnce() -> io::Result<()>) -> io::Result<f64> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed().as_secs_f64())
}

/// A line to `address` with 1 Gbit/s for each connection, for as long as the benchmark runs.
fn line(address: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let here = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(address) else { continue };
            if let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) {
                thread::spawn(move || carry(from_client, to_server));
                thread::spawn(move || carry(server, client));
            }
        }
    });
    Ok(here)
}

/// Carries bytes until one end closes.
fn carry(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut idle_until = Instant::now();
    loop {
        let asked = Instant::now();
        let count = from.read(&mut piece)?;
        if count == 0 {
            return to.shutdown(std::net::Shutdown::Write);
        }
        to.write_all(&piece[..count])?;
        #[expect(clippy::cast_precision_loss, reason = "a piece is short")]
        let share = count as f64 / PIECE as f64;
        // A pause of the sender is not made up for.
        idle_until = idle_until.max(asked) + Duration::from_secs(1).mul_f64(share / f64::from(PIECES));
        thread::sleep(idle_until.saturating_duration_since(Instant::now()));
    }
}
