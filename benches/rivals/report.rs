//! What is printed: tables for people, JSON for programs.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::Path,
};

use super::{
    contestant::Contestant,
    figures::{Claim, Row, Series, median},
    machine,
    rows::Bench,
};

/// Where the tables stand in `docs/performance.md`.
const MARKS: [&str; 2] = ["<!-- From here on: the output of `./benches/run --write`. -->", "<!-- Up to here. -->"];

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    about: Vec<String>,
    /// Whether the figures mean anything.
    is_short: bool,
}

/// Tells the one who waits.
pub(crate) fn say(text: &str) {
    // Nobody is left to be told that standard error is gone.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

impl Report {
    pub(crate) fn new(bench: &Bench) -> Self {
        let (scale, arguments) = (&bench.scale, &bench.arguments);
        let version = |contestant: Contestant| match bench.program(contestant) {
            Some(program) => format!("{} {}", contestant.name(), contestant.version(&program)),
            None => format!("{} not installed: left out", contestant.name()),
        };
        let about = vec![
            format!("Machine: {}.", machine::describe(&bench.folder)),
            format!("Servers: {}.", Contestant::ALL.map(version).join("; ")),
            format!(
                "Durability: each as it comes, everything synced (wharf: `full`). Access logs: {}. {} rounds of {} s.{}",
                if arguments.access_log { "on" } else { "off, of all" },
                scale.rounds,
                scale.seconds,
                if arguments.short { " **The short form: its figures say nothing.**" } else { "" },
            ),
        ];
        Self { rows: Vec::new(), about, is_short: arguments.short }
    }

    /// Prints both tables, leaves the JSON beside the stores, and writes the tables where they were asked for.
    pub(crate) fn finish(&self, bench: &Bench) -> io::Result<()> {
        let text = format!("{}\n{}\n{}", self.about.join("  \n") + "\n", self.claims(), self.figures());
        io::stdout().lock().write_all(text.as_bytes())?;
        let json = bench.arguments.folder.join("result.json");
        fs::write(&json, serde_json::to_vec_pretty(&self.json())?)?;
        say(&format!("\nAll figures: {}", json.display()));
        if bench.arguments.write {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
            let page = between(&fs::read_to_string(&path)?, &text);
            fs::write(path, page.ok_or_else(|| io::Error::other("docs/performance.md has lost its marks"))?)?;
        }
        Ok(())
    }

    fn claims(&self) -> String {
        let mut table = "| work | target | reached | |\n|---|---|---|---|\n".to_owned();
        for (row, claim) in self.rows.iter().flat_map(|row| row.claims.iter().map(move |claim| (row, claim))) {
            let (reached, verdict) = match claim.reached {
                None => ("not measured".to_owned(), "–"),
                Some(value) => (format!("{}{}", rounded(value), claim.unit), self.verdict(claim)),
            };
            let _ = writeln!(table, "| {} | {} | {reached} | {verdict} |", row.work, claim.target);
        }
        table
    }

    fn verdict(&self, claim: &Claim) -> &'static str {
        match (self.is_short, claim.holds) {
            (true, _) => "–",
            (false, true) => "yes",
            (false, false) => "**no**",
        }
    }

    fn figures(&self) -> String {
        let mut table = "| work | server | median | from – to | CPU |\n|---|---|---|---|---|\n".to_owned();
        for (row, series) in self.rows.iter().flat_map(|row| row.series.iter().map(move |series| (row, series))) {
            let middle = median(&series.values).map_or_else(|| "?".to_owned(), rounded);
            let note = if series.note.is_empty() { String::new() } else { format!(", {}", series.note) };
            let (name, unit) = (series.contestant.name(), series.unit);
            let _ = writeln!(
                table,
                "| {} | {name}{note} | {middle} {unit} | {} | {} |",
                row.work,
                spread(&series.values),
                cost(series)
            );
        }
        table
    }

    fn json(&self) -> serde_json::Value {
        let series = |series: &Series| {
            serde_json::json!({
                "server": series.contestant.name(), "note": series.note, "unit": series.unit, "values": series.values, "cpu": series.cpu,
            })
        };
        let claim = |claim: &Claim| serde_json::json!({ "target": claim.target, "reached": claim.reached, "unit": claim.unit, "holds": claim.holds });
        let row = |row: &Row| {
            let (series, claims): (Vec<_>, Vec<_>) =
                (row.series.iter().map(series).collect(), row.claims.iter().map(claim).collect());
            serde_json::json!({ "work": row.work, "series": series, "claims": claims })
        };
        serde_json::json!({ "about": self.about, "rows": self.rows.iter().map(row).collect::<Vec<_>>() })
    }
}

/// `page` with `text` between the marks, if they are there.
fn between(page: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(MARKS[0])?;
    let (_, after) = rest.split_once(MARKS[1])?;
    Some(format!("{before}{}\n\n{text}\n{}{after}", MARKS[0], MARKS[1]))
}

fn spread(values: &[f64]) -> String {
    let (low, high) = (values.iter().copied().reduce(f64::min), values.iter().copied().reduce(f64::max));
    low.zip(high).map_or_else(String::new, |(low, high)| format!("{} – {}", rounded(low), rounded(high)))
}

/// Processor time for each answer, image or GB.
fn cost(series: &Series) -> String {
    let unit = if series.unit == "GB/s" { "s/GB" } else { "µs each" };
    median(&series.cpu).map_or_else(String::new, |cpu| format!("{} {unit}", rounded(cpu)))
}

/// Three digits that say something.
fn rounded(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
