//! Several files, as they are typed.

use std::str::FromStr;

use ruma::OwnedServerName;

use super::file::{Mxc, can_be_id};
use crate::{change::Subject, commands::arguments::bare, synapse::Reader};

// One file or more, as synadm lets one be typed. No doc comment: it would become the verb's help.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Several {
    /// The files: their addresses, `mxc://example.org/abcdef`, or the ids of files of this server
    #[arg(value_name = "FILE")]
    files: Vec<FileRef>,
    /// The same, as an option; can be repeated
    #[arg(short = 'U', long, value_name = "MXC")]
    mxc_uri: Vec<Mxc>,
    /// A file by its id alone; can be repeated
    #[arg(short = 'i', long, value_name = "ID", value_parser = id)]
    media_id: Vec<String>,
    /// The server that the files of --media-id come from; this one by default
    #[arg(short, long, value_name = "SERVER", requires = "media_id")]
    server_name: Option<OwnedServerName>,
}

/// A file as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FileRef {
    Mxc(Mxc),
    Id(String),
}

impl FromStr for FileRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return Ok(Self::Mxc(text.parse::<Mxc>()?));
        }
        id(text).map(Self::Id)
    }
}

fn id(text: &str) -> Result<String, String> {
    let text = bare(text);
    let text = text.as_str();
    // What looks like the name of a file is one, and no id has a dot.
    if can_be_id(text) && !text.contains('.') {
        Ok(text.to_owned())
    } else {
        Err("it is neither a file's address, such as mxc://example.org/abcdef, nor an id"
            .to_owned())
    }
}

impl Several {
    /// Whether none was typed.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.mxc_uri.is_empty() && self.media_id.is_empty()
    }

    /// The files; one that is typed twice is meant once.
    pub(super) fn subjects(&self, reader: &Reader) -> Vec<Subject> {
        let here = || reader.server_name().to_owned();
        let by_address = |Mxc { server, id }: &Mxc| Subject::Media(server.clone(), id.clone());
        let typed = self.files.iter().map(|file| match file {
            FileRef::Mxc(mxc) => by_address(mxc),
            FileRef::Id(id) => Subject::Media(here(), id.clone()),
        });
        let by_id = self
            .media_id
            .iter()
            .map(|id| Subject::Media(self.server_name.clone().unwrap_or_else(here), id.clone()));
        let mut subjects: Vec<Subject> = Vec::new();
        for subject in typed.chain(self.mxc_uri.iter().map(by_address)).chain(by_id) {
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        subjects
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn files_are_typed_by_address_or_by_id_and_meant_once() {
        let subjects = |typed: &[&str]| {
            let several = testing::parse::<Several>(typed).unwrap();
            let subjects = several.subjects(&testing::nowhere());
            subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(subjects(&["abc", "mxc://example.org/abc"]), "mxc://example.org/abc");
        assert_eq!(
            subjects(&[
                "mxc://a.example/x",
                "-i",
                "y",
                "-s",
                "b.example",
                "-i",
                "z",
                "-U",
                "mxc://c/w"
            ]),
            "mxc://a.example/x mxc://c/w mxc://b.example/y mxc://b.example/z"
        );
        assert!(testing::parse::<Several>(&[]).unwrap().is_empty());
        for typed in
            [&["cat.png"][..], &["a b"], &["mxc://x"], &["-s", "b.example"], &["-i", "../x"]]
        {
            assert!(testing::parse::<Several>(typed).is_err(), "{typed:?}");
        }
    }
}
