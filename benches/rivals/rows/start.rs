//! How long it takes from a start to the first answer, with many repositories stored.

use std::{io, time::Instant};

use super::Bench;
use crate::{
    blob::{Blob, SMALL},
    contestant::{Contestant, Guard},
    figures::{Claim, Row, Series, median},
    tree::Tree,
};

pub(super) fn start(bench: &Bench) -> io::Result<Vec<Row>> {
    bench.clear()?;
    let (tree, blob) = (Tree::new(&bench.store("start")), Blob::random(SMALL));
    let manifest = Blob::manifest(&blob, &[]);
    for index in 0..bench.scale.repositories {
        tree.image(&format!("many/r{index:05}"), "latest", &manifest, &[&blob])?;
    }
    let mut series = Series::new(Contestant::Wharf, "ms");
    for _ in 0..bench.scale.rounds {
        let began = Instant::now();
        let server = bench.wharf(Guard::Open, "start")?;
        let last = bench.scale.repositories - 1;
        server.client()?.check(&format!("/v2/many/r{last:05}/manifests/latest"), &manifest)?;
        series.values.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let claim = Claim::at_most(100.0, " ms", "", median(&series.values));
    let work = format!("first answer after a start, {} repositories", bench.scale.repositories);
    Ok(vec![Row::new(work, vec![series]).claim(claim)])
}
