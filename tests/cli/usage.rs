//! The command line itself.

use super::wharf::wharf;

#[test]
fn help_and_version() {
    for arguments in [["--version"], ["version"], ["-V"]] {
        let ran = wharf(&arguments, &[]);
        assert_eq!((ran.code, ran.out.as_str()), (0, concat!("wharf ", env!("CARGO_PKG_VERSION"), "\n")));
    }
    let ran = wharf(&["--help"], &[]);
    for word in ["serve", "config", "healthcheck", "--config", "--addr", "--ready-file", "REGISTRY_CONFIGURATION_PATH"]
    {
        assert!(ran.out.contains(word), "{word}");
    }
}

#[test]
fn mistakes_are_named() {
    let cases: [(&[&str], i32, &str); 8] = [
        (&["--port", "1"], 2, "unexpected argument '--port'"),
        (&["config"], 2, "Usage: wharf config"),
        (&["serve", "a", "--config", "b"], 2, "cannot be used with"),
        (&["serv"], 2, "`serv` is not a command, and no file has this name"),
        (&["frob"], 2, "  garbage-collect "),
        (&["serve", "frob"], 1, "frob"),
        (&["frob.yml"], 1, "frob.yml"),
        (&["garbage-collect", "--dry-run", "-m", "/nowhere/x.yml"], 1, "/nowhere/x.yml"),
    ];
    for (arguments, code, complaint) in cases {
        let ran = wharf(arguments, &[]);
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(complaint), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn an_address_by_option_wins_and_is_named_when_wrong() {
    let ran = wharf(&["--addr", "nowhere"], &[("REGISTRY_HTTP_ADDR", "also wrong")]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("--addr: http.addr: `nowhere` has no port"), "{ran:?}");
    assert!(!ran.err.contains("also wrong"), "{ran:?}");
}
