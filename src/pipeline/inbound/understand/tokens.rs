//! Access tokens that were pasted into the room.
//!
//! Whoever reads one acts as the account that it is of. It says by its form that it is one, whatever
//! stands around it: in a line of its own, behind `Bearer`, as a note, or as the name of somebody.

use super::is_first_word;
use crate::reply::{Line, Reply, Status};

/// What tokens of Synapse and of its authentication service begin with: for access, to refresh it,
/// to log in, and those that the service gives to old clients.
const BEGIN: [&str; 8] = ["syt_", "syr_", "syl_", "mat_", "mar_", "mct_", "mcr_", "mpt_"];

/// Fewest characters of a token behind what it begins with, its checksum among them.
const SHORTEST: usize = 20;

/// Characters of the checksum that a token ends with.
const CHECKSUM: usize = 6;

/// What tokens of old homeservers begin with, and the fewest characters of one.
const OLD: (&str, usize) = ("MDAx", 100);

/// Whether there is an access token in a text.
pub(in crate::pipeline) fn held_in(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !"_+/=-".contains(c)).any(holds)
}

/// Whether a run of such characters ends with a token: `access_token=syt_...`.
fn holds(run: &str) -> bool {
    run.char_indices().any(|(at, _)| {
        let (before, rest) = run.split_at_checked(at).unwrap_or((run, ""));
        !before.ends_with(|c: char| c.is_ascii_alphanumeric()) && is_token(rest)
    })
}

fn is_token(text: &str) -> bool {
    if text.starts_with(OLD.0) && text.len() >= OLD.1 {
        return true;
    }
    let Some(rest) = BEGIN.iter().find_map(|begin| text.strip_prefix(begin)) else { return false };
    let Some((secret, checksum)) = rest.trim_end_matches(['=', '-', '/', '+']).rsplit_once('_')
    else {
        return false;
    };
    rest.len() >= SHORTEST
        && checksum.len() == CHECKSUM
        && checksum.chars().all(|c| c.is_ascii_alphanumeric())
        && secret.chars().any(|c| c.is_ascii_alphanumeric())
        // Names are written in small letters, and chance writes in both.
        && rest.contains(|c: char| c.is_ascii_uppercase())
        && rest.contains(|c: char| c.is_ascii_lowercase())
}

/// The answer to a message that holds one. `removed` says whether it is out of the room.
pub(in crate::pipeline) fn told(removed: bool) -> Reply {
    let why = if removed {
        "that holds an access token, so nothing of it was done, I repeat nothing of it, and I have \
         removed your message. Everybody in the room could read it, and whoever has it acts as its \
         account: log that session out"
    } else {
        "that holds an access token, so nothing of it was done and I repeat nothing of it. I could not \
         remove your message: remove it yourself. Everybody in the room can read it, and whoever has \
         it acts as its account: log that session out"
    };
    Reply::outcome(Status::Refused, why).note(Line::new().naming(
        "Which sessions an account has, !device list shows; !device delete logs one out",
        &is_first_word,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_wherever_it_stands() {
        let (synapse, service) = (
            "syt_a2VlcGVy_mUzHAEQREmvvmTndMPXz_38nVFx",
            "mct_PvMoJxWmDhJkqPZ6YpEVcYxyZcT2Qm_1aB9cD",
        );
        let old = format!("MDAxO{}", "aGVsbG8".repeat(20));
        for token in [synapse, service, "syr_abcdefghijkLMNOPQRST_123456", old.as_str()] {
            for text in [
                "{}",
                "Bearer {}",
                "my token is {}.",
                "!note eve {}",
                "\"{}\",",
                "https://x.test/_matrix/client/v3/sync?access_token={}&timeout=0",
                "admin_token:{}",
                "hello\n{}\n",
                "`{}`",
                "!regtok new --token={}",
            ] {
                let text = text.replace("{}", token);
                assert!(held_in(&text), "{text}");
            }
        }
    }

    #[test]
    fn what_only_begins_like_one_is_none() {
        for text in [
            "",
            "hello",
            "tokens begin with syt_",
            "syt_...",
            "!user details syt_bot",
            "@mat_thew_smith:x.test",
            "@mat_thew_who_lives_in_london_smiths:x.test",
            "chat_room_for_the_whole_family_reunion_summer",
            "formatted_body_of_the_message_that_was_long_enough",
            "MDAxO is how the old ones begin",
            "$R4QHG3OJ8NfbFYsx1B2yLJl417ZeAEFnwT8Sva35AX4",
            "!7WzBzHtNe5GzcpoQFawWDvdQawnPtQvF8jb3PtZ1BcI",
        ] {
            assert!(!held_in(text), "{text}");
        }
    }

    #[test]
    fn the_answer_says_whether_it_is_gone() {
        let said = |removed| told(removed).markdown(&crate::reply::Layout::default());
        assert!(said(true).contains("have removed your message"), "{}", said(true));
        assert!(said(false).contains("remove it yourself"), "{}", said(false));
    }
}
