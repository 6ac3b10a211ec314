//! The page of the tags of a long repository, as a browser asks for it.

use std::{fs, io, time::Instant};

use super::Bench;
use crate::{
    blob::{Blob, MANIFEST, SMALL},
    client::{Body, Client},
    contestant::{Contestant, Guard},
    figures::{Claim, Row, Series, median},
    tree::Tree,
};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The most tags that the repository has.
const TAGS: usize = 10_000;

/// How many tags a page has.
const ROWS: usize = 100;

/// How often a page is asked for.
const TIMES: usize = 20;

pub(super) fn page(bench: &Bench) -> io::Result<Vec<Row>> {
    let count = bench.scale.entries.min(TAGS);
    bench.clear()?;
    let tree = Tree::new(&bench.store("page"));
    fill(&tree, count)?;
    fs::write(bench.folder.join("page-wharf/registry.toml"), "[ui]\nenabled = true\n")?;
    let server = bench.wharf(Guard::Open, "page")?;
    let mut client = server.client()?;
    let last = count.div_ceil(ROWS);
    let places = [
        ("newest first", "/ui/r/tagged".to_owned()),
        ("by name", "/ui/r/tagged?sort=name".to_owned()),
        ("the last of all", format!("/ui/r/tagged?sort=name&page={last}")),
        ("filtered", "/ui/r/tagged?q=7".to_owned()),
    ];
    places.into_iter().map(|(what, target)| row(&mut client, what, &target, count)).collect()
}

/// Images for two platforms, each with a tag.
fn fill(tree: &Tree, count: usize) -> io::Result<()> {
    let configs = ["amd64", "arm64"].map(|architecture| {
        let config = serde_json::json!({ "os": "linux", "architecture": architecture, "rootfs": { "diff_ids": [] } });
        (architecture, Blob::new(config.to_string().into_bytes()))
    });
    tree.repository("tagged")?;
    for (_, config) in &configs {
        tree.data(config)?;
        tree.layer("tagged", config)?;
    }
    for number in 0..count {
        let mut manifests = Vec::new();
        for (architecture, config) in &configs {
            let image = Blob::manifest(config, &[Blob::random(SMALL)]);
            tree.data(&image)?;
            tree.revision("tagged", &image)?;
            let platform = serde_json::json!({ "os": "linux", "architecture": architecture });
            manifests.push(serde_json::json!({
                "mediaType": MANIFEST, "digest": image.digest, "size": image.bytes.len(), "platform": platform,
            }));
        }
        let index = serde_json::json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        let index = Blob::new(index.to_string().into_bytes());
        tree.data(&index)?;
        tree.revision("tagged", &index)?;
        tree.tag("tagged", &format!("t{number:06}"), &index)?;
    }
    Ok(())
}

fn row(client: &mut Client, what: &str, target: &str, count: usize) -> io::Result<Row> {
    let (mut series, mut first, mut size) = (Series::new(Contestant::Wharf, "ms"), 0.0, 0);
    for time in 0..=TIMES {
        let began = Instant::now();
        let body = client.expect(200, "GET", target, Body::Nothing)?.body;
        let took = began.elapsed().as_secs_f64() * 1e3;
        match time {
            0 => first = took,
            _ => series.values.push(took),
        }
        let html = String::from_utf8_lossy(&body);
        let expected = if what == "filtered" { 1..=ROWS } else { ROWS..=ROWS };
        if !expected.contains(&html.matches("linux/arm64").count()) || html.contains("<td>–</td>") {
            return Err(io::Error::other(format!("GET {target} gives something else")));
        }
        size = size.max(body.len());
    }
    #[expect(clippy::cast_precision_loss, reason = "a page has no more bytes than a float can count")]
    let size = size as f64 / 1e3;
    let work = format!("page of {ROWS} of {count} tags, {what} (the first time {first:.0} ms)");
    let time = Claim::at_most(50.0, " ms", "", median(&series.values));
    Ok(Row::new(work, vec![series]).claim(time).claim(Claim::at_most(100.0, " kB", "", Some(size))))
}
