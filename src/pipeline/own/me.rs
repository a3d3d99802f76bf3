//! `!me`: who the bot takes somebody for, where it can tell them a secret, and how they want answers.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    change::Power,
    error::Stop,
    pipeline::{Invocation, Lane, NoWhisper, Origin, Pipeline, Trust},
    reply::{Layout, Line, Reply},
};

mod preferences;

use preferences::{Choice, choose};

/// Show who I take you for and what you may do, or choose how you get answers
#[derive(Debug, clap::Args)]
pub(crate) struct Me {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make the direct room in which I tell you secrets, or say whether it is ready
    ///
    /// A new password or a login can be told only there. I invite you to it; once you have joined,
    /// nothing that ends with a secret has to wait for it.
    Dm,
    /// Choose how your lists come: cards, list or code
    ///
    /// cards: two lines for each entry, or all that is known with --layout cards. list: one line for each. code: columns of fixed pitch,
    /// cut to fit a phone. For one command there is --layout.
    Layout {
        /// One of these words
        layout: Layout,
    },
    /// Choose how many entries a list shows at once
    Rows {
        /// From 5 to 100
        #[arg(value_parser = clap::value_parser!(u16).range(5..=100))]
        number: u16,
    },
    /// Choose the time zone in which times stand beside UTC, such as Europe/Berlin
    Timezone {
        /// Its name, by continent and city
        #[arg(required = true)]
        zone: Vec<String>,
    },
    /// Forget what you have chosen here
    Reset,
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Me>(
    "me",
    &["me", "me dm", "me layout list", "me rows 30", "me timezone Europe/Berlin", "me reset"],
);

const POWERS: &[(Power, &str)] = &[
    (Power::Look, "look at accounts, rooms and media"),
    (Power::LookPrivate, "look at IP addresses and other private things"),
    (Power::Moderate, "act on ordinary accounts, rooms and media"),
    (Power::Account, "make and take over accounts"),
    (Power::Server, "change the server itself"),
];

#[async_trait]
impl Own for Me {
    /// What is chosen counts for the next command.
    fn lane(&self) -> Lane {
        match self.what {
            None | Some(What::Dm) => Lane::Beside,
            Some(_) => Lane::InTurn,
        }
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let choice = match &self.what {
            None => return Ok(Some(known(pipeline, invocation))),
            Some(What::Dm) => return Ok(Some(direct(pipeline, invocation).await)),
            Some(What::Layout { layout }) => Choice::Layout(*layout),
            Some(What::Rows { number }) => Choice::Rows(*number),
            Some(What::Timezone { zone }) => Choice::zone(pipeline, &zone.join(" "))?,
            Some(What::Reset) => Choice::Reset,
        };
        choose(pipeline, invocation, &choice).await.map(Some)
    }
}

fn known(pipeline: &Pipeline, invocation: &Invocation<'_>) -> Reply {
    let operator = invocation.operator;
    let powers: Vec<&str> = POWERS
        .iter()
        .filter(|(power, _)| operator.role.has(*power))
        .map(|(_, words)| *words)
        .collect();
    let key = match pipeline.keys.pinned(&operator.user) {
        Some(key) => Line::new().code(key),
        None => Line::from("none yet"),
    };
    let came = match invocation.origin {
        Origin::Shell(command) => Line::from("from ").line(command.way.into()),
        origin => Line::from(match origin.message().map(|request| &request.trust) {
            Some(Trust::Signed { .. }) => "encrypted, from a device that your key has signed",
            Some(Trust::Clear) => "in clear, as the config allows here",
            Some(Trust::Doubtful(_)) | None => "in a way that I do not believe",
        }),
    };
    let mut facts = vec![
        ("Role", Line::from(operator.role.name.clone())),
        ("You may", Line::from(powers.join("; "))),
        ("Your key", key),
        ("This message came", came),
    ];
    if operator.person != operator.user.as_str() {
        facts.insert(1, ("Person", Line::from(operator.person.clone())));
    }
    facts.extend(preferences::facts(&pipeline.preference_of(operator)));
    if let Some(why) = pipeline.freeze_control.bot_frozen() {
        facts.push(("Now", why));
    }
    if pipeline.roster.read_only {
        facts.push(("Now", Line::from("I am read-only: nothing is changed, whoever asks")));
    }
    Reply::data(Line::new().code(&operator.user)).facts(facts)
}

/// Makes the direct room where there is none, and says how it stands.
async fn direct(pipeline: &Pipeline, invocation: &Invocation<'_>) -> Reply {
    match pipeline.outbox.can_whisper(&invocation.operator.user).await {
        Ok(()) => Reply::data(
            "Your direct room is ready: it is encrypted, nobody is in it but you and me, and your \
             key has signed a device of yours. Secrets that only you may read come there",
        ),
        Err(why) => Reply::data(format!("Your direct room is not ready: {why}"))
            .command(to_do(&why), vec!["me".to_owned(), "dm".to_owned()]),
    }
}

/// What the asker must do before they ask again.
fn to_do(why: &NoWhisper) -> &'static str {
    match why {
        NoWhisper::NotJoined => "Accept the invitation to “Private answers”, then send",
        NoWhisper::NotAlone => "It is given up. For a new one, send",
        NoWhisper::NotEncrypted => {
            "Nothing is told in it. Have its encryption looked at, then send"
        }
        NoWhisper::NoSignedDevice => {
            "Set up secure backup (or recovery) in your client's settings, or verify your device, \
             then send"
        }
        NoWhisper::Failed => "My log says why. When that is put right, send",
    }
}
