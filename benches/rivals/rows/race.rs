//! Servers in turn, at the same reads.

use std::io;

use super::Bench;
use crate::{
    exchange::{Answer, Exchange},
    figures::Series,
    load::{Load, Tally},
    server::Server,
};

/// How long everybody may warm up, at most, in seconds.
const WARM_UP: f64 = 0.3;

/// Each server answers its exchanges over so many connections, round after round; the first one is another in each
/// round.
pub(super) fn race(bench: &Bench, connections: usize, entries: &[(&Server, Vec<Exchange>)]) -> io::Result<Vec<Series>> {
    let load = |(server, exchanges): &(&Server, Vec<Exchange>), seconds| {
        let tls = (server.guard == crate::contestant::Guard::Tls).then_some(&bench.tls);
        let load = Load { address: server.address, tls, connections, exchanges };
        load.run_for(seconds).map_err(|error| io::Error::other(format!("{}: {error}", server.contestant.name())))
    };
    for entry in entries {
        load(entry, bench.scale.seconds.min(WARM_UP))?;
    }
    let mut series: Vec<_> =
        entries.iter().map(|(server, exchanges)| Series::new(server.contestant, unit(exchanges))).collect();
    for round in 0..bench.scale.rounds as usize {
        for turn in 0..entries.len() {
            let index = (round + turn) % entries.len();
            let before = entries[index].0.cpu();
            let tally = load(&entries[index], bench.scale.seconds)?;
            let cpu = entries[index].0.cpu().saturating_sub(before).as_secs_f64();
            let (amount, cost) = amount(&tally, series[index].unit);
            series[index].values.push(amount / tally.elapsed.as_secs_f64());
            series[index].cpu.push(cpu / amount * cost);
        }
    }
    Ok(series)
}

fn unit(exchanges: &[Exchange]) -> &'static str {
    let is_large = exchanges.iter().any(|exchange| matches!(exchange.answer, Answer::Large(_)));
    if is_large { "GB/s" } else { "answers/s" }
}

/// How much was done, and what makes seconds of processor time for each into the unit of that.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
fn amount(tally: &Tally, unit: &str) -> (f64, f64) {
    if unit == "GB/s" { (tally.bytes as f64 / 1e9, 1.0) } else { (tally.answers as f64, 1e6) }
}
