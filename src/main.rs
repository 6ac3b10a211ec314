//! The `wharf` binary.

fn main() -> std::process::ExitCode {
    wharf::cli::run()
}
