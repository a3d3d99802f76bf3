//! `media delete`: files of this server are gone, by name or by their age.

use async_trait::async_trait;
use bytesize::ByteSize;
use clap::ArgGroup;
use ruma::OwnedServerName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    before::{self, Before},
    file::{self, FILE_GONE},
    several::Several,
};
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{Action, Later, Spec, user::account::how_many},
    error::Stop,
    reply::{Line, size},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Delete>(
    "delete",
    &[
        "media delete mxc://example.org/abcdefghijklmnopqrstuvwx",
        "media delete -i abcdefghijklmnopqrstuvwx",
        "media delete --before-days 365 --size 20MB",
    ],
)
.later(&[
    Later::new("files", 1, 140).called(NAMED_FILES),
    Later::new("mxc_uri", 1, 140).called(NAMED_FILES),
    Later::new("media_id", 1, 140).called(NAMED_FILES),
]);

/// What an older homeserver shows nothing of: it would not be known whose they are, nor be seen that
/// they are gone.
const NAMED_FILES: &str = "named files";

/// Delete files that were uploaded here: the named ones, or all that are old enough
///
/// A named file deleted even if it is protected or in quarantine. That ends its quarantine: the same
/// content can then be uploaded again. With a time, every file of every account deleted that nobody
/// has requested since, except protected and quarantined files and the pictures of people and rooms.
/// Other servers and clients keep their copies.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("which").required(true).args(
    ["files", "mxc_uri", "media_id", "before_days", "before", "before_ts"]
)))]
struct Delete {
    #[command(flatten)]
    files: Several,
    #[command(flatten)]
    before: Before,
    /// With a time: only files larger than this, such as 500KiB or 20MB; a bare number is KiB
    #[arg(long, visible_alias = "kib", value_name = "SIZE", value_parser = bytes,
          conflicts_with_all = ["files", "mxc_uri", "media_id"])]
    size: Option<u64>,
    /// With a time: also the pictures of people and rooms
    #[arg(long = "delete-profiles", visible_alias = "all",
          conflicts_with_all = ["files", "mxc_uri", "media_id"])]
    profiles: bool,
}

/// Reads a size in bytes.
fn bytes(text: &str) -> Result<u64, String> {
    let fault = "it is not a size; write one such as 500KiB or 20MB".to_owned();
    if let Ok(kib) = text.parse::<u64>() {
        return kib.checked_mul(1024).ok_or(fault);
    }
    text.parse::<ByteSize>().map(|size| size.as_u64()).map_err(|_| fault)
}

/// How much there is of everybody's.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    accounts: u64,
    files: u64,
    bytes: u64,
}

/// What everybody has uploaded before a moment. The homeserver can not be asked what nobody has
/// asked for since, so what goes is a part of it.
/// `GET /_synapse/admin/v1/statistics/users/media`.
async fn uploaded(before: &str, reader: &Reader) -> Result<Sum, Stop> {
    #[derive(Deserialize)]
    struct UsagePage {
        users: Vec<Account>,
        next_token: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Account {
        media_count: u64,
        media_length: u64,
    }
    let path = Path::admin(["v1", "statistics", "users", "media"]);
    let (mut sum, mut from) = (Sum::default(), 0);
    loop {
        let query = [
            ("from", from.to_string()),
            ("limit", "1000".to_owned()),
            ("until_ts", before.to_owned()),
        ];
        let listed: UsagePage = reader.get(&path, &query).await?;
        for account in &listed.users {
            sum.accounts += 1;
            sum.files += account.media_count;
            sum.bytes += account.media_length;
        }
        match listed.next_token {
            Some(next) if next > from && !listed.users.is_empty() => from = next,
            _ => return Ok(sum),
        }
    }
}

impl Sum {
    fn line(self) -> Line {
        let accounts = how_many(Some(self.accounts), "account", "accounts");
        let files = how_many(Some(self.files), "file", "files");
        format!("{files} of {accounts}, {}: what was uploaded before then", size(self.bytes)).into()
    }
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    Meaning::new(
        400,
        "M_UNKNOWN",
        "local media",
        "it came from another server; `!media purge` deletes copies of such files",
    ),
    FILE_GONE.nothing_to_do(),
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "",
        "the homeserver does not accept this time or size; the time must be after 1970",
    ),
];

#[async_trait]
impl Action for Delete {
    fn class(&self, _many: usize) -> Class {
        Class::Irreversible
    }

    fn power(&self) -> Power {
        if self.before.is_given() { Power::Server } else { Power::Moderate }
    }

    fn phrase(&self) -> bool {
        self.before.is_given()
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        if self.files.is_empty() {
            return Ok(vec![Subject::Homeserver(reader.server_name().to_owned())]);
        }
        self.files.found(reader).await
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        if let Subject::Media(..) = subject {
            return file::snapshot(subject, reader).await;
        }
        let mut seen = Snapshot::default();
        self.before.note(&mut seen, reader.now());
        seen.display.push(("Not asked for since", before::in_words(&seen)));
        if let Some(bytes) = self.size {
            seen.display.push(("Larger than", size(bytes).into()));
        }
        if let Ok(before) = before::moment(&seen) {
            seen.display.push(("At most", uploaded(&before, reader).await?.line()));
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        if let Subject::Media(..) = subject {
            return of_one(subject, seen);
        }
        let mut stays = vec![Line::from("files that are protected or in quarantine")];
        if !self.profiles {
            stays.push("the pictures of people, rooms and the directory".into());
        }
        let title = Line::new()
            .plain("Delete every file of this server that nobody asked for since ")
            .line(before::in_words(seen));
        Question {
            title: match self.size {
                Some(bytes) => title.plain(format!(", if larger than {}", size(bytes))),
                None => title,
            },
            goes: vec!["files in messages and rooms too, for everybody".into()],
            stays,
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        match subject {
            Subject::Media(server, id) => one(subject, (server, id), seen),
            Subject::Homeserver(_) => self.many(seen),
            _ => Err(refused(subject, " is not a file")),
        }
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        _after: &Snapshot,
    ) -> Outcome {
        let gone = "nobody here has it any more; clients and other servers keep their copies";
        if let Subject::Media(..) = subject {
            return Outcome::done(
                Line::new().code(subject).plain(" deleted"),
                Undo::None(gone.to_owned()),
            )
            .facts(before.shown_as(&["Name", "Size", "Uploaded by"]));
        }
        let total = answers.first().and_then(|answer| answer.body["total"].as_u64());
        before::outcome(subject, before, (total, "file", "files"), gone)
    }
}

impl Delete {
    /// Everything that is old and large enough. The homeserver takes it all in the query.
    fn many(&self, seen: &Snapshot) -> Result<Change, Skip> {
        let path = Path::admin(["v1", "media", "delete"]);
        let mut step = Step::new(Method::Post, path, json!({})).idempotent();
        step.query = vec![
            ("before_ts".to_owned(), before::past_moment(seen)?),
            ("size_gt".to_owned(), self.size.unwrap_or_default().to_string()),
            ("keep_profiles".to_owned(), (!self.profiles).to_string()),
        ];
        Ok(Change { steps: vec![step], wanted: FactMap::new() })
    }
}

/// The question about one file.
fn of_one(subject: &Subject, seen: &Snapshot) -> Question {
    let mut goes = vec![Line::from("the file, for everybody")];
    if seen.is("quarantined") {
        goes.push("its quarantine: the same content can be uploaded again".into());
    }
    if seen.is("protected") {
        goes.push("its protection, which is one from quarantine only".into());
    }
    Question {
        title: Line::new().plain("Delete ").code(subject),
        goes,
        stays: vec!["copies that clients and other servers have".into()],
    }
}

/// The request that deletes one file.
fn one(
    subject: &Subject,
    (server, id): (&OwnedServerName, &str),
    seen: &Snapshot,
) -> Result<Change, Skip> {
    if !seen.is("local") {
        let mut skip = refused(
            subject,
            " is on another server. Copies of its files can be deleted only by age",
        );
        skip.instead.push("media purge --before-days 30".to_owned());
        return Err(skip);
    }
    if !seen.is("exists") {
        let why = Line::new().code(subject).plain(": this homeserver has no such file");
        return Err(Skip::not_found(why));
    }
    let path = Path::admin(["v1", "media", server.as_str(), id]);
    let step = Step::new(Method::Delete, path, Value::Null);
    Ok(Change { steps: vec![step], wanted: FactMap::from([("exists".to_owned(), json!(false))]) })
}

fn refused(subject: &Subject, why: &str) -> Skip {
    let why = Line::new().code(subject).plain(why);
    Skip::refused(why)
}

#[cfg(test)]
mod tests {
    use super::{
        super::file::testing::{cat, seen},
        *,
    };
    use crate::commands::user::testing::{self, now};

    fn verb(typed: &[&str]) -> Delete {
        testing::parse(typed).unwrap()
    }

    fn here() -> Subject {
        Subject::Homeserver("example.org".try_into().unwrap())
    }

    fn old(verb: &Delete) -> Snapshot {
        let mut seen = Snapshot::default();
        verb.before.note(&mut seen, now());
        seen
    }

    #[test]
    fn files_by_name_and_by_age_are_told_apart() {
        for (typed, power) in [
            (&["mxc://example.org/cat", "dog"][..], Power::Moderate),
            (&["-i", "cat", "-s", "example.org"], Power::Moderate),
            (&["-d", "30", "--size", "1MiB", "--all"], Power::Server),
        ] {
            let verb = verb(typed);
            assert_eq!((verb.class(1), verb.power()), (Class::Irreversible, power), "{typed:?}");
            assert_eq!(verb.phrase(), power == Power::Server);
        }
        for typed in [
            &[][..],
            &["--size", "5"],
            &["cat", "-d", "30"],
            &["cat", "--size", "5"],
            &["-i", "cat", "--all"],
            &["-d", "1", "-t", "1793491200000"],
        ] {
            assert!(testing::parse::<Delete>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_unit_and_a_bare_number_is_kib() {
        for (text, wanted) in
            [("500", 512_000), ("500KiB", 512_000), ("20MB", 20_000_000), ("1.5 MiB", 1_572_864)]
        {
            assert_eq!(bytes(text), Ok(wanted), "{text}");
        }
        for text in ["big", "-1", "", "99999999999999999999"] {
            assert!(bytes(text).unwrap_err().contains("500KiB"), "{text}");
        }
    }

    #[test]
    fn what_is_old_goes_by_one_request_with_everything_in_its_query() {
        let verb = verb(&["-b", "2026-11-01", "--kib", "500"]);
        let change = verb.change(&here(), &old(&verb)).unwrap();
        let query: Vec<String> =
            change.steps[0].query.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(query.join("&"), "before_ts=1793491200000&size_gt=512000&keep_profiles=true");
        let asked = testing::question(&verb.question(&here(), &old(&verb)));
        assert!(asked.contains("if larger than 500.0 KiB"), "{asked}");
        assert!(asked.contains("- the pictures of people"), "{asked}");
        let all = self::verb(&["-d", "0", "--delete-profiles"]);
        let change = all.change(&here(), &old(&all)).unwrap();
        assert_eq!(change.steps[0].query[2].1, "false");
        assert!(!testing::question(&all.question(&here(), &old(&all))).contains("pictures"));
    }

    #[test]
    fn one_file_goes_whatever_protects_it_and_that_is_said() {
        let verb = verb(&["cat"]);
        let odd = json!({"quarantined_by": "@moe:example.org", "safe_from_quarantine": true});
        let seen = seen(odd, None);
        let change = verb.change(&cat(), &seen).unwrap();
        assert_eq!(
            change.steps[0].path.parts(),
            ["_synapse", "admin", "v1", "media", "example.org", "cat"]
        );
        assert_eq!(change.wanted, FactMap::from([("exists".to_owned(), json!(false))]));
        let asked = testing::question(&verb.question(&cat(), &seen));
        assert!(asked.contains("- its quarantine: the same content"), "{asked}");
        assert!(asked.contains("- its protection"), "{asked}");
        let skip = |seen: &Snapshot| testing::skip(&verb.change(&cat(), seen).unwrap_err());
        assert!(skip(&file::seen(false, None, None, now())).contains("media purge"));
        assert!(skip(&file::seen(true, None, None, now())).contains("no such file"));
    }

    #[test]
    fn what_was_deleted_is_counted() {
        let verb = verb(&["-d", "30"]);
        let told = |total: u64| {
            let answers = [Answer { status: 200, body: json!({ "total": total }) }];
            testing::outcome(&verb.outcome(&here(), &old(&verb), &answers, &Snapshot::default()))
        };
        assert!(told(3).starts_with("Done · `example.org`: 3 files deleted"), "{}", told(3));
        assert!(told(0).starts_with("Nothing changed · "));
        let sum = Sum { accounts: 2, files: 3, bytes: 2048 };
        assert_eq!(
            testing::line(&sum.line()),
            "3 files of 2 accounts, 2.0 KiB: what was uploaded before then"
        );
    }
}
