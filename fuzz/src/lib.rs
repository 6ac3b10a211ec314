//! The fuzzer's way to wharf's targets, which are in `src/fuzz.rs` of the product.

/// Gives some bytes to the target of that name.
///
/// # Panics
/// If there is no such target, or if it found something.
pub fn run(name: &str, bytes: &[u8]) {
    let target = wharf::fuzz::TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target) = target.unwrap_or_else(|| panic!("there is no target {name}"));
    target(bytes);
}
