//! `!me`: who the bot takes somebody for.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    change::Power,
    error::Stop,
    pipeline::{Asked, Pipeline, Trust},
    reply::{Line, Reply},
};

/// Show who I take you for and what you may do
#[derive(Debug, clap::Args)]
pub(crate) struct Me {}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Me>("me", &["me"]);

const POWERS: &[(Power, &str)] = &[
    (Power::Look, "look at accounts, rooms and media"),
    (Power::LookPrivate, "look at IP addresses and other private things"),
    (Power::Moderate, "act on ordinary accounts, rooms and media"),
    (Power::Account, "make and take over accounts"),
    (Power::Server, "change the server itself"),
];

#[async_trait]
impl Own for Me {
    async fn run(&self, pipeline: &Pipeline, asked: &Asked<'_>) -> Result<Option<Reply>, Stop> {
        let operator = asked.operator;
        let powers: Vec<&str> = POWERS
            .iter()
            .filter(|(power, _)| operator.role.has(*power))
            .map(|(_, words)| *words)
            .collect();
        let key = match pipeline.keys.pinned(&operator.user) {
            Some(key) => Line::new().code(key),
            None => Line::from("none yet"),
        };
        let came = match &asked.request.trust {
            Trust::Signed { .. } => "encrypted, from a device that your key has signed",
            Trust::Clear => "in clear, as the config allows here",
            Trust::Doubtful(_) => "in a way that I do not believe",
        };
        let mut facts = vec![
            ("Role", Line::from(operator.role.name.clone())),
            ("You may", Line::from(powers.join("; "))),
            ("Your key", key),
            ("This message came", Line::from(came)),
        ];
        if operator.person != operator.user.as_str() {
            facts.insert(1, ("Person", Line::from(operator.person.clone())));
        }
        if let Some(why) = pipeline.held() {
            facts.push(("Now", why));
        }
        if pipeline.roster.read_only {
            facts.push(("Now", Line::from("I am read-only: nothing is changed, whoever asks")));
        }
        Ok(Some(Reply::data(Line::new().code(&operator.user)).facts(facts)))
    }
}
