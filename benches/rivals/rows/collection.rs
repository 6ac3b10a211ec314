//! Garbage collection while images are read.

use std::{
    io,
    process::{Command, Stdio},
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use super::Bench;
use crate::{
    blob::{Blob, SMALL},
    client::{Body, Client},
    contestant::{Contestant, Guard, wharf},
    exchange::Exchange,
    figures::{Claim, Row, Series},
    load::{Load, Tally},
    server::Server,
    tree::Tree,
};

/// How many layers an image has.
const LAYERS: usize = 50;
const CONNECTIONS: usize = 4;

/// The age that things are given before they may be collected is one second here.
const GRACE: Duration = Duration::from_secs(2);

/// Half of so many blobs belongs to images, half to nothing; once with half as many, for what grows faster than the
/// store.
pub(super) fn collection(bench: &Bench) -> io::Result<Vec<Row>> {
    let entries = bench.scale.entries;
    let work = format!("collection over {entries} blobs");
    // A wharf without the command takes its name for that of a settings file.
    let help = Command::new(&bench.arguments.wharf).args(["gc", "--help"]).output()?;
    if !String::from_utf8_lossy(&help.stdout).contains("wharf gc") {
        let claim = Claim::at_most(2.0, "×", " p99 of idle", None);
        return Ok(vec![Row::new(format!("{work}: this wharf has no `wharf gc`"), Vec::new()).claim(claim)]);
    }
    let half = collect(bench, entries / 2)?;
    let whole = collect(bench, entries)?;
    let mut series = Series::new(Contestant::Wharf, "ms");
    series.values.push(whole.took.as_secs_f64() * 1e3);
    let growth = whole.took.as_secs_f64() / half.took.as_secs_f64();
    let row = Row::new(work, vec![series])
        .claim(Claim::at_most(2.5, "×", " the time for half as many", Some(growth)))
        .claim(Claim::at_most(2.0, "×", " p99 of idle", Some(whole.during.p99() / whole.idle.p99())));
    Ok(vec![row])
}

struct Collected {
    took: Duration,
    idle: Tally,
    during: Tally,
}

fn collect(bench: &Bench, entries: usize) -> io::Result<Collected> {
    bench.clear()?;
    let tree = Tree::new(&bench.store("gc"));
    let mut images = Vec::new();
    for index in 0..entries / 2 / LAYERS {
        let layers: Vec<_> = (0..LAYERS).map(|_| Blob::random(SMALL)).collect();
        let manifest = Blob::manifest(&layers[0], &layers[1..]);
        tree.image("kept", &format!("t{index}"), &manifest, &layers.iter().collect::<Vec<_>>())?;
        images.push((Arc::new(manifest), layers));
    }
    let garbage: Vec<_> = (0..entries / 2).map(|_| Blob::random(SMALL)).collect();
    for blob in &garbage {
        tree.data(blob)?;
        tree.layer("kept", blob)?;
    }
    let server = bench.wharf(Guard::Open, "gc")?;
    sleep(GRACE);
    let path = |(index, (manifest, _)): (usize, &(Arc<Blob>, Vec<Blob>))| {
        Exchange::get(&format!("/v2/kept/manifests/t{index}"), manifest)
    };
    let exchanges: Vec<_> = images.iter().enumerate().map(path).collect();
    let load = Load { address: server.address, tls: None, connections: CONNECTIONS, exchanges: &exchanges };
    let idle = load.run_for(bench.scale.seconds)?;
    let (took, during) = while_collecting(bench, &server, &load)?;
    let mut client = server.client()?;
    for (_, layers) in &images {
        layers.iter().try_for_each(|blob| client.check(&path_of(blob), blob))?;
    }
    garbage.iter().try_for_each(|blob| gone(&mut client, blob))?;
    Ok(Collected { took, idle, during })
}

fn while_collecting(bench: &Bench, server: &Server, load: &Load<'_>) -> io::Result<(Duration, Tally)> {
    let settings = wharf(bench, &server.folder, server.address.port(), server.guard);
    let mut command = Command::new(&bench.arguments.wharf);
    command.arg("gc").envs(settings).current_dir(&server.folder).stdin(Stdio::null()).stdout(Stdio::null());
    let (began, mut collector) = (Instant::now(), command.spawn()?);
    let mut ended = None;
    let during = load.run(|| {
        ended = collector.try_wait().ok().flatten();
        ended.is_some()
    })?;
    match ended {
        Some(status) if status.success() => Ok((began.elapsed(), during)),
        other => Err(io::Error::other(format!("wharf gc ended with {other:?}"))),
    }
}

fn gone(client: &mut Client, blob: &Blob) -> io::Result<()> {
    client.expect(404, "HEAD", &path_of(blob), Body::Nothing).map(drop)
}

fn path_of(blob: &Blob) -> String {
    format!("/v2/kept/blobs/{}", blob.digest)
}
