//! The size of the program, and whether it stands alone.

use std::{fs, io};

use super::Bench;
use crate::{
    contestant::Contestant,
    figures::{Claim, Row, Series},
};

/// The entry of an ELF file's program headers that names a dynamic linker.
const INTERPRETER: u32 = 3;

pub(super) fn size(bench: &Bench) -> io::Result<Vec<Row>> {
    let registries = Contestant::ALL.into_iter().filter(|contestant| *contestant != Contestant::Nginx);
    let mut series = Vec::new();
    for (contestant, program) in registries.filter_map(|contestant| Some((contestant, bench.program(contestant)?))) {
        let mut one = Series::new(contestant, "MiB");
        one.note = if is_static(&fs::read(&program)?) { "static" } else { "dynamic" };
        one.values.push(mebibytes(fs::metadata(program)?.len()));
        series.push(one);
    }
    let mut claim = Claim::at_most(15.0, " MiB", ", static", series.first().map(|wharf| wharf.values[0]));
    claim.holds &= series.first().is_some_and(|wharf| wharf.note == "static");
    Ok(vec![Row::new("binary", series).claim(claim)])
}

/// Whether a 64-bit little-endian ELF file asks for no dynamic linker.
fn is_static(elf: &[u8]) -> bool {
    let word = |at: usize| elf.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    let half = |at: usize| elf.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map(u16::from_le_bytes);
    let kind = |at: usize| elf.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let (Some(start), Some(size), Some(count)) = (word(32), half(54), half(56)) else { return false };
    let Ok(start) = usize::try_from(start) else { return false };
    (0..usize::from(count)).all(|index| kind(start + index * usize::from(size)) != Some(INTERPRETER))
}

#[expect(clippy::cast_precision_loss, reason = "no program is anywhere near 2^52 bytes")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
