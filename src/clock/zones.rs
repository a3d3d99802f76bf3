//! Time zones by their names, from the database that the system has.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;

/// Where systems keep it.
const FOLDERS: [&str; 2] = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo"];

/// The largest file of a zone that is read, bytes: those of the database have a few thousand.
const LARGEST: u64 = 64 * 1024;

/// The longest name of a zone.
const LONGEST: usize = 64;

/// How deep the database is: `America/Argentina/Ushuaia`.
const DEPTH: usize = 3;

/// How many names are offered in place of one that is unknown.
const OFFERED: usize = 3;

/// How many letters of a city must be right for it to be offered.
const ALIKE: usize = 3;

/// The zones of one machine.
#[derive(Debug, Clone)]
pub struct Zones {
    folder: Option<PathBuf>,
}

/// Why a name is no zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoZone {
    /// The machine has no zones at all.
    NoDatabase,
    /// No zone has this name; these come nearest.
    Unknown(Vec<String>),
}

impl Zones {
    /// Those of this machine.
    pub fn of_system() -> Self {
        let mut folders = FOLDERS.iter().map(PathBuf::from);
        Self { folder: folders.find(|folder| folder.is_dir()) }
    }

    /// The zone with this name as the database spells it, such as `Europe/Berlin`.
    pub fn named(&self, name: &str) -> Option<TimeZone> {
        let folder = self.folder.as_deref()?;
        // What looks like a path to elsewhere is none.
        if !is_name(name) {
            return None;
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(folder.join(name)).ok()?;
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        TimeZone::tzif(name, &bytes).ok()
    }

    /// The name as the database spells it, with its zone, whatever its capitals are here.
    ///
    /// # Errors
    /// Where there is none, with the names that come nearest.
    pub fn find(&self, typed: &str) -> Result<(String, TimeZone), NoZone> {
        let typed = typed.trim().replace(' ', "_");
        if let Some(zone) = self.named(&typed) {
            return Ok((typed, zone));
        }
        let Some(folder) = &self.folder else { return Err(NoZone::NoDatabase) };
        let mut names = Vec::new();
        gather(folder, "", DEPTH, &mut names);
        names.sort();
        let same = names.iter().find(|name| name.eq_ignore_ascii_case(&typed));
        if let Some((name, zone)) = same.and_then(|name| Some((name.clone(), self.named(name)?))) {
            return Ok((name, zone));
        }
        Err(NoZone::Unknown(nearest(&typed, &names)))
    }
}

/// Whether a text can be the name of a zone: words of letters, parted by slashes.
fn is_name(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "_+-".contains(c))
    };
    text.len() <= LONGEST && text.split('/').all(is_word)
}

/// The names below a folder of the database, which has other files too: their names are in small
/// letters, or have a full stop.
fn gather(folder: &Path, before: &str, depth: usize, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let Ok(file) = entry.file_name().into_string() else { continue };
        let name = format!("{before}{file}");
        if !is_name(&name) {
            continue;
        }
        let path = entry.path();
        if !path.is_dir() {
            names.push(name);
        } else if depth > 1 {
            gather(&path, &format!("{name}/"), depth - 1, names);
        }
    }
}

/// The names whose city begins most like the one that was typed.
fn nearest(typed: &str, names: &[String]) -> Vec<String> {
    let city = |name: &str| name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let wanted = city(typed);
    let alike = |name: &String| {
        city(name).chars().zip(wanted.chars()).take_while(|(one, other)| one == other).count()
    };
    let mut near: Vec<(usize, &String)> =
        names.iter().map(|name| (alike(name), name)).filter(|(alike, _)| *alike >= ALIKE).collect();
    near.sort_by_key(|(alike, name)| (std::cmp::Reverse(*alike), name.len()));
    near.into_iter().take(OFFERED).map(|(_, name)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_known_by_its_name_and_nothing_else_is_opened() {
        let zones = Zones::of_system();
        let (name, zone) = zones.find("europe/berlin").unwrap();
        assert_eq!(name, "Europe/Berlin");
        let winter = "2026-11-29T20:15:00Z".parse::<jiff::Timestamp>().unwrap();
        let there = winter.to_zoned(zone).strftime("%H:%M %Z").to_string();
        assert_eq!(there, "21:15 CET");
        for wrong in ["../../etc/passwd", "/etc/passwd", "Europe/../Europe/Berlin", "", "Europe"] {
            assert!(zones.named(wrong).is_none(), "{wrong}");
            assert!(matches!(zones.find(wrong), Err(NoZone::Unknown(_))), "{wrong}");
        }
    }

    #[test]
    fn the_nearest_names_are_offered() {
        let zones = Zones::of_system();
        let near = |typed| match zones.find(typed) {
            Err(NoZone::Unknown(near)) => near,
            other => panic!("{other:?}"),
        };
        assert_eq!(near("Berlin").first().map(String::as_str), Some("Europe/Berlin"));
        assert_eq!(near("Europe/Berlim").first().map(String::as_str), Some("Europe/Berlin"));
        assert_eq!(near("new york").first().map(String::as_str), Some("America/New_York"));
        assert!(near("Atlantis-of-old").len() <= OFFERED);
        assert_eq!(Zones { folder: None }.find("UTC").unwrap_err(), NoZone::NoDatabase);
    }
}
