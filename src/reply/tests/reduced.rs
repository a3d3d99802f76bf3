//! What is left of the HTML in Element X, which knows few tags and draws the text of all others where
//! it stands: nothing may be lost there, nor glued to its neighbour.

use ruma::html::{Html, NodeRef};
use unicode_width::UnicodeWidthStr as _;

use super::*;

/// Columns of fixed pitch that a phone has room for.
pub(super) const PHONE: usize = 38;

/// What stands for the sign of a point until the lines are read.
const POINT: char = '\u{1}';

/// Where Element X runs: each system has rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    /// Breaks lines of fixed pitch where the phone is full.
    Android,
    /// Draws headings and divisions too; lines of fixed pitch can be scrolled.
    Ios,
}

pub(super) const BOTH: [System; 2] = [System::Android, System::Ios];

/// What such a client keeps of some HTML.
#[derive(Debug)]
enum Kept {
    Text(String),
    Element(String, Vec<Kept>),
}

impl System {
    fn keeps(self, tag: &str) -> bool {
        let everywhere = [
            "a",
            "b",
            "strong",
            "i",
            "em",
            "u",
            "del",
            "code",
            "ul",
            "ol",
            "li",
            "pre",
            "blockquote",
            "p",
            "br",
        ];
        let on_ios = ["h1", "h2", "h3", "h4", "h5", "h6", "div", "hr", "s"];
        everywhere.contains(&tag) || self == Self::Ios && on_ios.contains(&tag)
    }

    /// The nodes, and below each what is kept; what stands in a tag it does not know comes in its place.
    fn kept(self, nodes: impl Iterator<Item = NodeRef>) -> Vec<Kept> {
        let mut kept = Vec::new();
        for node in nodes {
            if let Some(text) = node.as_text() {
                kept.push(Kept::Text(text.borrow().to_string()));
            } else if let Some(element) = node.as_element() {
                let tag = element.name.local.to_string();
                let below = self.kept(node.children());
                if self.keeps(&tag) {
                    kept.push(Kept::Element(tag, below));
                } else {
                    kept.extend(below);
                }
            }
        }
        kept
    }

    fn draw(self, nodes: &[Kept], within: &str, out: &mut String) {
        let (mut element_before, mut block_before) = (false, false);
        for node in nodes {
            match node {
                Kept::Text(text) if within == "pre" && self == Self::Android => broken(text, out),
                Kept::Text(text) if within == "pre" => out.push_str(text),
                Kept::Text(_) if self == Self::Android && matches!(within, "ul" | "ol") => {}
                // Between tags Android drops white space, but for a single space.
                Kept::Text(text) if text.trim().is_empty() && text != " " => {
                    if self == Self::Ios {
                        out.push(' ');
                    }
                }
                Kept::Text(text) => {
                    if block_before {
                        begin_line(out);
                    }
                    out.push_str(&text.replace('\n', " "));
                }
                Kept::Element(tag, _) if tag == "br" => out.push('\n'),
                Kept::Element(tag, below) => {
                    let block = is_block(tag);
                    // Android parts a block from an element before it and from words after it; not
                    // from words before it, nor from a tag after it that is no block.
                    if block && (self == Self::Ios || element_before) {
                        begin_line(out);
                        if tag != "li" {
                            out.push('\n');
                        }
                    }
                    if tag == "li" {
                        out.push(POINT);
                    }
                    let within = if within == "pre" { within } else { tag };
                    self.draw(below, within, out);
                    if block && self == Self::Ios {
                        begin_line(out);
                    }
                }
            }
            element_before |= matches!(node, Kept::Element(..));
            block_before = matches!(node, Kept::Element(tag, _) if is_block(tag));
        }
    }

    fn drawn(self, html: &str) -> String {
        let nodes = self.kept(Html::parse(html).children());
        let mut out = String::new();
        self.draw(&nodes, "", &mut out);
        out
    }

    /// What is read there, as it stands on the screen.
    pub(super) fn reads(self, html: &str) -> String {
        let drawn = self.drawn(html).replace(POINT, "• ");
        let lines = drawn.lines().map(str::trim_end).skip_while(|line| line.is_empty());
        lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    /// The lines that are read there, as the words of each.
    fn lines(self, html: &str) -> Vec<Vec<String>> {
        lines(&self.drawn(html).replace(POINT, ""))
    }
}

fn begin_line(out: &mut String) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
}

/// Text in fixed pitch, broken where a phone is full.
fn broken(text: &str, out: &mut String) {
    let mut column = 0;
    for grapheme in text.graphemes(true) {
        if grapheme == "\n" {
            column = 0;
        } else if column + grapheme.width() > PHONE {
            out.push('\n');
            column = grapheme.width();
        } else {
            column += grapheme.width();
        }
        out.push_str(grapheme);
    }
}

fn is_block(tag: &str) -> bool {
    matches!(tag, "p" | "ul" | "ol" | "li" | "pre" | "blockquote" | "div" | "hr")
        || tag.strip_prefix('h').is_some_and(|level| level.parse::<u8>().is_ok())
}

/// The lines of a text that say something, as the words of each.
fn lines(text: &str) -> Vec<Vec<String>> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    text.replace('\u{2060}', "").lines().map(words).filter(|line| !line.is_empty()).collect()
}

/// The lines of the plain text, without the signs of its points.
fn told_lines(body: &str) -> Vec<Vec<String>> {
    let lines = lines(body).into_iter();
    lines.map(|line| line.into_iter().skip_while(|word| word == "-").collect()).collect()
}

/// An answer with every kind of block in every order that two of them can stand in.
fn whole(name: &str) -> Reply {
    let code = Block::Code("first line\n\n  second line".to_owned());
    let blocks = everything(name).with(code).blocks;
    let mut reply = everything(name);
    for block in &blocks {
        for next in &blocks {
            reply = reply.with(block.clone()).with(next.clone());
        }
    }
    reply
}

#[test]
fn the_rules_glue_what_those_clients_glue() {
    let read = |system: System, html: &str| {
        let lines = system.lines(html).into_iter();
        lines.map(|line| line.join(" ")).collect::<Vec<_>>().join("|")
    };
    for (html, android, ios) in [
        ("<p>a</p><p>b<br>c</p>", "a|b|c", "a|b|c"),
        ("<h1>a</h1><p>b</p>", "ab", "a|b"),
        ("<div>a</div><div>b</div>", "ab", "a|b"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "abc", "abc"),
        ("<details><summary>a</summary>b</details>", "ab", "ab"),
        ("<ul><li>a<ul><li>b</li></ul></li></ul>", "ab", "a|b"),
        ("<p>a</p><ul><li>b</li><li>c</li></ul>", "a|b|c", "a|b|c"),
        ("<strong>a</strong>\n<em>b</em> <u>c</u>", "ab c", "a b c"),
        ("<p>a</p>b", "a|b", "a|b"),
        ("<p>a</p><code>b</code>", "ab", "a|b"),
        ("<pre><code>a\nb</code></pre>", "a|b", "a|b"),
    ] {
        assert_eq!(read(System::Android, html), android, "{html}");
        assert_eq!(read(System::Ios, html), ios, "{html}");
    }
}

#[test]
fn element_x_reads_every_word_on_its_line() {
    let names = ["Ann", "Ann <b>Lee</b>\n- x", "https://evil.example/login @room matrix:u/eve", ""];
    for layout in [Layout::Cards, Layout::List] {
        for name in names {
            let Drawn { body, html } = one_however_large(&whole(name), layout);
            for system in BOTH {
                let (read, told) = (system.lines(&html), told_lines(&body));
                let differ = read.iter().zip(&told).find(|(read, told)| read != told);
                assert_eq!(differ, None, "{system:?}, {layout:?}, {name}");
                assert_eq!(read.len(), told.len(), "{system:?}, {layout:?}, {name}");
            }
        }
    }
}

/// The tags that the specification lets a message have.
pub(super) const TAGS: [&str; 37] = [
    "del",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "p",
    "a",
    "ul",
    "ol",
    "sup",
    "sub",
    "li",
    "b",
    "i",
    "u",
    "strong",
    "em",
    "s",
    "code",
    "hr",
    "br",
    "div",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "caption",
    "pre",
    "span",
    "img",
    "details",
    "summary",
];

/// The attributes that it lets a tag have.
fn attributes(tag: &str) -> &'static [&'static str] {
    match tag {
        "span" => &["data-mx-bg-color", "data-mx-color", "data-mx-spoiler"],
        "a" => &["target", "href"],
        "img" => &["width", "height", "alt", "title", "src"],
        "ol" => &["start"],
        "code" => &["class"],
        _ => &[],
    }
}

fn on_the_list(node: &NodeRef) {
    if let Some(element) = node.as_element() {
        let tag = element.name.local.to_string();
        assert!(TAGS.contains(&tag.as_str()), "{tag}");
        for attribute in element.attrs.borrow().iter() {
            let name = attribute.name.local.to_string();
            assert!(attributes(&tag).contains(&name.as_str()), "{name} of {tag}");
        }
    }
    node.children().for_each(|child| on_the_list(&child));
}

#[test]
fn every_tag_and_attribute_is_on_the_list_of_the_specification() {
    for layout in Layout::ALL {
        let names = ["Ann", "<b onclick=\"x\">", "<img src=x>", "<a href=\"javascript:x\">x</a>"];
        for name in names {
            for part in whole(name).draw(layout) {
                Html::parse(&part.html).children().for_each(|node| on_the_list(&node));
            }
        }
    }
}
