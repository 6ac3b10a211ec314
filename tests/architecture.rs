//! The direction of the modules, and which module may name which crate: read from the parsed sources.
//!
//! The module tree is followed from `src/lib.rs` and `src/main.rs` by its `mod` declarations. What is compiled for
//! tests alone is left out. A row that nothing uses fails as well as a use without a row, so the tables always say what
//! holds.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Attribute, Item, ItemUse, Macro, UseTree,
    visit::{self, Visit},
};

/// Each module with those that it may use.
const USES: [(&str, &[&str]); 18] = [
    ("oci", &[]),
    ("storage", &["oci", "client"]),
    ("files", &[]),
    ("client", &[]),
    ("auth", &["oci", "files"]),
    ("registry", &["oci", "storage"]),
    ("archive", &["oci", "registry"]),
    ("http", &["oci", "registry", "auth"]),
    ("api", &["oci", "registry", "auth", "http"]),
    ("ops", &["storage", "registry", "http", "client"]),
    ("web", &["oci", "registry", "auth", "http"]),
    ("notify", &["oci", "registry", "client"]),
    ("mirror", &["oci", "registry", "client"]),
    ("config", &["oci", "storage", "registry", "auth", "http"]),
    (
        "server",
        &[
            "storage", "registry", "archive", "auth", "http", "api", "ops", "web", "notify", "mirror", "client",
            "config", "files",
        ],
    ),
    ("cli", &["oci", "registry", "archive", "auth", "client", "notify", "config", "server", "files"]),
    ("fuzz", &["oci", "storage", "registry", "auth", "api", "config"]),
    ("main", &["cli"]),
];

/// Crates, or parts of the standard library, with the modules that may name them.
const NAMED_ONLY_IN: &[(&[&str], &[&str])] = &[
    (&["actix_web"], &["http", "api", "ops", "web", "server"]),
    (&["actix_http", "actix_server", "actix_service", "listenfd"], &["server"]),
    (&["hyper", "hyper_util", "http_body_util", "tower_service", "rustls_native_certs"], &["client"]),
    (&["tokio_rustls"], &["server", "client"]),
    (&["std::fs"], &["storage", "files", "config", "archive"]),
    (&["rustix"], &["storage", "files", "server", "cli"]),
    (&["jsonwebtoken", "webpki", "bcrypt", "sha_crypt", "md5", "sha1", "subtle"], &["auth"]),
    (&["httpdate"], &["storage"]),
    (&["hmac"], &["storage", "auth", "notify"]),
    (&["base64"], &["auth", "client", "mirror"]),
    (&["rustls", "aws_lc_rs"], &["auth", "server", "client"]),
    (&["x509_parser"], &["auth", "server"]),
    (&["sha2"], &["oci", "storage", "auth", "notify"]),
    (&["quick_cache"], &["storage", "registry"]),
    (&["tempfile"], &["files"]),
    (&["uuid"], &["storage", "registry", "auth", "http", "api", "notify", "server"]),
    (&["rand"], &["storage", "auth", "http", "notify"]),
    (&["arc_swap"], &["files", "auth"]),
    (&["tokio_util"], &["registry"]),
    (&["granit_parser", "strsim"], &["config"]),
    (&["toml"], &["config"]),
    (&["tar"], &["archive"]),
    (&["percent_encoding"], &["storage", "http", "api", "client"]),
    (&["url"], &["storage", "config", "http", "auth", "client", "notify", "mirror", "web", "server", "cli"]),
    (&["maud"], &["web"]),
    (&["procfs", "thread_local"], &["ops"]),
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
    ("server/control_socket.rs", "std::fs", "a directory is opened whose path is too long for a socket's"),
];

/// Where files use each other in a circle, how many at the most, and why. The smaller the better.
const CIRCLES: [(&str, usize, &str); 1] =
    [("http", 2, "an exchange asks a router for its resource, and the resource answers the exchange")];

/// Calls that let a test wait for a time, or without an end, and the one file of the tests that may make them: it gives
/// each wait an end, and asks for the reason where a time is the input of a test.
const WAITS: (&[&str], &str) = (&["sleep(…)", "….wait()"], "support/wait.rs");

/// How many tokens of code the product may have outside tests: a little more than it has.
const MAX_TOKENS: usize = 376_000;

/// A file of the product, with every path that it names outside tests, each resolved to where it begins.
struct Source {
    /// The path below `src`.
    file: String,
    /// The module at the top of the crate that it belongs to.
    module: String,
    /// Its module: `crate::storage::key`.
    place: String,
    paths: BTreeSet<String>,
    /// What each imported name stands for.
    imports: BTreeMap<String, String>,
    /// How many tokens of code it has outside tests, without comments.
    tokens: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files of the product, found as the compiler finds them.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let mut sources = Vec::new();
    for (file, place) in [("lib.rs", vec![]), ("main.rs", vec!["main".to_owned()])] {
        follow(&root().join(file), &root(), &place, &mut sources);
    }
    sources
});

/// Reads a file and those that it declares as modules; `directory` is where these lie.
fn follow(path: &Path, directory: &Path, place: &[String], sources: &mut Vec<Source>) {
    let syntax = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
    let mut paths = Paths { place: place.to_vec(), ..Paths::default() };
    paths.visit_file(&syntax);
    let tokens = count_tokens(syntax.to_token_stream()) - paths.test_tokens;
    let file = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let module = place.first().cloned().unwrap_or_else(|| "lib".to_owned());
    let place_name = [&["crate".to_owned()], place].concat().join("::");
    sources.push(Source { file, module, place: place_name, paths: paths.found, imports: paths.imports, tokens });
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

/// How many tokens there are, without attributes, which doc comments are too.
fn count_tokens(tokens: TokenStream) -> usize {
    let (mut count, mut is_attribute) = (0, false);
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => is_attribute = true,
            TokenTree::Punct(punct) if punct.as_char() == '!' && is_attribute => {}
            TokenTree::Group(_) if is_attribute => is_attribute = false,
            TokenTree::Group(group) => count += 2 + count_tokens(group.stream()),
            _ => count += 1,
        }
    }
    count
}

/// Whether something is compiled for tests alone.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.meta.to_token_stream().to_string().replace(' ', "") == "cfg(test)"
    })
}

/// Gathers the paths of a file: those of `use`, of expressions, types and patterns, and those in the arguments of
/// macros.
#[derive(Default)]
struct Paths {
    place: Vec<String>,
    found: BTreeSet<String>,
    imports: BTreeMap<String, String>,
    test_tokens: usize,
}

impl Paths {
    /// Notes a path, `crate`, `self` and `super` replaced by the place that they stand for.
    fn note(&mut self, segments: &[String]) -> String {
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
        let whole = whole.join("::");
        self.found.insert(whole.clone());
        whole
    }

    fn note_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |ident: &proc_macro2::Ident| [before, &[ident.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.note_tree(&with(&path.ident), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_tree(before, tree)),
            UseTree::Name(name) if name.ident == "self" => self.import(before.last().unwrap().clone(), before),
            UseTree::Name(name) => self.import(name.ident.to_string(), &with(&name.ident)),
            UseTree::Rename(rename) => self.import(rename.rename.to_string(), &with(&rename.ident)),
            UseTree::Glob(_) => drop(self.note(before)),
        }
    }

    fn import(&mut self, name: String, segments: &[String]) {
        let path = self.note(segments);
        self.imports.insert(name, path);
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
            self.test_tokens += count_tokens(item.to_token_stream());
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
    let sources = &*SOURCES;
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
    let sources = &*SOURCES;
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

/// The files of the library by their modules.
type Modules<'a> = BTreeMap<&'a str, &'a Source>;

/// The files whose items a file names, where they are defined: imports and re-exports are followed.
fn used_files<'a>(source: &Source, modules: &Modules<'a>) -> BTreeSet<&'a str> {
    let used = source.paths.iter().filter_map(|path| defined_in(path, source, modules));
    // A file may use what the module that it is a part of defines.
    let is_parent = |module: &Source| is_within(&source.place, &module.place);
    used.filter(|module| !is_parent(module)).map(|module| module.file.as_str()).collect()
}

/// The file that defines what `path` names in `source`; none if that is a module, or no part of this crate.
fn defined_in<'a>(path: &str, source: &Source, modules: &Modules<'a>) -> Option<&'a Source> {
    let (first, rest) = path.split_once("::").unwrap_or((path, ""));
    let mut path = match (first, source.imports.get(first)) {
        ("crate", _) => path.to_owned(),
        // An import names itself.
        (_, Some(import)) if import != path => format!("{import}::{rest}"),
        _ => format!("{}::{path}", source.place),
    };
    // No chain of re-exports is as long.
    for _ in 0..10 {
        let (module, item) = innermost_module(&path, modules)?;
        let (name, rest) = item.split_once("::").unwrap_or((item, ""));
        if name.is_empty() {
            return None;
        }
        let found = modules[module];
        match found.imports.get(name) {
            None => return Some(found),
            Some(import) if import.starts_with("crate::") => path = format!("{import}::{rest}"),
            Some(import) => path = format!("{module}::{import}::{rest}"),
        }
        path.truncate(path.trim_end_matches(':').len());
    }
    None
}

/// A path as the module that it leads to and the rest.
fn innermost_module<'a, 'p>(path: &'p str, modules: &Modules<'a>) -> Option<(&'a str, &'p str)> {
    let mut end = path.len();
    loop {
        if let Some((module, _)) = modules.get_key_value(&path[..end]) {
            return Some((module, path[end..].trim_start_matches(':')));
        }
        end = path[..end].rfind("::")?;
    }
}

/// The files that a file uses, directly or through others.
fn reachable<'a>(from: &'a str, uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        open.extend(uses[file].iter().filter(|used| reached.insert(**used)));
    }
    reached
}

/// The groups of files that use each other in a circle.
fn cycles(sources: &[Source]) -> BTreeSet<Vec<&str>> {
    let library = sources.iter().filter(|source| source.module != "main");
    let modules: Modules = library.map(|source| (source.place.as_str(), source)).collect();
    let uses: BTreeMap<&str, BTreeSet<&str>> =
        modules.values().map(|source| (source.file.as_str(), used_files(source, &modules))).collect();
    let reached: BTreeMap<&str, BTreeSet<&str>> = uses.keys().map(|file| (*file, reachable(file, &uses))).collect();
    let circle = |file: &&str| reached[*file].iter().copied().filter(|other| reached[other].contains(*file)).collect();
    reached.keys().filter(|file| reached[*file].contains(**file)).map(circle).collect()
}

/// The directory that all files of a circle lie in.
fn common_directory<'a>(circle: &[&'a str]) -> &'a str {
    let mut directory = circle[0];
    while !circle.iter().all(|file| file.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))) {
        directory = directory.rsplit_once('/').map_or("", |(directory, _)| directory);
        if directory.is_empty() {
            break;
        }
    }
    directory
}

#[test]
fn files_use_each_other_in_no_circle() {
    let sources = &*SOURCES;
    let mut found = BTreeMap::<&str, Vec<Vec<&str>>>::new();
    for circle in cycles(sources) {
        found.entry(common_directory(&circle)).or_default().push(circle);
    }
    let mut wrong = Vec::new();
    for (directory, circles) in &found {
        let count = circles.iter().map(Vec::len).sum::<usize>();
        let allowed = CIRCLES.iter().find(|row| row.0 == *directory).map_or(0, |row| row.1);
        if count > allowed {
            wrong.push(format!("src/{directory}: {count} files in circles, {allowed} are allowed: {circles:?}"));
        }
    }
    let gone = CIRCLES.iter().filter(|row| !found.contains_key(row.0));
    wrong.extend(gone.map(|row| format!("src/{} has no circle: take the row out", row.0)));
    assert!(wrong.is_empty(), "break the circle, or change CIRCLES: {wrong:#?}");
}

#[test]
fn a_circle_would_be_seen() {
    let source = |place: &str, text: &str| {
        let path: Vec<_> = place.split("::").skip(1).map(ToOwned::to_owned).collect();
        let mut paths = Paths { place: path.clone(), ..Paths::default() };
        paths.visit_file(&syn::parse_file(text).unwrap());
        let (file, imports) = (format!("{}.rs", path.join("/")), paths.imports);
        Source { file, module: path[0].clone(), place: place.to_owned(), paths: paths.found, imports, tokens: 0 }
    };
    // Through a re-export; a child that uses its parent is no circle.
    let sources = [
        source("crate::a", "pub use b::B; mod b; mod c; mod d; struct A; fn f() { d::f() }"),
        source("crate::a::b", "use super::c::f; struct B;"),
        source("crate::a::c", "use crate::a::B; fn f() {}"),
        source("crate::a::d", "use super::A; fn f() {}"),
    ];
    assert_eq!(cycles(&sources).into_iter().collect::<Vec<_>>(), [["a/b.rs", "a/c.rs"]]);
}

/// Wharf is a registry that one person can read. A change that adds much raises the number, on purpose.
#[test]
#[expect(clippy::print_stdout, reason = "the number is worth reading after a success too")]
fn the_product_stays_small() {
    let tokens: usize = SOURCES.iter().map(|source| source.tokens).sum();
    println!("{tokens} tokens of code outside tests");
    assert!(tokens <= MAX_TOKENS, "{tokens} tokens of code outside tests, {MAX_TOKENS} are allowed");
}

/// The calls in a file: `name(…)` for a function, `….name()` for a method that takes no arguments.
#[derive(Default)]
struct Calls(BTreeSet<String>);

impl<'ast> Visit<'ast> for Calls {
    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(path) = &*call.func {
            self.0.extend(path.path.segments.last().map(|segment| format!("{}(…)", segment.ident)));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if call.args.is_empty() {
            self.0.insert(format!("….{}()", call.method));
        }
        visit::visit_expr_method_call(self, call);
    }
}

#[test]
fn tests_wait_for_conditions_with_an_end() {
    let (calls, allowed) = WAITS;
    let tests = root().join("../tests");
    let (mut unread, mut found) = (vec![tests.clone()], BTreeSet::new());
    while let Some(directory) = unread.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                unread.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let mut made = Calls::default();
                made.visit_file(&syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap());
                if calls.iter().any(|call| made.0.contains(*call)) {
                    found.insert(path.strip_prefix(&tests).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
    }
    assert_eq!(found, BTreeSet::from([allowed.to_owned()]), "use {allowed} instead of {calls:?}");
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
        let mut paths = Paths { place, ..Paths::default() };
        paths.visit_file(&syn::parse_file(text).unwrap());
        let (file, place) = ("storage/key.rs".to_owned(), "crate::storage::key".to_owned());
        let imports = paths.imports;
        let source = Source { file, module: "storage".to_owned(), place, paths: paths.found, imports, tokens: 0 };
        assert_eq!(used_modules(&source).into_iter().collect::<Vec<_>>().join(","), expected, "{text}");
    }
    assert!(is_within("std::fs::File", "std::fs") && is_within("std::fs", "std::fs"));
    assert!(!is_within("std::fs_more::File", "std::fs") && !is_within("my::std::fs", "std::fs"));
}
