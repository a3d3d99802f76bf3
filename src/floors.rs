//! Which folder of `src` may import which. A file beside a folder counts as part of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Item, UseTree, visit::Visit};

/// Every folder with those that it may import, each of which stands above it: so there is no circle.
const FLOORS: &[(&str, &[&str])] = &[
    ("chart", &[]),
    ("clock", &[]),
    ("http", &[]),
    ("log", &[]),
    ("metrics", &[]),
    ("service", &[]),
    ("store", &[]),
    ("unicode", &[]),
    ("refs", &["unicode"]),
    ("ciphertexts", &["store"]),
    ("command_aliases", &["store"]),
    ("exceptions", &["store"]),
    ("freeze", &["store"]),
    ("journal", &["store"]),
    ("wave_alerts", &["store"]),
    ("places", &["store"]),
    ("finding", &["unicode"]),
    ("input", &["refs", "unicode"]),
    ("reply", &["input", "refs", "unicode"]),
    ("change", &["refs", "reply"]),
    ("error", &["reply", "store"]),
    ("memory", &["change", "error", "reply"]),
    ("operators", &["change", "reply"]),
    ("jobs", &["change", "reply", "store"]),
    ("preferences", &["reply", "store"]),
    ("unsaid", &["reply", "store"]),
    ("watches", &["change", "store"]),
    ("notes", &["memory", "reply", "store"]),
    ("sanctions", &["change", "input", "memory", "operators", "store"]),
    ("audit", &["change", "clock", "error", "freeze", "input", "memory", "refs", "reply", "store"]),
    ("record_page", &["audit", "change", "chart", "input", "reply", "unicode"]),
    ("cases", &["change", "reply", "store"]),
    ("observed", &["reply", "store"]),
    ("new_accounts", &["reply", "store"]),
    ("policy_lists", &["change", "exceptions", "reply", "store"]),
    ("totp", &["operators", "store"]),
    ("confirm", &["change", "clock", "operators", "store", "totp"]),
    ("gate", &["change", "confirm", "operators", "reply"]),
    ("config", &["audit", "change", "clock", "input", "operators", "reply", "totp"]),
    (
        "backup",
        &[
            "audit",
            "cases",
            "clock",
            "command_aliases",
            "config",
            "confirm",
            "exceptions",
            "finding",
            "freeze",
            "jobs",
            "new_accounts",
            "notes",
            "observed",
            "places",
            "policy_lists",
            "preferences",
            "sanctions",
            "store",
            "unsaid",
            "watches",
            "wave_alerts",
        ],
    ),
    ("synapse", &["change", "clock", "error", "gate", "http", "metrics", "refs", "reply"]),
    ("check", &["change", "config", "finding", "http", "reply", "synapse"]),
    ("commands", &["change", "chart", "error", "memory", "refs", "reply", "synapse"]),
    (
        "pipeline",
        &[
            "audit",
            "cases",
            "change",
            "ciphertexts",
            "clock",
            "command_aliases",
            "commands",
            "config",
            "confirm",
            "error",
            "exceptions",
            "finding",
            "freeze",
            "gate",
            "input",
            "jobs",
            "journal",
            "metrics",
            "new_accounts",
            "notes",
            "observed",
            "operators",
            "places",
            "policy_lists",
            "preferences",
            "refs",
            "reply",
            "sanctions",
            "store",
            "synapse",
            "totp",
            "unsaid",
            "watches",
            "wave_alerts",
        ],
    ),
    ("shell", &["config", "pipeline", "reply"]),
    ("monitoring", &["config", "metrics", "pipeline", "service"]),
    (
        "matrix",
        &[
            "audit", "clock", "config", "http", "input", "metrics", "pipeline", "places", "reply",
            "service", "store",
        ],
    ),
    (
        "run",
        &[
            "audit",
            "backup",
            "check",
            "clock",
            "config",
            "finding",
            "matrix",
            "metrics",
            "monitoring",
            "operators",
            "pipeline",
            "reply",
            "service",
            "shell",
            "store",
            "synapse",
            "totp",
        ],
    ),
    ("setup", &["check", "clock", "config", "finding", "matrix", "run"]),
];

/// The folders that one file names after `crate::`.
#[derive(Default)]
struct Imports(BTreeSet<String>);

impl Imports {
    fn of_tree(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => drop(self.0.insert(path.ident.to_string())),
            UseTree::Name(name) => drop(self.0.insert(name.ident.to_string())),
            UseTree::Rename(name) => drop(self.0.insert(name.ident.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.of_tree(tree)),
            UseTree::Glob(_) => {}
        }
    }
}

impl Visit<'_> for Imports {
    fn visit_item(&mut self, item: &Item) {
        if !is_for_tests(attributes(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        if let UseTree::Path(path) = &item.tree
            && path.ident == "crate"
        {
            self.of_tree(&path.tree);
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let mut parts = path.segments.iter().map(|segment| segment.ident.to_string());
        if parts.next().as_deref() == Some("crate") {
            self.0.extend(parts.next());
        }
        syn::visit::visit_path(self, path);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// What the module in this file imports, with the modules below it that are no tests.
fn imported(file: &Path, below: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap();
    let parsed = syn::parse_file(&text).unwrap();
    let mut imports = Imports::default();
    imports.visit_file(&parsed);
    for item in &parsed.items {
        if let Item::Mod(module) = item
            && module.content.is_none()
            && !is_for_tests(&module.attrs)
        {
            let name = module.ident.to_string();
            let file = below.join(format!("{name}.rs"));
            imports.0.extend(imported(&file, &below.join(&name)));
        }
    }
    imports.0
}

/// What every folder imports of the others.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let src = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let root = syn::parse_file(&fs::read_to_string(src.join("lib.rs")).unwrap()).unwrap();
    let modules = root.items.iter().filter_map(|item| match item {
        Item::Mod(module) if !is_for_tests(&module.attrs) => Some(module.ident.to_string()),
        _ => None,
    });
    modules
        .map(|name| {
            let mut imports = imported(&src.join(format!("{name}.rs")), &src.join(&name));
            imports.remove(&name);
            (name, imports)
        })
        .collect()
}

#[test]
fn every_folder_imports_only_what_stands_below_it() {
    let mut above = BTreeSet::new();
    for (folder, may) in FLOORS {
        for other in *may {
            assert!(
                above.contains(other),
                "{folder} may not import {other}: that would be a circle"
            );
        }
        above.insert(*folder);
    }
    let floors: BTreeMap<&str, BTreeSet<&str>> =
        FLOORS.iter().map(|(folder, may)| (*folder, may.iter().copied().collect())).collect();
    let mut faults = Vec::new();
    for (folder, imports) in imports() {
        let Some(may) = floors.get(folder.as_str()) else {
            faults.push(format!("{folder} has no floor"));
            continue;
        };
        let does: BTreeSet<&str> = imports.iter().map(String::as_str).collect();
        faults.extend(does.difference(may).map(|other| format!("{folder} imports {other}")));
        faults.extend(may.difference(&does).map(|other| format!("{folder} needs no {other}")));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
