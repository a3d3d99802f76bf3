//! Every sentence that the bot and its commands can say, in one list: `src/sentences.txt`. Read it to
//! see how its neighbours put it before writing another one.
//!
//! `UPDATE_DOCS=1 cargo test --lib sentences` writes it anew. What is for the log alone, and what tests
//! say, is not in it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, Expr, Item, Lit, Token,
    punctuated::Punctuated,
    visit::{self, Visit},
};

/// Where the list is, from the root.
const LIST: &str = "src/sentences.txt";

/// Macros whose words go to the log or to whoever reads a failed test.
const UNSAID: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "debug",
    "debug_assert",
    "error",
    "error_span",
    "info",
    "info_span",
    "trace",
    "unreachable",
    "warn",
];

/// Attributes whose words are said: those of an error, and those that clap shows.
const SAID: &[&str] = &["arg", "command", "error"];

/// The sentences of one file, in order.
#[derive(Default)]
struct Sentences(Vec<String>);

impl Sentences {
    fn add(&mut self, text: &str) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if is_sentence(&text) && !self.0.contains(&text) {
            self.0.push(text);
        }
    }

    /// The words in the arguments of a macro or an attribute, as far as they are expressions.
    fn of_arguments(&mut self, arguments: syn::Result<Punctuated<Expr, Token![,]>>) {
        for argument in arguments.into_iter().flatten() {
            self.visit_expr(&argument);
        }
    }

    /// The comments that clap shows as help.
    fn of_comments(&mut self, attributes: &[Attribute]) {
        let mut paragraph = String::new();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
            let syn::Meta::NameValue(pair) = &attribute.meta else { continue };
            let Expr::Lit(literal) = &pair.value else { continue };
            let Lit::Str(line) = &literal.lit else { continue };
            if line.value().trim().is_empty() {
                self.add(&std::mem::take(&mut paragraph));
            } else {
                paragraph.push_str(&line.value());
            }
        }
        self.add(&paragraph);
    }
}

impl Visit<'_> for Sentences {
    fn visit_item(&mut self, item: &Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Enum(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if attributes.iter().any(is_for_tests) {
            return;
        }
        if attributes.iter().any(is_for_clap) {
            self.of_comments(attributes);
            match item {
                Item::Struct(item) => {
                    item.fields.iter().for_each(|field| self.of_comments(&field.attrs));
                }
                Item::Enum(item) => {
                    for variant in &item.variants {
                        self.of_comments(&variant.attrs);
                        variant.fields.iter().for_each(|field| self.of_comments(&field.attrs));
                    }
                }
                _ => {}
            }
        }
        visit::visit_item(self, item);
    }

    fn visit_attribute(&mut self, attribute: &Attribute) {
        if SAID.iter().any(|name| attribute.path().is_ident(name)) {
            self.of_arguments(attribute.parse_args_with(Punctuated::parse_terminated));
        }
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        let name = call.path.segments.last().map(|segment| segment.ident.to_string());
        if name.is_none_or(|name| !UNSAID.contains(&name.as_str())) {
            self.of_arguments(call.parse_body_with(Punctuated::parse_terminated));
        }
    }

    fn visit_lit_str(&mut self, literal: &syn::LitStr) {
        self.add(&literal.value());
    }
}

/// Whether these are words for people: two words or more, and no request or pattern.
fn is_sentence(text: &str) -> bool {
    let words =
        text.split(' ').filter(|word| word.chars().filter(char::is_ascii_alphabetic).count() > 1);
    words.count() > 1 && !text.starts_with(['/', '^'])
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

fn is_for_clap(attribute: &Attribute) -> bool {
    let Ok(derived) =
        attribute.parse_args_with(Punctuated::<syn::Path, Token![,]>::parse_terminated)
    else {
        return false;
    };
    let of_clap = ["Args", "Parser", "Subcommand", "ValueEnum"];
    attribute.path().is_ident("derive")
        && derived
            .iter()
            .filter_map(|path| path.segments.last())
            .any(|one| of_clap.iter().any(|name| one.ident == name))
}

/// The sentences of the module in this file and of those below it, by file.
fn collect(root: &Path, file: &Path, below: &Path, found: &mut BTreeMap<PathBuf, Vec<String>>) {
    let parsed = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
    let mut sentences = Sentences::default();
    sentences.visit_file(&parsed);
    if !sentences.0.is_empty() {
        found.insert(file.strip_prefix(root).unwrap().to_owned(), sentences.0);
    }
    for item in &parsed.items {
        if let Item::Mod(module) = item
            && module.content.is_none()
            && !module.attrs.iter().any(is_for_tests)
        {
            let name = module.ident.to_string();
            collect(root, &below.join(format!("{name}.rs")), &below.join(&name), found);
        }
    }
}

#[test]
fn the_list_of_sentences_is_that_of_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (src, mut found) = (root.join("src"), BTreeMap::new());
    for file in ["lib.rs", "main.rs"] {
        collect(root, &src.join(file), &src, &mut found);
    }
    let mut list = String::new();
    for (file, sentences) in &found {
        let gap = if list.is_empty() { "" } else { "\n" };
        writeln!(list, "{gap}# {}", file.display()).unwrap();
        for sentence in sentences {
            writeln!(list, "{sentence}").unwrap();
        }
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root.join(LIST), &list).unwrap();
    }
    let there = fs::read_to_string(root.join(LIST)).unwrap();
    assert!(list == there, "{LIST} is not up to date: run this test with UPDATE_DOCS=1");
}

#[test]
fn what_people_read_is_found_and_what_the_log_reads_is_not() {
    let file = syn::parse_file(
        r#"
        /// No comment of clap.
        struct Plain;
        /// Show one thing
        #[derive(Debug, clap::Args)]
        struct Show {
            /// Which one
            #[arg(long, value_name = "THE THING")]
            which: String,
        }
        #[derive(thiserror::Error)]
        enum Error {
            #[error("the disk is full: {0}")]
            Full(String),
        }
        fn said(n: u8) -> String {
            warn!("for the log only");
            format!("{n} of them {}", if n > 1 { "are gone" } else { "is gone" })
        }
        #[cfg(test)]
        mod tests {
            fn not_said() -> &'static str { "words of a test" }
        }
        "#,
    );
    let mut sentences = Sentences::default();
    sentences.visit_file(&file.unwrap());
    assert_eq!(
        sentences.0,
        [
            "Show one thing",
            "Which one",
            "THE THING",
            "the disk is full: {0}",
            "{n} of them {}",
            "are gone",
            "is gone"
        ]
    );
}
