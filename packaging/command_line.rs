//! Writes the man pages and the shell completions of wharf, made from the definition of its command line:
//! `cargo run --example command_line -- DIRECTORY`.

use std::{env, fs, io, path::Path};

use clap_complete::Shell;

const NAME: &str = "wharf";

fn main() -> io::Result<()> {
    let directory = env::args_os().nth(1).ok_or_else(|| io::Error::other("a directory is missing"))?;
    let [man, completions] = ["man", "completions"].map(|part| Path::new(&directory).join(part));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    clap_mangen::generate_to(wharf::cli::command(), man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut wharf::cli::command(), NAME, &completions)?;
    }
    Ok(())
}
