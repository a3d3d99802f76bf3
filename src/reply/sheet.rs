//! Data as a program reads it: JSON, YAML or CSV, written row by row.
//!
//! Nothing here holds more than one row: what has become long is on disk, in a file without a name.

use std::io::{self, Read as _, Seek as _, Write as _};

use mime::Mime;
use serde_json::{Map, Value};
use tempfile::SpooledTempFile;

use super::File;

/// What is longer than this is kept on disk, bytes.
const IN_MEMORY: usize = 64 * 1024;

/// What is longer than this is a file in the room too, bytes.
const IN_ROOM: u64 = 6 * 1024;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// In words, for people
    Human,
    /// JSON, indented
    Json,
    /// YAML
    Yaml,
    /// JSON on one line
    Minified,
    /// Comma-separated values: a line for each row, with a heading
    Csv,
}

impl Format {
    fn ending(self) -> &'static str {
        match self {
            Self::Human => "txt",
            Self::Json | Self::Minified => "json",
            Self::Yaml => "yaml",
            Self::Csv => "csv",
        }
    }

    fn mime(self) -> Mime {
        match self {
            Self::Json | Self::Minified => mime::APPLICATION_JSON,
            // No list of types holds YAML's; phones show what is text.
            Self::Yaml | Self::Human => mime::TEXT_PLAIN_UTF_8,
            Self::Csv => mime::TEXT_CSV_UTF_8,
        }
    }
}

/// What is being written. Either one [`object`](Self::object), or rows between
/// [`begin`](Self::begin) and [`end`](Self::end).
#[derive(Debug)]
pub struct Sheet {
    format: Format,
    out: SpooledTempFile,
    /// What the data are, for the name of a file.
    name: &'static str,
    columns: Vec<&'static str>,
    rows: u64,
    /// What there is beyond the rows, where the format has no place to say so.
    beyond: Option<Beyond>,
    /// What must be known of the rows before they are believed, in the same way.
    notes: Vec<String>,
}

/// That the rows are not all there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond {
    /// How many are written.
    pub rows: u64,
    /// How many there are, where that is known.
    pub total: Option<u64>,
    /// Where the next ones begin.
    pub next: String,
}

/// What was written.
#[derive(Debug)]
pub enum Written {
    /// Short enough to be read in the room.
    Text(String),
    /// Longer.
    File(File),
}

impl Sheet {
    /// An empty one in this format; `Human` is taken for CSV, which people can open.
    pub fn new(format: Format) -> Self {
        let format = if format == Format::Human { Format::Csv } else { format };
        let out = SpooledTempFile::new(IN_MEMORY);
        Self {
            format,
            out,
            name: "data",
            columns: Vec::new(),
            rows: 0,
            beyond: None,
            notes: Vec::new(),
        }
    }

    /// How many rows were written.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes one object that is no list. In CSV it is one row; in a column that is no plain value
    /// stands JSON, and what is no object is in one column.
    pub fn object(&mut self, name: &'static str, object: &Value) -> io::Result<()> {
        self.name = name;
        match self.format {
            Format::Json => serde_json::to_writer_pretty(&mut self.out, object)?,
            Format::Minified => serde_json::to_writer(&mut self.out, object)?,
            Format::Yaml => self.out.write_all(yaml(object)?.as_bytes())?,
            Format::Csv | Format::Human => {
                let alone = || Map::from_iter([(name.to_owned(), object.clone())]);
                let fields = object.as_object().cloned().unwrap_or_else(alone);
                self.record(fields.keys().map(String::as_str))?;
                self.record(fields.values().map(cell))?;
            }
        }
        Ok(())
    }

    /// Begins rows under `key`; `columns` are those of CSV, the other formats write all of a row.
    pub fn begin(&mut self, key: &'static str, columns: &[&'static str]) -> io::Result<()> {
        self.name = key;
        self.columns = columns.to_vec();
        match self.format {
            Format::Json => write!(self.out, "{{\n  {}: [", Value::from(key)),
            Format::Minified => write!(self.out, "{{{}:[", Value::from(key)),
            Format::Yaml => write!(self.out, "{key}:"),
            Format::Csv | Format::Human => self.record(columns.iter().copied()),
        }
    }

    /// Writes one row.
    pub fn row(&mut self, row: &Value) -> io::Result<()> {
        let comma = if self.rows == 0 { "" } else { "," };
        self.rows += 1;
        match self.format {
            Format::Json => {
                write!(self.out, "{comma}")?;
                let text = serde_json::to_string_pretty(row)?;
                text.lines().try_for_each(|line| write!(self.out, "\n    {line}"))
            }
            Format::Minified => {
                write!(self.out, "{comma}")?;
                Ok(serde_json::to_writer(&mut self.out, row)?)
            }
            Format::Yaml => {
                let line = if self.rows == 1 { "\n" } else { "" };
                write!(self.out, "{line}{}", yaml(&[row])?)
            }
            Format::Csv | Format::Human => {
                let columns = std::mem::take(&mut self.columns);
                let cells = columns.iter().map(|column| row.get(column).map(cell));
                let written = self.record(cells.map(Option::unwrap_or_default));
                self.columns = columns;
                written
            }
        }
    }

    /// What of the rows is not in what was written, where that does not say so itself.
    pub fn beyond(&self) -> Option<Beyond> {
        self.beyond.clone()
    }

    /// What must be known of the rows before they are believed, where what was written does not say so
    /// itself.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Notes that. To be written into what [ends](Self::end) the rows too, for the other formats.
    pub fn note(&mut self, note: impl Into<String>) {
        if self.format == Format::Csv {
            self.notes.push(note.into());
        }
    }

    /// Ends the rows. CSV has no place for what else there is to say: see [`beyond`](Self::beyond).
    pub fn end(&mut self, rest: &Map<String, Value>) -> io::Result<()> {
        match self.format {
            Format::Json => {
                write!(self.out, "{}]", if self.rows == 0 { "" } else { "\n  " })?;
                for (key, value) in rest {
                    write!(self.out, ",\n  {}: {value}", Value::from(key.as_str()))?;
                }
                write!(self.out, "\n}}")
            }
            Format::Minified => {
                write!(self.out, "]")?;
                for (key, value) in rest {
                    write!(self.out, ",{}:{value}", Value::from(key.as_str()))?;
                }
                write!(self.out, "}}")
            }
            Format::Yaml => {
                if self.rows == 0 {
                    writeln!(self.out, " []")?;
                }
                if rest.is_empty() { Ok(()) } else { self.out.write_all(yaml(rest)?.as_bytes()) }
            }
            Format::Csv | Format::Human => {
                let next = rest.get("next_token").and_then(Value::as_str);
                let total = rest.get("total").and_then(Value::as_u64);
                let beyond = |next: &str| Beyond { rows: self.rows, total, next: next.to_owned() };
                self.beyond = next.map(beyond);
                Ok(())
            }
        }
    }

    fn record<T: AsRef<[u8]>>(&mut self, cells: impl Iterator<Item = T>) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(&mut self.out);
        writer.write_record(cells)?;
        writer.flush()
    }

    /// What was written, as text where it is short.
    pub fn finish(mut self) -> io::Result<Written> {
        let bytes = self.out.stream_position()?;
        if bytes <= IN_ROOM {
            self.out.rewind()?;
            let mut text = String::new();
            self.out.read_to_string(&mut text)?;
            return Ok(Written::Text(text));
        }
        self.file().map(Written::File)
    }

    /// What was written, as a file whatever its length.
    pub fn file(mut self) -> io::Result<File> {
        self.out.roll()?;
        let name = format!("{}.{}", self.name, self.format.ending());
        match self.out.into_inner() {
            tempfile::SpooledData::OnDisk(disk) => File::on_disk(name, self.format.mime(), disk),
            tempfile::SpooledData::InMemory(bytes) => {
                Ok(File::new(name, self.format.mime(), bytes.into_inner()))
            }
        }
    }
}

fn yaml<T: serde::Serialize>(value: &T) -> io::Result<String> {
    serde_saphyr::to_string(value).map_err(io::Error::other)
}

/// A value in one cell. Where a spreadsheet would take somebody's words for a formula, an
/// apostrophe stands before them, which it takes for "these are words".
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text,
        other => return other.to_string(),
    };
    let formula = match text.chars().next() {
        Some('=' | '+' | '-' | '\t' | '\r') => text.parse::<f64>().is_err(),
        Some('@') => {
            let first = text.split_whitespace().next().unwrap_or_default();
            ruma::UserId::parse(first).is_err()
        }
        _ => false,
    };
    if formula { format!("'{text}") } else { text.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(format: Format, rows: &[Value]) -> String {
        let mut sheet = Sheet::new(format);
        sheet.begin("users", &["name", "displayname", "admin"]).unwrap();
        for row in rows {
            sheet.row(row).unwrap();
        }
        let mut rest = Map::new();
        rest.insert("total".to_owned(), json!(rows.len()));
        sheet.end(&rest).unwrap();
        match sheet.finish().unwrap() {
            Written::Text(text) => text,
            Written::File(file) => io::read_to_string(file.read()).unwrap(),
        }
    }

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let some = [
            json!({"name": "@ann:example.org", "displayname": "Ann \"A\", Lee\nof # x: y", "admin": true}),
            json!({"name": "@bob:example.org", "displayname": null, "admin": false, "more": [1]}),
        ];
        for some in [&some[..], &[]] {
            let whole = json!({"users": some, "total": some.len()});
            for format in [Format::Json, Format::Minified] {
                let read: Value = serde_json::from_str(&rows(format, some)).unwrap();
                assert_eq!(read, whole, "{format:?}");
            }
            let read: Value = serde_saphyr::from_str(&rows(Format::Yaml, some)).unwrap();
            assert_eq!(read, whole);
        }
        assert_eq!(rows(Format::Minified, &some).lines().count(), 1);
        assert_eq!(
            rows(Format::Csv, &some),
            "name,displayname,admin\n@ann:example.org,\"Ann \"\"A\"\", Lee\nof # x: y\",true\n\
             @bob:example.org,,false\n"
        );
    }

    #[test]
    fn an_object_is_one_row_of_csv() {
        let mut sheet = Sheet::new(Format::Csv);
        sheet.object("account", &json!({"a": 1, "b": ["x"], "c": "y"})).unwrap();
        let Written::Text(text) = sheet.finish().unwrap() else { panic!("it is short") };
        assert_eq!(text, "a,b,c\n1,\"[\"\"x\"\"]\",y\n");
    }

    #[test]
    fn nobodys_name_is_a_formula() {
        let cell = |text: &str| cell(&json!(text));
        assert_eq!(cell("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(cell("+cmd"), "'+cmd");
        assert_eq!(cell("@SUM(1)"), "'@SUM(1)");
        for plain in ["@ann:example.org", "@ann:example.org is so", "-12.5", "Ann = Lee", ""] {
            assert_eq!(cell(plain), plain);
        }
    }

    #[test]
    fn what_is_long_is_a_file_that_can_be_read_twice() {
        let mut sheet = Sheet::new(Format::Csv);
        sheet.begin("users", &["name"]).unwrap();
        for n in 0..20_000 {
            sheet.row(&json!({"name": format!("@user{n}:example.org")})).unwrap();
        }
        sheet.end(&Map::new()).unwrap();
        assert_eq!(sheet.rows(), 20_000);
        let Written::File(file) = sheet.finish().unwrap() else { panic!("it is long") };
        assert_eq!(
            (file.name.as_str(), file.mime.as_ref()),
            ("users.csv", "text/csv; charset=utf-8")
        );
        for _ in 0..2 {
            let text = io::read_to_string(file.read()).unwrap();
            assert_eq!((text.len() as u64, text.lines().count()), (file.bytes(), 20_001));
        }
    }
}
