//! The direction of the modules, and which module may name which crate: read from the parsed sources.
//!
//! The module tree is followed from `src/lib.rs` and `src/main.rs` by its `mod` declarations. What is compiled for tests alone is left out. A row that
//! nothing uses fails as well as a use without a row, so the tables always say what holds.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Attribute, Item, ItemUse, Macro, UseTree,
    visit::{self, Visit},
};

/// Each module with those that it may use.
const USES: [(&str, &[&str]); 13] = [
    ("oci", &[]),
    ("storage", &["oci"]),
    ("files", &[]),
    ("auth", &["oci", "files"]),
    ("registry", &["oci", "storage"]),
    ("http", &["oci", "registry", "auth"]),
    ("api", &["oci", "registry", "auth", "http"]),
    ("ops", &["registry", "http"]),
    ("config", &["oci"]),
    ("server", &["storage", "registry", "auth", "http", "api", "ops", "config", "files"]),
    ("cli", &["oci", "registry", "auth", "config", "server", "files"]),
    ("fuzz", &["oci", "storage", "registry", "auth", "api", "config"]),
    ("main", &["cli"]),
];

/// Crates, or parts of the standard library, with the modules that may name them.
const NAMED_ONLY_IN: &[(&[&str], &[&str])] = &[
    (&["actix_web"], &["http", "api", "ops", "server"]),
    (&["actix_http", "actix_server", "actix_service", "listenfd", "tokio_rustls"], &["server"]),
    (&["std::fs"], &["storage", "files", "config"]),
    (&["rustix"], &["storage", "files", "server"]),
    (&["jsonwebtoken", "webpki", "bcrypt", "sha_crypt", "md5", "sha1", "hmac", "subtle", "base64"], &["auth"]),
    (&["rustls", "aws_lc_rs"], &["auth", "server", "cli"]),
    (&["x509_parser"], &["auth", "server"]),
    (&["sha2"], &["oci", "auth"]),
    (&["quick_cache"], &["storage", "registry"]),
    (&["tempfile"], &["files"]),
    (&["uuid"], &["storage", "registry", "auth", "http", "api"]),
    (&["rand"], &["auth", "http"]),
    (&["arc_swap"], &["files", "auth"]),
    (&["tokio_util"], &["registry"]),
    (&["granit_parser", "strsim"], &["config"]),
    (&["toml"], &["config"]),
    (&["percent_encoding"], &["http", "api"]),
    (&["url"], &["config", "http", "auth", "cli"]),
    (&["clap", "indicatif", "rpassword", "tracing_subscriber"], &["cli"]),
];

/// Crates that every module may name: they carry values and do nothing by themselves.
const NAMED_ANYWHERE: &[&str] =
    &["bytes", "futures_util", "hex", "serde", "serde_json", "thiserror", "time", "tokio", "tracing"];

/// Dependencies whose sources call them by another name than `Cargo.toml`.
const CALLED: [(&str, &str); 2] = [("md_5", "md5"), ("rustls_webpki", "webpki")];

/// Files that may name more than their module may, and why.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    ("server/listen.rs", "std::fs", "a socket that a killed process left in its file system is taken away"),
    ("server/control.rs", "std::fs", "a directory is opened whose path is too long for a socket's"),
];

/// A file of the product, with every path that it names outside tests, each resolved to where it begins.
struct Source {
    /// The path below `src`.
    file: String,
    /// The module at the top of the crate that it belongs to.
    module: String,
    paths: BTreeSet<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files of the product, found as the compiler finds them.
fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for (file, place) in [("lib.rs", vec![]), ("main.rs", vec!["main".to_owned()])] {
        follow(&root().join(file), &root(), &place, &mut sources);
    }
    sources
}

/// Reads a file and those that it declares as modules; `directory` is where these lie.
fn follow(path: &Path, directory: &Path, place: &[String], sources: &mut Vec<Source>) {
    let syntax = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
    let mut paths = Paths { place: place.to_vec(), found: BTreeSet::new() };
    paths.visit_file(&syntax);
    let file = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let module = place.first().cloned().unwrap_or_else(|| "lib".to_owned());
    sources.push(Source { file, module, paths: paths.found });
    for item in &syntax.items {
        if let Item::Mod(declared) = item
            && declared.content.is_none()
            && !is_for_tests(&declared.attrs)
        {
            let name = declared.ident.to_string();
            let below = directory.join(&name);
            let place = [place, std::slice::from_ref(&name)].concat();
            let flat = directory.join(format!("{name}.rs"));
            let file = if flat.exists() { flat } else { below.join("mod.rs") };
            follow(&file, &below, &place, sources);
        }
    }
}

/// Whether something is compiled for tests alone.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.meta.to_token_stream().to_string().replace(' ', "") == "cfg(test)"
    })
}

/// Gathers the paths of a file: those of `use`, of expressions, types and patterns, and those in the arguments of macros.
struct Paths {
    place: Vec<String>,
    found: BTreeSet<String>,
}

impl Paths {
    /// Notes a path, `crate`, `self` and `super` replaced by the place that they stand for.
    fn note(&mut self, segments: &[String]) {
        let (mut place, mut rest) = (self.place.clone(), segments);
        let mut is_ours = false;
        while let Some(first) = rest.first() {
            match first.as_str() {
                "crate" => place.clear(),
                "super" => drop(place.pop()),
                "self" => {}
                _ => break,
            }
            is_ours = true;
            rest = &rest[1..];
        }
        let whole = if is_ours { [&["crate".to_owned()], &*place, rest].concat() } else { rest.to_vec() };
        self.found.insert(whole.join("::"));
    }

    fn note_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |ident: &proc_macro2::Ident| [before, &[ident.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.note_tree(&with(&path.ident), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_tree(before, tree)),
            UseTree::Name(name) if name.ident == "self" => self.note(before),
            UseTree::Name(name) => self.note(&with(&name.ident)),
            UseTree::Rename(rename) => self.note(&with(&rename.ident)),
            UseTree::Glob(_) => self.note(before),
        }
    }

    fn note_tokens(&mut self, tokens: TokenStream) {
        let (mut segments, mut colons) = (Vec::<String>::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if colons == 2 || segments.is_empty() => segments.push(ident.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == ':' && !segments.is_empty() => {
                    colons += 1;
                    continue;
                }
                other => {
                    self.note(&std::mem::take(&mut segments));
                    match other {
                        TokenTree::Ident(ident) => segments.push(ident.to_string()),
                        TokenTree::Group(group) => self.note_tokens(group.stream()),
                        _ => {}
                    }
                }
            }
            colons = 0;
        }
        self.note(&segments);
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if is_for_tests(attributes) {
            return;
        }
        if let Item::Mod(module) = item {
            self.place.push(module.ident.to_string());
            visit::visit_item(self, item);
            self.place.pop();
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.note_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.note_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

/// The modules of this crate that `source` uses, its own left out.
fn used_modules(source: &Source) -> BTreeSet<&str> {
    let first = source.paths.iter().filter_map(|path| path.strip_prefix("crate::")?.split("::").next());
    let crate_by_name = source.paths.iter().filter_map(|path| path.strip_prefix("wharf::")?.split("::").next());
    let known = |module: &&str| *module != source.module && USES.iter().any(|(known, _)| known == module);
    first.chain(crate_by_name).filter(known).collect()
}

/// What the sources call a dependency.
fn called(dependency: &str) -> String {
    CALLED.iter().find(|(name, _)| *name == dependency).map_or(dependency, |(_, called)| called).to_owned()
}

/// Whether a path is `name`, or below it.
fn is_within(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn modules_use_only_what_is_below_them() {
    let sources = sources();
    let (mut wrong, mut used) = (Vec::new(), BTreeMap::<&str, BTreeSet<&str>>::new());
    for source in sources.iter().filter(|source| source.module != "lib") {
        let Some((module, allowed)) = USES.iter().find(|(module, _)| *module == source.module) else {
            wrong.push(format!("src/{}: {} is no module of USES; give it a row", source.file, source.module));
            continue;
        };
        for uses in used_modules(source) {
            used.entry(module).or_default().insert(uses);
            if !allowed.contains(&uses) {
                wrong.push(format!("src/{}: {module} may not use {uses}", source.file));
            }
        }
    }
    for (module, allowed) in USES {
        let idle = allowed.iter().filter(|uses| !used.get(module).is_some_and(|used| used.contains(*uses)));
        wrong.extend(idle.map(|uses| format!("{module} does not use {uses}: take that out of its row")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn crates_are_named_only_where_they_may_be() {
    let sources = sources();
    let mut wrong = Vec::new();
    for (names, modules) in NAMED_ONLY_IN {
        for name in *names {
            let naming = sources.iter().filter(|source| source.paths.iter().any(|path| is_within(path, name)));
            let (allowed, others): (Vec<_>, Vec<_>) =
                naming.partition(|source| modules.contains(&source.module.as_str()));
            if allowed.is_empty() {
                wrong.push(format!("{name} is named nowhere in {modules:?}"));
            }
            let excepted = |file: &str| EXCEPTIONS.iter().any(|row| (row.0, row.1) == (file, *name));
            for source in others.iter().filter(|source| !excepted(&source.file)) {
                wrong.push(format!("src/{}: {name} may be named only in {modules:?}", source.file));
            }
        }
        for module in *modules {
            let uses = |source: &Source| names.iter().any(|name| source.paths.iter().any(|path| is_within(path, name)));
            if !sources.iter().any(|source| source.module == *module && uses(source)) {
                wrong.push(format!("{module} names none of {names:?}: take it out of the row"));
            }
        }
    }
    for (file, name, _) in EXCEPTIONS {
        let source = sources.iter().find(|source| source.file == file);
        if !source.is_some_and(|source| source.paths.iter().any(|path| is_within(path, name))) {
            wrong.push(format!("src/{file} does not name {name}: take the exception out"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_dependency_has_a_row() {
    let manifest: toml::Table = fs::read_to_string(root().join("../Cargo.toml")).unwrap().parse().unwrap();
    let depended: BTreeSet<String> =
        manifest["dependencies"].as_table().unwrap().keys().map(|name| called(&name.replace('-', "_"))).collect();
    let guarded = NAMED_ONLY_IN.iter().flat_map(|(names, _)| names.iter()).chain(NAMED_ANYWHERE);
    let known: BTreeSet<String> = guarded.filter(|name| !name.contains("::")).map(|name| (*name).to_owned()).collect();
    let rowless: Vec<_> = depended.difference(&known).collect();
    let gone: Vec<_> = known.difference(&depended).collect();
    assert!(rowless.is_empty() && gone.is_empty(), "without a row: {rowless:?}; no dependency any more: {gone:?}");
}

/// Each way to write a path is seen, and what only tests are compiled from is not.
#[test]
fn a_wrong_use_would_be_seen() {
    let rows = [
        ("use crate::api::Thing;", "api"),
        ("use crate::{oci::{Digest, Tag}, auth};", "auth,oci"),
        ("pub use crate::server::*;", "server"),
        ("use crate::api as other;", "api"),
        ("use super::super::config::Thing;", "config"),
        ("use super::other::Thing;", ""),
        ("fn f() -> crate::cli::Thing { crate::config::make() }", "cli,config"),
        ("fn f() { g!(x, { crate::api::h(1) }); }", "api"),
        ("mod inner { use super::super::super::auth::Thing; }", "auth"),
        ("use crate_api::x; use api::y;", ""),
        ("#[cfg(test)] mod tests { use crate::api::Thing; }", ""),
        ("#[cfg(test)] use crate::api::Thing;", ""),
    ];
    for (text, expected) in rows {
        let place = vec!["storage".to_owned(), "key".to_owned()];
        let mut paths = Paths { place, found: BTreeSet::new() };
        paths.visit_file(&syn::parse_file(text).unwrap());
        let source = Source { file: "storage/key.rs".to_owned(), module: "storage".to_owned(), paths: paths.found };
        assert_eq!(used_modules(&source).into_iter().collect::<Vec<_>>().join(","), expected, "{text}");
    }
    assert!(is_within("std::fs::File", "std::fs") && is_within("std::fs", "std::fs"));
    assert!(!is_within("std::fs_more::File", "std::fs") && !is_within("my::std::fs", "std::fs"));
}
