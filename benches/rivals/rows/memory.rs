//! Memory: idle, at its highest, and whether it grows with a blob.

use std::{io, thread::sleep, time::Duration};

use sha2::{Digest as _, Sha256};

use super::Bench;
use crate::{
    blob::{Blob, digest},
    contestant::{Contestant, Guard},
    figures::{Claim, Row, Series},
};

/// How long a server is left alone before it counts as idle.
const REST: Duration = Duration::from_secs(1);

pub(super) fn memory(bench: &Bench) -> io::Result<Vec<Row>> {
    Ok(vec![idle(bench)?, huge(bench)?])
}

/// The highest of every wharf that ran.
pub(crate) fn highest(bench: &Bench) -> Option<Row> {
    let highest = mebibytes(bench.peak.get());
    let claim = Claim::at_most(64.0, " MiB", "", Some(highest));
    (bench.peak.get() > 0).then(|| Row::new("wharf's highest memory over all of the above", Vec::new()).claim(claim))
}

fn idle(bench: &Bench) -> io::Result<Row> {
    let servers = bench.servers(&Contestant::ALL, Guard::Open)?;
    sleep(REST);
    let series = servers.iter().map(|server| {
        let mut series = Series::new(server.contestant, "MiB");
        series.values.push(mebibytes(server.memory().resident));
        series
    });
    let series: Vec<_> = series.collect();
    let wharf = series.first().map(|series| series.values[0]);
    Ok(Row::new("memory, idle", series).claim(Claim::at_most(12.0, " MiB", "", wharf)))
}

/// A blob that is many times as long, pushed and pulled: by a server that has done nothing else.
fn huge(bench: &Bench) -> io::Result<Row> {
    bench.clear()?;
    let piece = Blob::random(bench.scale.large);
    let mut peaks = Vec::new();
    for times in [1, bench.scale.huge] {
        let hash = (0..times).fold(Sha256::new(), |hash, _| hash.chain_update(&piece.bytes));
        let (name, length) = (digest(hash), (piece.bytes.len() * times) as u64);
        let server = bench.wharf(Guard::Open, &format!("times{times}"))?;
        let mut client = server.client()?;
        client.push_repeated("bench/huge", &name, &piece.bytes, times)?;
        let found = client.measure(&format!("/v2/bench/huge/blobs/{name}"))?;
        if found != (length, name.clone()) {
            return Err(io::Error::other(format!("{name} came back as {found:?}")));
        }
        peaks.push(mebibytes(server.memory().highest));
    }
    let work = format!(
        "memory with a blob of {} MiB; with one of {} MiB {:.1} MiB",
        (bench.scale.large * bench.scale.huge) >> 20,
        bench.scale.large >> 20,
        peaks[0],
    );
    let mut series = Series::new(Contestant::Wharf, "MiB");
    series.values.push(peaks[1]);
    // What an allocator does differs by a little from run to run.
    let claim = Claim::at_most(1.15, "×", " with the smaller", Some(peaks[1] / peaks[0]));
    Ok(Row::new(work, vec![series]).claim(claim))
}

#[expect(clippy::cast_precision_loss, reason = "no memory here is anywhere near 2^52 bytes")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
