//! What a notice says, in plain text and in HTML.

use pulldown_cmark::{Parser, html::push_html};
use serde_json::{Value, json};

/// Reads a text that is not empty.
pub(super) fn said(text: &str) -> Result<String, String> {
    if with_lines(text).trim().is_empty() {
        return Err("it is empty; type a message, in quotes".to_owned());
    }
    Ok(text.to_owned())
}

/// A text as it was typed, in which `\n` begins a new line.
pub(super) fn with_lines(text: &str) -> String {
    text.replace("\\n", "\n")
}

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// For clients that draw no markup.
    pub(super) plain: String,
    /// As HTML, where there is any.
    pub(super) html: Option<String>,
}

impl Text {
    /// A text with its HTML as it was typed, if it was.
    pub(super) fn typed(plain: &str, html: Option<&str>) -> Self {
        Self { plain: plain.to_owned(), html: html.map(str::to_owned) }
    }

    /// A plain text as it was typed, in which `\n` begins a new line.
    pub(super) fn lines(typed: &str) -> Self {
        Self::typed(&with_lines(typed), None)
    }

    /// A text that was written in Markdown.
    pub(super) fn markdown(text: &str) -> Self {
        let mut html = String::new();
        push_html(&mut html, Parser::new(text));
        Self { plain: text.to_owned(), html: Some(html.trim_end().to_owned()) }
    }

    /// The content of the message. Plain text never stands in for HTML: line breaks would be lost
    /// in it, and `<` and `&` misread.
    pub(super) fn content(&self) -> Value {
        let mut content = json!({ "msgtype": "m.text", "body": self.plain });
        if let (Some(html), Some(fields)) = (&self.html, content.as_object_mut()) {
            fields.insert("format".to_owned(), json!("org.matrix.custom.html"));
            fields.insert("formatted_body".to_owned(), json!(html));
        }
        content
    }

    /// Its first `length` characters, on one line.
    pub(super) fn preview(text: &str, length: usize) -> String {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown: String = line.chars().take(length).collect();
        if shown.len() < line.len() {
            shown.push('…');
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_never_taken_for_html() {
        assert_eq!(
            Text::typed("a < b\nand c", None).content(),
            json!({"msgtype": "m.text", "body": "a < b\nand c"})
        );
        assert_eq!(
            Text::typed("hello", Some("<b>hello</b>")).content(),
            json!({"msgtype": "m.text", "body": "hello", "format": "org.matrix.custom.html",
                "formatted_body": "<b>hello</b>"})
        );
        let markdown = Text::markdown("**Down** at 8 < 9\n\n- soon");
        assert_eq!(markdown.plain, "**Down** at 8 < 9\n\n- soon");
        let html = markdown.html.unwrap();
        assert!(html.contains("<strong>Down</strong> at 8 &lt; 9"), "{html}");
        assert!(html.contains("<li>soon</li>"), "{html}");
    }

    #[test]
    fn a_preview_is_one_line_and_says_where_it_is_cut() {
        assert_eq!(Text::preview("a\nb  c", 9), "a b c");
        assert_eq!(Text::preview("äöüäöü", 3), "äöü…");
    }
}
