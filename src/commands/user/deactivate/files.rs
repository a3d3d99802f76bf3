//! `--delete-media`: the files of an account go with it. First the account is deactivated, so that
//! nothing is uploaded meanwhile.

use ruma::UserId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::account::{how_many, words};
use crate::{
    change::{Answer, Change, Outcome, Path, Question, Skip, Snapshot, Subject},
    commands::media::delete_user::{self, HAS_FILES, deleted, files},
    error::Stop,
    reply::{Line, Status, size},
    synapse::{Reader, wire::readable},
};

/// Under this it is noted how many bytes the files are.
const BYTES: &str = "bytes";

/// Looks how many files there are, which must be known, and how large they are, which is only shown.
pub(super) async fn note(seen: &mut Snapshot, user: &UserId, reader: &Reader) -> Result<(), Stop> {
    delete_user::note(seen, reader.media_count(user).await?);
    if let Some(bytes) = bytes(user, reader).await {
        seen.extra.insert(BYTES.to_owned(), json!(bytes));
    }
    Ok(())
}

/// How many bytes the files of an account are; `None` where that is not known.
/// `GET /_synapse/admin/v1/statistics/users/media`.
async fn bytes(user: &UserId, reader: &Reader) -> Option<u64> {
    #[derive(Deserialize)]
    struct UsagePage {
        #[serde(deserialize_with = "readable")]
        users: Vec<Usage>,
    }
    #[derive(Deserialize)]
    struct Usage {
        user_id: String,
        media_length: u64,
    }
    let path = Path::admin(["v1", "statistics", "users", "media"]);
    // It finds whoever has this somewhere in the name.
    let query = [("search_term", user.localpart().to_owned()), ("limit", "1000".to_owned())];
    match reader.get::<UsagePage>(&path, &query).await {
        Ok(page) => page.users.iter().find(|one| one.user_id == *user).map(|one| one.media_length),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the size is not known");
            None
        }
    }
}

/// `3 files, 1.5 MiB`.
fn amount(seen: &Snapshot) -> String {
    let count = how_many(Some(files(seen)), "file", "files");
    match seen.extra.get(BYTES).and_then(Value::as_u64).filter(|_| files(seen) > 0) {
        Some(bytes) => format!("{count}, {}", size(bytes)),
        None => count,
    }
}

/// The question, where the files go too.
pub(super) fn asked(
    subject: &Subject,
    seen: &Snapshot,
    only: bool,
    question: Question,
) -> Question {
    let Question { title, goes, mut stays } = question;
    let mut all = if only { Vec::new() } else { goes };
    all.push(
        Line::from("all that it has uploaded, ")
            .strong(amount(seen))
            .plain(": in messages, as pictures of people and rooms, protected or in quarantine"),
    );
    stays.push("copies of its files that clients and other servers have".into());
    let title = if only {
        let title = Line::from("Delete all files of ").code(subject).plain(": ");
        title.strong(amount(seen)).plain("; it is deactivated already")
    } else {
        title.plain(", and delete its files: ").strong(amount(seen))
    };
    Question { title, goes: all, stays }
}

/// The requests of the deactivation and those that delete the files, or where it is deactivated already
/// only these.
pub(super) fn change(
    subject: &Subject,
    seen: &Snapshot,
    deactivation: Result<Change, Skip>,
) -> Result<Change, Skip> {
    // What is uploaded between the look and the deactivation goes with the first page.
    let deletion = delete_user::change(subject, files(seen).max(1));
    match deactivation {
        Ok(Change { mut steps, mut wanted }) => {
            steps.extend(deletion.steps);
            wanted.extend(deletion.wanted);
            Ok(Change { steps, wanted })
        }
        Err(skip) if skip.status == Status::NothingChanged && seen.is(HAS_FILES) => Ok(deletion),
        Err(skip) => Err(skip),
    }
}

/// What was done so far, for an answer that must tell how far it came.
pub(super) fn so_far(seen: &Snapshot, answers: &[Answer]) -> Line {
    let account =
        if seen.is("deactivated") { "it is deactivated" } else { "it is not deactivated" };
    let gone = how_many(Some(deleted(answers)), "file", "files");
    format!("{account}; {gone} deleted, {} left", files(seen)).into()
}

/// The outcome, where the files went too.
pub(super) fn ended(
    subject: &Subject,
    answers: &[Answer],
    after: &Snapshot,
    outcome: Outcome,
) -> Outcome {
    let left = files(after);
    let gone = how_many(Some(deleted(answers)), "file", "files");
    let fact = ("Files", Line::from(format!("{gone} deleted, {left} left")));
    let mut outcome = outcome.facts([fact]);
    if left > 0 {
        outcome.status = Status::DoneInPart;
        let files = how_many(Some(left), "file", "files");
        outcome.title = outcome.title.plain(format!(", and still has {files}"));
        let again = words(["media", "delete-user", &subject.typed()]);
        outcome.remains.push(("Delete the rest".into(), again));
    }
    outcome
}
