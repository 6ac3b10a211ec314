//! wharf beside other servers, at the same work: `./benches/run`.
//!
//! Every server has a store of its own on the same filesystem and syncs what it takes. They work in turn, round after
//! round, and every answer is checked: its status, its length, its bytes. What comes out is a table of what wharf shall
//! reach and what it reached, and all figures as JSON. `./benches/run --help` says what else; `docs/performance.md`
//! says how to read it.

mod arguments;
mod blob;
mod client;
mod contestant;
mod exchange;
mod figures;
mod load;
mod machine;
mod process;
mod report;
mod rows;
mod server;
mod tls;
mod tree;
mod wire;

use std::{process::ExitCode, time::Instant};

use clap::Parser as _;

use arguments::Arguments;
use report::Report;
use rows::{Bench, ROWS};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say(&format!("FAILED: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> std::io::Result<()> {
    if let Some(unknown) = arguments.only.iter().find(|name| ROWS.iter().all(|(row, _)| row != name)) {
        let known: Vec<_> = ROWS.iter().map(|(row, _)| *row).collect();
        return Err(std::io::Error::other(format!("there is no row {unknown}; there are {}", known.join(", "))));
    }
    let bench = Bench::new(arguments)?;
    let mut report = Report::new(&bench);
    for (name, row) in ROWS.iter().filter(|(name, _)| bench.wants(name)) {
        let began = Instant::now();
        report.rows.extend(row(&bench)?);
        report::say(&format!("{name}: {:.1} s", began.elapsed().as_secs_f64()));
    }
    report.rows.extend(rows::memory::highest(&bench));
    report.finish(&bench)
}
