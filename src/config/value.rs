//! Single values: text in, checked value out, or the fault written down.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use bytesize::ByteSize;
use data_encoding::BASE64_NOPAD;
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use ruma::{OwnedRoomId, OwnedRoomOrAliasId, OwnedUserId, RoomId, RoomOrAliasId, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use url::{Host, Url};

use super::{
    Rotation, Weekly,
    section::{Field, Reported},
};
use crate::{
    clock::{Duty, NotDuty},
    input::{Prefix, Unfit},
};

/// Bytes of an Ed25519 public key.
const KEY_BYTES: usize = 32;

/// A base address: https anywhere, http on loopback and, where it is `plain_allowed`, to a private
/// host; and nothing but scheme, host and port.
pub(super) fn address(field: &Field<'_>, text: &str, plain_allowed: bool) -> Result<Url, Reported> {
    const EXAMPLE: &str = "Write an address such as https://matrix.example.org";
    let Ok(url) = Url::parse(text) else {
        return Err(field.wrong("this is not a web address", EXAMPLE));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(field.wrong(
            "the address contains a name or password",
            "Remove everything before the @; secrets have their own keys",
        ));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) || (plain_allowed && is_private(&url)) => {}
        "http" => {
            let instead = match (is_private(&url), plain_allowed) {
                (true, _) => {
                    "Write https://, or `allow_plain_http: true` under homeserver, if nobody else \
                     is on the network between synod and the homeserver"
                }
                (false, true) => {
                    "Write https://: allow_plain_http is for private names and addresses, such as \
                     http://synapse:8008 or http://10.0.0.2:8008"
                }
                (false, false) => {
                    "Write https://, or http:// only to localhost, 127.0.0.1 or [::1]"
                }
            };
            return Err(field
                .wrong("plain http would send the tokens unencrypted over the network", instead));
        }
        _ => return Err(field.wrong("this is neither https nor http", EXAMPLE)),
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(field.wrong(
            "there is something after the host and port",
            "Remove that; synod adds the path itself",
        ));
    }
    Ok(url)
}

/// A ULID: 26 digits of Crockford's base 32.
pub(super) fn ulid(field: &Field<'_>, text: &str) -> Result<String, Reported> {
    const LENGTH: usize = 26;
    let is_digit = |b: u8| b.is_ascii_alphanumeric() && !b"ILOUilou".contains(&b);
    if text.len() == LENGTH && text.bytes().all(is_digit) {
        return Ok(text.to_owned());
    }
    Err(field.wrong(
        "this is not a ULID",
        "Write the client_id from the configuration of the authentication service: 26 letters and \
         digits",
    ))
}

/// Endings of names that are never those of a public host.
const PRIVATE: &[&str] = &[".internal", ".local", ".home.arpa", ".localhost"];

/// Whether the host is one of a private network, by its name or address: such as `synapse`, as the
/// containers of one compose file name each other.
pub(crate) fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            !name.contains('.') || PRIVATE.iter().any(|ending| name.ends_with(ending))
        }
        Some(Host::Ipv4(address)) => address.is_private(),
        Some(Host::Ipv6(address)) => address.is_unique_local(),
        None => false,
    }
}

/// An address and a port to listen on: of this machine, or any where another is `allowed`.
pub(super) fn listened(
    field: &Field<'_>,
    text: &str,
    allowed: bool,
) -> Result<SocketAddr, Reported> {
    let Ok(address) = text.parse::<SocketAddr>() else {
        return Err(field.wrong(
            "this is not an address with a port",
            "Write one such as 127.0.0.1:9464 or \"[::1]:9464\"",
        ));
    };
    if !allowed && !address.ip().is_loopback() {
        return Err(field.wrong(
            "other machines could reach this address without logging in",
            "Write 127.0.0.1:9464, or `allow_remote: true` under monitoring if only your \
            monitoring can reach it",
        ));
    }
    Ok(address)
}

/// Whether the host is this machine itself.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// With what the commands of the bot begin; `verbs` are the commands that there are.
pub(super) fn prefix(field: &Field<'_>, text: &str, verbs: &[String]) -> Result<Prefix, Reported> {
    const INSTEAD: &str = "Write one of ! . ? % & = in double quotes, or one of them with a short name \
        and a space behind it, such as \"!s \"";
    let prefix: Prefix =
        text.parse().map_err(|unfit: Unfit| field.wrong(unfit.to_string(), INSTEAD))?;
    let is_word = |verb: &String| verb.split(' ').next() == Some(prefix.name());
    if verbs.iter().any(is_word) {
        return Err(field.wrong("the name in it is the first word of a command", INSTEAD));
    }
    Ok(prefix)
}

/// A user id.
pub(super) fn user(field: &Field<'_>, text: &str) -> Result<OwnedUserId, Reported> {
    UserId::parse(text).map_err(|_| {
        field.wrong(
            "this is not a user id",
            "Write the full id in double quotes, such as \"@ann:example.org\"",
        )
    })
}

/// A room id or an alias.
pub(super) fn room(field: &Field<'_>, text: &str) -> Result<OwnedRoomOrAliasId, Reported> {
    RoomOrAliasId::parse(text).map_err(|_| {
        field.wrong(
            "this is neither a room id nor an alias",
            "Write \"!id\" or \"#alias:example.org\", in double quotes",
        )
    })
}

/// The id of a room, where it must not come to mean another one.
pub(super) fn room_id(field: &Field<'_>, text: &str) -> Result<OwnedRoomId, Reported> {
    RoomId::parse(text)
        .map_err(|_| field.wrong("this is not a room id", "Write \"!id\", in double quotes"))
}

/// A master key, unpadded base64.
pub(super) fn master_key(field: &Field<'_>, text: &str) -> Result<String, Reported> {
    match BASE64_NOPAD.decode(text.as_bytes()) {
        Ok(key) if key.len() == KEY_BYTES => Ok(text.to_owned()),
        _ => Err(field.wrong(
            "this is not a master key",
            "Write its 43 characters of base64, without spaces, `=` or `ed25519:`",
        )),
    }
}

/// When a file is set aside: `month`, or a size.
pub(super) fn rotation(field: &Field<'_>, text: &str) -> Result<Rotation, Reported> {
    const INSTEAD: &str = "Write month, or a size from 1MiB to 1TiB, such as 64MiB";
    if text == "month" {
        return Ok(Rotation::Month);
    }
    match text.parse::<ByteSize>() {
        Ok(size) if (ByteSize::mib(1)..=ByteSize::tib(1)).contains(&size) => {
            Ok(Rotation::Size(size.as_u64()))
        }
        Ok(_) => Err(field.wrong("this is too small or too large", INSTEAD)),
        Err(_) => Err(field.wrong("this is neither a month nor a size", INSTEAD)),
    }
}

/// A public key of the program `age`, or one of ssh that it takes too.
pub(super) fn recipient(field: &Field<'_>, text: &str) -> Result<String, Reported> {
    let is_age = text.starts_with("age1")
        && text.len() > "age1".len()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_ssh = ["ssh-ed25519 ", "ssh-rsa "].iter().any(|kind| text.starts_with(kind));
    if is_age || is_ssh && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(field.wrong(
        "this is not a public age key",
        "Write the key that `age-keygen` shows as `Public key`; it begins with age1",
    ))
}

/// A span of time from one second to a day.
pub(super) fn duration(field: &Field<'_>, text: &str) -> Result<Duration, Reported> {
    const INSTEAD: &str = "Write a time from 1s to 24h, such as 30s, 10min or 1h";
    let Ok(span) = text.parse::<SignedDuration>() else {
        return Err(field.wrong("this is not a duration", INSTEAD));
    };
    match Duration::try_from(span) {
        Ok(span) if (Duration::from_secs(1)..=Duration::from_hours(24)).contains(&span) => Ok(span),
        _ => Err(field.wrong("this is too short or too long", INSTEAD)),
    }
}

/// A moment: a day, from whose beginning in UTC it counts, or a time of day with its zone.
pub(super) fn moment(field: &Field<'_>, text: &str) -> Result<Timestamp, Reported> {
    let day = || {
        let is_day = text.len() == "2027-01-31".len();
        let day = text.parse::<civil::Date>().ok().filter(|_| is_day)?;
        day.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
    };
    text.parse().ok().or_else(day).ok_or_else(|| {
        field.wrong(
            "this is not a date",
            "Write a day such as 2027-01-31, or a time such as 2027-01-31T10:00:00Z",
        )
    })
}

/// A whole number within these bounds.
pub(super) fn count(
    field: &Field<'_>,
    text: &str,
    bounds: RangeInclusive<usize>,
) -> Result<usize, Reported> {
    match text.parse() {
        Ok(count) if bounds.contains(&count) => Ok(count),
        _ => Err(field.wrong(
            "this number is not allowed here",
            format!("Write a number from {} to {}", bounds.start(), bounds.end()),
        )),
    }
}

/// The seed of an authenticator app.
pub(super) fn is_totp_seed(field: &Field<'_>, secret: &SecretString) -> Result<(), Reported> {
    if crate::totp::seed(secret.expose_secret()).is_some() {
        return Ok(());
    }
    Err(field.wrong(
        "this is not a one-time password seed",
        "Put 16 bytes or more into it as base32, as authenticator apps accept it",
    ))
}

/// A short text that people see, without control characters.
pub(super) fn name(field: &Field<'_>, text: &str) -> Result<String, Reported> {
    if text.trim().is_empty() || text.chars().count() > 64 || text.chars().any(char::is_control) {
        return Err(field.wrong("this is not a name", "Write 1 to 64 characters on one line"));
    }
    Ok(text.to_owned())
}

/// A moment of each week.
pub(super) fn weekly(field: &Field<'_>, text: &str) -> Result<Weekly, Reported> {
    let wrong = |_| {
        field.wrong(
            "this is not a day and time of the week",
            "Write a day and a time in UTC, such as monday 09:00",
        )
    };
    text.parse().map_err(wrong)
}

/// Hours of each week in which somebody is on duty.
pub(super) fn duty(field: &Field<'_>, text: &str) -> Result<Duty, Reported> {
    text.parse().map_err(|why: NotDuty| {
        field.wrong(
            why.to_string(),
            "Write days, hours and a time zone, such as mon-fri 09:00-17:00 Europe/Berlin",
        )
    })
}

/// A filter of the log.
///
/// A bare word that is no level would be taken as the name of a target: a mistyped level then
/// silences the log. Ours must say `target=level`.
pub(super) fn log(field: &Field<'_>, text: &str) -> Result<String, Reported> {
    let bare_word = text
        .split(',')
        .filter(|directive| !directive.contains(['=', '[']))
        .any(|directive| directive.trim().parse::<LevelFilter>().is_err());
    if bare_word || EnvFilter::builder().parse(text).is_err() {
        return Err(field.wrong(
            "this is not a filter for the log",
            "Write error, warn, info, debug or trace, or in more detail info,synod=debug",
        ));
    }
    Ok(text.to_owned())
}
