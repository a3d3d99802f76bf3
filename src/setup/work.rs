//! The making, when everything is known: what is missing, one after the other.

use std::{collections::BTreeSet, fmt::Display, time::Duration};

use ruma::{OwnedRoomId, OwnedServerName, UserId};
use serde_json::{Value, json};

use super::{
    Entry, Files, Operator, Stopped, Terminal,
    accounts::{self, Caller},
    cannot, config_file, delegated, full,
    homeserver::Homeserver,
    notes::Notes,
    questions,
    room::{self, Team},
    secret_in, tell_all,
};
use crate::{
    check::http::Trouble,
    clock::SystemClock,
    config::{Answers, Config, Named, Rank, Written},
    finding::Finding,
    matrix::files,
    run::{RunError, chain, prepare},
};

/// How long the bot's first login and its keys may take.
const FIRST_START: Duration = Duration::from_mins(2);

/// Everything that is known when the making begins.
pub(super) struct Work<'a> {
    pub(super) server: Homeserver,
    pub(super) name: OwnedServerName,
    pub(super) files: Files,
    pub(super) answers: Answers,
    pub(super) written: Option<Written>,
    pub(super) verbs: &'a [String],
}

impl Work<'_> {
    /// Makes what is missing, and answers the config of it all.
    pub(super) async fn carry_out(
        &self,
        said: &Answers,
        entry: &Entry,
        notes: &mut Notes,
        terminal: &mut dyn Terminal,
    ) -> Result<Config, Stopped> {
        let bot = full(self.answers.bot.as_deref().unwrap_or(questions::BOT), &self.name)?;
        let operators = self.operators(&bot, entry).await?;
        if let Some(written) = &self.written {
            let differ = config_file::differences(&self.files.config, said, written, &self.name);
            tell_all(terminal, &differ);
        }
        let caller = self.admin(entry, &bot, notes, terminal).await?;
        self.bot(&caller, &bot, notes, terminal).await?;
        let team = Team { bot: &bot, operators: &operators };
        let room = self.room(&caller, team, notes, terminal).await?;
        if self.written.is_none() {
            let room = room.as_ref().map_or("", |room| room.as_str());
            self.write_config(&bot, &operators, room, terminal)?;
        }
        let config = Config::load(&self.files.config, self.verbs)?;
        self.first_start(&config, &caller, notes, terminal).await?;
        if let Some(room) = &room {
            let findings = room::hand_over(&caller, room, team).await?;
            tell_all(terminal, &findings);
        }
        notes.done()?;
        Ok(config)
    }

    /// Who gives commands: accounts that are there, and none of the bot's own.
    async fn operators(&self, bot: &UserId, entry: &Entry) -> Result<Vec<Operator>, Finding> {
        let mut operators: Vec<Operator> = Vec::new();
        for Named { user, rank, master_key } in &self.answers.operators {
            let (user_id, rank, master_key) = (full(user, &self.name)?, *rank, master_key.clone());
            let again = operators.iter().any(|other| other.user_id == user_id);
            let bad = |what: &str, to_do: &str| {
                Err(Finding::bad(format!("operators: {user_id} {what}"), to_do))
            };
            if again {
                return bad("is named twice", "Name each operator once, with one role");
            }
            if user_id == bot {
                return bad("is the bot itself", "Name the accounts of people");
            }
            let is_local = user_id.server_name() == self.name;
            if self.written.is_none() && !is_local && master_key.is_none() {
                return bad(
                    "is on another server",
                    "Name them in an answers file (--answers), together with their master_key",
                );
            }
            if self.written.is_none() && is_local {
                let there = entry.caller().account(&user_id).await.map_err(|trouble| {
                    let what = format!("operators: {user_id} cannot be checked: {trouble}");
                    Finding::bad(what, trouble.to_do("--admin-url", "Run this again"))
                })?;
                if there.is_none() {
                    // Whoever registers the name later would be one of them.
                    return bad("has no account here", "Correct the name, or register it first");
                }
            }
            operators.push(Operator { user_id, rank, master_key });
        }
        let has_admin = operators.iter().any(|operator| operator.rank == Rank::Admin);
        if self.written.is_none() && !has_admin {
            let what = "operators: none of them is an admin";
            return Err(Finding::bad(what, "Name at least one with --admin @ann:example.org"));
        }
        Ok(operators)
    }

    /// The account of the admin token, and the end of the admin's own login.
    async fn admin(
        &self,
        entry: &Entry,
        bot: &UserId,
        notes: &mut Notes,
        terminal: &mut dyn Terminal,
    ) -> Result<Caller, Finding> {
        let visit = match entry {
            Entry::Kept(caller) => {
                if let Some(visitor) = notes.visitor() {
                    accounts::log_out_visitor(caller, visitor).await?;
                    notes.is_left()?;
                }
                return Ok(caller.clone());
            }
            Entry::Visit(visit) => visit,
        };
        if visit.passing {
            notes.visited_by(&visit.caller.user)?;
        }
        let account = self.answers.admin_account.as_deref().unwrap_or(questions::ADMIN_ACCOUNT);
        let account = full(account, &self.name)?;
        let mut named =
            self.answers.operators.iter().filter_map(|one| full(&one.user, &self.name).ok());
        if account == bot || named.any(|operator| operator == account) {
            return Err(Finding::bad(
                format!("admin token: {account} must not be used for anything else"),
                "Name a separate account with --admin-account, which is then created",
            ));
        }
        let file = &self.files.admin_token;
        let made =
            accounts::admin_token((&self.server, visit), &account, file, notes, &SystemClock)
                .await?;
        tell_all(terminal, &made);
        match visit.leave().await {
            Some(finding) => terminal.tell(&finding),
            None => notes.is_left()?,
        }
        let token = secret_in(file)?.ok_or_else(|| {
            Finding::bad("admin token: its file has disappeared", "Run this again")
        })?;
        Caller::of(&self.server, &token).await.map_err(|trouble| {
            Finding::bad(
                format!("admin token: it does not work: {trouble}"),
                trouble.to_do("--homeserver", "Run this again"),
            )
        })
    }

    /// The bot's account, or its token where it is made elsewhere.
    async fn bot(
        &self,
        caller: &Caller,
        bot: &UserId,
        notes: &mut Notes,
        terminal: &mut dyn Terminal,
    ) -> Result<(), Finding> {
        let written = self.written.as_ref();
        if written.is_some_and(|one| one.password.is_none() && one.access_token.is_none()) {
            // It comes from elsewhere than a file, so nothing can be mended there.
            return Ok(());
        }
        let by_token = written.map_or(self.server.is_delegated, |one| one.password.is_none());
        let told = if by_token {
            delegated::bot(&self.server, bot, &self.files.access_token).await?
        } else {
            let file = &self.files.password;
            accounts::bot(caller, &self.server, bot, file, notes, &SystemClock).await?
        };
        terminal.tell(&told);
        Ok(())
    }

    /// The room that was made here, or is now; nothing where a config names one of somebody else's.
    async fn room(
        &self,
        caller: &Caller,
        team: Team<'_>,
        notes: &mut Notes,
        terminal: &mut dyn Terminal,
    ) -> Result<Option<OwnedRoomId>, Finding> {
        if let Some(written) = &self.written {
            let rooms: BTreeSet<&str> = written.rooms.iter().map(|room| room.as_str()).collect();
            let ours = notes.room().filter(|room| rooms.contains(room.as_str()));
            return Ok(ours.cloned());
        }
        let (room, told) = room::make(caller, team, notes).await?;
        terminal.tell(&told);
        Ok(Some(room))
    }

    fn write_config(
        &self,
        bot: &UserId,
        operators: &[Operator],
        room: &str,
        terminal: &mut dyn Terminal,
    ) -> Result<(), Finding> {
        let text = config_file::render(&config_file::Content {
            server: &self.server,
            allow_plain_http: self.answers.allow_plain_http,
            files: &self.files,
            bot,
            operators,
            room,
        });
        files::write(&self.files.config, text.as_bytes()).map_err(|error| cannot(&error))?;
        let file = self.files.config.display();
        terminal.tell(&Finding::ok(format!("config: wrote {file}")));
        terminal.tell(&Finding::ok(
            "reports: new reports will open a thread in the room; without `watch: true` there they do not",
        ));
        Ok(())
    }

    /// The bot's device, its keys and its recovery key, where this bot is a new one. One that has run
    /// does that at its start, with all that its rooms remember of it.
    async fn first_start(
        &self,
        config: &Config,
        caller: &Caller,
        notes: &Notes,
        terminal: &mut dyn Terminal,
    ) -> Result<(), Finding> {
        let session = config.state.join("session.json");
        let bot = &config.bot.user_id;
        if notes.is_done || !notes.is_fresh {
            return Ok(());
        }
        if !session.exists() && has_keys(caller, bot).await? {
            let file = config.recovery_key_file.display();
            terminal.tell(&Finding::warn(
                format!("bot: {bot} already has keys, from a bot that ran elsewhere"),
                format!("Put its recovery key into {file} before you start it"),
            ));
            return Ok(());
        }
        match tokio::time::timeout(FIRST_START, prepare(config)).await {
            Ok(Ok(())) => {}
            Ok(Err(RunError::Running { .. })) => {
                terminal.tell(&Finding::ok("bot: it is already running"));
                return Ok(());
            }
            Ok(Err(error)) => return Err(not_started(&chain(&error))),
            Err(_) => return Err(not_started(&"the homeserver does not answer in time")),
        }
        let kept = files::read(&session).map_err(|error| cannot(&error))?.unwrap_or_default();
        let kept: Value = serde_json::from_slice(&kept).unwrap_or_default();
        if let Some(device) = kept["device_id"].as_str().filter(|_| notes.has_made(bot)) {
            accounts::tidy(caller, bot, device).await.map_err(|trouble| not_started(&trouble))?;
        }
        let file = config.recovery_key_file.display();
        terminal
            .tell(&Finding::ok(format!("bot: created its keys; the recovery key is in {file}")));
        Ok(())
    }
}

fn not_started(why: &dyn Display) -> Finding {
    Finding::bad(format!("bot: its first login fails: {why}"), "Fix that, and run this again")
}

/// Whether the bot's account has cross-signing keys (`POST /_matrix/client/v3/keys/query`).
async fn has_keys(caller: &Caller, bot: &UserId) -> Result<bool, Finding> {
    let path = ["_matrix", "client", "v3", "keys", "query"];
    let answer = caller.client.post(&path, &json!({ "device_keys": { bot.as_str(): [] } })).await;
    let answer = answer.map_err(|trouble: Trouble| not_started(&trouble))?;
    Ok(answer["master_keys"].get(bot.as_str()).is_some())
}
