//! Putting a question, and showing how it ended.

use tracing::error;

use super::{
    Questions,
    answer::those,
    approve::Needs,
    wording::{Asked, is_light},
};
use crate::{
    audit::{Kind, Record},
    change::{Class, Skip, Subject},
    commands::Action,
    confirm::{Consent, Draft, End, State, Ticket},
    error::Stop,
    gate::Because,
    pipeline::{
        Exit, Invocation, ShellCommand,
        change::{Looked, ToAsk, overview},
        voice::last_word::key_of_question,
    },
    reply::{File, Hostile, Line, Reply, Status, utc},
    synapse::Secrets,
};

/// The reactions by which a question can be answered.
pub(super) const SIGNS: [&str; 2] = ["✅", "❌"];

impl Questions {
    /// Puts the question about a change: on record, in the store, and then in the room.
    pub(in crate::pipeline) async fn ask(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        to_ask: ToAsk,
    ) -> Result<(), Stop> {
        let ToAsk { looked, class, needs, earlier, secrets, guards: _held } = to_ask;
        let because = needs.because;
        let here = invocation.origin.shell().filter(|_| needs.is_for_asker());
        // A crash may have come between keeping the question and saying it: then it is said now.
        let kept = self.tickets.asked_by(invocation.origin.event())?;
        let ticket = match kept.filter(|ticket| ticket.state == State::Open) {
            Some(ticket) => ticket,
            None => self.put(invocation, action, &looked, needs, class, &secrets).await?,
        };
        if !secrets.is_empty() {
            self.secrets.lock().await.insert(ticket.code.clone(), secrets);
        }
        let mine = self.own_open(invocation)?;
        let another_is_open = mine.iter().any(|other| other.code != ticket.code);
        let asked = Asked {
            ticket: &ticket,
            action,
            looked: &looked,
            earlier: &earlier,
            roster: &self.roster,
            notes: Some(&self.notes),
            server: &self.server,
            zone: self.zone_of(&ticket.asker),
            another_is_open,
            now: self.clock.now(),
        };
        let reply = asked.question();
        if let Some(shell) = here {
            self.put_at_terminal(shell, invocation, reply, &asked, because).await;
            return Ok(());
        }
        let reply = self.with_lists(reply, &ticket, action, &looked).await;
        let reply = self.who_is_asked(reply, invocation, &asked, because);
        // Before it is sent: a client may answer sooner than the homeserver says that it was sent.
        self.last_word.question_put(&ticket.room, &ticket.code);
        let key = key_of_question(&ticket.code);
        let Some(event) = self.voice.say_in_room(invocation.origin, &key, &reply).await else {
            // Nobody has seen it, so nobody can have meant a yes to it.
            self.close_ticket(&ticket.code, End::Expired, None).await;
            let unasked = Reply::outcome(
                Status::NothingChanged,
                Line::new()
                    .plain("I could not put my question about ")
                    .command(crate::input::shown(&ticket.words))
                    .plain(", so nothing was done. Send it again if it is still meant"),
            );
            match invocation.origin.shell() {
                Some(shell) => {
                    shell.ended(Exit::Unchanged);
                    shell.aside(&unasked).await;
                }
                None => {
                    self.voice.answer_later(invocation.origin, "answer", &unasked);
                }
            }
            return Ok(());
        };
        if let Some(shell) = invocation.origin.shell() {
            shell.ended(Exit::Waits);
            shell.aside(&reply.text("This is asked in the room, and answered there")).await;
        }
        self.tickets.question_sent(&ticket.code, event.clone()).await?;
        if is_light(&ticket, &self.roster) && !another_is_open {
            for key in SIGNS {
                if let Err(error) = self.outbox.react(&ticket.room, &event, key).await {
                    error!(error = &error as &dyn std::error::Error, "no reaction was put");
                }
            }
        }
        Ok(())
    }

    /// Puts a question at the terminal where its command was typed, with the lists of those that it is
    /// about and of those that are left out before it.
    async fn put_at_terminal(
        &self,
        shell: &ShellCommand,
        invocation: &Invocation<'_>,
        reply: Reply,
        asked: &Asked<'_>,
        because: Because,
    ) {
        let Asked { ticket, action, looked, .. } = *asked;
        let mut lists = Vec::new();
        if overview::are_many(&looked.plans) {
            lists.push(overview::list("all of them", action, looked));
        }
        if overview::are_many(&looked.skips) {
            lists.push(overview::list_left_out("left out", &looked.skips));
        }
        for list in lists {
            match list {
                Ok(list) => {
                    let title = Line::from(list.name.clone());
                    shell.aside(&Reply::data(title).attaching(list)).await;
                }
                Err(error) => {
                    error!(code = ticket.code, %error, "a list was not shown");
                    shell.aside(&Reply::data("The list of all of them could not be shown")).await;
                }
            }
        }
        let reply = self.who_is_asked(reply, invocation, asked, because);
        shell.asked(&ticket.code);
        shell.aside(&reply).await;
    }

    /// Keeps a new question and records that it is put.
    async fn put(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        looked: &Looked,
        needs: Needs,
        class: Class,
        secrets: &Secrets,
    ) -> Result<Ticket, Stop> {
        let about = looked.plans.iter().map(|p| (p.subject.clone(), p.seen.preconditions.clone()));
        let new = Draft {
            asker: invocation.operator.user.clone(),
            room: invocation.room(),
            asked_by: invocation.event(),
            words: invocation.words.to_vec(),
            about: about.collect(),
            class,
            demand: needs.demand,
            holds_secret: !action.typed().is_empty() || !secrets.is_empty(),
            undoes: invocation.undoes,
            second: needs.second,
            alone: needs.alone,
            totp: needs.totp,
            referenced: invocation.options.referenced,
            expires: needs.expires,
        };
        let ticket = self.tickets.put(new).await?;
        let record = Record {
            ticket: Some(ticket.code.clone()),
            alone: invocation.options.alone.clone().filter(|_| ticket.alone.is_some()),
            subjects: ticket.about.iter().map(|(subject, _)| subject.clone()).collect(),
            ..invocation.record(Kind::QuestionPut)
        };
        self.audit.note(record).await?;
        Ok(ticket)
    }

    /// The same with the lists of those that it is about and of those that are left out, each as a
    /// file of its own before it: a question is put also where they cannot be sent.
    async fn with_lists(
        &self,
        reply: Reply,
        ticket: &Ticket,
        action: &dyn Action,
        looked: &Looked,
    ) -> Reply {
        let (list, left_out) =
            (format!("list-{}", ticket.code), format!("left-out-{}", ticket.code));
        let mut reply = reply;
        if overview::are_many(&looked.plans) {
            let file = overview::list(&format!("{list}.csv"), action, looked);
            reply = self.with_list(reply, ticket, &list, file).await;
        }
        if overview::are_many(&looked.skips) {
            let file = overview::list_left_out(&format!("{left_out}.csv"), &looked.skips);
            reply = self.with_list(reply, ticket, &left_out, file).await;
        }
        reply
    }

    async fn with_list(
        &self,
        reply: Reply,
        ticket: &Ticket,
        transaction_key: &str,
        file: std::io::Result<File>,
    ) -> Reply {
        let sent = match file {
            Ok(file) => {
                let about = Some(&ticket.asked_by);
                let sent = self.outbox.attach(&ticket.room, about, transaction_key, &file).await;
                sent.map(|_| file.name).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match sent {
            Ok(name) => reply.text(Line::new().plain("All of them: ").code(name)),
            Err(why) => {
                error!(code = ticket.code, why, "a list was not sent");
                reply.text("The list of all of them could not be sent")
            }
        }
    }

    /// The end of a question: who says yes to it, how, and until when.
    fn who_is_asked(
        &self,
        reply: Reply,
        invocation: &Invocation<'_>,
        asked: &Asked<'_>,
        because: Because,
    ) -> Reply {
        let (mut reply, ticket) = (reply, asked.ticket);
        if let Some(beyond) = &invocation.options.beyond {
            reply = reply.text(beyond.clone());
        }
        let mut facts = Vec::new();
        if ticket.second.is_some() || ticket.alone.is_some() {
            facts.push(("Asked by", Line::new().code(&ticket.asker)));
            facts.extend(invocation.origin.shell().map(|shell| ("From", shell.way.into())));
            let options = invocation.options;
            for (label, why) in [("Reason", &options.reason), ("Alone", &options.alone)] {
                let why = why.as_ref().map(|why| Line::new().hostile(&Hostile::new(why.clone())));
                facts.extend(why.map(|why| (label, why)));
            }
        }
        reply = reply.facts(facts);
        if let Some(second) = &ticket.second {
            let who = match second.others {
                1 => "another operator".to_owned(),
                n => format!("{n} other operators"),
            };
            reply = reply
                .text(
                    Line::new()
                        .plain(format!(
                            "It needs the approval of {who}, since {because}. Who can approve: "
                        ))
                        .line(those(ticket)),
                )
                .ringing(second.may.clone());
        }
        if let Some(from) = ticket.alone {
            let others = self.roster.operators.keys().filter(|user| **user != ticket.asker);
            let line = Line::new()
                .plain("It needs more than one person, and the asker goes ahead alone. Until ")
                .plain(asked.moment(from))
                .plain(" and for as long as it is open, each of you can stop it: ")
                .command(format!("!deny {}", ticket.code));
            reply = reply.text(line).ringing(others.cloned().collect());
        }
        reply = asked.ways(reply, invocation.origin.shell().is_some());
        let mut note = asked.open_until();
        if self.roster.read_only {
            note.push_str(". I am read-only: a yes will be answered, and nothing will be done");
        }
        reply.note(note)
    }

    /// Ends a question that was answered with a yes, and shows how.
    pub(in crate::pipeline) async fn end_ticket(
        &self,
        code: &str,
        how: End,
        consent: Option<&Consent>,
    ) {
        self.close_ticket(code, how, consent.map(Consent::by)).await;
    }

    /// Ends a ticket and edits its question to show how.
    pub(in crate::pipeline) async fn close_ticket(
        &self,
        code: &str,
        how: End,
        by: Option<&ruma::UserId>,
    ) {
        if let Err(error) = self.tickets.end(code, how, by).await {
            error!(code, error = &error as &dyn std::error::Error, "a question cannot be ended");
        }
        self.secrets.lock().await.remove(code);
        self.show_end(code).await;
    }

    /// Edits a question that has ended to show how.
    pub(in crate::pipeline) async fn show_end(&self, code: &str) {
        let Ok(Some(ticket)) = self.tickets.get(code) else { return };
        let Some(question) = &ticket.question else { return };
        let reply = ended(&ticket);
        if let Err(error) =
            self.outbox.edit(&ticket.room, question, &format!("end-{code}"), &reply).await
        {
            error!(code, error = &error as &dyn std::error::Error, "a question was not edited");
        }
        if is_light(&ticket, &self.roster) {
            self.answered.push(&ticket.room, question);
        }
    }
}

/// Why a subject is left out. Most reasons begin with its id.
pub(in crate::pipeline) fn not_this(subject: &Subject, skip: &Skip) -> Line {
    let line = Line::new().plain("Left out: ");
    if skip.why.names(&subject.to_string()) {
        line.line(skip.why.clone())
    } else {
        line.code(subject).plain(": ").line(skip.why.clone())
    }
}

/// What a question that is over looks like.
pub(in crate::pipeline) fn ended(ticket: &Ticket) -> Reply {
    Reply::data(
        Line::new()
            .plain("Question ")
            .code(&ticket.code)
            .plain(" by ")
            .code(&ticket.asker)
            .plain(", ")
            .command(crate::input::shown(&ticket.words)),
    )
    .text(how_it_ended(ticket))
}

/// How a ticket ended, in one line; where it stands if it has not.
pub(in crate::pipeline) fn how_it_ended(ticket: &Ticket) -> Line {
    match &ticket.state {
        State::Open => Line::from("It is open."),
        State::Taken { by, at, .. } => {
            Line::new().code(by).plain(format!(" said yes at {}; it is in hand.", utc(*at)))
        }
        State::Ended { how, by, at } => {
            let at = utc(*at);
            let by = |line: Line| match by {
                Some(by) => line.plain(" by ").code(by),
                None => line,
            };
            match how {
                End::Run(Some(number)) => by(Line::new().plain(format!("Answered yes at {at}")))
                    .plain("; for the result see ")
                    .command(format!("!audit show {number}")),
                End::Run(None) => by(Line::new().plain(format!("Answered yes at {at}"))),
                End::Rehearsed => by(Line::new().plain(format!("Answered yes at {at}")))
                    .plain(" while I was read-only: nothing was done."),
                End::Denied => by(Line::new().plain(format!("Denied at {at}"))),
                End::Cancelled => by(Line::new().plain(format!("Cancelled at {at}"))),
                End::Expired => {
                    Line::new().plain(format!("Expired at {at}: nobody said yes in time."))
                }
                End::PutAgain => by(Line::new().plain(format!("Answered yes at {at}")))
                    .plain(", but something had changed: put again as another question."),
                End::Refused => by(Line::new().plain(format!("Answered yes at {at}")))
                    .plain(", but it could not be done any more."),
            }
        }
    }
}
