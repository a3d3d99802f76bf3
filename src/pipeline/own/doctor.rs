//! `!doctor`: what could be better, and what to do about it.

use async_trait::async_trait;
use jiff::SignedDuration;

use super::{Own, OwnSpec};
use crate::{
    audit::Verified,
    change::Power,
    error::Stop,
    finding::{Finding, Mark},
    pipeline::{Ailment, Invocation, Pipeline, is_first_word},
    reply::{Block, Hostile, Line, Reply},
};

/// How far the clocks may be apart. Beyond it commands begin to look old, and one-time passwords
/// wrong.
const APART: SignedDuration = SignedDuration::from_secs(30);

/// Check everything that I depend on, as `synod check` does, and say what to do
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// Also list what is fine
    #[arg(long)]
    all: bool,
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Doctor>("doctor", &["doctor", "doctor --all"]);

#[async_trait]
impl Own for Doctor {
    fn power(&self) -> Option<Power> {
        Some(Power::Look)
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let mut findings = inside(pipeline, invocation)?;
        findings.extend(pipeline.outbox.ailments().await.into_iter().map(ailing));
        findings.extend(pipeline.reloader.look().await);
        Ok(Some(told(findings, self.all)))
    }
}

/// What only the bot itself can tell.
fn inside(pipeline: &Pipeline, invocation: &Invocation<'_>) -> Result<Vec<Finding>, Stop> {
    let sent = invocation.origin.message().map(|request| request.sent);
    let clock = sent.map(|sent| clocks(pipeline.clock.now().duration_since(sent)));
    let record = match pipeline.audit.verify()? {
        Verified::Whole(head) => {
            Finding::ok(format!("the record is whole: {} entries", head.count))
        }
        Verified::Broken(broken) => Finding::bad(
            broken.to_string(),
            "Somebody has changed the store: check the record's file and the machine",
        ),
    };
    let open = pipeline.audit.left_open()?.len();
    let mut findings: Vec<Finding> = clock.into_iter().chain([record]).collect();
    findings.extend(pipeline.token_watch.finding());
    if open > 0 {
        findings.push(Finding::warn(
            format!("{open} changes are running or were interrupted"),
            "If nobody is waiting for an answer, restart me: I then report on them",
        ));
    }
    if pipeline.freeze_control.bot_frozen().is_some() {
        findings.push(Finding::warn(
            "I am frozen and change nothing",
            "To lift that, two operators send !unfreeze",
        ));
    }
    if pipeline.roster.read_only {
        findings.push(Finding::warn(
            "I am read-only and change nothing",
            "Set read_only: false in the config when you are happy with my answers",
        ));
    }
    Ok(findings)
}

/// What a message that took so long says about the clocks.
fn clocks(apart: SignedDuration) -> Finding {
    if apart.abs() <= APART {
        return Finding::ok("my clock and the homeserver's agree");
    }
    let order = if apart.is_negative() { "before" } else { "after" };
    Finding::warn(
        format!(
            "your message reached me {} s {order} it was sent, by our clocks",
            apart.abs().as_secs()
        ),
        "Synchronize both clocks over the network; or the homeserver is very slow",
    )
}

/// What is wrong with the bot's own keys, and what to do.
fn ailing(ailment: Ailment) -> Finding {
    let to_do = match ailment {
        Ailment::Unsigned => "Run synod check on my machine, and do what it says",
        Ailment::OneTimeKeys => {
            "Stop me, delete session.json in my state folder, and start me again: I log in as a \
            new device with the password, and sign it with the recovery key. If the config has a \
            token instead of a password, give me one from a new login"
        }
    };
    Finding::bad(ailment.to_string(), to_do)
}

/// The worst first; what is well only in number, or where it is asked for.
fn told(mut findings: Vec<Finding>, all: bool) -> Reply {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.mark));
    let count = |mark| findings.iter().filter(|finding| finding.mark == mark).count();
    let [well, warn, bad] = [Mark::Ok, Mark::Warn, Mark::Bad].map(count);
    let title = match (bad, warn) {
        (0, 0) => format!("All is well: I checked {well} things"),
        (bad, warn) => format!("Problems: {bad}; could be better: {warn}; fine: {well}"),
    };
    [("Bad", Mark::Bad), ("Could be better", Mark::Warn), ("Fine", Mark::Ok)]
        .into_iter()
        .filter(|(_, mark)| all || *mark != Mark::Ok)
        .map(|(heading, mark)| {
            let these = findings.iter().filter(|finding| finding.mark == mark);
            (heading, these.map(Line::from).collect::<Vec<Line>>())
        })
        .filter(|(_, lines)| !lines.is_empty())
        .fold(Reply::data(title), |reply, (heading, lines)| {
            reply.with(Block::List(heading.into(), lines))
        })
}

impl From<&Finding> for Line {
    /// Some of its words come from the homeserver.
    fn from(finding: &Finding) -> Self {
        let line = Self::new().hostile(&Hostile::new(finding.what.clone()));
        match &finding.to_do {
            Some(to_do) => line.plain(". ").naming(to_do, &is_first_word),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::room_id;
    use world::Synapse;

    use super::*;
    use crate::{pipeline::testing::Stage, reply::Layout};

    #[test]
    fn the_worst_comes_first_and_what_is_well_is_counted() {
        let findings = || {
            vec![
                Finding::ok("the clock is right"),
                Finding::warn("the disk is small", "Buy a larger one"),
                Finding::bad("the room is open", "Close it"),
            ]
        };
        let body = |reply: Reply| reply.draw(Layout::default())[0].body.clone();
        let text = body(told(findings(), false));
        assert!(text.contains("Problems: 1; could be better: 1; fine: 1"), "{text}");
        let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} in {text}"));
        assert!(place("the room is open") < place("the disk is small"));
        assert!(place("Close it") < place("Buy a larger one"));
        assert!(!text.contains("the clock is right"));
        assert!(body(told(findings(), true)).contains("the clock is right"));
    }
    #[tokio::test(flavor = "multi_thread")]
    async fn a_clock_that_is_wrong_is_told_and_is_what_questions_and_commands_go_by() {
        let synapse = Synapse::shared().await.unwrap();
        let api = synapse.admin();
        let stage = Stage::set(&synapse.url(), api.token());
        let eve = synapse.register("clock-eve", "correct horse", false, "eve").await.unwrap();
        let last = || stage.heard.all().last().cloned().unwrap_or_default();
        let code = || {
            let open = stage.pipeline.questions.open_in(room_id!("!admin:synod.test")).unwrap();
            open[0].code.clone()
        };
        for (seconds, told) in [
            (29, None),
            (31, Some("reached me 31 s after it was sent")),
            (-29, None),
            (-31, Some("reached me 31 s before it was sent")),
        ] {
            let mut look = stage.request("ann", "!doctor");
            look.sent -= SignedDuration::from_secs(seconds);
            stage.hand(look).await;
            match told {
                Some(told) => assert!(last().contains(told), "{seconds}: {}", last()),
                None => assert!(last().contains("All is well"), "{seconds}: {}", last()),
            }
        }

        // Set forward, it takes what has just been sent for old, and ends what has just been asked.
        let ask = format!("!user deactivate {}", eve.user_id);
        let said = stage.request("ann", &ask);
        stage.clock.pass(301);
        stage.hand(said).await;
        assert!(last().contains("Expired"), "{}", last());
        stage.say("ann", &ask).await;
        let number = code();
        stage.clock.pass(601);
        stage.say("ann", &format!("!confirm {number}")).await;
        assert!(last().contains("Expired"), "{}", last());
        let account = async || api.account(&eve.user_id).await.unwrap();
        assert_eq!(account().await["deactivated"], false);
        // Set back, it lets a question live longer.
        stage.say("ann", &ask).await;
        let number = code();
        stage.clock.pass(-3600);
        stage.say("ann", &format!("!confirm {number}")).await;
        assert!(last().contains("Done"), "{}", last());
        assert_eq!(account().await["deactivated"], true);
    }
}
