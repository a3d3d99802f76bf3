//! Records as cells, and cells that are broken: for the terminal, and for the layout `code`.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::{Line, Record};

/// Records as rows: in each the title, then a cell for each label.
pub(super) struct Cells {
    pub(super) labels: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Cells {
    /// The cells of these records, whose titles are shown so.
    pub(super) fn of(records: &[Record], title: impl Fn(&Line) -> String) -> Self {
        let mut labels: Vec<&'static str> = Vec::new();
        for (label, _) in records.iter().flat_map(|record| &record.facts) {
            if !labels.contains(label) {
                labels.push(label);
            }
        }
        let row = |record: &Record| {
            let of = |label: &&'static str| {
                let facts = record.facts.iter().filter(|fact| fact.0 == *label);
                facts.map(|fact| fact.1.shown()).collect::<Vec<_>>().join(", ")
            };
            std::iter::once(title(&record.title)).chain(labels.iter().map(of)).collect()
        };
        let rows = records.iter().map(row).collect();
        Self { labels, rows }
    }

    /// The row that stands above the others.
    pub(super) fn heading(&self) -> Vec<String> {
        let labels = self.labels.iter().map(|label| (*label).to_owned());
        std::iter::once(String::new()).chain(labels).collect()
    }
}

/// The beginning of a text that is at most so many columns wide.
pub(super) fn beginning(text: &str, columns: usize) -> &str {
    let ends = text.grapheme_indices(true).map(|(at, grapheme)| at + grapheme.len());
    let parts = ends.filter_map(|end| text.get(..end));
    parts.take_while(|part| part.width() <= columns).last().unwrap_or_default()
}

/// A cell in lines of this width: broken between words, and inside one that is wider.
pub(super) fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut column = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if column > 0 && column + 1 + word.width() > width {
            lines.push(String::new());
            column = 0;
        }
        let Some(line) = lines.last_mut() else { continue };
        if column > 0 {
            line.push(' ');
            column += 1;
        }
        for grapheme in word.graphemes(true) {
            let wide = grapheme.width();
            if column > 0 && column + wide > width {
                lines.push(String::new());
                column = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(grapheme);
            }
            column += wide;
        }
    }
    lines
}
