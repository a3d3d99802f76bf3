//! `media details`: what is known of files.

use async_trait::async_trait;
use clap::ArgGroup;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    file::{self, File},
    several::Several,
};
use crate::{
    change::{Path, Power, Subject},
    commands::{
        Memory, Query, Spec, Tables,
        past::{self, PAST},
        refusals::looks,
        user::media::amend,
    },
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Details>(
    "details",
    &[
        "media details mxc://example.org/abcdefghijklmnopqrstuvwx",
        "media details -i abcdefghijklmnopqrstuvwx -s elsewhere.example",
    ],
)
.also(&["show"])
.since(1, 140);

/// Show files: what they are, who uploaded them, and whether they are in quarantine
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(["files", "mxc_uri", "media_id"])))]
struct Details {
    #[command(flatten)]
    files: Several,
}

/// A file as the homeserver shows it; a refusal where it has none.
async fn found<T: DeserializeOwned>(subject: &Subject, reader: &Reader) -> Result<T, Stop> {
    #[derive(Deserialize)]
    struct MediaInfo<T> {
        media_info: T,
    }
    reader.may_name(subject)?;
    let (server, id) = file::id(subject)?;
    let path = Path::admin(["v1", "media", server.as_str(), id]);
    let answered: Option<MediaInfo<T>> = reader.find(&path, &[]).await?;
    answered.map(|answered| answered.media_info).ok_or_else(|| {
        Stop::not_found(Line::new().code(subject).plain(if server == reader.server_name() {
            ": this homeserver has no such file"
        } else {
            ": this homeserver has no copy of it"
        }))
    })
}

#[async_trait]
impl Query for Details {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::FILE])
    }

    async fn answer(&self, reader: &Reader, memory: &dyn Memory) -> Result<Reply, Stop> {
        let mut reply: Option<Reply> = None;
        for subject in self.files.found(reader).await? {
            let file: File = found(&subject, reader).await?;
            let mut facts = file::facts(&file, reader.now());
            facts.extend(file.more(reader.now()));
            let title = Line::new().code(&subject);
            let one = match reply {
                None => Reply::data(title),
                Some(reply) => reply.text(title),
            };
            let remembered = memory.of(&subject, PAST);
            reply = Some(past::told(one.facts(facts), &remembered, reader.now()));
        }
        Ok(reply.unwrap_or_default())
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let columns = [
            "media_id",
            "media_origin",
            "media_type",
            "media_length",
            "upload_name",
            "created_ts",
            "last_access_ts",
            "user_id",
            "quarantined_by",
            "safe_from_quarantine",
            "sha256",
        ];
        sheet.begin("media_info", &columns)?;
        for subject in self.files.found(reader).await? {
            let mut file = found::<Value>(&subject, reader).await?;
            amend(&mut file, reader.now());
            sheet.row(&file)?;
        }
        Ok(sheet.end(&Map::new())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn at_least_one_file_is_wanted() {
        for typed in [&["mxc://example.org/abc"][..], &["abc", "def"], &["-i", "abc"]] {
            assert_eq!(testing::parse::<Details>(typed).unwrap().power(), Power::Look, "{typed:?}");
        }
        assert!(testing::parse::<Details>(&[]).is_err());
    }
}
