//! Completions and man pages, in the programs that read them.

use std::{collections::BTreeSet, fs, process::Command};

use crate::{
    released::unpacked,
    support::client::{Client, run},
};

/// The commands that `wharf --help` shows.
fn commands(help: &str) -> Vec<&str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<_> = lines.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 5, "{help}");
    commands
}

#[test]
#[ignore = "needs bash, zsh and fish: run ./test"]
fn shells_complete_every_command_needs_release() {
    let (_directory, root) = unpacked();
    let help = run(Command::new(root.join("wharf")).arg("--help")).stdout;
    let completions = root.join("completions");
    let bash = format!(
        "source {}/wharf.bash; complete -p wharf; COMP_WORDS=(wharf ''); COMP_CWORD=1; _wharf wharf '' wharf; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        completions.display()
    );
    let bash = Client::new("bash").run(["--norc", "-c", &bash]).stdout;
    let fish = format!("source {}/wharf.fish; complete -C 'wharf '", completions.display());
    let fish = Client::new("fish").run(["--no-config", "-c", &fish]).stdout;
    let offered = |text: &str| text.lines().filter_map(|line| line.split('\t').next()).map(str::to_owned).collect();
    let (bash_offers, fish_offers): (BTreeSet<String>, BTreeSet<String>) = (offered(&bash), offered(&fish));
    // zsh completes only where somebody types, so what it loads is read.
    let zsh = format!(
        "fpath=({} $fpath); autoload -Uz compinit; compinit -u -D; echo $_comps[wharf]; \
         autoload +X _wharf; functions _wharf",
        completions.display()
    );
    let zsh = Client::new("zsh").run(["-f", "-c", &zsh]).stdout;
    assert!(zsh.starts_with("_wharf\n"), "{zsh}");
    for command in commands(&help) {
        assert!(bash_offers.contains(command), "bash does not offer {command}: {bash}");
        assert!(fish_offers.contains(command), "fish does not offer {command}: {fish}");
        assert!(zsh.contains(&format!("({command})")), "zsh does not know {command}: {zsh}");
    }
}

#[test]
#[ignore = "needs man: run ./test"]
fn man_shows_a_page_for_every_command_needs_release() {
    let (_directory, root) = unpacked();
    let help = run(Command::new(root.join("wharf")).arg("--help")).stdout;
    for command in commands(&help).into_iter().filter(|command| *command != "help") {
        assert!(root.join(format!("man/wharf-{command}.1")).is_file(), "{command} has no page");
    }
    let man = Client::new("man");
    for page in fs::read_dir(root.join("man")).unwrap().map(|entry| entry.unwrap().path()) {
        let mut shown = man.command(["--warnings", "--encoding=UTF-8", "-l", page.to_str().unwrap()]);
        let shown = run(shown.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80"));
        assert!(shown.stderr.is_empty(), "{shown}");
        assert!(shown.stdout.contains("NAME") && shown.stdout.contains("wharf"), "{shown}");
    }
}
