//! The beginning of what a file holds, for an answer whose file cannot be sent.

use std::io::{self, BufRead as _, BufReader, Read as _};

use crate::reply::{Block, File, Line};

/// How much of it is shown, lines and bytes.
const LINES: usize = 20;
const BYTES: usize = 4_000;

/// How much of it is counted, bytes: far more than anybody reads, and soon read.
const COUNTED: u64 = 32 << 20;

/// How many lines it has, and the first of them; nothing where it is no text.
pub(super) fn of(file: &File) -> Vec<Block> {
    read(file)
        .unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, ?file, "it cannot be read");
            None
        })
        .unwrap_or_default()
}

fn read(file: &File) -> io::Result<Option<Vec<Block>>> {
    let mut lines = BufReader::new(file.read().take(COUNTED));
    let (mut shown, mut count, mut line) = (String::new(), 0_usize, Vec::new());
    let mut whole = true;
    while lines.read_until(b'\n', &mut line)? > 0 {
        count += 1;
        let room = BYTES.saturating_sub(shown.len());
        match std::str::from_utf8(&line) {
            Err(_) if count == 1 => return Ok(None),
            Ok(text) if whole && count <= LINES && text.len() <= room => shown.push_str(text),
            Ok(text) if whole && count == 1 => {
                shown.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
                whole = false;
            }
            _ => whole = false,
        }
        line.clear();
    }
    if shown.is_empty() {
        return Ok(None);
    }
    let more = if file.bytes() > COUNTED { "more than " } else { "" };
    let lines = if count == 1 { "line" } else { "lines" };
    let head = if whole {
        format!("It has {count} {lines}:")
    } else {
        format!("It has {more}{count} {lines}; it begins with")
    };
    Ok(Some(vec![Block::Text(Line::from(head)), Block::Code(shown.trim_end().to_owned())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &str) -> String {
        let file = File::new("a.csv", mime::TEXT_CSV_UTF_8, content.as_bytes().to_vec());
        format!("{:?}", of(&file))
    }

    #[test]
    fn the_beginning_of_a_file_and_how_long_it_is_stand_in_for_it() {
        let short = text("a,b\n1,2\n");
        assert!(short.contains("It has 2 lines:") && short.contains("1,2"), "{short}");
        let rows: Vec<String> = (0..1_000).map(|row| format!("row {row}")).collect();
        let long = text(&rows.join("\n"));
        assert!(long.contains("It has 1000 lines; it begins with"), "{long}");
        assert!(long.contains("row 19") && !long.contains("row 20"), "{long}");
        let wide = text(&"ä".repeat(10_000));
        assert!(wide.contains("It has 1 line; it begins with") && wide.len() < 5_000, "{wide}");
        assert_eq!(of(&File::new("a", mime::IMAGE_PNG, vec![0xff, 0xfe, 0x00])), Vec::new());
        assert_eq!(text(""), "[]");
    }
}
