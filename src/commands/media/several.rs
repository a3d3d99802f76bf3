//! Several files, as they are typed.

use std::str::FromStr;

use ruma::OwnedServerName;

use super::{
    file::{Mxc, can_be_id},
    files_of,
};
use crate::{
    change::Subject,
    commands::{arguments::bare, event::content::EventRef},
    error::Stop,
    synapse::Reader,
};

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
    /// Those that the event has.
    Event(EventRef),
}

impl FromStr for FileRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return Ok(Self::Mxc(text.parse::<Mxc>()?));
        }
        if text.starts_with('$') {
            return Ok(Self::Event(text.parse::<EventRef>()?));
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

    /// Whether files are named by an event that has them, and not by themselves.
    pub(super) fn names_an_event(&self) -> bool {
        self.files.iter().any(|file| matches!(file, FileRef::Event(_)))
    }

    /// The files with those of the events that were typed, one after another.
    pub(super) async fn found(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        let mut subjects = self.named(reader);
        for file in &self.files {
            let FileRef::Event(EventRef(event)) = file else { continue };
            for subject in files_of::of_event(event, reader).await? {
                if !subjects.contains(&subject) {
                    subjects.push(subject);
                }
            }
        }
        Ok(subjects)
    }

    /// The files, where each was named by itself.
    pub(super) fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        if self.names_an_event() {
            return Err(Stop::not_understood(
                "name the files themselves; only media quarantine, media unquarantine, media delete and \
                media details take the id of an event",
            ));
        }
        Ok(self.named(reader))
    }

    /// The files that are named by themselves; one that is typed twice is meant once.
    fn named(&self, reader: &Reader) -> Vec<Subject> {
        let here = || reader.server_name().to_owned();
        let by_address = |Mxc { server, id }: &Mxc| Subject::Media(server.clone(), id.clone());
        let typed = self.files.iter().filter_map(|file| match file {
            FileRef::Mxc(mxc) => Some(by_address(mxc)),
            FileRef::Id(id) => Some(Subject::Media(here(), id.clone())),
            FileRef::Event(_) => None,
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
            let subjects = several.subjects(&testing::nowhere()).unwrap();
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
        let event = testing::parse::<Several>(&["abc", "$event"]).unwrap();
        assert!(event.names_an_event() && event.subjects(&testing::nowhere()).is_err());
        for typed in
            [&["cat.png"][..], &["a b"], &["mxc://x"], &["-s", "b.example"], &["-i", "../x"]]
        {
            assert!(testing::parse::<Several>(typed).is_err(), "{typed:?}");
        }
    }
}
