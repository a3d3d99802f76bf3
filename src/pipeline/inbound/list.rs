//! Subjects that are not typed in the line of a command but listed: in the lines or the block below
//! it, in a listing of the bot's own to which it replies, or in a file.

use ruma::OwnedEventId;
use tracing::warn;

use crate::{
    commands::{Ask, GROUPS, Options},
    error::Stop,
    input::{Command, named_in},
    operators::Operator,
    pipeline::{
        Attached, Attachment, Held, Invocation, Origin, Pipeline, Request,
        inbound::understand::{self, Parsed, Understood},
    },
    refs::{bare, is_signed},
    reply::{IdsOf, Line, Reply, Status},
};

/// The most words of one line that are read as a command.
pub(in crate::pipeline) const MOST_WORDS: usize = 2_000;

/// The answer to a line of more words.
pub(in crate::pipeline) fn too_many_words(words: usize) -> Reply {
    Reply::outcome(
        Status::NotUnderstood,
        format!(
            "that line has {words} words, and I read at most {MOST_WORDS}; put a long list into lines \
             below the command, or into a file"
        ),
    )
}

/// The largest file that is read, bytes: a list of 10,000 ids is smaller.
const LARGEST: u64 = 1024 * 1024;

/// What a command lacks that a list can give.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The names of its arguments, as the usage shows them.
    missing: Vec<String>,
    /// The group that its verb is of; none where the verb is the bot's own.
    group: Option<&'static str>,
    /// Whether it says itself that it is about reports of accounts.
    pub(super) account_reports: bool,
}

impl Wanted {
    pub(super) fn of(words: &[String], parsed: &Parsed) -> Self {
        let group =
            GROUPS.iter().find(|group| words.first().is_some_and(|word| word == group.name));
        let group = group.map(|group| group.name);
        let account_reports = group == Some("report")
            && words.iter().any(|word| matches!(word.as_str(), "--users" | "-u"));
        Self { missing: understand::missing(parsed), group, account_reports }
    }

    /// Whether it lacks just what these are.
    pub(super) fn fits(&self, of: IdsOf) -> bool {
        let [missing] = self.missing.as_slice() else { return false };
        match of {
            IdsOf::Accounts => missing == "USER",
            IdsOf::Rooms => missing == "ROOM",
            IdsOf::Files => missing == "FILE",
            IdsOf::Events => missing == "EVENT",
            // Of whom they are is in the command, and could be somebody else.
            IdsOf::Devices => false,
            IdsOf::Tokens => missing == "TOKEN",
            IdsOf::Servers => matches!(missing.as_str(), "SERVER" | "DESTINATION"),
            IdsOf::EventReports => self.is_of_reports() && !self.account_reports,
            IdsOf::AccountReports => self.is_of_reports(),
        }
    }

    fn is_of_reports(&self) -> bool {
        self.group == Some("report") && self.missing == ["NUMBER"]
    }

    /// Why a list of these, or a `card` of one, is not what it lacks, if it is not.
    pub(super) fn unfit(&self, of: Option<IdsOf>, card: bool) -> Option<Line> {
        if self.group.is_none() {
            return Some("this takes no list; type what it is about".into());
        }
        let Some(of) = of else {
            return Some("I do not know any more what that list holds; ask for it again".into());
        };
        if self.fits(of) {
            return None;
        }
        if of == IdsOf::Devices && self.missing == ["DEVICE"] {
            return Some("I take no devices from a list; type them with the command".into());
        }
        let line = Line::from(if card {
            format!("that is about {}, and this needs ", of.one())
        } else {
            format!("that list holds {}, and this needs ", of.as_str())
        });
        let line = match self.missing.as_slice() {
            _ if self.account_reports && of == IdsOf::EventReports => {
                line.plain("reports of accounts")
            }
            missing => line.plain(self.in_words(missing)),
        };
        Some(line.plain("; type it with the command"))
    }

    fn in_words(&self, missing: &[String]) -> String {
        let name = |name: &String| match name.as_str() {
            "USER" => "an account".to_owned(),
            "ROOM" => "a room".to_owned(),
            "FILE" => "a file".to_owned(),
            "EVENT" => "an event".to_owned(),
            "DEVICE" => "a device".to_owned(),
            "TOKEN" => "a registration token".to_owned(),
            "SERVER" | "DESTINATION" => "a server".to_owned(),
            "NUMBER" if self.group == Some("report") => "a report".to_owned(),
            other => other.to_owned(),
        };
        missing.iter().map(name).collect::<Vec<_>>().join(" and ")
    }

    /// The columns in which a CSV file has what it lacks, the likeliest first. What cannot be told
    /// by its argument may stand in any.
    fn columns(&self) -> &'static [&'static str] {
        match self.missing.as_slice() {
            [one] => match one.as_str() {
                "USER" => &["subject", "user_id", "name", "id"],
                "ROOM" => &["subject", "room_id", "id"],
                "FILE" => &["subject", "media_id", "id"],
                "DEVICE" => &["subject", "device_id", "id"],
                "TOKEN" => &["subject", "token", "id"],
                "SERVER" | "DESTINATION" => &["subject", "destination", "id"],
                "NUMBER" => &["subject", "id"],
                _ => &COLUMNS,
            },
            _ => &COLUMNS,
        }
    }
}

impl Pipeline {
    /// A command about what stands in a message: a change of the subjects in a file, the message's own or
    /// one that it replies to, or a command about the one thing that the text names to which it replies.
    pub(in crate::pipeline) async fn about_what_stands_in(
        &self,
        request: &Request,
        operator: &Operator,
        words: &[String],
        event: &OwnedEventId,
    ) -> Result<Option<Reply>, Stop> {
        let mut words = words.to_vec();
        let wanted = Wanted::of(&words, &understand::parse(&words));
        let unfetched = |error| {
            warn!(error = &error as &dyn std::error::Error, "what is replied to cannot be had");
            Stop::failed(format!("I could not get what you reply to: {error}"))
        };
        let listed = match self.outbox.attached(&request.room, event).await.map_err(unfetched)? {
            Attachment::File(file) => {
                self.listed_in(request, operator, event, *file, &wanted).await?
            }
            Attachment::Text { body, formatted } => {
                let one = one_in(&named_in(&body, formatted.as_deref()), &wanted)?;
                if understand::looks(&words, &one) {
                    append(&mut words, vec![one]);
                    let (origin, options) = (Origin::Message(request), &Options::default());
                    let invocation =
                        Invocation { origin, operator, words: &[], options, undoes: None };
                    return self.look_by_words(&invocation, &words).await.map(Some);
                }
                vec![one]
            }
            other => return Err(no_list(&other)),
        };
        append(&mut words, listed);
        match understand::understand_for(&words, understand::parse(&words), &operator.role) {
            Understood::Command(Ask::Change(action), options) => {
                let options = Options { referenced: true, ..options };
                let (words, options) = (words.as_slice(), &options);
                let origin = Origin::Message(request);
                let invocation = Invocation { origin, operator, words, options, undoes: None };
                self.make(&invocation, action.as_ref(), None).await
            }
            Understood::Reply(reply) => Ok(Some(reply)),
            Understood::Command(Ask::Read(_), _) | Understood::Own(..) => {
                Err(Stop::not_understood("only a change takes a list; a look takes one at a time"))
            }
        }
    }

    /// What stands in the file that an event is, if it counts.
    async fn listed_in(
        &self,
        request: &Request,
        operator: &Operator,
        event: &OwnedEventId,
        file: Attached,
        wanted: &Wanted,
    ) -> Result<Vec<String>, Stop> {
        let sender = &file.sender;
        let theirs = self.roster.operator(sender).is_some_and(|one| one.person == operator.person);
        if !theirs && *sender != self.roster.bot {
            return Err(Stop::refused(Line::new().plain("that file is ").code(sender).plain(
                "'s: I take a list from a file of your own or of mine. Look through it, and send \
                     it yourself",
            )));
        }
        self.authenticity.believe_file(request, event, &file).await?;
        let bytes = self.read_file(&file).await?;
        let name = Line::new().code(file.name);
        let listed = String::from_utf8(bytes).map_err(|_| "is no text".to_owned());
        let listed = listed.and_then(|text| from_file(&text, wanted));
        listed.map_err(|why| {
            let line = name.plain(format!(" {why}. Wanted is one id in each line, or a CSV file"));
            Stop::not_understood(
                line.plain(" with the ids in a column such as name, user_id or room_id"),
            )
        })
    }

    /// What a file holds that was found to count.
    async fn read_file(&self, file: &Attached) -> Result<Vec<u8>, Stop> {
        let name = Line::new().code(&file.name);
        let held = if file.size.is_some_and(|size| size > LARGEST) {
            Held::TooMuch
        } else {
            self.outbox.download(file, LARGEST).await.map_err(|error| {
                warn!(error = &error as &dyn std::error::Error, "a file cannot be downloaded");
                Stop::failed(format!("I could not get what you reply to: {error}"))
            })?
        };
        match held {
            Held::Bytes(bytes) => Ok(bytes),
            Held::TooMuch => {
                Err(Stop::refused(name.plain(" is larger than 1 MiB; send it in parts")))
            }
            Held::Altered => Err(Stop::failed(name.plain(
                " is not what was sent: the homeserver has something else in its place. Send it \
                 again",
            ))),
        }
    }
}

/// The one thing that a text names that is replied to, where it is what is wanted.
fn one_in(named: &[String], wanted: &Wanted) -> Result<String, Stop> {
    let [one] = named else {
        return Err(match named.len() {
            0 => no_list(&Attachment::None),
            _ => Stop::not_understood(
                "it names nobody, and what you reply to names several; type which you mean",
            ),
        });
    };
    if one.starts_with('$') && wanted.missing == ["EVENT"] {
        return Ok(one.clone());
    }
    // An alias says as well as an id that it is of a room.
    let of = if one.starts_with('#') {
        Some(IdsOf::Rooms)
    } else {
        IdsOf::of(std::slice::from_ref(one))
    };
    match of.and_then(|of| wanted.unfit(Some(of), true)) {
        None if of.is_some() => Ok(one.clone()),
        Some(why) => Err(Stop::not_understood(why)),
        None => Err(Stop::not_understood(
            "it names nobody, and what you reply to names a message; type whom you mean",
        )),
    }
}

/// Why no list is taken from what was replied to: there is none, or it is not believed.
fn no_list(what: &Attachment) -> Stop {
    match what {
        Attachment::None | Attachment::Text { .. } | Attachment::File(_) => {
            Stop::not_understood(no_file(what))
        }
        Attachment::Elsewhere | Attachment::Removed | Attachment::Edit | Attachment::Edited => {
            Stop::refused(no_file(what))
        }
        Attachment::Undecryptable => Stop::failed(no_file(what)),
    }
}

/// The same in words.
fn no_file(what: &Attachment) -> &'static str {
    match what {
        Attachment::None | Attachment::Text { .. } | Attachment::File(_) => {
            "it names nobody, and what you reply to is neither an answer of mine from the last day nor a \
             file, and names nobody either; type whom you mean, or put them in lines below the command"
        }
        Attachment::Elsewhere => {
            "it names nobody, and what you reply to is not in this room, as far as the homeserver \
             shows it to me; send the list here"
        }
        Attachment::Removed => {
            "it names nobody, and what you reply to was removed; send the list again"
        }
        Attachment::Edit => {
            "it names nobody, and what you reply to is an edit, which I take no list from; send the \
             list as a file of its own"
        }
        Attachment::Edited => {
            "it names nobody, and what you reply to was edited since it was sent, so that you see \
             something else than I do; send the list again"
        }
        Attachment::Undecryptable => {
            "it names nobody, and I cannot decrypt what you reply to; send the list again"
        }
    }
}

/// What may stand around an id in a list that was copied from somewhere.
const AROUND: &[char] = &['`', ',', ';', '"', '\'', '“', '”', '<', '>', '(', ')', '•', '*'];

/// The command with the subjects in the lines below it as its last words. An answer instead
/// where a line is no subject: nothing of it runs.
pub(in crate::pipeline) fn with_list(mut command: Command) -> Result<Command, Box<Reply>> {
    let group = command.words.first().is_some_and(|word| GROUPS.iter().any(|g| g.name == word));
    if !group || command.body.is_empty() {
        return Ok(command);
    }
    let mut listed = Vec::new();
    for line in command.body.iter().filter(|line| !line.trim().is_empty()) {
        match subject_in(line) {
            Some(subject) => listed.push(subject),
            None => return Err(Box::new(unlisted(line))),
        }
    }
    append(&mut command.words, listed);
    Ok(command)
}

/// The answer to lines below a command that is about none of them.
pub(in crate::pipeline) fn in_one_line(words: &[String]) -> Reply {
    let verb = words.first().map_or("", String::as_str);
    let line = Line::new().command(format!("!{verb}")).plain(
        " takes no lines below it, so nothing was done. Send it again in one line; what follows it \
         is a message of its own",
    );
    Reply::outcome(Status::NotUnderstood, line)
}

/// The columns in which a CSV file has its ids, the likeliest first.
const COLUMNS: [&str; 9] = [
    "subject",
    "user_id",
    "room_id",
    "name",
    "media_id",
    "device_id",
    "token",
    "destination",
    "id",
];

/// Columns that say what the rows of a CSV file are, whatever else is called by a name in them.
const OF_THEIR_OWN: [&str; 6] =
    ["user_id", "room_id", "media_id", "device_id", "token", "destination"];

/// The subjects in a file: one in each line, or in one column of a CSV file.
fn from_file(text: &str, wanted: &Wanted) -> Result<Vec<String>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut table =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let no_table = |_: csv::Error| "is no CSV that can be read".to_owned();
    let head = table.headers().map_err(no_table)?;
    let place = |name: &&str| head.iter().position(|cell| cell == *name);
    // A report names whoever has written it, whom nobody means by the list of reports.
    let reports = place(&"received_ts").is_some() && place(&"id").is_some();
    if reports && !wanted.is_of_reports() {
        return Err("lists reports, and this is about something else".to_owned());
    }
    let column = wanted.columns().iter().find_map(place);
    // Rooms and files have names too, and what has an id of a kind of its own is nothing else.
    let other = OF_THEIR_OWN.iter().filter(|name| place(name).is_some());
    let column = column.filter(|at| {
        let is_any = ["name", "id"].iter().any(|name| place(name) == Some(*at));
        !is_any || wanted.is_of_reports() || other.count() == 0
    });
    if column.is_none() && COLUMNS.iter().any(|name| place(name).is_some()) {
        return Err("lists something else than what this is about".to_owned());
    }
    let listed: Vec<String> = if let Some(column) = column {
        let cell = |row: csv::StringRecord| row.get(column).unwrap_or_default().to_owned();
        table.records().map(|row| row.map(cell).map_err(no_table)).collect::<Result<_, _>>()?
    } else {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let subject = |line: &str| {
            let short: String = line.chars().take(60).collect();
            subject_in(line).ok_or_else(|| format!("has a line that names none: {short}"))
        };
        lines.map(subject).collect::<Result<_, String>>()?
    };
    let listed: Vec<String> = listed.into_iter().filter(|subject| !subject.is_empty()).collect();
    if listed.is_empty() { Err("is empty".to_owned()) } else { Ok(listed) }
}

/// Puts what is listed behind the words of a command, so that none of it can be an option.
pub(in crate::pipeline) fn append(words: &mut Vec<String>, listed: Vec<String>) {
    if !words.iter().any(|word| word == "--") {
        words.push("--".to_owned());
    }
    words.extend(listed);
}

/// The one subject that a line names: its only id, or its only word.
fn subject_in(line: &str) -> Option<String> {
    let words = line.split_whitespace().map(|word| bare(word.trim_matches(AROUND)));
    let words: Vec<String> = words.filter(|word| !word.is_empty() && *word != "-").collect();
    let mut words = words.iter().map(String::as_str);
    let ids: Vec<&str> = words.clone().filter(|word| is_signed(word)).collect();
    match ids.as_slice() {
        [id] => Some((*id).to_owned()),
        [] => {
            let word = words.next()?;
            words.next().is_none().then(|| word.to_owned())
        }
        _ => None,
    }
}

fn unlisted(line: &str) -> Reply {
    let short: String = line.chars().take(60).collect();
    Reply::outcome(
        Status::NotUnderstood,
        Line::new()
            .plain("below a command stand those whom it is about, one in each line, and ")
            .code(short)
            .plain(" names none, or several. Nothing was done"),
    )
}

#[cfg(test)]
mod tests {
    use crate::pipeline::inbound::list::*;

    fn command(words: &[&str], body: &[&str]) -> Command {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Command { words: owned(words), body: owned(body), changed: false }
    }

    #[test]
    fn lines_below_a_command_are_its_subjects_and_never_options() {
        let typed = command(
            &["user", "suspend", "--reason", "spam"],
            &["@a:x.test", "* `@b:x.test` “Bob”", "- carol,", "", "--unsuspend"],
        );
        let words = with_list(typed).unwrap().words;
        assert_eq!(
            words[2..],
            ["--reason", "spam", "--", "@a:x.test", "@b:x.test", "carol", "--unsuspend"]
        );
        let own = command(&["note", "@a:x.test", "spam"], &["and more of it"]);
        assert_eq!(with_list(own.clone()).unwrap(), own);
    }

    /// What a line lacks.
    fn wanted(line: &str) -> Wanted {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Wanted::of(&words, &understand::parse(&words))
    }

    #[test]
    fn a_list_goes_to_a_command_that_is_about_what_it_holds_and_to_no_other() {
        use IdsOf::{
            AccountReports, Accounts, Devices, EventReports, Files, Rooms, Servers, Tokens,
        };
        let all = [Accounts, Rooms, Files, Tokens, Servers, EventReports, AccountReports, Devices];
        for (line, fits) in [
            ("user suspend", &[Accounts][..]),
            ("user deactivate", &[Accounts]),
            ("user details", &[Accounts]),
            ("user redact", &[Accounts]),
            ("room block", &[Rooms]),
            ("room delete --block", &[Rooms]),
            ("room details", &[Rooms]),
            ("room join !a:x.test", &[Accounts]),
            ("media delete", &[Files]),
            ("media quarantine", &[Files]),
            ("regtok delete", &[Tokens]),
            ("federation reset", &[Servers]),
            ("report dismiss", &[EventReports, AccountReports]),
            ("report dismiss --users", &[AccountReports]),
            ("room join", &[]),
            ("device delete", &[]),
            ("device delete eve", &[]),
            ("notice send", &[]),
            ("note", &[]),
            ("undo", &[]),
            ("sanction lift", &[]),
        ] {
            for of in all {
                let unfit = wanted(line).unfit(Some(of), false);
                assert_eq!(unfit.is_none(), fits.contains(&of), "{line}: {of:?}, {unfit:?}");
            }
            assert!(wanted(line).unfit(None, false).is_some(), "{line}");
        }
        let told = wanted("device delete eve").unfit(Some(Devices), false).unwrap().text();
        assert_eq!(told, "I take no devices from a list; type them with the command");
        let told = wanted("user suspend").unfit(Some(Devices), false).unwrap().text();
        assert!(told.starts_with("that list holds devices, and this needs an account"), "{told}");
        let told = wanted("user suspend").unfit(Some(EventReports), false).unwrap().text();
        assert_eq!(
            told,
            "that list holds reports of events, and this needs an account; type it with the command"
        );
    }

    #[test]
    fn a_file_lists_by_line_or_by_column() {
        let users = wanted("user suspend");
        let ids = |text: &str| from_file(text, &users).unwrap();
        assert_eq!(ids("@a:x.test\r\n\n@b:x.test\n"), ["@a:x.test", "@b:x.test"]);
        let csv = "\u{feff}name,displayname\n@a:x.test,\"A, the\nfirst\"\n@b:x.test,\n";
        assert_eq!(ids(csv), ["@a:x.test", "@b:x.test"]);
        assert_eq!(ids("when,user_id\n1,@a:x.test\n"), ["@a:x.test"]);
        let quoted = "\"a, b\", user_id ,\"say \"\"id\"\"\"\n1, @a:x.test ,x\n2\n";
        assert_eq!(ids(quoted), ["@a:x.test"]);
        assert_eq!(ids("\n\"user_id\"\n@a:x.test\n"), ["@a:x.test"]);
        let outcomes = "subject,outcome\n!r:x.test,Refused\n";
        assert_eq!(ids(outcomes), ["!r:x.test"]);
        let rooms = "room_id,name\n!r:x.test,@eve:x.test\n";
        assert_eq!(from_file(rooms, &wanted("room block")).unwrap(), ["!r:x.test"]);
        let reports = "id,received_ts,sender,user_id\n5,1,@eve:x.test,@ann:x.test\n";
        assert_eq!(from_file(reports, &wanted("report dismiss")).unwrap(), ["5"]);
        assert!(from_file(reports, &users).unwrap_err().contains("reports"), "not who wrote them");
        for other in ["room_id,members\n!r:x.test,3\n", rooms, "media_id,id\nabc,eve\n"] {
            assert!(from_file(other, &users).is_err(), "{other}");
        }
        for wrong in ["", "name,displayname\n", "one of these\n@a:x.test"] {
            assert!(from_file(wrong, &users).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_line_that_names_nobody_or_several_is_told() {
        for line in ["see ticket 7", "@a:x.test @b:x.test", "- *"] {
            let reply = with_list(command(&["user", "suspend"], &["@a:x.test", line])).unwrap_err();
            assert_eq!(reply.status, Some(Status::NotUnderstood), "{line}");
        }
    }

    #[tokio::test]
    async fn lines_below_a_verb_of_the_bots_own_are_refused_except_where_somebody_brakes() {
        let stage = crate::pipeline::testing::Stage::set("http://127.0.0.1:1", "token");
        stage.say("ann", "!audit list\n\n@eve:synod.test").await;
        stage.say("ann", "!audit list\n \n").await;
        stage.say("ann", "!stop\nnow, please").await;
        let [refused, listed, stopped] = &stage.heard.all()[..] else { panic!("three answers") };
        assert!(refused.contains("`!audit` takes no lines below it"), "{refused}");
        assert!(!listed.contains("Refused"), "{listed}");
        assert!(!stopped.contains("Refused"), "{stopped}");
    }
}
