//! Pages of long listings.

use std::{
    io,
    time::{Duration, Instant},
};

use super::Bench;
use crate::{
    blob::{Blob, MANIFEST, SMALL},
    client::{Body, Client},
    contestant::{Contestant, Guard},
    figures::{Claim, Row, Series, median},
    server::Server,
    tree::Tree,
};

const PAGE: usize = 100;

/// How often a page is asked for.
const TIMES: usize = 20;

/// A listing that has to be read once may take so long until it is whole.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn listings(bench: &Bench) -> io::Result<Vec<Row>> {
    let entries = bench.scale.entries;
    bench.clear()?;
    let names: Vec<_> = (0..entries).map(|index| format!("many/r{index:06}")).collect();
    let tags: Vec<_> = (0..entries).map(|index| format!("t{index:06}")).collect();
    let (tree, config) = (Tree::new(&bench.store("lists")), Blob::random(SMALL));
    let manifest = Blob::manifest(&config, &[]);
    for name in &names {
        tree.repository(name)?;
        tree.revision(name, &manifest)?;
    }
    tree.image("tagged", "t000000", &manifest, &[&config])?;
    tags.iter().try_for_each(|tag| tree.tag("tagged", tag, &manifest))?;
    referring(&tree, &manifest, bench.scale.referrers)?;
    let server = bench.wharf(Guard::Open, "lists")?;
    let catalog = [names, vec!["subject".to_owned(), "tagged".to_owned()]].concat();
    let mut rows = pages(&server, "catalog", "/v2/_catalog", "repositories", &catalog)?;
    rows.extend(pages(&server, "tags", "/v2/tagged/tags/list", "tags", &tags)?);
    rows.push(referrers(&server, &manifest, bench.scale.referrers)?);
    Ok(rows)
}

/// The first, a middle and the last page.
fn pages(server: &Server, what: &str, path: &str, field: &str, all: &[String]) -> io::Result<Vec<Row>> {
    let mut client = server.client()?;
    let full =
        warm(&mut client, &format!("{path}?n={PAGE}"), |answer| page(answer, field) == all[..PAGE.min(all.len())])?;
    let places = [("first", 0), ("middle", all.len() / 2), ("last", all.len().saturating_sub(PAGE))];
    let row = |(place, from): (&str, usize)| {
        let last = from.checked_sub(1).map_or_else(String::new, |before| format!("&last={}", all[before]));
        let (target, expected) = (format!("{path}?n={PAGE}{last}"), &all[from..(from + PAGE).min(all.len())]);
        let series = repeat(&mut client, &target, |answer| page(answer, field) == expected)?;
        let claim = Claim::at_most(2.0, " ms", "", median(&series.values));
        let note =
            if from == 0 { format!(" (the first time {:.0} ms)", full.as_secs_f64() * 1e3) } else { String::new() };
        Ok(Row::new(format!("{what}, {place} {PAGE} of {}{note}", all.len()), vec![series]).claim(claim))
    };
    places.into_iter().map(row).collect()
}

fn page(answer: &serde_json::Value, field: &str) -> Vec<String> {
    answer[field].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Manifests of one subject.
fn referring(tree: &Tree, subject: &Blob, count: usize) -> io::Result<()> {
    tree.repository("subject")?;
    tree.revision("subject", subject)?;
    (0..count).try_for_each(|index| {
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.example.signature",
            "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": subject.digest, "size": 2 },
            "layers": [],
            "subject": { "mediaType": MANIFEST, "digest": subject.digest, "size": subject.bytes.len() },
            "annotations": { "org.example.number": index.to_string() },
        });
        let manifest = Blob::new(manifest.to_string().into_bytes());
        tree.data(&manifest)?;
        tree.revision("subject", &manifest)
    })
}

fn referrers(server: &Server, subject: &Blob, count: usize) -> io::Result<Row> {
    let (mut client, target) = (server.client()?, format!("/v2/subject/referrers/{}", subject.digest));
    let first = warm(&mut client, &target, |answer| !named(answer).is_empty())?;
    let mut all = follow(&mut client, &target)?;
    all.sort_unstable();
    all.dedup();
    if all.len() != count {
        return Err(io::Error::other(format!("{} referrers of {count} are listed", all.len())));
    }
    let series = repeat(&mut client, &target, |answer| !named(answer).is_empty())?;
    let claim = Claim::at_most(5.0, " ms", "", median(&series.values));
    let work = format!("referrers, first page of {count} (the first time {:.0} ms)", first.as_secs_f64() * 1e3);
    Ok(Row::new(work, vec![series]).claim(claim))
}

fn named(answer: &serde_json::Value) -> Vec<String> {
    let digests = answer["manifests"].as_array().into_iter().flatten().map(|entry| &entry["digest"]);
    digests.filter_map(|digest| digest.as_str().map(str::to_owned)).collect()
}

/// The digests of all pages.
fn follow(client: &mut Client, first: &str) -> io::Result<Vec<String>> {
    let (mut all, mut next) = (Vec::new(), Some(first.to_owned()));
    while let Some(target) = next {
        let response = client.expect(200, "GET", &target, Body::Nothing)?;
        all.extend(named(&serde_json::from_slice(&response.body)?));
        next = response.head.next;
    }
    Ok(all)
}

/// How long it takes until a listing is whole.
fn warm(client: &mut Client, target: &str, is_whole: impl Fn(&serde_json::Value) -> bool) -> io::Result<Duration> {
    let began = Instant::now();
    while !is_whole(&ask(client, target)?) {
        if began.elapsed() > PATIENCE {
            return Err(io::Error::other(format!("GET {target} does not give what is stored")));
        }
    }
    Ok(began.elapsed())
}

fn repeat(client: &mut Client, target: &str, is_right: impl Fn(&serde_json::Value) -> bool) -> io::Result<Series> {
    let mut series = Series::new(Contestant::Wharf, "ms");
    for _ in 0..TIMES {
        let began = Instant::now();
        let response = client.expect(200, "GET", target, Body::Nothing)?;
        series.values.push(began.elapsed().as_secs_f64() * 1e3);
        if !is_right(&serde_json::from_slice(&response.body)?) {
            return Err(io::Error::other(format!("GET {target} gives something else")));
        }
    }
    Ok(series)
}

fn ask(client: &mut Client, target: &str) -> io::Result<serde_json::Value> {
    Ok(serde_json::from_slice(&client.expect(200, "GET", target, Body::Nothing)?.body)?)
}
