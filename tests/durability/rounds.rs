//! How long a proof goes on. What CI runs is a sample of it; `WHARF_ROUNDS` says how many rounds the long form has.

use std::env;

/// So many rounds: `short`, unless `WHARF_ROUNDS` says otherwise.
pub(crate) fn rounds(short: u64) -> u64 {
    env::var("WHARF_ROUNDS").map_or(short, |rounds| rounds.parse().expect("WHARF_ROUNDS is a number"))
}

/// Numbers that look random, the same ones for the same seed.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66_D1CE_4E5B)
    }

    /// One of `0..sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}
